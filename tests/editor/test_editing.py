"""Editing by mouse and by keys; each step can be undone."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.editor.editor import Editor


def test_copies_leave_their_outer_links_behind_unless_asked(editor: Editor) -> None:
    for keys, links in [
        (("Control+c", "Control+v"), 10),
        (("Control+c", "Control+Shift+v"), 15),
        (("Control+d",), 10),
        (("Control+Shift+d",), 15),
    ]:
        editor.select("Sampler", "Decode")
        editor.keys(*keys)
        assert editor.size() == (9, links)
        editor.keys("Control+z")
        assert editor.size() == (7, 9)


def test_nodes_are_cut_into_another_tab_and_each_tab_keeps_its_view(editor: Editor) -> None:
    editor.select("Sampler")
    editor.keys("Control+x")
    expect(editor.node("Sampler")).to_have_count(0)
    before = editor.node("Decode").bounding_box()
    editor.page.get_by_role("button", name="New workflow").click()
    editor.keys("Control+v")
    expect(editor.node("Sampler")).to_be_visible()
    editor.page.get_by_role("tab").first.click()
    expect(editor.node("Decode")).to_be_visible()
    assert editor.node("Decode").bounding_box() == before


def test_nodes_are_muted_and_bypassed(editor: Editor) -> None:
    sampler = editor.node("Sampler")
    editor.select("Sampler")
    editor.keys("Control+b")
    expect(sampler).to_have_attribute("data-mode", "bypassed")
    expect(sampler.locator("svg.ghost path")).to_have_count(1)
    editor.keys("Control+m")
    expect(sampler).to_have_attribute("data-mode", "muted")
    editor.keys("Control+z", "Control+z")
    expect(sampler).to_have_attribute("data-mode", "always")


def test_numbers_take_arithmetic_and_become_inputs_and_back(editor: Editor) -> None:
    steps = editor.node("Sampler").get_by_role("spinbutton", name="steps")
    steps.fill("4*5+2")
    steps.press("Enter")
    expect(steps).to_have_value("22")
    steps.fill("nonsense")
    expect(steps).to_have_attribute("aria-invalid", "true")
    steps.press("Escape")
    expect(steps).to_have_value("22")
    row = editor.node("Sampler").locator(".widget-row", has_text="steps")
    editor.menu(row, "Make it an input")
    expect(steps).to_have_count(0)
    editor.menu(row, "Make it a field again")
    expect(steps).to_have_value("22")


def test_keys_of_an_input_method_are_no_shortcuts(editor: Editor) -> None:
    text = editor.node("Prompt").get_by_role("textbox")
    text.fill("")
    keyboard = editor.page.context.new_cdp_session(editor.page)
    composed = {"text": "ねこ", "selectionStart": 2, "selectionEnd": 2}
    keyboard.send("Input.imeSetComposition", composed)
    for key in ("Delete", "m"):
        event = {"type": "rawKeyDown", "key": key, "windowsVirtualKeyCode": 229}
        keyboard.send("Input.dispatchKeyEvent", event)
    keyboard.send("Input.insertText", {"text": "猫"})
    expect(text).to_have_value("猫")
    assert editor.size() == (7, 9)
