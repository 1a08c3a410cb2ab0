"""For everyone: rules of accessibility on every view, touch, the outline, less motion."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

from tests.editor.editor import Editor
from tests.editor.test_building import place, tab_to
from tests.editor.test_opening import picture_workflow
from tests.editor.test_queue import NODE, open_painting, painting, queue
from tests.server.process import Server

VIEWS = [("en-US", "dark"), ("ja-JP", "light")]
PHONE = {"width": 390, "height": 844}
PANELS = "wqgpn"
MISSING = {"1": {"class_type": "NotHere", "inputs": {}}}


@pytest.fixture
def window(browser: Browser, server: Server) -> Iterator[Callable[..., Editor]]:
    """Opens the editor in a context with options of its own."""
    contexts = []

    def opened(path: str = "/", **options: Any) -> Editor:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(20_000)
        contexts.append(context)
        editor = Editor(context.new_page(), server.url)
        editor.go(path)
        return editor

    yield opened
    for context in contexts:
        context.close()


def keys(editor: Editor, *pressed: str) -> None:
    editor.page.locator("section.canvas").focus()
    editor.keys(*pressed)


def dialog(editor: Editor) -> None:
    expect(editor.page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize(("language", "theme"), VIEWS)
def test_no_view_breaks_a_rule_of_accessibility(
    window: Callable[..., Editor], language: str, theme: str
) -> None:
    editor = window(locale=language, color_scheme=theme)
    page = editor.page
    expect(editor.nodes.first).to_be_visible()
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        if wrong := editor.violations():
            found[name] = wrong

    for explain in page.locator(".setting-head button[aria-expanded]").all():
        explain.click()
    look("explained settings")
    for key in PANELS:
        keys(editor, key)
        expect(page.locator("section.left-panel h2")).to_be_visible()
        look(f"panel {key}")
    for name, pressed in (("palette", "Control+k"), ("keys", "?"), ("preferences", "Control+,")):
        keys(editor, pressed)
        dialog(editor)
        look(name)
        editor.keys("Escape")
    editor.nodes.first.get_by_role("heading").click()
    keys(editor, "h")
    dialog(editor)
    look("help")
    editor.keys("Escape")
    editor.nodes.first.get_by_role("heading").click(button="right")
    expect(page.get_by_role("menu")).to_be_visible()
    look("menu")
    editor.keys("Escape")
    page.mouse.dblclick(500, 650)
    dialog(editor)
    look("search")
    editor.keys("Escape")
    page.locator("nav.rail button").first.click()
    dialog(editor)
    look("templates")
    editor.keys("Escape")
    editor.drop("missing.json", json.dumps(MISSING).encode())
    dialog(editor)
    look("missing")
    editor.keys("Escape")
    assert found == {}


DIALOGS = [
    ("en-US", "light", "Earlier versions", "Open from the web", ("Sampler", "Decode")),
    ("ja-JP", "dark", "以前の版", "ウェブから開く", ("サンプラー", "デコード")),
]


@pytest.mark.parametrize(("language", "theme", "versions", "address", "titles"), DIALOGS)
def test_no_dialog_breaks_a_rule_of_accessibility(
    window: Callable[..., Editor],
    server: Server,
    language: str,
    theme: str,
    versions: str,
    address: str,
    titles: tuple[str, str],
) -> None:
    editor = window(locale=language, color_scheme=theme)
    page = editor.page
    sampler, decode = titles
    expect(editor.node(sampler)).to_be_visible()
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        dialog(editor)
        if wrong := editor.violations():
            found[name] = wrong
        editor.keys("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)

    def command(name: str) -> None:
        keys(editor, "Control+k")
        expect(page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
        page.keyboard.type(name)
        editor.keys("Enter")

    keys(editor, "Control+Shift+s")
    page.get_by_role("dialog").get_by_role("textbox").fill(f"axe {theme}")
    editor.keys("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    editor.select(sampler, decode)
    editor.keys("Alt+c", "Alt+c", "Control+s")
    expect(page.get_by_role("tab")).to_have_accessible_name(f"axe {theme}")
    command(versions)
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(1)
    look("versions")
    command(address)
    look("address")
    editor.select(sampler)
    editor.keys("Alt+c", "Alt+c", "Control+m", "Alt+w")
    look("close")
    keys(editor, "Control+Shift+s")
    look("save")
    editor.node(sampler).get_by_role("combobox", name="sampler name").press("Enter")
    look("choices")
    editor.node(decode).locator(".socket.target").first.press("Enter")
    look("wiring")
    for text in ("first", "second"):
        queue(editor, f"{text} of {theme}")
    keys(editor, "g")
    page.get_by_role("button", name=f"second of {theme}").first.click()
    page.get_by_role("dialog").locator("button[aria-expanded]").click()
    page.get_by_role("dialog").get_by_role("listitem").get_by_role("button").first.click()
    look("picture")
    content = picture_workflow(server.base, f"{theme}.png")
    editor.drop("mask.json", content)
    page.locator(".image-field .button").last.click()
    look("mask")
    assert found == {}


@pytest.mark.parametrize(("language", "theme"), VIEWS)
def test_the_panel_on_a_phone_breaks_no_rule_of_accessibility(
    window: Callable[..., Editor], language: str, theme: str
) -> None:
    editor = window("/panel", locale=language, color_scheme=theme, viewport=PHONE)
    expect(editor.page.get_by_role("main").get_by_role("switch")).to_be_visible()
    assert editor.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert editor.violations() == []


# --- touch ----------------------------------------------------------------------------------------


class Fingers:
    """Touches the page as a screen reports it."""

    def __init__(self, page: Page) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)

    def move(self, *ways: tuple[tuple[float, float], tuple[float, float]], steps: int = 8) -> None:
        """Each finger goes down at its first place, to its second one and up."""
        self._send("touchStart", [start for start, _ in ways])
        for step in range(1, steps + 1):
            share = step / steps
            at = [(a + (c - a) * share, b + (d - b) * share) for (a, b), (c, d) in ways]
            self._send("touchMove", at)
        self._send("touchEnd", [])

    def _send(self, kind: str, points: list[tuple[float, float]]) -> None:
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def camera(page: Page) -> tuple[float, float, float]:
    """Where the canvas's origin lies, and its zoom."""
    style = page.locator(".react-flow__viewport").evaluate("one => one.style.transform")
    x, y, zoom = (
        float(part.strip(" px)")) for part in style[10:].replace(") scale(", ",").split(",")
    )
    return x, y, zoom


def middle(editor: Editor, title: str, socket: str) -> tuple[float, float]:
    box = editor.socket(title, socket).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize(
    ("locale", "hint", "tools"),
    [("en-US", "How to begin", "Canvas tools"), ("ja-JP", "はじめに", "キャンバスの道具")],
)
def test_on_a_phone_nothing_that_lies_over_the_canvas_covers_another(
    window: Callable[..., Editor], locale: str, hint: str, tools: str
) -> None:
    page = window(viewport=PHONE, locale=locale).page
    close = page.get_by_role("complementary", name=hint).get_by_role("button")
    things = (close, page.get_by_role("toolbar", name=tools), page.locator(".minimap"))
    for one, other in itertools.combinations(map(sides, things), 2):
        left, top, right, bottom = one
        assert other[0] >= right or other[2] <= left or other[1] >= bottom or other[3] <= top


def sides(thing: Locator) -> tuple[float, float, float, float]:
    """Where a thing's left, top, right and bottom are."""
    box = thing.bounding_box()
    assert box is not None
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def test_each_press_of_zoom_out_counts_while_the_view_still_glides(editor: Editor) -> None:
    before = camera(editor.page)[2]
    button = editor.page.get_by_role("button", name="Zoom out")
    button.evaluate("one => { for (let press = 0; press < 4; press++) one.click(); }")
    editor.zoom_out(1)
    assert camera(editor.page)[2] == pytest.approx(before * 0.8**5, rel=0.01)


def test_fingers_move_the_canvas_zoom_it_and_draw_links(window: Callable[..., Editor]) -> None:
    editor = window(has_touch=True, locale="en-US")
    editor.empty()
    place(editor, "CheckpointLoaderSimple", 160, 200)
    place(editor, "VAEDecode", 700, 200)
    fingers = Fingers(editor.page)

    before = camera(editor.page)
    fingers.move(((500, 560), (560, 600)))
    moved = camera(editor.page)
    assert (moved[0] - before[0], moved[1] - before[1]) == pytest.approx((60, 40), abs=12)

    fingers.move(((480, 560), (430, 560)), ((520, 560), (570, 560)))
    assert camera(editor.page)[2] > 1.5 * moved[2]
    fingers.move(((400, 560), (460, 560)), ((600, 560), (540, 560)))

    ends = (
        middle(editor, "Load Checkpoint", "Output VAE"),
        middle(editor, "VAE Decode", "Input vae"),
    )
    fingers.move(ends)
    expect(editor.wires).to_have_count(1)


# --- reading and motion ---------------------------------------------------------------------------


def test_the_outline_reads_the_graph_and_links_it_by_keyboard(editor: Editor) -> None:
    editor.page.get_by_role("button", name="Outline", exact=True).click()
    outline = editor.page.get_by_role("region", name="Outline")
    expect(outline).to_contain_text("7")
    entries = outline.locator("summary")
    expect(entries).to_have_count(7)
    entries.filter(has_text="Sampler").focus()
    model = outline.get_by_role("button", name="model from Load checkpoint")
    expect(model).to_be_visible()
    model.focus()
    editor.keys("Enter")
    expect(editor.page.get_by_role("dialog")).to_be_visible()
    editor.keys("Escape")
    assert editor.violations() == []


def test_the_outline_is_walked_and_edited_by_keyboard(editor: Editor) -> None:
    expect(editor.node("Save picture")).to_be_visible()
    outline = editor.page.get_by_role("region", name="Outline")
    editor.keys("Alt+o")
    expect(outline).to_be_focused()
    editor.keys("Tab", "Tab", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown")
    expect(outline.locator("summary").filter(has_text="Sampler")).to_be_focused()
    expect(editor.page.locator("article.node[data-selected]")).to_have_accessible_name("Sampler")
    tab_to(editor, "steps")
    editor.keys("Tab")
    editor.page.keyboard.type("2*4")
    editor.keys("Enter")
    steps = editor.node("Sampler").get_by_role("spinbutton", name="steps")
    expect(steps).to_have_value("8")
    editor.keys("Alt+o")
    expect(outline).to_have_count(0)
    editor.keys("Control+z")
    expect(steps).to_have_value("20")


def test_with_less_motion_wished_for_nothing_moves_during_a_run(
    window: Callable[..., Editor],
) -> None:
    editor = window(reduced_motion="reduce", locale="en-US")
    expect(editor.node("Save picture")).to_be_visible()
    open_painting(editor, "calm", painting("calm", steps=10, seconds=0.15))
    before = {job["id"] for job in editor.jobs()}
    editor.keys("Control+Enter")
    expect(editor.node(NODE).get_by_role("img", name="preview")).to_be_visible()
    moving = editor.page.evaluate(
        "document.getAnimations().filter((one) => one.playState === 'running'"
        " && one.effect.getComputedTiming().endTime > 50).length"
    )
    assert moving == 0
    editor.ended(before)
