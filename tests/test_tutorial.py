"""The tutorial on writing nodes: all its code is run, in both languages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from graphengine import cli
from graphengine.api import node
from graphengine.plugin_tools.checking import check_plugin

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {language: DOCS / language / "writing-a-node.md" for language in ("en", "ja")}
assert node


def blocks(language: str) -> list[tuple[str, str]]:
    """Each block of code: its language and its text."""
    text = PAGES[language].read_text(encoding="utf-8")
    return re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)


def test_both_languages_show_the_same_code_under_the_same_number_of_headings() -> None:
    english, japanese = (page.read_text(encoding="utf-8") for page in PAGES.values())

    assert blocks("en") == blocks("ja")
    assert english.count("\n## ") == japanese.count("\n## ")


def test_the_code_does_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "C")
    known: dict[str, Any] = {}
    for language, code in blocks("en"):
        if language == "sh":
            for line in code.splitlines():
                run(line)
        elif (name := re.match(r"# (plugins/\S+)\n", code)) is not None:
            file = tmp_path / name[1]
            file.parent.mkdir(exist_ok=True)
            with file.open("a", encoding="utf-8") as written:
                written.write(code)
            if language == "python":
                exec(compile(code, str(file), "exec"), known)
                run(f"graphengine plugin enable {file.stem}")
        elif language == "python":
            exec(compile(code, "writing-a-node.md", "exec"), known)

    for file in sorted((tmp_path / "plugins").glob("*.py")):
        found = check_plugin(file)
        assert found.errors == 0, [problem.text() for problem in found.problems]
        if file.stem == "colours":
            assert [problem.code for problem in found.problems] == ["check_no_help"]


def run(line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == "graphengine"
    if arguments[0] == "serve":
        return
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, (line, done.output)
