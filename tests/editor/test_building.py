"""From an empty canvas to a picture, by mouse and by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.editor.editor import Editor

PROMPT = "CLIP Text Encode (Prompt)"
PLACES = (
    ("CheckpointLoaderSimple", 140, 250),
    ("CLIPTextEncode", 360, 180),
    ("EmptyLatentImage", 140, 480),
    ("KSampler", 620, 250),
    ("VAEDecode", 850, 250),
    ("SaveImage", 1050, 250),
)
WIRES = (
    (("Load Checkpoint", "Output MODEL"), ("KSampler", "Input model")),
    (("Load Checkpoint", "Output CLIP"), (PROMPT, "Input clip")),
    ((PROMPT, "Output CONDITIONING"), ("KSampler", "Input positive")),
    ((PROMPT, "Output CONDITIONING"), ("KSampler", "Input negative")),
    (("Empty Latent Image", "Output LATENT"), ("KSampler", "Input latent image")),
    (("KSampler", "Output LATENT"), ("VAE Decode", "Input samples")),
    (("Load Checkpoint", "Output VAE"), ("VAE Decode", "Input vae")),
    (("VAE Decode", "Output IMAGE"), ("Save Image", "Input images")),
)


def place(editor: Editor, name: str, x: float, y: float) -> None:
    """Double-click in the open and add what is found first."""
    before = editor.nodes.count()
    editor.page.mouse.dblclick(x, y)
    dialog = editor.page.get_by_role("dialog")
    dialog.get_by_role("combobox").fill(name)
    dialog.get_by_role("option").first.click()
    expect(editor.nodes).to_have_count(before + 1)


def set_number(editor: Editor, title: str, name: str, typed: str) -> None:
    field = editor.node(title).get_by_role("spinbutton", name=name, exact=True)
    field.fill(typed)
    field.press("Enter")


def test_a_picture_is_built_from_an_empty_canvas_by_mouse(editor: Editor) -> None:
    editor.empty()
    editor.zoom_out(4)
    for name, x, y in PLACES:
        place(editor, name, x, y)
    for (start, output), (end, wanted) in WIRES:
        editor.drag(editor.socket(start, output), editor.socket(end, wanted))
    expect(editor.wires).to_have_count(len(WIRES))
    editor.node(PROMPT).get_by_role("textbox", name="text").fill("a blue ring")
    set_number(editor, "KSampler", "steps", "2*2")
    set_number(editor, "Empty Latent Image", "width", "64")
    set_number(editor, "Empty Latent Image", "height", "64")

    job = editor.run()
    assert job["state"] == "done", job["error"]
    expect(editor.node("Save Image").get_by_role("img", name="picture 1 of 1")).to_be_visible()
    sampler = next(n for n in job["prompt"].values() if n["class_type"] == "KSampler")
    assert sampler["inputs"]["steps"] == 4


def test_a_link_dropped_in_the_open_offers_only_what_fits_and_a_wrong_one_says_why(
    editor: Editor,
) -> None:
    editor.empty()
    place(editor, "CheckpointLoaderSimple", 200, 300)
    box = editor.node("Load Checkpoint").bounding_box()
    assert box is not None
    assert (box["x"], box["y"]) == pytest.approx((200, 300), abs=20)
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

    editor.keys("Control+z")  # the node with its link
    expect(editor.nodes).to_have_count(1)
    expect(editor.wires).to_have_count(0)
    editor.keys("Control+Shift+z")
    expect(editor.nodes).to_have_count(2)
    expect(editor.wires).to_have_count(1)


def test_a_link_dropped_on_a_node_takes_what_fits_there_first_what_is_free(editor: Editor) -> None:
    editor.empty()
    editor.zoom_out(3)
    place(editor, "CLIPTextEncode", 200, 200)
    place(editor, "KSampler", 700, 200)
    sampler = editor.node("KSampler")
    editor.select("KSampler")
    editor.keys("Alt+c")
    for _ in range(2):
        conditioning = editor.socket(PROMPT, "Output CONDITIONING")
        editor.drag(conditioning, sampler.get_by_role("heading"))
    expect(editor.wires).to_have_count(2)
    editor.keys("Alt+c")
    ends = [tuple(link["to"]) for link in editor.drawn()["links"]]
    assert len(set(ends)) == 2
    editor.keys("Escape")
    editor.drag(editor.socket("KSampler", "Output LATENT"), editor.node(PROMPT))
    expect(editor.page.get_by_text("Nothing here fits.")).to_be_visible()
    expect(editor.wires).to_have_count(2)
    editor.keys("Control+z", "Control+z")
    expect(editor.wires).to_have_count(1)


def add_by_keys(editor: Editor, name: str) -> None:
    """Search for a node and add what is found first; it has the focus then."""
    before = editor.nodes.count()
    editor.keys("Insert")
    choose(editor, name)
    expect(editor.nodes).to_have_count(before + 1)
    expect(editor.page.locator(".react-flow__node:focus")).to_have_count(1)


def choose(editor: Editor, words: str) -> None:
    """Type into the list that is open and take what is found first."""
    expect(editor.page.get_by_role("combobox").and_(editor.page.locator(":focus"))).to_be_visible()
    editor.page.keyboard.type(words)
    expect(editor.page.locator("[role=option]").first).to_be_visible()
    editor.keys("Enter")


def tab_to(editor: Editor, name: str, *, back: bool = False) -> None:
    """Press Tab until the focus is on something that is called so."""
    focused = "document.activeElement.ariaLabel ?? document.activeElement.innerText"
    for _ in range(60):
        editor.keys("Shift+Tab" if back else "Tab")
        if str(editor.page.evaluate(focused)).startswith(name):
            return
    raise AssertionError(f"Tab does not reach {name}")


def test_a_picture_is_built_from_an_empty_canvas_by_keyboard_alone(editor: Editor) -> None:
    expect(editor.node("Save picture")).to_be_visible()
    editor.keys("Alt+n")
    expect(editor.nodes).to_have_count(0)
    add_by_keys(editor, "CheckpointLoaderSimple")
    tab_to(editor, "Output CLIP")
    editor.keys("Enter")
    tab_to(editor, "New node")
    editor.keys("Enter")
    choose(editor, "CLIPTextEncode")
    tab_to(editor, "text")
    editor.page.keyboard.type("a blue ring")
    editor.keys("Escape")
    add_by_keys(editor, "KSampler")
    for socket in ("Input model", "Input positive", "Input negative"):
        tab_to(editor, socket)
        editor.keys("Enter")
        choose(editor, "")
    tab_to(editor, "Input latent image")
    editor.keys("Enter")
    tab_to(editor, "New node")
    editor.keys("Enter")
    choose(editor, "EmptyLatentImage")
    for name in ("width", "height"):
        tab_to(editor, name)
        editor.page.keyboard.type("64")
        editor.keys("Enter", "Escape")
    add_by_keys(editor, "VAEDecode")
    tab_to(editor, "Input samples")
    editor.keys("Enter")
    choose(editor, "ksampler")
    tab_to(editor, "Input vae")
    editor.keys("Enter")
    choose(editor, "")
    tab_to(editor, "Output IMAGE")
    editor.keys("Enter")
    tab_to(editor, "New node")
    editor.keys("Enter")
    choose(editor, "SaveImage")
    expect(editor.wires).to_have_count(8)

    editor.keys("l")
    job = editor.run()

    assert job["state"] == "done", job["error"]
    picture = editor.node("Save Image").get_by_role("img", name="picture 1 of 1")
    expect(picture).to_be_in_viewport()
    inputs = [node["inputs"] for node in job["prompt"].values()]
    assert {"text": "a blue ring"}.items() <= next(i for i in inputs if "text" in i).items()
    assert next(i["width"] for i in inputs if "width" in i) == 64


def test_the_palette_opens_a_new_workflow_by_keyboard(editor: Editor) -> None:
    expect(editor.node("Save picture")).to_be_visible()
    editor.keys("Control+k")
    expect(editor.page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    editor.page.keyboard.type("New workflow")
    editor.keys("Enter")
    expect(editor.nodes).to_have_count(0)


def test_the_palette_gives_the_focus_back_and_its_commands_act_there(editor: Editor) -> None:
    node = editor.page.locator(".react-flow__node", has=editor.node("Sampler"))
    editor.select("Sampler")
    node.focus()
    editor.keys("Control+k")
    field = editor.page.get_by_role("dialog", name="Commands").get_by_role("combobox")
    expect(field).to_be_focused()
    editor.keys("Escape")
    expect(node).to_be_focused()
    editor.keys("Control+k")
    expect(field).to_be_focused()
    editor.page.keyboard.type("rename")
    editor.keys("Enter")
    expect(editor.node("Sampler").get_by_role("textbox", name="Title")).to_be_focused()
    editor.page.keyboard.type("Painter")
    editor.keys("Enter")
    expect(editor.node("Painter")).to_be_visible()
    expect(editor.page.locator(".react-flow__node:focus")).to_have_count(1)
