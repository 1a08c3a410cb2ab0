"""The command line's help, and what it says about wrong usage, in both languages."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from graphengine import cli
from graphengine.cli_japanese import _japanese, _phrases
from graphengine.columns import columns, wrapped

ROOT = Path(__file__).parent.parent
TEXTS = tomllib.loads((ROOT / "graphengine" / "cli_help.ja.toml").read_text(encoding="utf-8"))
WIDTH = 80  # of the terminal that typer's runner plays
NAMES = {
    *("graphengine", "ComfyUI", "HTTP", "HTTPS", "WebSocket", "JSON", "PNG", "SIGTERM", "Ctrl-C"),
    *("GiB", "Python", "SQLite", "ID", "LC", "ALL", "LANG", "plot.png", "VALUES"),
    *("none", "auto", "latent", "rgb", "taesd", "cpu", "cuda", "mps", "requeue", "interrupt"),
    *("debug", "info", "warning", "error", "text", "api", "ui", "native", "event", "result"),
    *("plugins", "input", "output", "temp", "user", "models", "my-nodes", "run"),
}
MISTAKES = [
    ("paint", "'paint' というコマンドはありません。"),
    ("pluto", "'pluto' というコマンドはありません。近い名前: 'plot'。"),
    ("plugin lst", "'lst' というコマンドはありません。近い名前: 'list'。"),
    ("run", "引数 'FILE' を指定してください。"),
    ("plot f", "オプション '--x' を指定してください。"),
    ("run f --no-such", "--no-such というオプションはありません。"),
    ("run f -x", "-x というオプションはありません。"),
    ("run f --lang", "--lang というオプションはありません。近い名前: --language。"),
    ("run f --set", "オプション '--set' には値が必要です。"),
    ("run f --json=1", "オプション '--json' に値は指定できません。"),
    ("validate a Options", "余分な引数があります: Options"),
    ("serve --port a", "'--port' の値が正しくありません。整数を指定してください。"),
    (f"serve --port {'9' * 5000}", "'--port' の値が正しくありません。整数を指定してください。"),
    (
        "nodes --language fr",
        "'--language' の値が正しくありません。"
        "'fr' ではなく、次のいずれかを指定してください: 'en', 'ja'。",
    ),
]


@pytest.fixture(autouse=True)
def no_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


def call(*arguments: str, language: str = "") -> Result:
    environment = {"LANG": f"{language}_JP.UTF-8"} if language else {}
    return CliRunner().invoke(cli.app, arguments, env=environment, prog_name="graphengine")


def commands() -> Iterator[tuple[str, Any]]:
    """All commands by what is typed for them; the group of all first, by an empty text."""
    waiting: list[tuple[str, Any]] = [("", get_command(cli.app))]
    while waiting:
        path, command = waiting.pop()
        yield path, command
        below = getattr(command, "commands", {}).items()
        waiting += [(f"{path} {name}".strip(), each) for name, each in below]


COMMANDS = dict(commands())


def test_every_command_and_parameter_has_help_in_both_languages_and_no_text_is_left_over() -> None:
    used: set[str] = set()
    for path, command in COMMANDS.items():
        own = TEXTS["commands"][path or "graphengine"]
        assert own["text"], path
        assert command.help, path
        names = {parameter.name for parameter in command.params}
        options = own.get("options", {})
        assert names - options.keys() <= TEXTS["shared"].keys(), path
        assert options.keys() <= names, path
        used |= names - options.keys()
        assert [each.name for each in command.params if not each.help] == [], path

    assert TEXTS["commands"].keys() == {path or "graphengine" for path in COMMANDS}
    assert TEXTS["shared"].keys() == used


def test_what_several_commands_share_means_the_same_in_each() -> None:
    for name in TEXTS["shared"]:
        helps = {
            parameter.help
            for path, command in COMMANDS.items()
            for parameter in command.params
            if parameter.name == name
            and name not in TEXTS["commands"][path or "graphengine"].get("options", {})
        }
        assert len(helps) == 1, name


@pytest.mark.parametrize("path", COMMANDS)
def test_help_in_japanese_has_no_english_left_and_keeps_to_the_width(path: str) -> None:
    done = call(*path.split(), "--help", "--language", "ja")
    page = done.stdout

    assert done.exit_code == 0
    assert page.startswith(f"使い方: graphengine {path}".rstrip())
    assert [line for line in page.splitlines() if columns(line) > WIDTH] == []
    assert english_in(page, path) == []
    assert page == call(*path.split(), "--help", language="ja").stdout


def english_in(page: str, path: str) -> list[str]:
    """Words that are neither names nor something to type."""
    command = COMMANDS[path]
    typed = [*path.split(), *getattr(command, "commands", {})]
    typed += [parameter.metavar or "" for parameter in command.params]
    told = re.sub(r"<[^>]*>|`[^`]*`|(?<!\w)--?[a-z][a-z-]*|[A-Z]+\.[A-Z]+\S*|\.[a-z]+", " ", page)
    words = re.findall(r"[A-Za-z][A-Za-z.-]+", told)
    known = NAMES | {part for each in typed for part in re.findall(r"[A-Za-z-]+", each)}
    return [word for word in words if word not in known]


@pytest.mark.parametrize("path", COMMANDS)
def test_help_in_english_stays_typers_own(path: str) -> None:
    done = call(*path.split(), "--help")

    assert done.exit_code == 0
    assert done.stdout.startswith(f"Usage: graphengine {path}".rstrip())
    assert done.stdout.isascii() or path == "plot"
    assert done.stdout == call(*path.split(), "--help", "--language=en", language="ja").stdout


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=lambda value: value[:30])
def test_wrong_usage_is_said_in_japanese_and_ends_with_two(arguments: str, said: str) -> None:
    done = call(*arguments.split(), language="ja")

    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"エラー: {said}"
    if len(done.stderr.splitlines()) > 1:
        assert done.stderr.startswith("使い方: graphengine ")
        assert "--help' で使い方を表示できます。" in done.stderr


def test_every_phrase_is_one_of_typers() -> None:
    told = [call(*arguments.split()).stderr.splitlines()[-1] for arguments, _ in MISTAKES]
    said = [line.removeprefix("Error: ") for line in [*told, last(call("--language", "en"))]]
    said += [text.partition(": ")[2] for text in said]
    pages = [call(*path.split(), "--help").stdout for path in COMMANDS]
    said += [line.removesuffix(":") for page in pages for line in page.splitlines()]
    said += [line.strip() for line in said] + ["Show this message and exit."]

    unused = [
        pattern.pattern
        for pattern, _ in _phrases()
        if not any(pattern.fullmatch(text) for text in said)
    ]
    assert unused == []


def last(done: Result) -> str:
    return done.stderr.splitlines()[-1]


def test_what_a_person_typed_is_not_translated() -> None:
    assert _japanese("No such command 'Options'.") == "'Options' というコマンドはありません。"
    assert _japanese("What typer may say in a year.") == "What typer may say in a year."


@pytest.mark.parametrize("arguments", ["", "plugin"])
def test_a_group_alone_shows_its_help_and_ends_with_two(arguments: str) -> None:
    japanese = call(*arguments.split(), language="ja")

    assert (japanese.exit_code, call(*arguments.split()).exit_code) == (2, 2)
    assert japanese.stderr == call(*arguments.split(), "--help", language="ja").stdout
    assert "コマンド:\n" in japanese.stderr


def test_the_language_may_stand_before_the_command(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.json")
    before = call("--language", "ja", "validate", missing)
    nested = call("--language", "ja", "plugin", "remove", "none")
    between = call("plugin", "--language", "ja", "remove", "none")

    assert before.stdout == call("validate", missing, "--language", "ja").stdout
    assert "見つかりません" in before.stdout
    assert "「none」はありません" in nested.stderr
    assert nested.stderr == between.stderr
    assert "There is no" in call("--language", "ja", "validate", missing, "--language", "en").stdout
    assert last(call("--language", "ja")) == "エラー: コマンドを指定してください。"


def test_japanese_costs_a_command_that_says_nothing_in_it_no_import(tmp_path: Path) -> None:
    script = (
        "import sys; from graphengine.cli import app\n"
        "try: app(['validate', 'none.json', '--language', sys.argv[1]])\n"
        "except SystemExit: print(sorted({'torch', 'graphengine.cli_japanese'} & set(sys.modules)))"
    )
    for language in ("en", "ja"):
        done = subprocess.run(
            [sys.executable, "-c", script, language], cwd=ROOT, capture_output=True, text=True
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_lines_are_broken_between_words_and_not_before_closing_marks() -> None:
    text = "値は (例: --set A.b=1) と書きます。\n\n[既定値: なし]"

    assert wrapped(text, 14) == ["値は (例:", "--set A.b=1)", "と書きます。", "", "[既定値: なし]"]
    assert wrapped("日本語。", 6) == ["日本", "語。"]
    assert wrapped("", 10) == []
    assert (columns("日本語"), columns("ｱb…")) == (6, 3)
