"""What a person sets for the browser: shortcuts, language, appearance."""

from __future__ import annotations

from playwright.sync_api import Browser, Locator, expect

from tests.editor.editor import Editor
from tests.server.process import Server

CUT = """(all) => all.filter((one) => {
  const text = document.createRange();
  text.selectNodeContents(one);
  return text.getBoundingClientRect().width > one.getBoundingClientRect().width + 0.01;
}).map((one) => one.innerText)"""


def shortcut(editor: Editor, command: str) -> Locator:
    """The button in the open preferences that changes a command's shortcut."""
    dialog = editor.page.get_by_role("dialog")
    return dialog.get_by_role("button", name=f"Change the shortcut of “{command}”")


def open_shortcuts(editor: Editor) -> None:
    editor.page.locator("section.canvas").focus()
    editor.keys("?")


def rebind(editor: Editor, command: str, key: str) -> None:
    shortcut(editor, command).click()
    editor.keys(key)


def test_a_shortcut_is_changed_refused_where_it_is_taken_and_given_back(editor: Editor) -> None:
    sampler = editor.node("Sampler")
    steps = sampler.get_by_role("spinbutton", name="steps")
    expect(steps).to_be_visible()
    open_shortcuts(editor)
    rebind(editor, "Collapse / expand", "x")
    expect(shortcut(editor, "Collapse / expand")).to_have_text("X")
    rebind(editor, "Mute / unmute", "x")
    expect(editor.page.get_by_role("alert")).to_contain_text("Already used by “Collapse / expand”")
    rebind(editor, "Select all", "Escape")
    expect(shortcut(editor, "Select all")).to_have_text("Ctrl+A")
    rebind(editor, "Add node …", "Control+Space")
    editor.keys("Escape")

    editor.select("Sampler", "Decode")
    editor.keys("Alt+c")
    expect(steps).to_be_visible()
    editor.keys("x")
    expect(steps).to_have_count(0)
    editor.page.reload()
    expect(sampler).to_be_visible()
    editor.page.mouse.click(300, 580, button="right")
    expect(editor.page.get_by_role("menuitem", name="Add node …")).to_contain_text("Ctrl+Space")
    editor.keys("Escape")
    editor.select("Sampler")
    editor.keys("x")
    expect(steps).to_be_visible()
    open_shortcuts(editor)
    editor.page.get_by_role("button", name="Reset all").click()
    expect(shortcut(editor, "Collapse / expand")).to_have_text("Alt+C")


def test_a_shortcut_that_is_listened_for_is_let_go_when_the_person_turns_away(
    editor: Editor,
) -> None:
    expect(editor.node("Sampler")).to_be_visible()
    open_shortcuts(editor)
    shortcut(editor, "Collapse / expand").click()
    rebind(editor, "Mute / unmute", "x")
    expect(shortcut(editor, "Mute / unmute")).to_have_text("X")
    expect(shortcut(editor, "Collapse / expand")).to_have_text("Alt+C")
    shortcut(editor, "Frame as a group").click()
    search = editor.page.get_by_role("searchbox", name="Search commands")
    search.click()
    editor.page.keyboard.type("frame")
    expect(search).to_have_value("frame")
    expect(shortcut(editor, "Frame as a group")).to_have_text("Ctrl+G")


def test_the_keys_of_the_clipboard_are_shown_and_taken(editor: Editor) -> None:
    page = editor.page
    editor.node("Sampler").get_by_role("heading").click(button="right")
    expect(page.get_by_role("menuitem", name="Copy")).to_contain_text("Ctrl+C")
    editor.keys("Escape")
    open_shortcuts(editor)
    for command, key in (("Copy", "C"), ("Cut", "X"), ("Paste", "V")):
        expect(shortcut(editor, command)).to_have_text(f"Ctrl+{key}")
    expect(shortcut(editor, "Paste with links")).to_have_text("Ctrl+Shift+V")
    rebind(editor, "Zoom to fit", "Control+c")
    expect(page.get_by_role("alert")).to_contain_text("Copy")


def test_language_and_appearance_change_at_once_and_stay(editor: Editor) -> None:
    page = editor.page
    expect(editor.node("Sampler")).to_be_visible()
    editor.keys("Control+,")
    page.get_by_role("dialog").get_by_label("Language").select_option("日本語")
    dialog = page.get_by_role("dialog", name="環境設定")
    dialog.get_by_label("外観").select_option("ライト")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    editor.keys("Escape")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    expect(page.get_by_role("button", name="実行", exact=True)).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light

    editor.select("サンプラー")
    editor.keys("h")
    help_text = page.get_by_role("dialog", name="Kサンプラー")
    expect(help_text.get_by_role("heading", name="入力")).to_be_visible()
    expect(help_text).to_contain_text("初期値：20")
    editor.keys("Escape", "Control+k")
    expect(page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    page.keyboard.type("折りたた")
    editor.keys("Enter")
    expect(editor.node("サンプラー").get_by_role("spinbutton")).to_have_count(0)
    editor.keys("Control+z")
    expect(editor.node("サンプラー").get_by_role("spinbutton", name="steps")).to_be_visible()
    editor.keys("Control+,")
    dialog.get_by_label("言語").select_option("English")
    dialog = page.get_by_role("dialog", name="Preferences")
    dialog.get_by_label("Motion").select_option("Reduced")
    expect(page.locator("html")).to_have_attribute("data-motion", "reduced")


def test_in_japanese_what_comes_along_has_japanese_titles_and_the_search_shows_them_whole(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="ja-JP")
    editor = Editor(context.new_page(), server.url)
    editor.go()
    expect(editor.node("ネガティブプロンプト")).to_be_visible()
    editor.page.mouse.dblclick(300, 150)
    editor.page.get_by_role("dialog").get_by_role("combobox").fill("サンプラー DPM")
    titles = editor.page.locator(".add-node-title")
    expect(titles.nth(4)).to_be_visible()
    assert titles.evaluate_all(CUT) == []
    context.close()
