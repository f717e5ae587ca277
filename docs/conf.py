"""Settings of the site: lessons, reference, contract and results.

python -m sphinx -W -c docs . build/site
"""

import os
import re
from pathlib import Path
from typing import Any

import kerasseq

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

project = "kerasseq"
author = "the authors of kerasseq"
version = release = kerasseq.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "docs.mathml",
    "docs.questions",
]

# The source folder is the repository, so that the pages' links to each other work as
# they do in the repository.
root_doc = "docs/index"
include_patterns = [
    *("docs/**", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *("export/README.md", "export/c/README.md", "export/web/README.md"),
]
exclude_patterns = ["**/node_modules", "build", "out", "tests", ".*", "**/__pycache__"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
myst_heading_anchors = 4

nitpicky = True
# Other packages' names are not looked up: the build asks no other machine.
nitpick_ignore_regex = [("py:.*", r"(?!kerasseq\b).*")]

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
default_role = "py:obj"  # `name` links to what has that name
napoleon_use_ivar = True
napoleon_custom_sections = [("Call arguments", "params_style")]

# Lessons run while the site is built, in this order; one that fails, fails the build.
LESSONS = [
    "four_patterns",
    "unrolling",
    "vanishing_gradients",
    "gates",
    "straight_path",
    "clipping",
    "query_key_value",
    "why_the_root",
    "many_heads",
    "add_and_norm",
    "positions",
    "masking",
    "encoder_and_decoder",
    "writing_step_by_step",
    "temperature",
    "text_to_phone",
]
lesson_order = LESSONS


class LessonOrder:
    """The place of a lesson among LESSONS, the unknown ones last."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, file: str) -> tuple[int, str]:
        name = Path(file).stem
        return (LESSONS.index(name) if name in LESSONS else len(LESSONS), name)


sphinx_gallery_conf = {
    "examples_dirs": "lessons",
    "gallery_dirs": "docs/lessons",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "docs.conf.LessonOrder",
    "download_all_examples": False,
    "write_computation_times": False,
    "show_signature": False,
    # What a cell's last line returns is matplotlib's text, which nobody wants to read.
    "capture_repr": (),
    "remove_config_comments": True,
}

html_theme = "furo"
html_title = "kerasseq"
html_math_renderer = "mathml"
html_extra_path = ["index.html"]
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = False
# Of files that no server answers for, a browser shows titles only.
html_show_search_summary = False


def quote_code(
    app: Any, kind: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Make code of what stands between backticks in a docstring and is no name."""

    def quoted(span: re.Match[str]) -> str:
        is_name = re.fullmatch(r"\w+(\.\w+)*", span[1])
        return span[0] if is_name else f"``{span[1]}``"

    text = re.sub(r"(?<!`)`([^`]+)`(?!`)", quoted, "\n".join(lines))
    lines[:] = text.split("\n")


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", quote_code)
