"""Subgraphs: made, entered, named, promoted into, run, saved and taken apart."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, expect

from tests.editor.editor import Editor


def row(editor: Editor, title: str, name: str) -> Locator:
    return editor.node(title).locator(".widget-row", has_text=name)


def number(editor: Editor, title: str, name: str) -> Locator:
    return editor.node(title).get_by_role("spinbutton", name=name, exact=True)


def make(editor: Editor, name: str, *titles: str) -> None:
    editor.select(*titles)
    editor.keys("Control+Shift+g", "F2")
    editor.page.keyboard.type(name)
    editor.keys("Enter")
    expect(editor.node(name)).to_be_visible()


def enter(editor: Editor, name: str) -> None:
    editor.select(name)
    editor.keys("Control+ArrowDown")


def slot(editor: Editor, side: str, name: str) -> Locator:
    edge = editor.page.get_by_role("article", name=side, exact=True)
    return edge.locator(".socket-label", has_text=name)


def steps(job: Any) -> int:
    [found] = [
        node["inputs"]["steps"] for node in job["prompt"].values() if "steps" in node["inputs"]
    ]
    return int(found)


def by_id(document: Any) -> dict[str, Any]:
    """The subgraphs of a workflow."""
    return {one["id"]: one for one in document["subgraphs"]}


def test_a_subgraph_gives_what_is_promoted_to_its_node_and_runs_with_it(editor: Editor) -> None:
    number(editor, "Sampler", "steps").fill("1")
    editor.keys("Enter", "Escape")
    make(editor, "Denoise", "Sampler", "Decode")
    editor.keys("h")
    expect(editor.page.get_by_role("dialog")).to_have_count(0)
    enter(editor, "Denoise")
    editor.select("Sampler")
    editor.keys("h")
    expect(editor.page.get_by_role("dialog", name="KSampler")).to_be_visible()
    editor.keys("Escape")
    editor.menu(row(editor, "Sampler", "steps"), "Promote to the subgraph")
    editor.menu(row(editor, "Sampler", "cfg"), "Promote to the subgraph")
    slot(editor, "Inputs", "cfg").dblclick()
    editor.page.keyboard.type("Strictness")
    editor.keys("Enter")
    editor.keys("Control+ArrowUp")
    expect(number(editor, "Denoise", "Strictness")).to_have_value("2.0")
    expect(number(editor, "Denoise", "steps")).to_have_value("1")
    number(editor, "Denoise", "steps").fill("2")

    job = editor.run()
    assert job["state"] == "done", job["error"]
    assert steps(job) == 2
    enter(editor, "Denoise")
    editor.menu(slot(editor, "Inputs", "steps"), "Remove from the subgraph")
    expect(number(editor, "Sampler", "steps")).to_have_value("1")
    editor.keys("Control+ArrowUp")
    expect(number(editor, "Denoise", "steps")).to_have_count(0)
    expect(number(editor, "Denoise", "Strictness")).to_have_value("2.0")
    editor.keys("Control+z")
    expect(number(editor, "Denoise", "steps")).to_have_value("2")


def test_nested_subgraphs_keep_their_identity_when_saved_and_come_apart_again(
    editor: Editor,
) -> None:
    before = editor.drawn()
    make(editor, "Denoise", "Sampler", "Decode")
    make(editor, "Finish", "Denoise", "Save picture")
    enter(editor, "Finish")
    enter(editor, "Denoise")
    editor.menu(row(editor, "Sampler", "steps"), "Promote to the subgraph")
    path = editor.page.get_by_role("navigation", name="Where you are")
    expect(path).to_have_text("text_to_image›Finish›Denoise")
    path.get_by_role("button", name="text_to_image").click()
    made = editor.drawn()

    editor.keys("Control+Shift+s")
    dialog = editor.page.get_by_role("dialog", name="Save workflow")
    dialog.get_by_role("textbox", name="Name").fill("nested")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    saved = editor.api("/workflows/nested")
    assert by_id(saved["document"]) == by_id(made)
    editor.page.reload()
    expect(editor.node("Finish")).to_be_visible()
    assert by_id(editor.drawn()) == by_id(made)

    for name in ("Finish", "Denoise"):
        editor.menu(editor.node(name).get_by_role("heading"), "Unpack the subgraph")
        expect(editor.node(name)).to_have_count(0)
        editor.keys("Escape")
    after = editor.drawn()
    assert "subgraphs" not in after or not after["subgraphs"]
    types = sorted(node["type"] for node in before["nodes"])
    assert sorted(node["type"] for node in after["nodes"]) == types
    assert len(after["links"]) == len(before["links"])


def test_a_subgraph_pasted_into_itself_is_refused_with_a_word(editor: Editor) -> None:
    make(editor, "Words", "Prompt", "Negative prompt")
    editor.select("Words")
    editor.keys("Control+c")
    enter(editor, "Words")
    expect(editor.node("Negative prompt")).to_be_visible()
    editor.page.locator("section.canvas").focus()
    editor.keys("Control+v")
    expect(editor.page.get_by_text("A subgraph cannot be put into itself.")).to_be_visible()
    expect(editor.node("Words")).to_have_count(0)
