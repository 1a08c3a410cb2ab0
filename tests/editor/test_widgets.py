"""Fields of nodes: choices that are searched, pictures that are uploaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Route, expect

from tests.editor.editor import Editor
from tests.editor.test_building import place
from tests.editor.test_opening import plain_picture
from tests.editor.test_subgraphs import enter, make


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
