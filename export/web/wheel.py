"""Builds the page into the wheel, so that nobody who installs it needs Node."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Hook(BuildHookInterface):
    """What hatchling calls before it builds a wheel; pyproject.toml names it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the built page; a wheel without it says what is missing when it is used.

        Args:
            version: "standard", or "editable" for a checkout, which builds it later.
            build_data: what hatchling is to do besides.
        """
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from kerasseq.page import build_page

        try:
            page = build_page(Path(self.root) / "build")
        except (ValueError, OSError) as error:
            self.app.display_warning(f"the wheel has no page: {error}")
            return
        build_data["force_include"][str(page)] = "kerasseq/on_device/web/dist"
