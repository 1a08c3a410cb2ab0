"""Everything that can be opened is: pictures and workflows dropped, pasted, chosen or addressed."""

from __future__ import annotations

import base64
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Locator, expect

from tests.editor.editor import Editor
from tests.server.process import Server

API_JSON = {
    "1": {
        "class_type": "CheckpointLoaderSimple",
        "inputs": {"ckpt_name": "graphengine-starter.safetensors"},
    },
    "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a fox"}},
}
UI_JSON = {
    "version": 0.4,
    "nodes": [
        {
            "id": 1, "type": "EmptyLatentImage", "pos": [0, 0], "size": [300, 100],
            "widgets_values": [64, 128, 2],
        }
    ],
    "links": [],
}  # fmt: skip
DROP = """([target, name, type, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, {type}));
    for (const kind of ["dragenter", "dragover", "drop"]) {
        const event = new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true});
        target.dispatchEvent(event);
    }
}"""


def drop(target: Locator, name: str, kind: str, content: bytes) -> None:
    """Drop a file where it is told."""
    text = base64.b64encode(content).decode()
    handle = target.element_handle()
    target.page.evaluate(DROP, [handle, name, kind, text])


def plain_picture(size: int = 64) -> bytes:
    stored = io.BytesIO()
    Image.new("RGB", (size, size), "white").save(stored, "PNG")
    return stored.getvalue()


def active_tab(editor: Editor) -> Locator:
    return editor.page.get_by_role("tab", selected=True)


def run_to_its_end(editor: Editor) -> dict[str, Any]:
    before = {job["id"] for job in editor.jobs()}
    editor.page.get_by_role("button", name="Run", exact=True).click()
    for _ in range(300):
        fresh = [job for job in editor.jobs() if job["id"] not in before]
        if fresh and fresh[0]["state"] not in ("queued", "running"):
            break
        editor.page.wait_for_timeout(200)
    job: dict[str, Any] = fresh[0]
    assert job["state"] == "done", job["error"]
    return job


def picture_workflow(base: Path, file: str) -> bytes:
    """Mask of a picture shown as a picture."""
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": file}},
        "2": {"class_type": "MaskToImage", "inputs": {"mask": ["1", 1]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "mask"}},
    }
    (base / "input").mkdir(exist_ok=True)
    (base / "input" / file).write_bytes(plain_picture())
    return json.dumps(prompt).encode()


@pytest.mark.parametrize(
    ("workflow", "shown"), [(API_JSON, "Load Checkpoint"), (UI_JSON, "Empty Latent Image")]
)
def test_a_workflow_of_another_program_opens_where_it_is_dropped(
    editor: Editor, workflow: object, shown: str
) -> None:
    expect(active_tab(editor)).to_be_visible()
    drop(
        editor.page.get_by_role("main"),
        "other.json",
        "application/json",
        json.dumps(workflow).encode(),
    )
    expect(active_tab(editor)).to_have_accessible_name("other")
    expect(editor.node(shown)).to_be_visible()


def test_pasted_text_opens_if_it_is_a_workflow(editor: Editor) -> None:
    expect(active_tab(editor)).to_be_visible()
    paste = """(text) => {
        const data = new DataTransfer();
        data.setData("text/plain", text);
        document.body.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
    }"""
    editor.page.evaluate(paste, "a cat")
    editor.page.evaluate(paste, json.dumps(API_JSON))
    expect(editor.page.get_by_role("tab")).to_have_count(2)
    expect(editor.page.get_by_role("textbox", name="text").first).to_have_text("a fox")


def test_a_template_opens_from_the_list_of_templates(editor: Editor) -> None:
    editor.page.get_by_role("button", name="Templates").click()
    dialog = editor.page.get_by_role("dialog", name="Templates")
    dialog.get_by_role("searchbox").fill("inpaint")
    card = dialog.get_by_role("listitem").get_by_role("button").first
    picture = card.get_by_role("presentation")
    card.click()
    expect(dialog).to_have_count(0)
    expect(editor.page.get_by_role("tab")).to_have_count(2)
    del picture


def test_a_picture_without_a_workflow_is_loaded_by_a_node_if_that_is_wished(
    editor: Editor, server: Server
) -> None:
    editor.empty()
    name = f"plain {time.time_ns()}.png"
    editor.drop(name, plain_picture(64), "image/png")
    messages = editor.page.get_by_role("region", name="Messages")
    expect(messages.get_by_text("it carries no workflow")).to_be_visible()
    expect(editor.nodes).to_have_count(0)
    messages.get_by_role("button", name="Load it as a picture").click()
    expect(editor.node("Load Image").get_by_role("img", name=name)).to_be_visible()
    assert (server.base / "input" / name).is_file()
    editor.page.locator("section.canvas").focus()
    editor.keys("Control+z")
    expect(editor.nodes).to_have_count(0)


def test_a_mask_painted_over_a_dropped_picture_is_used_by_the_run(
    editor: Editor, server: Server
) -> None:
    expect(active_tab(editor)).to_be_visible()
    content = picture_workflow(server.base, "first.png")
    drop(editor.page.get_by_role("main"), "mask.json", "application/json", content)
    node = editor.node("Load Image")
    drop(node.get_by_role("img", name="first.png"), "second.png", "image/png", plain_picture(96))
    expect(node.get_by_role("img", name="second.png")).to_be_visible()
    expect(editor.page.get_by_role("tab")).to_have_count(2)

    node.get_by_role("button", name="Paint a mask").click()
    dialog = editor.page.get_by_role("dialog")
    board = dialog.locator("canvas")
    expect(board).to_have_js_property("width", 96)
    box = board.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    editor.page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    editor.page.mouse.down()
    editor.page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=4)
    editor.page.mouse.up()
    dialog.get_by_role("button", name="Erase").click()
    editor.page.mouse.click(box["x"] + box["width"] * 0.5, middle)
    editor.page.mouse.click(box["x"] + box["width"] * 0.75, middle)
    dialog.get_by_role("button", name="Clear").click()
    editor.keys("Control+z")
    dialog.get_by_role("button", name="Undo").click()
    dialog.get_by_role("button", name="Use this mask").click()
    expect(dialog).to_have_count(0)

    job = run_to_its_end(editor)

    saved = next(iter(job["outputs"].values()))["images"][0]["filename"]
    mask = Image.open(server.base / "output" / saved).convert("L")
    assert [mask.getpixel((x, 48)) for x in (24, 48, 72)] == [255, 0, 255]
    assert mask.getpixel((48, 8)) == 0
    editor.keys("Control+z")
    expect(node.get_by_role("img", name="second.png")).to_be_visible()


SETTINGS = "a fox, <lora:redcap:0.5>\nNegative prompt: blurry\n" + (
    "Steps: 31, Sampler: Euler a, CFG scale: 6.5, Seed: 1234, Size: 64x64, Clip skip: 2"
)
SAMPLED = {
    **API_JSON,
    "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "4": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0], "positive": ["2", 0], "negative": ["2", 0], "latent_image": ["3", 0],
            "seed": 1234, "steps": 31, "cfg": 6.5, "sampler_name": "euler_ancestral",
            "scheduler": "normal", "denoise": 1.0,
        },
    },
}  # fmt: skip


def picture_with(kind: str) -> bytes:
    """A picture as other programs save it, with what it was made of."""
    exif = Image.Exif()
    options: dict[str, Any] = {"exif": exif}
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("parameters", SETTINGS)
        options = {"pnginfo": text}
    elif kind == "JPEG":
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + SETTINGS.encode("utf-16-be")
    else:
        exif[0x0110] = f"prompt:{json.dumps(SAMPLED)}"
    stored = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(stored, kind, **options)
    return stored.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_opens_with_the_settings_that_it_was_made_with(editor: Editor, kind: str) -> None:
    expect(active_tab(editor)).to_be_visible()
    main = editor.page.get_by_role("main")
    drop(main, f"fox.{kind.lower()}", f"image/{kind.lower()}", picture_with(kind))
    expect(active_tab(editor)).to_have_accessible_name("fox")
    dialog = editor.page.get_by_role("dialog")
    if kind != "WEBP":
        expect(dialog).to_contain_text("redcap")
        editor.keys("Escape")
    expect(dialog).to_have_count(0)
    form = editor.page.get_by_role("complementary", name="Advanced settings")
    expect(form.get_by_role("textbox", name="Sampling steps")).to_have_value("31")
    expect(form.get_by_role("textbox", name="Seed")).to_have_value("1234")
    expect(form.get_by_role("textbox", name="CFG scale")).to_have_value("6.5")
    expect(form.get_by_role("combobox", name="Sampling method")).to_have_value("euler_ancestral")
    expect(editor.page.get_by_role("textbox", name="text").first).to_contain_text("a fox")


MISSING = {
    "version": 0.4,
    "nodes": [
        {"id": 1, "type": "KSamplr", "pos": [0, 0], "size": [300, 100], "widgets_values": []},
        {"id": 2, "type": "KSamplr", "pos": [0, 300], "size": [300, 100], "widgets_values": []},
        {
            "id": 3, "type": "CheckpointLoaderSimple", "pos": [400, 0], "size": [300, 100],
            "widgets_values": ["sd15/v1-5.safetensors"],
        },
    ],
    "links": [],
}  # fmt: skip


def test_what_is_missing_is_replaced_as_one_step_and_taken_back_as_one(editor: Editor) -> None:
    expect(active_tab(editor)).to_be_visible()
    editor.drop("missing.json", json.dumps(MISSING).encode())
    dialog = editor.page.get_by_role("dialog", name="Opened: missing")
    expect(dialog).to_contain_text("used 2 ×")
    expect(dialog).to_contain_text("belongs into models/checkpoints")
    expect(dialog.get_by_role("button", name="Replace")).to_be_disabled()
    editor.page.set_viewport_size({"width": 600, "height": 800})
    for shown in (*dialog.get_by_role("combobox").all(), *dialog.get_by_role("button").all()):
        expect(shown).to_be_in_viewport(ratio=1)
    editor.page.set_viewport_size({"width": 1280, "height": 800})
    dialog.get_by_role("combobox", name="Instead of KSamplr").select_option("KSampler")
    dialog.get_by_role("combobox", name="Instead of sd15/v1-5.safetensors").select_option(
        "graphengine-starter.safetensors"
    )
    dialog.get_by_role("button", name="Replace 2").click()
    expect(dialog).to_have_count(0)
    expect(editor.page.get_by_role("article", name="KSampler")).to_have_count(2)
    model = editor.node("Load Checkpoint").get_by_role("combobox", name="ckpt name")
    expect(model).to_have_text("graphengine-starter.safetensors")
    expect(editor.socket("KSampler", "Input model")).to_be_visible()
    editor.keys("Control+z")
    expect(editor.page.get_by_role("article", name="KSamplr")).to_have_count(2)
    expect(model).to_have_text("sd15/v1-5.safetensors")
    editor.keys("Control+Shift+z")
    expect(editor.page.get_by_role("article", name="KSampler")).to_have_count(2)
