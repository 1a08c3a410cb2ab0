"""From the first visit to a picture."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.editor.editor import RUN_TIMEOUT_MS, Editor
from tests.editor.test_queue import NODE, open_painting, painting


def test_on_a_first_visit_ctrl_enter_makes_a_picture_that_is_watched_and_kept(
    editor: Editor,
) -> None:
    expect(editor.node("Save picture")).to_be_visible()
    previews = editor.node("Sampler").get_by_role("img", name="preview")
    before = {job["id"] for job in editor.jobs()}
    editor.keys("Control+Enter")
    expect(previews).to_be_visible(timeout=RUN_TIMEOUT_MS)
    job = editor.ended(before)

    assert job["state"] == "done"
    picture = editor.node("Save picture").get_by_role("img", name="picture 1 of 1")
    expect(picture).to_be_visible()
    editor.page.get_by_role("button", name="Gallery").click()
    gallery = editor.page.get_by_role("region", name="Gallery")
    expect(gallery.get_by_role("button", name="Show large").first).to_be_visible()

    again = editor.run()
    assert (again["state"], again["executed"]) == ("done", [])


def test_each_node_tells_why_it_will_run_and_cached_ones_look_cached(editor: Editor) -> None:
    page = editor.page
    steps = editor.node("Sampler").get_by_role("spinbutton", name="steps")

    def sign(title: str, name: str) -> Locator:
        return editor.node(title).get_by_role("img", name=name)

    editor.node("Prompt").get_by_role("textbox", name="text").fill("no test asked for this yet")
    steps.fill("1")
    steps.press("Enter")
    expect(editor.node("Sampler").get_by_role("img", name=re.compile("Will run: "))).to_be_visible()
    assert editor.run()["state"] == "done"
    expect(sign("Sampler", "done")).to_be_visible()
    expect(sign("Save picture", "Will not run: the result is kept")).to_be_visible()

    steps.fill("2")
    steps.press("Enter")
    expect(sign("Sampler", "Will run: “steps” changed from 1 to 2.")).to_be_visible()
    expect(sign("Prompt", "Will not run: the result is kept")).to_be_visible()
    page.get_by_role("button", name="Problems").click()
    reasons = page.get_by_role("region", name="Why will this run?")
    expect(reasons.get_by_role("listitem")).to_have_count(7)
    expect(page.get_by_text("to run: 3 · not to run: 4")).to_be_visible()
    reasons.get_by_role("button", name="Sampler “steps” was 1, is 2").click()
    expect(steps).to_be_focused()
    editor.keys("Escape", "Control+z")
    expect(sign("Save picture", "Will not run: the result is kept")).to_be_visible()
    expect(
        reasons.get_by_role("button", name="Prompt not needed this time", exact=True)
    ).to_be_visible()

    assert editor.run()["executed"] == []
    for node in editor.nodes.all():
        expect(node.get_by_role("img", name="cached: nothing to do")).to_be_visible()
    cached = editor.node("Sampler").locator("header")
    plain = "one => getComputedStyle(one).backgroundImage"
    assert cached.evaluate(plain) != "none"


def test_a_problem_leads_to_its_input_and_goes_once_that_is_linked(editor: Editor) -> None:
    page = editor.page
    expect(editor.wires).to_have_count(9)
    editor.menu(editor.wire("pink", -1), "Remove the link")
    page.get_by_role("button", name="Problems").click()
    problem = page.get_by_role("button", name=re.compile("Decode.*samples"))
    problem.click()
    expect(editor.socket("Decode", "Input samples")).to_be_focused()
    editor.keys("Enter")
    expect(page.get_by_role("combobox", name="Search sockets")).to_be_focused()
    editor.keys("Enter")
    expect(editor.wires).to_have_count(9)
    expect(page.get_by_text("Nothing is wrong with this workflow.")).to_be_visible()


def test_a_run_that_fails_is_told_where_one_looks_and_leads_to_its_node(editor: Editor) -> None:
    page = editor.page
    open_painting(editor, "failing", painting("failing", seconds=-1))
    page.get_by_role("tab").first.click()
    page.get_by_role("tab").last.click()
    editor.keys("Control+Enter")
    messages = page.get_by_role("region", name="Messages")
    expect(messages).to_contain_text("The run failed.")
    expect(messages).to_contain_text(NODE)
    page.get_by_role("tab").first.click()
    messages.get_by_role("button", name="Show", exact=True).click()
    expect(editor.node(NODE)).to_be_in_viewport()
    problems = page.get_by_role("region", name="Problems", exact=True).first
    expect(problems).to_contain_text("The last run failed")
    expect(problems).not_to_contain_text("Nothing is wrong")
    page.reload()
    expect(problems).to_contain_text("The last run failed")
    expect(messages).not_to_contain_text("The run failed.")
