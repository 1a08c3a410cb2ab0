"""The settings panel: found in any workflow, bound both ways, and alone on a phone."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from tests.editor.editor import RUN_TIMEOUT_MS, Editor
from tests.server.process import Server

Opener = Callable[..., Editor]
FAST = ("4", "1", "lcm", "sgm_uniform")
PLAIN = ("20", "3", "dpmpp_2m", "karras")


def panel(editor: Editor) -> Locator:
    return editor.page.get_by_role("complementary", name="Advanced settings")


def shows(form: Locator, expected: tuple[str, ...]) -> None:
    """The form's steps, CFG, method and schedule are these."""
    steps, cfg, method, schedule = expected
    expect(form.get_by_role("textbox", name="Sampling steps")).to_have_value(steps)
    expect(form.get_by_role("textbox", name="CFG scale")).to_have_value(cfg)
    expect(form.get_by_role("combobox", name="Sampling method")).to_have_value(method)
    expect(form.get_by_role("combobox", name="Schedule")).to_have_value(schedule)


def picture_of(editor: Editor, job: Any) -> Image.Image:
    """The picture that a job saved."""
    file = next(iter(job["outputs"].values()))["images"][0]
    answer = editor.page.request.get(f"{editor.url}/view", params=file)
    return Image.open(io.BytesIO(answer.body())).convert("RGB")


def test_the_lcm_switch_alone_makes_a_right_picture_in_four_steps_and_can_be_undone(
    editor: Editor,
) -> None:
    expect(editor.node("Save picture")).to_be_visible()
    form, nodes = panel(editor), editor.nodes.count()
    switch = form.get_by_role("switch", name="LCM")
    shows(form, PLAIN)
    switch.click()
    expect(switch).to_be_checked()
    shows(form, FAST)
    expect(editor.nodes).to_have_count(nodes + 1)

    editor.keys("Control+z")
    shows(form, PLAIN)
    expect(editor.nodes).to_have_count(nodes)
    editor.keys("Control+Shift+z")
    shows(form, FAST)

    job = editor.run()
    assert job["state"] == "done", job["error"]
    types = [node["class_type"] for node in job["prompt"].values()]
    assert "LoraLoaderModelOnly" in types
    picture = picture_of(editor, job)
    red, green, blue = picture.getpixel((32, 30))
    assert red > 150 > 100 > max(green, blue)
    assert min(min(picture.getpixel(corner)) for corner in ((2, 2), (61, 61))) > 180

    switch.click()
    expect(switch).not_to_be_checked()
    shows(form, PLAIN)
    expect(editor.nodes).to_have_count(nodes)


def test_on_a_phone_the_panel_alone_makes_a_picture(browser: Browser, server: Server) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, locale="en-US"
    )
    editor = Editor(context.new_page(), server.url)
    editor.go("/panel")
    form = editor.page.get_by_role("main")
    form.get_by_role("switch", name="LCM").tap()
    shows(form, FAST)
    assert editor.page.evaluate("document.documentElement.scrollWidth") == 390
    assert editor.violations() == []
    before = {job["id"] for job in editor.jobs()}
    form.get_by_role("button", name="Run", exact=True).tap()
    job = editor.ended(before)
    assert job["state"] == "done", job["error"]
    picture = form.get_by_role("img", name="The latest picture")
    expect(picture).to_have_js_property("naturalWidth", 64, timeout=RUN_TIMEOUT_MS)
    context.close()
