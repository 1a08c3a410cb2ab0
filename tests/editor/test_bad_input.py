"""Input that is wrong, huge or wicked: told, bounded, and never part of the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.editor.editor import Editor

WICKED = "<img src=x onerror=\"window.hit='{0}'\"><script>window.hit='{0}'</script>{0}"
NODES = 500
TEXT_BYTES = 105_500
LONGEST_STALL_MS = 10_000
WATCH = """() => {
  window.stall = 0; let last = performance.now();
  const tick = (at) => { window.stall = Math.max(window.stall, at - last); last = at;
    requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


def wicked(place: str) -> str:
    return WICKED.format(place)


@pytest.fixture
def watched(editor: Editor) -> Iterator[Editor]:
    """The editor; nothing wicked may have become part of the page, and none of it may have run."""
    asked: list[str] = []

    def ask(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    editor.page.on("dialog", ask)
    expect(editor.node("Save picture")).to_be_visible()
    yield editor
    assert asked == []
    assert not harm(editor.page)


def harm(page: Page) -> Any:
    """What a wicked text has become, if anything."""
    return page.evaluate(
        "[window.hit, document.querySelector('img[src=x], [onerror], body script')?.outerHTML]"
        ".filter(Boolean)"
    )


def test_two_hundred_unknown_nodes_with_wicked_names_open_and_stay(watched: Editor) -> None:
    nodes = {
        str(number): {
            "class_type": wicked(f"type{number}"),
            "inputs": {wicked("input"): wicked("value")}
            | ({wicked("link"): [str(number - 1), 0]} if number > 1 else {}),
            "_meta": {"title": wicked("title")},
        }
        for number in range(1, 201)
    }
    watched.drop("unknown.json", json.dumps(nodes).encode())
    dialog = watched.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Node types that are not here: 200")
    expect(dialog).to_contain_text(wicked("type1"))
    dialog.get_by_role("button", name="Keep as it is").click()
    expect(watched.page.get_by_role("tab", selected=True)).to_have_accessible_name("unknown")
    watched.page.locator("section.canvas").focus()
    watched.keys("p")
    problems = watched.page.get_by_role("region", name="Problems").first
    expect(problems.get_by_role("listitem").first).to_contain_text(wicked("title"))


def test_wicked_names_and_texts_are_shown_as_they_are_everywhere(watched: Editor) -> None:
    page = watched.page
    document = {
        "format": "graphengine workflow",
        "version": 1,
        "nodes": [
            {
                "id": "1", "type": "PaintSlowly", "title": wicked("title"), "position": [0, 0],
                "values": {"text": wicked("text"), "steps": 1, "seconds": 0.0},
            },
            {
                "id": "2", "type": "Note", "position": [0, 400],
                "values": {"text": wicked("note")},
            },
        ],
        "links": [],
        "groups": [{"id": "1", "title": wicked("group"), "bounds": [-40, -80, 400, 900]}],
    }  # fmt: skip
    watched.drop(f"{wicked('file')}.json".replace("/", "∕"), json.dumps(document).encode())
    node = page.get_by_role("article", name=wicked("title"))
    expect(node).to_be_visible()
    expect(page.get_by_role("tab", selected=True)).to_contain_text("window.hit='file'")
    job = watched.run()
    assert job["state"] == "failed"  # a file cannot have this name

    for key, name in (("q", "Queue"), ("g", "Gallery"), ("w", "Workflows"), ("p", "Problems")):
        page.locator("section.canvas").focus()
        watched.keys(key)
        expect(page.get_by_role("region", name=name).first).to_be_visible()
        if key == "q":
            row = page.get_by_role("listitem").filter(has_text="window.hit='text'").first
            expect(row).to_be_visible()
    page.get_by_role("button", name="Outline", exact=True).click()
    expect(page.get_by_role("region", name="Outline")).to_contain_text(wicked("title"))


def test_a_workflow_of_fifty_megabytes_opens_and_the_page_stays_with_the_person(
    watched: Editor, tmp_path: Path
) -> None:
    node = {"type": "CLIPTextEncode", "values": {"text": "x" * TEXT_BYTES}}
    nodes = [
        {**node, "id": str(at), "position": [at % 25 * 300, at // 25 * 300]}
        for at in range(1, NODES + 1)
    ]
    large = tmp_path / "large.json"
    large.write_text(
        json.dumps({"format": "graphengine workflow", "version": 1, "nodes": nodes, "links": []})
    )
    assert large.stat().st_size > 50 * 2**20
    page = watched.page
    expect(watched.node("Save picture")).to_be_visible()
    page.evaluate(WATCH)
    with page.expect_file_chooser() as chooser:
        watched.keys("Control+o")
    chooser.value.set_files(large)
    tab = page.get_by_role("tab", selected=True)
    expect(tab).to_have_accessible_name("large", timeout=120_000)
    page.get_by_role("tab", name="text_to_image").click()
    expect(watched.node("Save picture")).to_be_visible()
    assert page.evaluate("window.stall") < LONGEST_STALL_MS


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.json", b""),
        ("list.json", b"[1, 2, 3]"),
        ("deep.json", b"[" * 100_000),
        ("noise.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
    ],
)
def test_what_is_no_workflow_is_refused_with_a_message(
    watched: Editor, name: str, content: bytes
) -> None:
    watched.drop(name, content)
    messages = watched.page.get_by_role("region", name="Messages")
    expect(messages.get_by_role("paragraph").first).to_be_visible()
    expect(watched.page.get_by_role("tab")).to_have_count(1)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/w.json", "javascript:window.hit=1"])
def test_a_link_that_opens_an_address_asks_first_and_keeps_out_of_inner_networks(
    watched: Editor, address: str
) -> None:
    watched.page.goto(f"{watched.url}/?open={address}")
    dialog = watched.page.get_by_role("dialog", name="Open from the web")
    expect(dialog.get_by_role("textbox")).to_have_value(address)
    with watched.page.expect_response("**/open-address") as answered:
        dialog.get_by_role("button", name="Open", exact=True).click()
    assert answered.value.status == 400
    messages = watched.page.get_by_role("region", name="Messages")
    expect(messages.get_by_text(address)).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(watched.page.get_by_role("tab")).to_have_count(1)
