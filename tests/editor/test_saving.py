"""What a person made is kept: saved by name, as earlier versions, and unsaved as drafts."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Error, Locator, Playwright, expect

from tests.editor.conftest import ARGUMENTS
from tests.editor.editor import Editor
from tests.server.process import Server

Opener = Callable[..., Editor]
WRITTEN_AFTER_MS = 6000
"""Chromium writes to disk within five seconds which tabs a window has."""


def seed(editor: Editor) -> Locator:
    """The seed in the settings panel, by which these tests tell one state from another."""
    settings = editor.page.get_by_role("complementary", name="Advanced settings")
    return settings.get_by_role("textbox", name="Seed")


def set_seed(editor: Editor, value: str) -> None:
    seed(editor).fill(value)
    seed(editor).press("Enter")
    expect(seed(editor)).to_have_value(value)


def tabs(editor: Editor) -> Locator:
    return editor.page.get_by_role("tab")


def save_as(editor: Editor, name: str) -> None:
    expect(tabs(editor)).to_be_visible()
    editor.keys("Control+Shift+S")
    dialog = editor.page.get_by_role("dialog", name="Save workflow")
    dialog.get_by_role("textbox", name="Name").fill(name)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(tabs(editor)).to_have_accessible_name(name)


def save(editor: Editor) -> None:
    with editor.page.expect_response(lambda answer: answer.request.method == "PUT"):
        editor.keys("Control+S")


def drafted(editor: Editor, value: str) -> None:
    """Wait until the server has a draft with this seed."""
    with editor.page.expect_response(
        lambda answer: "/drafts/" in answer.url and answer.ok and answer.request.method == "PUT"
    ):
        set_seed(editor, value)


def seeds_of_drafts(editor: Editor) -> list[int]:
    ids = [one["id"] for one in editor.api("/drafts")["drafts"]]
    found = [json.dumps(editor.api(f"/drafts/{one}")["document"]) for one in ids]
    return sorted(int(text.split('"seed": ')[1].split(",")[0].rstrip("}")) for text in found)


def test_a_saved_workflow_shows_when_it_has_changed_and_brings_earlier_versions_back(
    editor: Editor,
) -> None:
    save_as(editor, "portraits/first")
    set_seed(editor, "71")
    expect(tabs(editor)).to_have_accessible_name("portraits/first not saved")

    save(editor)
    expect(tabs(editor)).to_have_accessible_name("portraits/first")
    assert '"seed": 71' in json.dumps(editor.api("/workflows/portraits%2Ffirst"))

    editor.keys("Control+K")
    expect(editor.page.get_by_role("dialog")).to_be_visible()
    editor.page.keyboard.type("earlier versions …")
    editor.keys("Enter")
    editor.page.get_by_role("button", name="Take back").first.click()
    expect(seed(editor)).to_have_value("1")


def test_earlier_versions_stand_in_one_place_and_are_true_after_each_save(editor: Editor) -> None:
    save_as(editor, "kept")
    editor.page.get_by_role("button", name="Workflows", exact=True).click()
    panel = editor.page.get_by_role("region", name="Workflows")
    versions = editor.page.get_by_role("dialog", name="Earlier versions of “kept”")
    for saved in range(1, 3):
        set_seed(editor, str(70 + saved))
        save(editor)
        expect(tabs(editor)).to_have_accessible_name("kept")
        panel.get_by_role("button", name="Earlier versions").click()
        expect(versions.get_by_role("listitem")).to_have_count(saved)
        if saved == 1:
            editor.keys("Escape")

    versions.get_by_role("button", name="Open").first.click()
    expect(versions).to_have_count(0)
    shown = editor.page.get_by_role("tab", selected=True)
    expect(shown).to_have_accessible_name("kept (2)")
    expect(seed(editor)).to_have_value("71")
    panel.get_by_role("button", name="Earlier versions").click()
    versions.get_by_role("button", name="Take back").first.click()
    expect(versions).to_have_count(0)
    expect(shown).to_have_accessible_name("kept not saved")
    expect(seed(editor)).to_have_value("71")


def test_a_renamed_tab_renames_its_saved_workflow_and_can_be_saved_on(editor: Editor) -> None:
    save_as(editor, "before")
    tabs(editor).dblclick()
    editor.page.get_by_role("textbox", name="Name", exact=True).fill("after")
    editor.keys("Enter")
    expect(tabs(editor)).to_have_accessible_name("after")
    expect(tabs(editor)).to_be_focused()

    set_seed(editor, "72")
    save(editor)
    expect(tabs(editor)).to_have_accessible_name("after")
    assert [one["name"] for one in editor.api("/workflows")["workflows"]] == ["after"]


def test_a_workflow_renamed_or_deleted_in_the_panel_takes_its_tab_along(editor: Editor) -> None:
    save_as(editor, "old")
    panel = editor.page.get_by_role("region", name="Workflows")
    editor.page.get_by_role("button", name="Workflows", exact=True).click()
    panel.get_by_role("button", name="Rename").click()
    panel.get_by_role("textbox", name="New name").fill("new")
    editor.keys("Enter")
    expect(tabs(editor)).to_have_accessible_name("new")

    search = panel.get_by_role("searchbox", name="Search workflows")
    search.fill("nowhere")
    expect(panel.get_by_text("No workflow matches.")).to_be_visible()
    search.fill("NE")
    panel.get_by_role("button", name="Delete").click()
    expect(panel.get_by_role("button", name="Cancel")).to_be_focused()
    editor.keys("Escape")
    expect(panel.get_by_role("alertdialog")).to_have_count(0)
    panel.get_by_role("button", name="Delete").click()
    panel.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(tabs(editor)).to_have_accessible_name("new not saved")


def test_after_the_last_tab_is_closed_a_new_workflow_can_be_built(editor: Editor) -> None:
    set_seed(editor, "73")
    editor.page.locator("section.canvas").focus()
    editor.keys("Alt+w")
    dialog = editor.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Close without saving").click()
    expect(tabs(editor)).to_have_accessible_name("Untitled")
    editor.page.mouse.dblclick(500, 300)
    editor.page.get_by_role("combobox", name="Add a node").fill("KSampler")
    editor.keys("Enter")
    expect(editor.node("KSampler")).to_be_visible()


@pytest.mark.parametrize(
    ("answer", "seed_shown", "names"),
    [
        ("Keep mine", "74", ["shared"]),
        ("Take theirs", "73", ["shared"]),
        ("Keep both", "74", ["shared", "shared 2"]),
    ],
)
def test_two_windows_that_save_one_workflow_lose_nothing(
    open_editor: Opener, answer: str, seed_shown: str, names: list[str]
) -> None:
    first = open_editor()
    save_as(first, "shared")
    second = open_editor()
    second.page.get_by_role("button", name="Workflows", exact=True).click()
    second.page.get_by_role("button", name="shared").first.click()
    expect(tabs(second).last).to_have_accessible_name("shared")
    set_seed(first, "73")
    save(first)
    set_seed(second, "74")
    second.keys("Control+S")

    dialog = second.page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep both")).to_be_focused()  # for a hasty Enter
    dialog.get_by_role("button", name=answer).click()
    expect(second.page.get_by_role("dialog")).to_have_count(0)

    expect(seed(second)).to_have_value(seed_shown)
    assert sorted(one["name"] for one in second.api("/workflows")["workflows"]) == names
    expect(second.page.get_by_role("tab", selected=True)).to_have_accessible_name(names[-1])


def test_two_windows_keep_drafts_of_their_own_and_a_reload_brings_each_its_own_back(
    open_editor: Opener,
) -> None:
    first = open_editor()
    drafted(first, "75")
    second = open_editor()
    expect(tabs(second)).to_have_accessible_name("text_to_image")
    drafted(second, "76")
    assert seeds_of_drafts(first) == [75, 76]

    for window, value in ((first, "75"), (second, "76")):
        window.page.reload()
        expect(seed(window)).to_have_value(value)
        expect(tabs(window)).to_have_count(1)


def test_a_new_window_takes_over_what_closed_windows_left(open_editor: Opener) -> None:
    first, second = open_editor(), open_editor()
    drafted(first, "77")
    drafted(second, "78")
    first.page.close()
    second.page.close()

    third = open_editor()

    expect(tabs(third)).to_have_count(2)
    found = []
    for at in range(2):
        tabs(third).nth(at).click()
        found.append(seed(third).input_value())
    assert sorted(found) == ["77", "78"]


def test_drafts_survive_a_killed_server(editor: Editor, server: Server) -> None:
    drafted(editor, "79")
    server.port = int(server.url.rsplit(":", 1)[1])
    server.end(signal.SIGKILL)
    set_seed(editor, "80")
    editor.page.wait_for_timeout(1500)
    with editor.page.expect_response(lambda answer: "/drafts/" in answer.url and answer.ok):
        server.start()
    assert seeds_of_drafts(editor) == [80]


def test_while_the_server_is_away_all_panels_open_and_saving_says_why_it_fails(
    editor: Editor, server: Server
) -> None:
    page = editor.page
    save_as(editor, "away")
    set_seed(editor, "82")
    page.wait_for_load_state("networkidle")
    server.port = int(server.url.rsplit(":", 1)[1])
    server.end(signal.SIGKILL)
    expect(page.get_by_text("The server is away.")).to_be_visible()
    for button, dialog in (("Templates", "Templates"), ("Commands", "Commands")):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog", name=dialog)).to_be_visible()
        page.keyboard.press("Escape")
    for panel in ("Workflows", "Gallery", "Plugins"):
        page.get_by_role("button", name=panel, exact=True).click()
        expect(page.get_by_role("heading", name=panel, level=2)).to_be_visible()
    editor.keys("Control+s")
    told = page.get_by_role("region", name="Messages").get_by_text("The server does not answer.")
    expect(told).to_be_visible()
    told.click()  # nothing lies over it
    server.start()
    save(editor)
    expect(tabs(editor)).to_have_accessible_name("away")


def test_a_part_of_the_page_that_cannot_be_loaded_comes_once_it_can(
    open_editor: Opener, context: BrowserContext
) -> None:
    template = "**/assets/TemplatesDialog*"
    context.route(template, lambda route: route.abort())
    editor = open_editor()
    with editor.page.expect_event("requestfailed", lambda asked: "Templates" in asked.url):
        editor.page.get_by_role("button", name="Templates").click()
    set_seed(editor, "83")
    context.unroute(template)
    expect(editor.page.get_by_role("dialog", name="Templates")).to_be_visible()


def test_drafts_survive_a_killed_browser(
    chromium: str, playwright: Playwright, server: Server, tmp_path: Path
) -> None:
    def launched() -> Editor:
        window = playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=chromium, args=ARGUMENTS, locale="en-US"
        )
        editor = Editor(window.pages[0], server.url)
        editor.go()
        return editor

    killed = launched()
    drafted(killed, "81")
    killed.page.wait_for_timeout(WRITTEN_AFTER_MS)
    with pytest.raises(Error):
        killed.page.context.new_cdp_session(killed.page).send("Browser.crash")

    again = launched()

    expect(tabs(again)).to_have_accessible_name("text_to_image not saved")
    expect(seed(again)).to_have_value("81")
    again.page.context.close()
