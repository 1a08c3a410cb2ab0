"""From the first visit to a picture."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.editor.editor import RUN_TIMEOUT_MS, Editor


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
