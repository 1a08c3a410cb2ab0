"""Plugins in the editor: off until they are enabled, faults told, their scripts contained."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.comfy.host.conftest import PACKS
from tests.editor.editor import Editor
from tests.server.process import Server

RATE = """
from graphengine.api import Artifacts, node

@node("Rate", title="Rate it")
def rate(stars: int = 3, mood: int = 1) -> Artifacts:
    return Artifacts(texts=(str(stars),))
"""
SCRIPT = """
export default function (editor) {
  editor.addWidget("Rate.stars", (element, field) => {
    const button = document.createElement("button");
    button.onclick = () => field.set(5);
    element.append(button);
    const update = (value) => { button.textContent = `${value} stars`; };
    update(field.value);
    return { update };
  });
  editor.addWidget("Rate.mood", () => { throw new Error("no mood today"); });
}
"""


@pytest.fixture
def fresh(tmp_path: Path, chromium: str) -> Iterator[Server]:
    """A server that trusts no plugin yet."""
    with Server(tmp_path, plugins=None) as running:
        yield running


@pytest.fixture
def editor(fresh: Server, context: BrowserContext) -> Editor:
    page = context.new_page()
    opened = Editor(page, fresh.url)
    opened.go()
    page.get_by_role("button", name="Plugins").click()
    return opened


def drop(base: Path, name: str, files: dict[str, str]) -> None:
    """Put a plugin there whole, as one that is copied comes."""
    made = base / f"made-{name}"
    for path, text in files.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text, encoding="utf-8")
    (base / "plugins").mkdir(exist_ok=True)
    shutil.move(made, base / "plugins" / name)


def add_node(page: Page, title: str) -> None:
    page.get_by_role("main").locator(".canvas").dblclick(position={"x": 500, "y": 560})
    page.keyboard.type(title)
    page.get_by_role("option", name=title).first.click()


def test_a_plugin_is_off_until_enabled_and_its_script_draws_a_field(
    editor: Editor, fresh: Server
) -> None:
    page = editor.page
    drop(fresh.base, "rate", {"__init__.py": RATE, "web/stars.js": SCRIPT})
    row = page.get_by_role("listitem", name="rate", exact=True)
    expect(row).to_contain_text("new, off")
    expect(page.get_by_label("Messages")).to_contain_text("off until you enable it")

    row.get_by_role("button", name="Enable").click()
    expect(row).to_contain_text("1 node")
    add_node(page, "Rate it")
    node = editor.node("Rate it")
    node.get_by_role("button", name="3 stars").click()
    expect(node.get_by_role("button", name="5 stars")).to_be_visible()
    expect(node).to_contain_text("no mood today")
    expect(node.get_by_role("spinbutton", name="mood")).to_have_value("1")
    expect(row).to_contain_text("no mood today")


def test_a_broken_plugin_shows_file_line_and_cause(editor: Editor, fresh: Server) -> None:
    drop(fresh.base, "broken", {"__init__.py": "\n1 / 0\n"})
    row = editor.page.get_by_role("listitem", name="broken", exact=True)
    row.get_by_role("button", name="Enable").click()
    expect(row).to_contain_text("broken/__init__.py:2")
    expect(row).to_contain_text("ZeroDivisionError")


def test_a_reason_of_ours_is_told_in_the_persons_language(editor: Editor, fresh: Server) -> None:
    drop(fresh.base, "taken", {"__init__.py": RATE.replace("Rate", "KSampler")})
    row = editor.page.get_by_role("listitem", name="taken", exact=True)
    row.get_by_role("button", name="Enable").click()
    expect(row).to_contain_text('The node id "KSampler" is already taken by')
    editor.keys("Control+,")
    editor.page.get_by_role("dialog").get_by_label("Language").select_option("日本語")
    editor.keys("Escape")
    expect(row).to_contain_text("ノード ID「KSampler」は、すでに")


def test_a_number_that_grows_is_emptied_again(
    tmp_path: Path, chromium: str, context: BrowserContext
) -> None:
    shutil.copytree(PACKS / "new_style", tmp_path / "custom_nodes" / "new_style")
    with Server(tmp_path, plugins=None) as running:
        editor = Editor(context.new_page(), running.url)
        editor.go()
        editor.empty()
        add_node(editor.page, "NewGrows")
        numbers = editor.nodes.get_by_role("spinbutton")
        left, right = (numbers.and_(editor.page.get_by_label(name)) for name in ("left", "right"))
        expect(left).to_have_value("")
        left.fill("2*4")
        left.press("Enter")
        expect(left).to_have_value("8")
        expect(right).to_have_value("")
        left.fill("")
        expect(left).to_have_attribute("aria-invalid", "false")
        left.press("Enter")
        expect(left).to_have_value("")
        expect(right).to_have_count(0)
        editor.keys("Control+z")
        expect(left).to_have_value("8")
