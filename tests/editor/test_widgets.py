"""Fields of nodes: choices that are searched, pictures that are uploaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Route, expect

from tests.editor.editor import Editor
from tests.editor.test_building import place
from tests.editor.test_opening import plain_picture
from tests.editor.test_queue import NODE, open_painting, painting, show
from tests.editor.test_saving import save_as
from tests.editor.test_subgraphs import enter, make
from tests.server.process import Server

GONE = "The picture is no longer there"


def test_choices_are_searched_by_mouse_and_chosen_by_keyboard(editor: Editor) -> None:
    make(editor, "Denoise", "Sampler", "Decode")
    enter(editor, "Denoise")
    method = editor.node("Sampler").get_by_role("combobox", name="sampler name")
    method.click()
    search = editor.page.get_by_role("searchbox", name="Search …")
    search.fill("nothing like it")
    expect(editor.page.get_by_text("Nothing found")).to_be_visible()
    search.fill("heun")
    options = editor.page.get_by_role("listbox").get_by_role("option")
    expect(options.first).to_have_text("heun")
    options.first.click()
    expect(method).to_have_text("heun")
    method.focus()
    editor.keys("Enter")
    expect(search).to_be_focused()
    editor.page.keyboard.type("ancestral")
    editor.keys("ArrowDown")
    second = options.nth(1).inner_text()
    editor.keys("Enter")
    expect(method).to_have_text(second)
    expect(method).to_be_focused()
    editor.keys("Control+z")
    expect(method).to_have_text("heun")
    editor.keys("Control+z")
    expect(method).to_have_text("dpmpp_2m")


def test_a_picture_is_chosen_from_the_disk_and_the_choice_undone(
    editor: Editor, tmp_path: Path
) -> None:
    (tmp_path / "猫 one.png").write_bytes(plain_picture(32))
    (tmp_path / "two.png").write_bytes(plain_picture(48))
    editor.empty()
    place(editor, "LoadImage", 300, 200)
    node = editor.node("Load Image")
    for name in ("猫 one.png", "two.png"):
        with editor.page.expect_file_chooser() as chooser:
            node.get_by_role("button", name="Upload a picture").click()
        chooser.value.set_files(tmp_path / name)
        expect(node.get_by_role("img", name=name)).to_be_visible()
    editor.keys("Control+z")
    expect(node.get_by_role("img", name="猫 one.png")).to_be_visible()
    with editor.page.expect_file_chooser() as chooser:
        node.get_by_role("button", name="Upload a picture").click()
    chooser.value.set_files(tmp_path / "two.png")
    expect(node.get_by_role("img", name="two.png")).to_be_visible()


def test_a_number_that_may_be_left_out_starts_empty_is_emptied_again_and_saved_as_null(
    editor: Editor,
) -> None:
    editor.empty()
    editor.page.get_by_title("Close text_to_image").click()
    place(editor, "Maybe scale", 300, 200)
    node = editor.node("Maybe scale")
    scale = node.get_by_role("spinbutton", name="scale")

    def filled(typed: str) -> None:
        scale.fill(typed)
        scale.press("Enter")

    expect(scale).to_have_value("")
    expect(scale).to_have_attribute("aria-invalid", "false")
    editor.run()
    expect(node).to_contain_text("scale: None")
    filled("2")
    expect(scale).to_have_value("2.0")
    filled("")
    expect(scale).to_have_value("")
    editor.keys("Control+z", "Control+z")
    expect(scale).to_have_value("")
    filled("3")
    editor.menu(node.locator(".widget-row", has_text="scale"), "Pin to the settings panel")
    editor.page.get_by_role("button", name="Show advanced settings").click()
    pinned = editor.page.get_by_role("textbox", name="Maybe scale · scale")
    expect(pinned).to_have_value("3")
    pinned.fill("")
    expect(pinned).to_have_attribute("aria-invalid", "false")
    pinned.press("Enter")
    expect(scale).to_have_value("")
    pinned.fill("4")
    expect(scale).to_have_value("4.0")
    editor.menu(node.locator(".widget-row", has_text="scale"), "Back to the default")
    expect(scale).to_have_value("")

    save_as(editor, "left out")
    saved = editor.api("/workflows/left%20out")
    assert '"scale": null' in json.dumps(saved)
    editor.page.reload()
    expect(scale).to_have_value("")


def test_pictures_whose_files_are_gone_are_quiet_boxes_in_node_queue_and_gallery(
    editor: Editor, server: Server
) -> None:
    page = editor.page
    open_painting(editor, "gone", painting("gone picture"))
    editor.run()
    made = editor.node(NODE).get_by_role("img", name="result")
    expect(made).to_be_visible()
    (server.base / "output" / "gone-picture.png").unlink()
    page.reload()
    expect(editor.node(NODE)).to_contain_text(GONE)
    jobs = show(editor, "q", "Queue")
    row = jobs.get_by_role("listitem").filter(has_text="gone picture").first
    expect(row.get_by_role("img", name=GONE)).to_be_attached()
    gallery = show(editor, "g", "Gallery")
    tile = gallery.get_by_role("button", name="Show large: gone picture").first
    expect(tile).to_contain_text(GONE)
    assert editor.violations() == []
    tile.click()
    dialog = page.get_by_role("dialog", name="gone picture")
    expect(dialog.locator(".picture-stage").get_by_text(GONE)).to_be_visible()
    broken = "[...document.images].filter((one) => one.complete && one.naturalWidth === 0).length"
    assert page.evaluate(broken) == 0
    assert editor.violations() == []


def test_a_chosen_picture_whose_file_is_gone_says_so_until_it_is_uploaded_again(
    editor: Editor, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "lost.png").write_bytes(plain_picture(32))

    def upload() -> None:
        with editor.page.expect_file_chooser() as chooser:
            node.get_by_role("button", name="Upload a picture").click()
        chooser.value.set_files(tmp_path / "lost.png")

    editor.empty()
    place(editor, "LoadImage", 300, 200)
    node = editor.node("Load Image")
    upload()
    expect(node.get_by_role("img", name="lost.png", exact=True)).to_be_visible()
    (server.base / "input" / "lost.png").unlink()
    editor.page.reload()
    expect(node).to_contain_text(GONE)
    node.get_by_role("button", name="Paint a mask").click()
    expect(editor.page.get_by_role("dialog")).to_have_count(0)
    upload()
    expect(node.get_by_role("img", name="lost.png", exact=True)).to_be_visible()
    expect(node).not_to_contain_text(GONE)


def test_fields_wait_for_the_node_types_so_that_nothing_typed_is_lost(
    open_editor: Callable[..., Editor], context: BrowserContext
) -> None:
    page = context.new_page()
    held: list[Route] = []
    page.route(re.compile(r"/api/v1/nodes$"), lambda route: held.append(route))
    editor = open_editor(page=page)
    prompt = editor.node("Prompt")
    expect(prompt.get_by_text("a red heart")).to_be_visible()
    expect(prompt.get_by_role("textbox")).to_have_count(0)
    for route in held:
        route.continue_()
    prompt.get_by_role("textbox").fill("typed at once")
    expect(prompt.get_by_role("textbox")).to_have_value("typed at once")
    expect(editor.node("Sampler").get_by_role("combobox", name="scheduler")).to_be_visible()
