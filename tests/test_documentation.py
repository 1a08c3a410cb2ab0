"""What is written about graphengine is true and whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from graphengine import cli, docs, events, reporting
from graphengine.engine import Engine
from graphengine.errors import ProblemsFound
from graphengine.registry import Registry, builtin_folder
from graphengine.settings import STARTER_FOLDER, Settings
from graphengine.spec import BUILTIN_PACKAGE, NodeSpec
from graphengine.workflow import load_workflow

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.ja.md")
STARTER = STARTER_FOLDER / "checkpoints" / "graphengine-starter.safetensors"
WORKFLOWS = sorted((ROOT / "workflows").glob("**/*.json"))


def builtin_specs() -> tuple[NodeSpec, ...]:
    registry = Registry()
    registry.load_folder(builtin_folder("nodes"), BUILTIN_PACKAGE)
    return registry.specs()


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def python_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text_of(name), re.DOTALL)


@pytest.mark.parametrize("readme", READMES)
def test_the_readme_names_every_command_and_option(readme: str) -> None:
    text = text_of(readme)
    group: Any = get_command(cli.app)

    for name, command in group.commands.items():
        assert f"`graphengine {name} " in text
        options = [option for each in command.params for option in each.opts]
        for option in options:
            assert not option.startswith("--") or f"`{option}" in text, option


@pytest.mark.parametrize("readme", READMES)
def test_the_readme_names_every_exit_code_and_event(readme: str) -> None:
    text = text_of(readme)
    codes = {
        value for name, value in vars(reporting).items() if name.isupper() and type(value) is int
    }

    assert codes == {0, 1, 3, 4, 130}
    for code in codes | {2}:
        assert f"\n| {code} | " in text
        assert f"{code} " in reporting.EPILOG
    for event in events.Event.__args__:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()
        assert name == "node_preview" or f"`{name}`" in text


def test_both_readmes_show_the_same_code() -> None:
    assert python_blocks("README.md") == python_blocks("README.ja.md")


def test_the_readmes_node_is_a_node(tmp_path: Path) -> None:
    (tmp_path / "invert.py").write_text(python_blocks("README.md")[-1])
    registry = Registry()
    registry.load_folder(tmp_path, "readme_nodes")

    assert registry.failures == ()
    assert registry.ids() == ("InvertColours",)
    assert len(python_blocks("README.md")[-1].strip().splitlines()) <= 10


@pytest.mark.skipif(not STARTER.is_file(), reason="the starter model is not there")
@pytest.mark.parametrize("block", [0, 1])
def test_the_readmes_python_runs(
    block: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "workflows").symlink_to(ROOT / "workflows")
    monkeypatch.chdir(tmp_path)
    exec(compile(python_blocks("README.md")[block], "README.md", "exec"), {})

    printed = capsys.readouterr().out.splitlines()[-1]
    assert printed.startswith(("done (", "torch.Size([1, 77, ")[block])


@pytest.mark.parametrize("document", [*READMES, "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_links_between_documents_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", text_of(document)):
        assert (ROOT / target).exists(), target


def test_every_module_is_on_the_map() -> None:
    text = text_of("ARCHITECTURE.md")
    modules = [
        path.name if path.suffix == ".py" else f"{path.name}/"
        for path in (ROOT / "graphengine").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    ]

    assert [
        name
        for name in modules
        if not name.startswith("__")
        and f"`{name}`" not in text
        and f"graphengine/{name}`" not in text
    ] == []


def test_every_command_is_in_the_changelog() -> None:
    group: Any = get_command(cli.app)
    text = text_of("CHANGELOG.md")

    assert [name for name in group.commands if f"{name}`" not in text] == []


def test_the_reference_of_the_nodes_is_what_the_nodes_say() -> None:
    written = (builtin_folder("nodes") / docs.REFERENCE).read_text(encoding="utf-8")

    assert written == docs.builtin_reference(), "run: python -m graphengine.docs"


@pytest.mark.parametrize("spec", builtin_specs(), ids=lambda spec: spec.id)
def test_every_built_in_node_is_explained_in_both_languages(spec: NodeSpec) -> None:
    english, japanese = spec.text("en"), spec.texts.get("ja")

    assert english.description
    assert english.category
    assert [name for name, text in english.inputs.items() if not text] == []
    assert japanese is not None, f"{Path(spec.origin.file).stem}.ja.toml lacks [{spec.id}]"
    assert japanese.title
    assert japanese.category
    assert not japanese.description.isascii()
    assert set(japanese.inputs) == set(english.inputs)
    assert set(japanese.outputs) <= set(english.outputs)
    assert [name for name, text in japanese.inputs.items() if text.isascii()] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_workflow_is_valid(path: Path, tmp_path: Path) -> None:
    engine = Engine.open(Settings(base_directory=tmp_path))
    try:
        graph = engine.build(load_workflow(path))
    except ProblemsFound as error:
        pytest.fail(str(error))

    assert graph.problems == ()
    assert all(node.title for node in load_workflow(path).nodes.values())
