"""Building on an empty canvas by mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.editor.editor import Editor


def place(editor: Editor, name: str, x: float, y: float) -> None:
    """Double-click in the open and add what is found first."""
    before = editor.nodes.count()
    editor.page.mouse.dblclick(x, y)
    dialog = editor.page.get_by_role("dialog")
    dialog.get_by_role("combobox").fill(name)
    dialog.get_by_role("option").first.click()
    expect(editor.nodes).to_have_count(before + 1)


def test_a_link_dropped_in_the_open_offers_only_what_fits_and_a_wrong_one_says_why(
    editor: Editor,
) -> None:
    editor.empty()
    place(editor, "CheckpointLoaderSimple", 200, 300)
    box = editor.node("Load Checkpoint").bounding_box()
    assert box is not None
    assert (box["x"], box["y"]) == (pytest.approx(200, abs=20), pytest.approx(300, abs=20))
    editor.drag(editor.socket("Load Checkpoint", "Output VAE"), (700, 300))
    dialog = editor.page.get_by_role("dialog")
    search = dialog.get_by_role("combobox", name="Nodes that fit VAE")
    search.fill("CLIPTextEncode")
    expect(dialog.get_by_role("option")).to_have_count(0)
    search.fill("VAEDecode")
    editor.keys("Enter")
    expect(editor.wires).to_have_count(1)

    editor.drag(
        editor.socket("Load Checkpoint", "Output MODEL"),
        editor.socket("VAE Decode", "Input samples"),
    )
    expect(editor.page.get_by_text("MODEL does not fit LATENT")).to_be_visible()
    expect(editor.wires).to_have_count(1)


def test_the_palette_opens_a_new_workflow_by_keyboard(editor: Editor) -> None:
    expect(editor.node("Save picture")).to_be_visible()
    editor.keys("Control+k")
    expect(editor.page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    editor.page.keyboard.type("New workflow")
    editor.keys("Enter")
    expect(editor.nodes).to_have_count(0)
