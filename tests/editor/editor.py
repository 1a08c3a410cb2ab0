"""The editor as a person meets it: by names, roles and keys, never by the code behind."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
RUN_TIMEOUT_MS = 90_000
DROP = """async ([name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, {type}));
  const canvas = document.querySelector('main');
  for (const kind of ['dragenter', 'dragover', 'drop'])
    canvas.dispatchEvent(new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}));
}"""


MIDDLE = """(path) => {
  const {x, y} = path.getPointAtLength(path.getTotalLength() / 2);
  const {a, d, e, f} = path.getScreenCTM();
  return [x * a + e, y * d + f];
}"""


class Editor:
    """One page with the editor in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def go(self, path: str = "/") -> None:
        """Open an address and wait for the page, and in the editor for its first workflow."""
        self.page.goto(self.url + path)
        expect(self.page.get_by_role("main")).to_be_visible()
        if not path.startswith("/panel"):
            expect(self.page.get_by_role("tab", selected=True)).to_be_visible()

    # --- the canvas ---

    @property
    def canvas(self) -> Locator:
        """The node graph."""
        return self.page.get_by_role("region", name="Node graph")

    @property
    def nodes(self) -> Locator:
        """All nodes in view."""
        return self.page.locator("article.node")

    @property
    def wires(self) -> Locator:
        """All links in view."""
        return self.page.locator(".react-flow__edge")

    def node(self, title: str) -> Locator:
        """A node of the canvas by its title."""
        return self.page.get_by_role("article", name=title, exact=True).first

    def socket(self, title: str, socket: str) -> Locator:
        """A socket by what it is called: "Output MODEL" or "Input model"."""
        return self.node(title).get_by_role("button", name=f"{socket}, ").first

    def empty(self) -> None:
        """A new workflow with nothing in it, and all the room for it."""
        expect(self.page.get_by_role("tab")).to_have_count(1)
        self.page.get_by_role("button", name="New workflow").click()
        expect(self.nodes).to_have_count(0)
        settings = self.page.get_by_role("button", name="Show advanced settings")
        if settings.get_attribute("aria-pressed") == "true":
            settings.click()

    def drag(self, start: Locator, to: Locator | tuple[float, float]) -> None:
        """With the left button, from the middle of one thing to another or to a place."""
        from_x, from_y = _middle(start)
        to_x, to_y = to if isinstance(to, tuple) else _middle(to)
        mouse = self.page.mouse
        mouse.move(from_x, from_y)
        mouse.down()
        mouse.move(from_x + 3, from_y)  # a node follows only what comes after this threshold
        mouse.move((from_x + to_x) / 2, (from_y + to_y) / 2, steps=3)
        mouse.move(to_x, to_y, steps=3)
        mouse.up()

    def zoom_out(self, times: int) -> None:
        """Press the button so often, and wait until the view has come to rest."""
        for _ in range(times):
            self.page.get_by_role("button", name="Zoom out").click()
        view = self.page.locator(".react-flow__viewport")
        before = None
        while before != (before := view.get_attribute("style")):
            self.page.wait_for_timeout(150)

    def drag_by(self, start: Locator, x: float, y: float) -> None:
        """With the left button, from the middle of a thing so far to the right and down."""
        from_x, from_y = _middle(start)
        self.drag(start, (from_x + x, from_y + y))

    def select(self, *titles: str) -> None:
        """Click the headers of nodes, holding Ctrl from the second on."""
        for place, title in enumerate(titles):
            heading = self.node(title).get_by_role("heading")
            heading.click(modifiers=["Control"] if place else [])

    def menu(self, on: Locator | tuple[float, float], item: str) -> None:
        """Choose from the menu of a thing or a place."""
        if isinstance(on, tuple):
            self.page.mouse.click(*on, button="right")
        else:
            on.click(button="right")
        self.page.get_by_role("menuitem", name=item).click()

    def wire(self, color: str, number: int = 0) -> tuple[float, float]:
        """The middle of a link of a colour, as "blue" for pictures; the last one is -1."""
        links = self.page.locator(f"path.react-flow__edge-path[style*='socket-{color}']")
        x, y = links.nth(number).evaluate(MIDDLE)
        return x, y

    def drawn(self) -> dict[str, Any]:
        """All that is on the canvas as a workflow, by selecting and copying it."""
        expect(self.nodes).not_to_have_count(0)
        self.page.locator("section.canvas").focus()
        self.keys("Control+a", "Control+c")
        return dict(json.loads(self.page.evaluate("navigator.clipboard.readText()")))

    def size(self) -> tuple[int, int]:
        """How many nodes and links there are."""
        found = self.drawn()
        return len(found["nodes"]), len(found["links"])

    def keys(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    # --- files ---

    def drop(self, name: str, content: bytes, media_type: str = "application/json") -> None:
        """Drag a file into the window."""
        self.page.evaluate(DROP, [name, media_type, base64.b64encode(content).decode()])

    # --- the server ---

    def api(self, path: str) -> Any:
        """What the server says."""
        answer = self.page.request.get(f"{self.url}/api/v1{path}")
        assert answer.ok, answer.text()
        return answer.json()

    def jobs(self) -> list[Any]:
        """All jobs, newest first."""
        return list(self.api("/jobs")["jobs"])

    def run(self) -> Any:
        """Press Ctrl+Enter and wait until the job has ended; the job."""
        before = {job["id"] for job in self.jobs()}
        self.keys("Control+Enter")
        return self.ended(before)

    def ended(self, before: set[str]) -> Any:
        """The job that was not there before, once it has ended."""
        for _ in range(RUN_TIMEOUT_MS // 200):
            new = [job for job in self.jobs() if job["id"] not in before]
            if new and new[0]["finished"]:
                return new[0]
            self.page.wait_for_timeout(200)
        raise AssertionError("no job has ended")

    # --- accessibility ---

    def violations(self) -> list[str]:
        """What axe finds that is serious."""
        self.page.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
        ]


def _middle(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
