"""What runs, what waits and what has been: in all windows, and through a killed server."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Route, expect

from tests.editor.conftest import PLUGINS
from tests.editor.editor import RUN_TIMEOUT_MS, Editor
from tests.server.process import Server

Opener = Callable[..., Editor]
NODE = "Paint slowly"


def painting(text: str, *, steps: int = 4, seconds: float = 0.1) -> dict[str, Any]:
    inputs = {"text": text, "steps": steps, "seconds": seconds}
    return {"1": {"class_type": "PaintSlowly", "inputs": inputs}}


def queue(editor: Editor, text: str) -> str:
    """Queue a job as another program does; its id."""
    data = {"prompt": painting(text)}
    answer = editor.page.request.post(f"{editor.url}/api/v1/jobs", data=data)
    assert answer.ok, answer.text()
    return str(answer.json()["id"])


def show(editor: Editor, key: str, name: str) -> Locator:
    """Open a panel by its key."""
    editor.page.locator("section.canvas").focus()
    editor.keys(key)
    return editor.page.get_by_role("region", name=name, exact=True).first


def waiting(editor: Editor, expected: list[str]) -> None:
    """Wait until these jobs wait in this order."""
    for _ in range(50):
        found = editor.api("/queue")["queued"]
        if found == expected:
            return
        editor.page.wait_for_timeout(100)
    assert found == expected


def open_painting(editor: Editor, name: str, prompt: dict[str, Any]) -> None:
    editor.drop(f"{name}.json", json.dumps(prompt).encode())
    expect(editor.node(NODE)).to_be_visible()


def test_waiting_jobs_are_moved_changed_taken_out_and_run_again(editor: Editor) -> None:
    panel = show(editor, "q", "Queue")
    panel.get_by_role("button", name="Pause").click()
    first, second, third = (queue(editor, f"moved {name}") for name in ("one", "two", "three"))
    one, two, three = (
        panel.get_by_role("listitem").filter(has_text=f"moved {name}")
        for name in ("one", "two", "three")
    )
    expect(three).to_contain_text("number 3")

    three.drag_to(one)
    waiting(editor, [third, first, second])
    two.get_by_role("button", name="Move up").focus()
    editor.keys("Alt+ArrowUp")
    waiting(editor, [third, second, first])
    one.get_by_role("button", name="Cancel").click()
    waiting(editor, [third, second])

    two.get_by_role("button", name="Edit and queue again").click()
    editor.node(NODE).get_by_role("textbox", name="text").fill("moved two, changed")
    editor.keys("Control+Enter")
    expect(panel.get_by_role("listitem").filter(has_text="moved two, changed")).to_be_visible()
    waiting(editor, [third, second])

    panel.get_by_role("button", name="Resume").click()
    expect(two).to_contain_text("Done")
    assert "changed" in json.dumps(editor.api(f"/jobs/{second}")["prompt"])
    assert editor.api(f"/jobs/{first}")["state"] == "cancelled"
    three.get_by_role("button", name="Run again").click()
    expect(three).to_have_count(2)
    expect(three.first).to_contain_text("from the cache")


def test_a_run_is_seen_in_every_window_and_its_steps_outlive_a_reload(open_editor: Opener) -> None:
    first, second = open_editor(), open_editor()
    panel = show(second, "q", "Queue")
    open_painting(first, "seen", painting("seen everywhere", steps=40, seconds=0.3))
    before = {job["id"] for job in first.jobs()}
    first.keys("Control+Enter")
    progress = panel.get_by_role("progressbar")
    expect(progress).to_have_attribute("aria-valuenow", re.compile(r"[1-9]"))
    expect(panel.get_by_text(re.compile(r"\d s left"))).to_be_visible()
    first.page.reload()
    expect(first.node(NODE).get_by_role("img", name="preview")).to_be_visible()
    job = first.ended(before)
    assert job["state"] == "done"
    queue(second, "another picture")

    show(first, "g", "Gallery")
    gallery = first.page.get_by_role("region", name="Gallery", exact=True).first
    gallery.get_by_role("searchbox").fill("EVERYWHERE seen")
    gallery.get_by_role("button", name="Show large: seen everywhere").first.click()
    dialog = first.page.get_by_role("dialog", name="seen everywhere")
    steps = dialog.get_by_role("list", name="The picture after each step").get_by_role("img")
    expect(steps.first).to_have_accessible_name("After step 1")
    assert steps.count() > 10
    expect(dialog.get_by_role("complementary", name="How it was made")).to_contain_text(
        "seen-everywhere.png"
    )
    dialog.get_by_role("button", name="Compare", exact=True).click()
    dialog.get_by_role("button", name=re.compile("Compare with picture")).first.click()
    dialog.get_by_role("slider", name="How much of each picture is seen").fill("20")
    expect(dialog.get_by_role("img", name="The other picture")).to_be_visible()
    dialog.get_by_role("button", name="Open this workflow again").click()
    expect(dialog).to_have_count(0)
    expect(first.page.get_by_role("tab", selected=True)).to_have_accessible_name("seen everywhere")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(6, "preview"), (0, "picture 1 of 1")], ids=["running", "done"]
)
def test_a_run_whose_messages_come_before_the_answer_is_shown_as_it_is(
    editor: Editor, seconds: float, shown: str
) -> None:
    def answer_late(route: Route) -> None:
        answer = route.fetch()
        time.sleep(2)
        route.fulfill(response=answer)

    name = f"told late {seconds}"
    open_painting(editor, name, painting(name, steps=1, seconds=seconds))
    editor.page.route(re.compile("/api/v1/jobs$"), answer_late)
    editor.keys("Control+Enter")
    expect(editor.node(NODE).get_by_role("img", name=shown)).to_be_visible(timeout=5000)
    expect(editor.page.get_by_text("Waiting in the queue")).to_have_count(0)


@pytest.fixture
def mortal(tmp_path: Path, chromium: str) -> Iterator[Server]:
    """A server of one test, to be killed."""
    with Server(tmp_path, plugins=PLUGINS) as running:
        yield running


def test_a_server_killed_in_the_middle_of_a_run_is_told_and_the_run_is_taken_up(
    context: BrowserContext, mortal: Server
) -> None:
    editor = Editor(context.new_page(), mortal.url)
    editor.go()
    panel = show(editor, "q", "Queue")
    open_painting(editor, "killed", painting("through the kill", steps=80, seconds=0.1))
    editor.keys("Control+Enter")
    expect(panel.get_by_role("progressbar")).to_have_attribute(
        "aria-valuenow", re.compile(r"[1-9]")
    )
    [job] = editor.jobs()

    mortal.port = int(mortal.url.rsplit(":", 1)[1])
    mortal.end(signal.SIGKILL)
    away = editor.page.get_by_text("The server is away")
    expect(away).to_be_visible()
    expect(editor.page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
    editor.node(NODE).get_by_role("textbox", name="text").fill("typed while it was away")

    mortal.start()
    expect(away).to_have_count(0)
    row = panel.get_by_role("listitem").filter(has_text="through the kill")
    expect(row).to_contain_text("Done")
    assert editor.api(f"/jobs/{job['id']}")["attempts"] == 2
    expect(editor.node(NODE).get_by_role("img", name="picture 1 of 1")).to_be_visible()
    expect(editor.node(NODE).get_by_role("textbox", name="text")).to_have_value(
        "typed while it was away"
    )


def test_a_node_that_does_not_stop_is_ended_by_starting_the_server_again(editor: Editor) -> None:
    open_painting(editor, "stuck", painting("stuck", steps=1, seconds=600))
    editor.keys("Control+Enter")
    expect(editor.node(NODE).get_by_role("img", name="preview")).to_be_visible()
    editor.page.get_by_role("button", name="Stop", exact=True).click()
    editor.page.get_by_role("button", name="Restart the server").click(timeout=60_000)
    panel = show(editor, "q", "Queue")
    stuck = panel.get_by_role("listitem").filter(has_text="stuck").first
    expect(stuck).to_contain_text("Interrupted", timeout=RUN_TIMEOUT_MS)
    queue(editor, "after the stuck one")
    after = panel.get_by_role("listitem").filter(has_text="after the stuck one").first
    expect(after).to_contain_text("Done", timeout=RUN_TIMEOUT_MS)
