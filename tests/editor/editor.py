"""The editor as a person meets it: by names, roles and keys, never by the code behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")


class Editor:
    """One page with the editor in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def go(self, path: str = "/") -> None:
        """Open an address and wait for the page."""
        self.page.goto(self.url + path)
        expect(self.page.get_by_role("main")).to_be_visible()

    def keys(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def node(self, title: str) -> Locator:
        """A node of the canvas by its title."""
        return self.page.get_by_role("article", name=title, exact=True).first

    def api(self, path: str) -> Any:
        """What the server says."""
        answer = self.page.request.get(f"{self.url}/api/v1{path}")
        assert answer.ok, answer.text()
        return answer.json()

    def jobs(self) -> list[Any]:
        """All jobs, newest first."""
        return list(self.api("/jobs")["jobs"])

    def violations(self) -> list[str]:
        """What axe finds that is serious."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
        ]
