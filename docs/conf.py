"""Settings of the site: lessons, reference, contract and results.

python -m sphinx -W -c docs . build/site
"""

import os
from pathlib import Path

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

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
napoleon_custom_sections = [("Call arguments", "params_style")]

# Lessons run while the site is built, in this order; one that fails, fails the build.
LESSONS = [
    "four_patterns",
    "unrolling",
    "vanishing_gradients",
    "gates",
    "straight_path",
    "clipping",
    "text_to_phone",
]


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
    "remove_config_comments": True,
}

html_theme = "furo"
html_title = "kerasseq"
html_math_renderer = "mathml"
html_extra_path = ["index.html"]
html_copy_source = False
