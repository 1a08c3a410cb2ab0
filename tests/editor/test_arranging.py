"""Frames, notes, reroutes, layout: what orders a graph without changing what it makes."""

from __future__ import annotations

import itertools

import pytest
from playwright.sync_api import Locator, expect

from tests.editor.editor import Editor

Place = tuple[float, float]


def place(thing: Locator) -> Place:
    """The upper left corner on the screen."""
    box = thing.bounding_box()
    assert box is not None
    return box["x"], box["y"]


def far(thing: Locator, before: Place) -> Place:
    """How far a thing has moved."""
    x, y = place(thing)
    return x - before[0], y - before[1]


def framed(editor: Editor, *titles: str) -> Locator:
    """A frame around nodes; nothing is selected then."""
    editor.select(*titles)
    editor.keys("Control+g")
    frame = editor.page.locator("div.group")
    expect(frame).to_be_visible()
    return frame


def test_a_frame_carries_what_it_holds_and_undo_brings_all_back(editor: Editor) -> None:
    frame = framed(editor, "Sampler", "Decode")
    sampler, prompt = editor.node("Sampler"), editor.node("Prompt")
    before, outside = place(sampler), place(prompt)
    editor.drag_by(frame.locator(".group-title"), 60, 90)
    assert far(sampler, before) == pytest.approx((60, 90), abs=4)
    assert place(prompt) == outside
    editor.keys("Control+z")
    assert place(sampler) == before
    editor.keys("Control+Shift+z")
    assert far(sampler, before) == pytest.approx((60, 90), abs=4)


def test_a_frame_is_resized_named_and_coloured_and_stays_below_the_nodes(editor: Editor) -> None:
    frame = framed(editor, "Sampler", "Decode")
    sampler = editor.node("Sampler")
    before, corner = place(sampler), frame.bounding_box()
    editor.drag_by(editor.page.locator(".react-flow__resize-control.top.left"), -40, -50)
    box = frame.bounding_box()
    assert box is not None
    assert corner is not None
    assert box["width"] - corner["width"] == pytest.approx(40, abs=4)
    assert box["height"] - corner["height"] == pytest.approx(50, abs=4)
    assert place(sampler) == before
    editor.keys("Control+z")
    assert frame.bounding_box() == corner

    editor.keys("F2")
    editor.page.keyboard.type("Denoising")
    editor.keys("Enter")
    expect(frame).to_have_accessible_name("Denoising")
    editor.menu(frame.locator(".group-title"), "Colour 2")
    [group] = editor.drawn()["groups"]
    assert (group["title"], group["color"]) == ("Denoising", "#3f5f4a")
    editor.keys("Escape")
    editor.menu(frame.locator(".group-title"), "Delete")
    expect(frame).to_have_count(0)
    expect(sampler).to_be_visible()


def test_a_note_is_written_named_and_resized(editor: Editor) -> None:
    editor.menu((300, 580), "Add note")
    note = editor.page.locator("article.note")
    note.get_by_role("textbox").fill("first line\nsecond")
    note.locator("header").dblclick()
    editor.page.keyboard.type("Read me")
    editor.keys("Enter")
    expect(note).to_have_accessible_name("Read me")
    before = note.bounding_box()
    editor.drag_by(note.locator(".resizer"), 80, 30)
    after = note.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] - before["width"] == pytest.approx(80, abs=4)
    editor.keys("Control+z")
    assert note.bounding_box() == before
    saved = next(node for node in editor.drawn()["nodes"] if node["type"] == "Note")
    assert saved["values"] == {"text": "first line\nsecond"}


def test_a_link_takes_a_reroute_that_is_dragged_and_a_node_put_into_it(editor: Editor) -> None:
    assert editor.size() == (7, 9)
    editor.menu(editor.wire("blue"), "Reroute here")
    reroute = editor.page.locator("article.reroute")
    before = place(reroute)
    editor.drag_by(reroute, 10, 120)
    assert far(reroute, before) == pytest.approx((10, 120), abs=4)
    assert editor.size() == (8, 10)

    editor.page.mouse.dblclick(*editor.wire("pink", -1))
    search = editor.page.get_by_role("combobox", name="Nodes that fit LATENT → LATENT")
    search.fill("Upscale Latent By")
    editor.keys("Enter")
    assert editor.size() == (9, 11)
    editor.keys("Control+z")
    assert editor.size() == (8, 10)
    editor.menu(editor.wire("pink", -1), "Put a node in between")
    search.fill("Upscale Latent By")
    editor.keys("Enter")

    editor.node("Sampler").get_by_role("spinbutton", name="steps").fill("1")
    job = editor.run()
    assert job["state"] == "done", job["error"]
    nodes = job["prompt"]
    upscale = next(key for key, node in nodes.items() if "Latent" in node["class_type"][:6])
    assert upscale in {str(link[0]) for node in nodes.values() for link in links(node)}


def links(node: dict[str, dict[str, object]]) -> list[list[object]]:
    return [value for value in node["inputs"].values() if isinstance(value, list)]


def test_the_layout_puts_nodes_beside_each_other_and_keeps_frames_around_theirs(
    editor: Editor,
) -> None:
    frame = framed(editor, "Prompt", "Negative prompt")
    editor.drag_by(frame.locator(".group-title"), 500, 150)
    editor.page.locator("section.canvas").focus()
    before = place(frame)[0]
    editor.keys("Escape", "l")
    editor.page.wait_for_function(
        "before => document.querySelector('div.group').getBoundingClientRect().x !== before",
        arg=before,
    )
    boxes = editor.page.evaluate(
        """() => [...document.querySelectorAll("article.node, div.group")].map((element) => {
          const {left, top, right, bottom} = element.getBoundingClientRect();
          return [element.className, element.ariaLabel, left, top, right, bottom];
        })"""
    )
    frames = [box[2:] for box in boxes if box[0] == "group"]
    nodes = {box[1]: box[2:] for box in boxes if box[0] == "node"}
    [(left, top, right, bottom)] = frames
    inside = {
        title
        for title, (x, y, end, foot) in nodes.items()
        if x >= left and y >= top and end <= right and foot <= bottom
    }
    assert inside == {"Prompt", "Negative prompt"}
    apart = [
        one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        for one in nodes.values()
        for other in nodes.values()
        if one != other
    ]
    assert all(apart)


def test_nodes_are_collapsed_together_and_keep_their_links(editor: Editor) -> None:
    sampler, decode = editor.node("Sampler"), editor.node("Decode")
    steps = sampler.get_by_role("spinbutton", name="steps")
    before = sampler.bounding_box()
    assert before is not None
    editor.select("Decode")
    editor.keys("Alt+c")
    editor.select("Sampler", "Decode")
    editor.keys("Alt+c")
    expect(steps).to_have_count(0)
    expect(editor.wires).to_have_count(9)
    small = sampler.bounding_box()
    assert small is not None
    assert small["height"] < before["height"] / 4
    assert editor.node("Decode").bounding_box()["height"] == small["height"]  # type: ignore[index]
    editor.drag(editor.socket("Sampler", "Output LATENT"), editor.socket("Decode", "Input samples"))
    expect(editor.wires).to_have_count(9)
    editor.select("Sampler", "Decode")
    editor.keys("Alt+c")
    expect(steps).to_have_value("20")
    assert sampler.bounding_box() == before
    editor.keys("Control+z")
    expect(steps).to_have_count(0)
    editor.keys("Control+z")
    expect(steps).to_be_visible()
    expect(decode.get_by_text("samples")).to_have_count(0)


def test_selected_nodes_are_spread_evenly_between_the_outer_ones(editor: Editor) -> None:
    titles = ("Load checkpoint", "Negative prompt", "Decode", "Save picture")

    def edges() -> list[tuple[float, float]]:
        boxes = [editor.node(title).bounding_box() for title in titles]
        return [(box["x"], box["x"] + box["width"]) for box in boxes if box is not None]

    before = edges()
    editor.select(*titles)
    editor.node("Decode").get_by_role("heading").click(button="right")
    editor.page.get_by_role("menuitem", name="Align").hover()
    editor.page.get_by_role("menuitem", name="Spread sideways").click()
    after = edges()
    assert (after[0], after[-1]) == (before[0], before[-1])
    gaps = [right[0] - left[1] for left, right in itertools.pairwise(after)]
    assert gaps == pytest.approx([gaps[0]] * 3, abs=1)
    assert gaps[0] > 0
    editor.keys("Control+z")
    assert edges() == before


def test_moving_the_view_lays_nothing_out_anew(editor: Editor) -> None:
    expect(editor.nodes.first).to_be_visible()
    page = editor.page
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def layouts() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in metrics if one["name"] == "LayoutCount")

    place = page.locator(".react-flow__viewport")
    seen = place.get_attribute("style")
    box = editor.canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 20
    page.mouse.move(x, y)
    page.mouse.down(button="middle")
    page.mouse.move(x, y + 5)
    before = layouts()
    for step in range(40):
        page.mouse.move(x, y + 6 + step)
        page.evaluate("() => new Promise(requestAnimationFrame)")
    moved = layouts() - before
    page.mouse.up(button="middle")
    assert place.get_attribute("style") != seen
    assert moved < 10
