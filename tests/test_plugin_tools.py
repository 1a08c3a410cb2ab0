"""Beginning, checking and installing plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

from graphengine.engine import Engine
from graphengine.errors import GraphEngineError
from graphengine.plugin_tools import pip
from graphengine.plugin_tools.checking import Checked, check_plugin
from graphengine.plugin_tools.creating import create_plugin
from graphengine.plugin_tools.installing import add_plugin, remove_plugin
from graphengine.plugins.loading import described_plugins
from graphengine.plugins.source import PluginFolders
from graphengine.settings import Settings
from graphengine.workflow import load_workflow

HEAD = """
    from typing import Annotated
    import random
    from graphengine.api import Choice, Help, Image, Int, node

"""


def graphengine(*arguments: str, base: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GRAPHENGINE_BASE_DIRECTORY": str(base), "LANG": "C"}
    command = [sys.executable, "-m", "graphengine", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_new_plugin_is_good_tested_and_has_a_workflow_that_runs(tmp_path: Path) -> None:
    create_plugin("my-nodes", tmp_path)
    project = tmp_path / "my-nodes"

    checked = check_plugin(project)
    assert (checked.problems, dict(checked.ran)) == ((), {"MyNodesTint": "twice"})

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project)]
    assert subprocess.run(command, cwd=project, capture_output=True, check=False).returncode == 0

    engine = Engine.open(Settings(base_directory=tmp_path, plugin_directories=(tmp_path,)))
    (plugin,) = engine.registry.plugins
    result = engine.run(load_workflow(plugin.workflows[0])).raise_for_status()
    assert len(result.files) == 1


@pytest.mark.parametrize("name", ["My", "1a", "a b", "../a", "class", "", "a--b"])
def test_a_name_that_cannot_be_a_package_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(GraphEngineError) as caught:
        create_plugin(name, tmp_path)

    assert caught.value.code == "plugin_name"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    with pytest.raises(GraphEngineError) as caught:
        create_plugin("mine", tmp_path)

    assert caught.value.code == "plugin_exists"


def checked(tmp_path: Path, text: str, texts: str = "") -> Checked:
    (tmp_path / "one.py").write_text(dedent(HEAD) + dedent(text), encoding="utf-8")
    (tmp_path / "one.ja.toml").write_text(dedent(texts), encoding="utf-8")
    return check_plugin(tmp_path / "one.py")


BODIES = {
    "check_mutates": "image.pixels.mul_(0.5); return image",
    "check_not_deterministic": "return Image(image.pixels * random.random())",
    "check_fails": "raise ValueError('no such luck')",
    "check_prints": "print('x' * 100_000); return image",
}


@pytest.mark.parametrize(("code", "body"), BODIES.items())
def test_a_small_run_shows_what_a_node_must_not_do(tmp_path: Path, code: str, body: str) -> None:
    found = checked(
        tmp_path,
        f"""
        @node("One", category="test")
        def one(image: Annotated[Image, Help("A picture.")]) -> Image:
            \"\"\"Does one thing.\"\"\"
            {body}
        """,
        '[One]\ntitle = "一"\ndescription = "一つのこと。"\ninputs.image = "画像。"',
    )

    assert [problem.code for problem in found.problems] == [code]
    assert found.errors == (code != "check_prints")
    assert found.problems[0].node_id == "One"


def test_an_exit_in_a_node_is_a_failure_of_the_check(tmp_path: Path) -> None:
    found = checked(tmp_path, "@node('One')\ndef one() -> int:\n    raise SystemExit(3)\n")

    assert "check_fails" in [problem.code for problem in found.problems]


def test_defaults_ranges_and_texts_are_checked_without_running(tmp_path: Path) -> None:
    found = checked(
        tmp_path,
        """
        @node("One", category="test")
        def one(
            big: Annotated[int, Int(ge=0, le=10, help="Big.")] = 11,
            none: Annotated[int, Int(ge=5, le=1, help="None fits.")] = 3,
            colour: Annotated[str, Choice(options=("red",), help="Colour.")] = "blue",
            bare: int = 1,
        ) -> int:
            return 1
        """,
        '[One]\ntitle = "一"\ninputs.gone = "ない。"\n[Other]\ntitle = "他"',
    )
    codes = {(problem.code, problem.input) for problem in found.problems}

    assert codes == {
        ("check_bad_default", "big"),
        ("check_empty_range", "none"),
        ("check_bad_default", "colour"),
        ("check_no_help", "bare"),
        ("check_no_description", None),
        ("check_no_texts", None),
        ("check_text_no_input", "gone"),
        ("check_text_unknown", None),
    }
    assert found.errors == 3


def test_nodes_that_need_each_other_are_run_in_turn_and_networks_not_at_all(tmp_path: Path) -> None:
    found = checked(
        tmp_path,
        """
        from dataclasses import dataclass
        from graphengine.api import Model, socket

        @socket("PALETTE")
        @dataclass(frozen=True)
        class Palette:
            colours: tuple[str, ...]

        @node("Use")
        def use(palette: Palette) -> str:
            return palette.colours[0]

        @node("Make")
        def make() -> Palette:
            return Palette(("red",))

        @node("Model")
        def model(model: Model) -> Model:
            return model
        """,
    )

    assert found.errors == 0
    assert dict(found.ran) == {"Use": "twice", "Make": "twice", "Model": "not"}


def test_a_node_that_asks_for_the_network_is_not_called(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "plugin.toml").write_text('capabilities = ["network"]')
    (tmp_path / "pack" / "__init__.py").write_text(
        "from graphengine.api import node\n@node('One')\ndef one() -> int:\n    return 1 / 0\n"
    )
    found = check_plugin(tmp_path / "pack")

    assert (found.errors, dict(found.ran)) == (0, {"One": "not"})


def test_the_commands_speak_and_exit_as_they_should(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    bad = tmp_path / "plugins" / "bad.py"
    bad.write_text("\n1 / 0\n")

    done = graphengine("check", str(bad), "--json", base=tmp_path)
    report = json.loads(done.stdout)
    assert (done.returncode, report["valid"], report["plugin"]) == (1, False, "bad")
    assert f"{bad}:2" in report["problems"][0]["message"]["en"]

    done = graphengine("check", str(tmp_path / "gone"), base=tmp_path)
    assert (done.returncode, "is no plugin" in done.stderr) == (1, True)

    listed = graphengine("plugin", "list", "--json", base=tmp_path)
    (plugin,) = json.loads(listed.stdout)["plugins"]
    assert (plugin["state"], plugin["notice"]["code"]) == ("new", "plugin_new")

    assert "plugin enable bad" in graphengine("nodes", base=tmp_path).stderr
    assert graphengine("plugin", "enable", "bad", base=tmp_path).returncode == 0
    assert f"{bad}:2 could not be loaded" in graphengine("nodes", base=tmp_path).stderr
    assert graphengine("plugin", "disable", "bad", base=tmp_path).returncode == 0
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "one.py").write_text(
        "from graphengine.api import node\n@node('One')\ndef one() -> int:\n    return 1\n"
    )
    folder = str(tmp_path / "named")
    assert graphengine("nodes", "One", "--plugins", folder, base=tmp_path).returncode == 0
    assert graphengine("nodes", "One", base=tmp_path).returncode == 1
    assert graphengine("nodes", base=tmp_path).stderr == ""
    done = graphengine("plugin", "enable", "bat", base=tmp_path)
    assert (done.returncode, "Nearest: bad" in done.stderr) == (1, True)


# --- installing -----------------------------------------------------------------------------------


def wheel(folder: Path, name: str, version: str, *needs: str, points: str = "") -> Path:
    """A package of one empty module, as a wheel."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    required = "".join(f"Requires-Dist: {each}\n" for each in needs)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}",
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/entry_points.txt", points)
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which base 1 is installed; wheels of base 2, good and greedy lie about."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    base = wheel(wheels, "base", "1")
    wheel(wheels, "base", "2")
    wheel(wheels, "good", "1", "base>=1")
    wheel(wheels, "greedy", "1", "base>=2")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    pip.install([str(base)], python)
    return python


def has(python: Path, module: str) -> bool:
    done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
    return done.returncode == 0


def project(folder: Path, dependencies: list[str], isolated: bool = False) -> Path:
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    manifest = f"dependencies = {dependencies!r}\nisolated = {str(isolated).lower()}\n"
    (folder / "plugin.toml").write_text(manifest)
    return folder


def test_adding_resolves_first_installs_and_copies(tmp_path: Path, python: Path) -> None:
    folders = PluginFolders(asking=(tmp_path / "plugins",), decisions=tmp_path / "user" / "p.json")
    source = project(tmp_path / "mine", ["good"])
    (source / "__pycache__").mkdir()

    assert pip.resolve(["good"], python) == ("good==1",)
    assert not has(python, "good")
    assert add_plugin(str(source), folders, python) == "mine"

    assert has(python, "good")
    (plugin,) = described_plugins(folders)
    assert (plugin.name, plugin.state) == ("mine", "new")
    assert sorted(path.name for path in plugin.path.iterdir()) == ["__init__.py", "plugin.toml"]
    with pytest.raises(GraphEngineError) as caught:
        add_plugin(str(source), folders, python)
    assert caught.value.code == "plugin_exists"

    remove_plugin(plugin, folders)
    assert list((tmp_path / "plugins").iterdir()) == []


@pytest.mark.parametrize("isolated", [False, True])
def test_a_conflict_is_refused_with_its_reason_and_nothing_is_changed(
    tmp_path: Path, python: Path, isolated: bool
) -> None:
    folders = PluginFolders(asking=(tmp_path / "plugins",))
    source = project(tmp_path / "mine", ["greedy"], isolated)
    if isolated:
        assert add_plugin(str(source), folders, python) == "mine"
        return

    with pytest.raises(pip.DependencyConflict) as caught:
        add_plugin(str(source), folders, python)

    assert "greedy" in caught.value.text()
    assert "base" in caught.value.text()
    assert not has(python, "greedy")
    assert not (tmp_path / "plugins").exists()


def test_a_package_is_added_by_its_name_and_a_file_with_its_texts(
    tmp_path: Path, python: Path
) -> None:
    folders = PluginFolders(asking=(tmp_path / "plugins",))
    assert add_plugin("good>=1", folders, python) == "good"
    assert has(python, "good")

    (tmp_path / "one.py").write_text("")
    (tmp_path / "one.ja.toml").write_text("")
    assert add_plugin(str(tmp_path / "one.py"), folders, python) == "one"
    names = {path.name for path in (tmp_path / "plugins").iterdir()}
    assert names == {"one.py", "one.ja.toml"}
    (plugin,) = described_plugins(folders)
    remove_plugin(plugin, folders)
    assert list((tmp_path / "plugins").iterdir()) == []
