"""Build hook: puts nodes/ and workflows/ inside graphengine/ in the wheel.

A package called ``nodes`` must not land in site-packages. An editable install takes both from
the checkout, so nothing is copied there.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BESIDE_THE_PACKAGE = ("nodes", "workflows")


class WheelLayout(BuildHookInterface):
    """Adds the folders that stand beside the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        for folder in BESIDE_THE_PACKAGE:
            build_data["force_include"][folder] = f"graphengine/{folder}"
