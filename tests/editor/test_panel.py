"""The settings panel: found in any workflow, bound both ways, and alone on a phone."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from tests.editor.editor import RUN_TIMEOUT_MS, Editor
from tests.editor.test_saving import save_as
from tests.editor.test_subgraphs import enter, make
from tests.server.process import Server

Opener = Callable[..., Editor]
FAST = ("4", "1", "lcm", "sgm_uniform")
PLAIN = ("20", "2", "dpmpp_2m", "karras")


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
    red, green, blue = picture.getpixel((64, 60))
    assert red > 150 > 100 > max(green, blue)
    assert min(min(picture.getpixel(corner)) for corner in ((4, 4), (123, 123))) > 180

    switch.click()
    expect(switch).not_to_be_checked()
    shows(form, PLAIN)
    expect(editor.nodes).to_have_count(nodes)


def test_the_panel_takes_calculations_and_keeps_numbers_in_their_range(editor: Editor) -> None:
    steps = panel(editor).get_by_role("textbox", name="Sampling steps")
    on_node = editor.node("Sampler").get_by_role("spinbutton", name="steps")
    for typed, expected in (("10+5", "15"), ("２０", "20"), ("0", "1"), ("seven", "1")):
        steps.fill(typed)
        steps.press("Enter")
        expect(on_node).to_have_value(expected)
        expect(steps).to_have_value(expected)


def test_an_explanation_at_the_lower_edge_of_the_panel_is_brought_into_view(editor: Editor) -> None:
    form = panel(editor)
    ask = form.get_by_role("button", name="What does “CFG scale” do?")
    ask.click()
    expect(form.locator(".explanation")).to_be_in_viewport(ratio=0.95)
    ask.click()
    expect(form.locator(".explanation")).to_have_count(0)


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
    expect(picture).to_have_js_property("naturalWidth", 128, timeout=RUN_TIMEOUT_MS)
    context.close()


def test_on_a_phone_it_is_told_why_a_workflow_does_not_run(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="ja-JP")
    page = context.new_page()
    node = {"id": "1", "type": "SaveImage", "position": [0, 0]}
    document = {"format": "graphengine workflow", "version": 1, "nodes": [node]}
    put = page.request.put(f"{server.url}/api/v1/workflows/loose", data={"document": document})
    assert put.ok, put.text()
    page.goto(f"{server.url}/panel?workflow=loose")
    expect(page.get_by_role("combobox", name="ワークフロー")).to_have_value("w/loose")
    page.get_by_role("button", name="実行").click()
    expect(page.get_by_role("region", name="お知らせ")).to_contain_text("images")
    context.close()


def test_lcm_gives_the_old_numbers_back_though_its_sampler_went_into_a_subgraph(
    editor: Editor,
) -> None:
    form = panel(editor)
    steps = editor.node("Sampler").get_by_role("spinbutton", name="steps")
    steps.fill("35")
    steps.press("Enter")
    own = ("35", *PLAIN[1:])
    switch = form.get_by_role("switch", name="LCM")
    switch.click()
    shows(form, FAST)
    make(editor, "Denoise", "Sampler", "Decode")
    expect(switch).to_be_checked()
    switch.click()
    shows(form, own)
    expect(editor.nodes).to_have_count(6)  # the LoRA has gone, two nodes are one
    editor.keys("Control+z")
    editor.menu(editor.node("Denoise").get_by_role("heading"), "Unpack the subgraph")
    shows(form, FAST)
    switch.click()
    shows(form, own)
    expect(editor.nodes).to_have_count(7)


def test_a_pinned_widget_stays_bound_when_saved_and_wherever_its_node_goes(editor: Editor) -> None:
    pins = panel(editor).get_by_role("region", name="Pinned")
    row = editor.node("Sampler").locator(".widget-row", has_text="denoise")
    editor.menu(row, "Pin to the settings panel")
    pinned = pins.get_by_role("textbox", name="Sampler · denoise")
    pinned.fill("0.5")
    denoise = editor.node("Sampler").get_by_role("spinbutton", name="denoise")
    expect(denoise).to_have_value("0.5")
    save_as(editor, "pinned")
    editor.page.reload()
    expect(pinned).to_have_value("0.5")

    make(editor, "Denoise", "Sampler", "Decode")
    expect(pinned).to_have_value("0.5")
    pinned.fill("0.25")
    enter(editor, "Denoise")
    expect(denoise).to_have_value("0.25")
    editor.menu(row, "Promote to the subgraph")
    editor.keys("Control+ArrowUp")
    pinned.fill("0.75")
    instance = editor.node("Denoise")
    expect(instance.get_by_role("spinbutton", name="denoise")).to_have_value("0.75")
    editor.menu(instance.locator(".widget-row", has_text="denoise"), "Pin to the settings panel")
    outer = pins.get_by_role("textbox", name="Denoise · denoise")
    outer.fill("not a number")
    expect(outer).to_have_attribute("aria-invalid", "true")
    outer.fill("0.8")
    expect(pinned).to_have_value("0.8")
    pins.get_by_role("button", name="Unpin Denoise · denoise").click()

    editor.menu(instance.get_by_role("heading"), "Unpack the subgraph")
    expect(pinned).to_have_value("0.8")
    pinned.fill("1")
    expect(denoise).to_have_value("1.0")
    editor.select("Sampler")
    editor.keys("Delete")
    expect(pins).to_contain_text("The node is gone.")
    editor.keys("Control+z")
    expect(pinned).to_have_value("1")


def test_the_widgets_of_the_selected_node_are_offered_for_pinning(editor: Editor) -> None:
    make(editor, "Denoise", "Sampler", "Decode")
    enter(editor, "Denoise")
    editor.menu(
        editor.node("Sampler").locator(".widget-row", has_text="sampler name"),
        "Promote to the subgraph",
    )
    editor.keys("Control+ArrowUp")
    form = panel(editor)
    editor.select("Denoise")
    form.get_by_text("Pin from “Denoise”").click()
    form.get_by_role("button", name="sampler name").click()
    pins = form.get_by_role("region", name="Pinned")
    pins.get_by_role("combobox", name="Denoise · sampler name").select_option("heun")
    expect(editor.node("Denoise").get_by_role("combobox", name="sampler name")).to_have_text("heun")
    editor.keys("Control+z", "Control+z")
    expect(pins).to_have_count(0)
