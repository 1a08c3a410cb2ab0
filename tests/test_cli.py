"""The command line: what it prints, how it ends, and that stopping it leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from graphengine import __version__
from graphengine.cli import app
from graphengine.errors import GraphEngineError

ROOT = Path(__file__).parent.parent
PLUGINS = Path(__file__).parent / "plugins"

PAINT = {
    "1": {"class_type": "TestColour", "inputs": {"name": "red"}, "_meta": {"title": "My colour"}},
    "2": {"class_type": "TestSave", "inputs": {"colour": ["1", 0]}},
}
BROKEN = {
    "1": {"class_type": "TestColour", "inputs": {"red": 300}},
    "2": {"class_type": "TestSafe", "inputs": {"colour": ["1", 0]}},
}


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRAPHENGINE_BASE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("GRAPHENGINE_PLUGIN_DIRECTORIES", str(PLUGINS))
    return tmp_path


def write(base: Path, workflow: Any, name: str = "workflow.json") -> str:
    path = base / name
    path.write_text(json.dumps(workflow), encoding="utf-8")
    return str(path)


def call(*args: str, **options: Any) -> Result:
    return CliRunner().invoke(app, args, **options)


# --- run ------------------------------------------------------------------------------------------


def test_run_prints_where_the_pictures_are(base: Path) -> None:
    done = call("run", write(base, PAINT))

    assert done.exit_code == 0
    assert done.stdout.splitlines() == ["painted red 0", str(base / "output" / "picture.txt")]
    assert (base / "output" / "picture.txt").read_text() == "red 0"
    assert "[2/2] Save:" in done.stderr
    assert "Done in" in done.stderr


def test_set_changes_inputs_by_id_and_by_title(base: Path) -> None:
    done = call(
        "run", write(base, PAINT), "--set", "1.red=7", "--set", "My colour.name=a = b",
        "--set", 'TestSave.prefix="5"',
    )  # fmt: skip

    assert done.exit_code == 0
    assert (base / "output" / "5.txt").read_text() == "a = b 7"


def test_set_links_an_input_as_a_file_does(base: Path) -> None:
    more = {"3": {"class_type": "TestColour", "inputs": {"name": "blue"}}}
    done = call("run", write(base, PAINT | more), "--set", '2.colour=["3", 0]')

    assert done.stdout.splitlines()[0] == "painted blue 0"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("1.red=" + "[" * 100_000, "[[[["),
        ('2.colour=["1", 5]', "0 STRING"),
        ("1.red", "NODE.INPUT=VALUE"),
        ("9.red=1", '"9"'),
        ("1.red=300", "255"),
        ("1.red=NaN", "INT"),
        ("1.rde=5", '"rde": The node has no such input, so it cannot be set.'),
    ],
)
def test_a_change_that_does_not_fit_is_said(base: Path, change: str, said: str) -> None:
    done = call("run", write(base, PAINT), "--set", change)

    assert said in done.stderr
    assert done.exit_code == 1
    assert not (base / "output").exists()


def test_output_names_another_folder(base: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other place")
    done = call("run", write(base, PAINT), "--output", str(other))

    assert done.stdout.splitlines()[-1] == str(other / "picture.txt")
    assert (other / "picture.txt").is_file()


def test_run_as_json_gives_each_event_and_then_the_result(base: Path) -> None:
    done = call("run", write(base, PAINT), "--json")
    documents = [json.loads(line) for line in done.stdout.splitlines()]

    assert [document["event"] for document in documents] == [
        "run_started",
        "node_started",
        "node_finished",
        "node_started",
        "node_progress",
        "node_progress",
        "node_finished",
        "run_finished",
        "result",
    ]
    assert documents[-3]["artifacts"]["text"] == ["painted red 0"]
    result = documents[-1]
    assert (result["status"], result["error"]) == ("done", None)
    assert result["files"] == [str(base / "output" / "picture.txt")]
    assert result["prompt"]["1"]["inputs"] == {"name": "red", "red": 0}


def test_a_failing_node_is_named_with_its_inputs_and_cause(base: Path) -> None:
    workflow = {**PAINT, "2": {"class_type": "TestFail", "inputs": {"colour": ["1", 0]}}}
    done = call("run", write(base, workflow))

    assert done.exit_code == 3
    assert "TestFail (#2) failed: IMAGE: expected 4 dimensions, got 3." in done.stderr
    assert "colour: " in done.stderr
    assert "Traceback" not in done.output


def test_a_failing_node_as_json_ends_with_its_error(base: Path) -> None:
    workflow = {**PAINT, "2": {"class_type": "TestFail", "inputs": {"colour": ["1", 0]}}}
    done = call("run", write(base, workflow), "--json")
    result = json.loads(done.stdout.splitlines()[-1])

    assert done.exit_code == 3
    assert (result["status"], result["error"]["node_id"]) == ("failed", "2")
    assert "4 dimensions" in result["error"]["message"]["ja"]


def test_debug_prints_the_traceback_of_the_cause(base: Path) -> None:
    inputs = {"colour": ["1", 0], "kind": "unforeseen"}
    file = write(base, {**PAINT, "2": {"class_type": "TestFail", "inputs": inputs}})

    quiet, debug = call("run", file), call("run", file, "--debug")

    assert "RuntimeError: not foreseen" in quiet.stderr
    assert "Traceback" not in quiet.output
    assert 'raise RuntimeError("not foreseen")' in debug.stderr
    assert (quiet.exit_code, debug.exit_code) == (3, 3)


@pytest.mark.parametrize("kind", ["ours", "foreign", "not there"])
def test_what_a_workflow_is_named_steers_no_terminal(base: Path, kind: str) -> None:
    title = "\x1b]52;c;aGk=\x07Boo\x9b2J"
    red = 300 if kind == "not there" else 1
    meta = {"_meta": {"title": title}}
    colour = {"class_type": "TestColour", "inputs": {"name": title, "red": red}, **meta}
    fail = {"class_type": "TestFail", "inputs": {"colour": ["1", 0], "kind": kind}, **meta}
    done = call("run", write(base, {"1": colour, "2": fail}))

    assert "Boo" in done.output
    assert not set(done.output) & set("\x1b\x07\x9b")


def test_run_refuses_a_workflow_with_problems(base: Path) -> None:
    done = call("run", write(base, BROKEN))

    assert done.exit_code == 1
    assert done.stdout == ""
    assert "TestSafe" in done.stderr
    assert "255" in done.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "runs"), [("y\n", True), ("はい\n", True), ("n\n", False), ("", False)]
)
def test_a_person_is_asked_before_many_cells_run(
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    runs: bool,
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))

    def make(*_: Any, confirmed: bool, **__: Any) -> None:
        raise GraphEngineError("plot_no_axes" if confirmed else "plot_many_cells", count=9, most=2)

    monkeypatch.setattr("graphengine.plot.plot.make_plot", make)
    with pytest.raises(SystemExit) as ended:
        app(["plot", write(base, PAINT), "--x", "1.red=1,2,3", "--language", "ja"])
    said = capsys.readouterr().err

    assert "9 マスあります。すべて実行しますか？ [y/N]: " in said
    assert ("--yes" in said) is not runs
    assert ended.value.code == 1


@pytest.mark.parametrize("options", [["-o", "."], ["-o", "out.png", "--table", "."]])
def test_a_plot_that_cannot_be_written_says_so_and_stays(base: Path, options: list[str]) -> None:
    def place(option: str) -> str:
        return option if option.startswith("-") else str(base / option)

    blank = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }
    command = ["plot", write(base, blank), "--x", "1.color=0,255"]
    refused = call(*command, *map(place, options))
    again = call(*command, "-o", str(base / "plot.png"))

    assert refused.exit_code == 1
    assert f"The file {base} cannot be written" in refused.stderr
    assert again.exit_code == 0
    assert "2 cells were still there" in again.stderr


# --- validate -------------------------------------------------------------------------------------


def test_validate_says_all_problems_at_once(base: Path) -> None:
    file = write(base, BROKEN)
    done = call("validate", file)

    assert done.exit_code == 1
    assert done.stdout.count("Error: ") == 3
    for said in ('"TestSave"', "INT 0 … 255", '"name"'):
        assert said in done.stdout
    assert done.stdout.splitlines()[-1] == f"{file}: not valid. Errors: 3, warnings: 0."


def test_validate_accepts_what_is_right(base: Path) -> None:
    file = write(base, PAINT)
    done = call("validate", file)

    assert (done.exit_code, done.stdout) == (0, f"{file}: valid. Warnings: 0.\n")
    assert not (base / "output").exists()


def test_validate_as_json_is_one_document(base: Path) -> None:
    done = call("validate", write(base, BROKEN), "--json")
    document = json.loads(done.stdout)

    assert done.exit_code == 1
    assert document["valid"] is False
    assert {problem["node_id"] for problem in document["problems"]} == {"1", "2"}
    assert all(problem["message"]["ja"] for problem in document["problems"])
    assert json.loads(call("validate", write(base, PAINT), "--json").stdout) == {
        "valid": True,
        "problems": [],
    }


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no workflow file"),
        (b"", "is empty"),
        (b'{"1": ', "cut off"),
        (b"{1: 2}", "line 1, column 2"),
        (b"\xff\xfe\xff", "not a text file"),
        (b"[1, 2]", "JSON object"),
        (b'{"nodes": [], "links": []}', "saves or shows"),
    ],
)
def test_a_file_that_is_no_workflow_is_explained(
    base: Path, command: str, content: bytes | None, said: str
) -> None:
    file = base / "bad.json"
    if content is not None:
        file.write_bytes(content)
    done = call(command, str(file))

    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_workflow_may_come_by_standard_input(base: Path) -> None:
    done = call("run", "-", input=json.dumps(PAINT))
    assert done.exit_code == 0
    assert (base / "output" / "picture.txt").is_file()

    done = call("validate", "-", input='{"1": ')
    assert done.exit_code == 1
    assert "cut off" in done.stdout


# --- nodes ----------------------------------------------------------------------------------------


def test_nodes_lists_ids_and_titles_by_category(base: Path) -> None:
    done = call("nodes")
    lines = done.stdout.splitlines()

    assert done.exit_code == 0
    place = lines.index("tests")
    assert lines[place + 1].split() == ["TestColour", "Colour"]


def test_nodes_shows_one_in_detail(base: Path) -> None:
    done = call("nodes", "TestColour")

    assert done.exit_code == 0
    assert "A colour." in done.stdout
    assert "| `red` | INT | 0 … 255 | `0` |" in done.stdout
    assert "| `name` | STRING |  | required | Its name. |" in done.stdout


def test_nodes_as_json_gives_inputs_with_widgets(base: Path) -> None:
    document = json.loads(call("nodes", "TestColour", "--json").stdout)

    (colour,) = document["nodes"]
    assert (colour["id"], colour["category"]) == ("TestColour", "tests")
    red = colour["inputs"][1]
    assert (red["name"], red["required"], red["default"]) == ("red", False, 0)
    assert (red["widget"]["kind"], red["widget"]["ge"], red["widget"]["le"]) == ("Int", 0, 255)
    assert document["failures"] == []


def test_an_unknown_node_gets_the_nearest_names(base: Path) -> None:
    done = call("nodes", "TestColor")

    assert done.exit_code == 1
    assert '"TestColour"' in done.stderr


def test_a_plugin_that_fails_to_load_is_shown_and_the_rest_works(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / "plugins").mkdir()
    (base / "plugins" / "bad.py").write_text("\nimport no_such_module_anywhere\n")
    folders = os.pathsep.join([str(PLUGINS), str(base / "plugins")])
    monkeypatch.setenv("GRAPHENGINE_PLUGIN_DIRECTORIES", folders)

    for args in (["nodes"], ["validate", write(base, PAINT)], ["run", write(base, PAINT)]):
        done = call(*args)
        assert done.exit_code == 0
        assert f"{base}/plugins/bad.py:2 could not be loaded" in done.stderr
    assert (
        "bad.py:2 を読み込めませんでした: ModuleNotFoundError"
        in call("plugin", "list", "--language", "ja").stdout
    )
    (failure,) = json.loads(call("nodes", "--json").stdout)["failures"]
    assert (failure["line"], failure["file"]) == (2, f"{base}/plugins/bad.py")


# --- languages, wrong usage, surroundings ---------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "options", "japanese"),
    [
        ({}, [], False),
        ({"LANG": "ja_JP.UTF-8"}, [], True),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "en_US.UTF-8"}, [], False),
        ({"LANG": "ja_JP.UTF-8"}, ["--language", "en"], False),
        ({}, ["--language", "ja"], True),
    ],
)
def test_the_language_comes_from_the_option_or_the_environment(
    base: Path, environment: dict[str, str], options: list[str], japanese: bool
) -> None:
    done = call("validate", write(base, BROKEN), *options, env=environment)

    assert ("エラー: " in done.stdout) is japanese
    assert ("Error: " in done.stdout) is not japanese


@pytest.mark.parametrize(
    "args",
    [["paint"], ["run"], ["run", "f", "--no-such"], ["nodes", "--language", "fr"], ["validate"]],
)
def test_wrong_usage_ends_with_two(base: Path, args: list[str]) -> None:
    assert call(*args).exit_code == 2


def test_version_and_help(base: Path) -> None:
    assert call("--version").stdout == f"graphengine {__version__}\n"
    assert "Exit codes" in call("--help").stdout
    assert "NODE.INPUT=VALUE" in call("run", "--help").stdout


def test_a_setting_that_cannot_be_used_is_named(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHENGINE_DEVICE", "toaster")
    done = call("nodes")

    assert done.exit_code == 1
    assert "GRAPHENGINE_DEVICE" in done.stderr
    assert "toaster" in done.stderr


def test_a_defect_of_ours_ends_with_four_and_without_a_traceback(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("graphengine.registry.load_registry", broken)
    quiet, debug = call("nodes"), call("nodes", "--debug")

    assert (quiet.exit_code, debug.exit_code) == (4, 4)
    assert "ZeroDivisionError: inside" in quiet.stderr
    assert "Traceback" not in quiet.output
    assert "Traceback" in debug.stderr
    assert "cli_defect" in json.loads(call("nodes", "--json").stdout)["error"]["code"]


# --- as a process ---------------------------------------------------------------------------------


@pytest.fixture
def slow(base: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has begun its first, slow node."""
    yield from _begin(base, deaf=False)


@pytest.fixture
def deaf(base: Path) -> Iterator[subprocess.Popen[str]]:
    """A run within a node that does not listen when it is told to stop."""
    yield from _begin(base, deaf=True)


def _begin(base: Path, *, deaf: bool) -> Iterator[subprocess.Popen[str]]:
    slow = {"class_type": "TestSlow", "inputs": {"deaf": deaf}}
    file = write(base, {"1": slow, "2": {"class_type": "TestSave", "inputs": {"colour": ["1", 0]}}})
    with subprocess.Popen(
        [sys.executable, "-m", "graphengine", "run", file, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while '"node_progress"' not in process.stdout.readline():
            assert process.poll() is None
        yield process
        process.kill()


def test_ctrl_c_stops_within_a_step_and_leaves_no_file(
    slow: subprocess.Popen[str], base: Path
) -> None:
    slow.send_signal(signal.SIGINT)
    stdout, stderr = slow.communicate(timeout=120)

    assert slow.returncode == 130
    assert json.loads(stdout.splitlines()[-1])["status"] == "cancelled"
    assert "Stopping" in stderr
    assert "Traceback" not in stderr
    assert not list(base.glob("output/**/*"))


def test_a_second_ctrl_c_ends_at_once(deaf: subprocess.Popen[str], base: Path) -> None:
    assert deaf.stderr is not None
    deaf.send_signal(signal.SIGINT)
    while "Stopping" not in deaf.stderr.readline():
        assert deaf.poll() is None
    time.sleep(0.1)
    assert deaf.poll() is None
    deaf.send_signal(signal.SIGINT)

    assert deaf.wait(timeout=120) == 130
    assert not list(base.glob("output/**/*"))


def test_a_reader_that_goes_away_is_no_error(base: Path) -> None:
    command = f"'{sys.executable}' -m graphengine nodes --json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.stderr == ""


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("validate workflow.json > /dev/full", 3, "No space left on device"),
        ("run workflow.json --json > /dev/full", 3, "No space left on device"),
        ("run workflow.json >&-", 0, "Done in"),
        ("validate - <&-", 1, ""),
    ],
)
def test_a_stream_that_is_full_or_closed_is_no_defect_of_ours(
    base: Path, command: str, code: int, said: str
) -> None:
    write(base, PAINT)
    command = f"'{sys.executable}' -m graphengine {command}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=base, env=environment, capture_output=True, text=True
    )

    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr
    assert "itself" not in done.stderr


@pytest.mark.parametrize(("terminal", "lines"), [("xterm", 0), ("dumb", 2)])
def test_a_terminal_without_bars_gets_a_line_for_each_node(
    base: Path, terminal: str, lines: int
) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "graphengine", "run", write(base, PAINT)],
        cwd=ROOT, env={**os.environ, "TERM": terminal}, stderr=theirs, stdout=subprocess.PIPE,
        check=True,
    )  # fmt: skip
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)

    assert said.count("/2] ") == lines
    assert "Done in" in said


def test_ctrl_c_while_we_are_imported_ends_as_any_other(base: Path) -> None:
    (base / "typer.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "graphengine", "--version"],
        cwd=base,
        env={**os.environ, "PYTHONPATH": f"{base}:{ROOT}"},
        capture_output=True,
    )

    assert (done.returncode, done.stderr) == (130, b"")


def test_what_the_terminal_cannot_show_is_escaped(base: Path) -> None:
    command = [sys.executable, "-m", "graphengine", "validate", write(base, PAINT)]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        [*command, "--language", "ja"], cwd=ROOT, capture_output=True, env=environment
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u554f\\u984c" in done.stdout
