"""The registry: collects nodes from folders and packages, and keeps what failed as data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from textwrap import dedent

import pytest

from graphengine.api import node
from graphengine.node import NodeDefinitionError, describe
from graphengine.registry import Registry, builtin_folder, load_registry

PACKAGE = "registry_test_nodes"
GOOD = """
    from graphengine.api import node

    @node("{id}", title="A node")
    def body(x: int) -> int:
        return x + 1
"""


@pytest.fixture
def registry() -> Iterator[Registry]:
    yield Registry()
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


def test_every_file_and_package_of_a_folder_is_loaded(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "one.py", GOOD.format(id="One"))
    write(tmp_path / "pack" / "__init__.py", GOOD.format(id="Two"))
    write(tmp_path / "pack" / "deep" / "three.py", GOOD.format(id="Three"))

    registry.load_folder(tmp_path, PACKAGE)

    assert registry.failures == ()
    assert registry.ids() == ("One", "Three", "Two")
    spec = registry.get("One")
    assert spec is not None
    assert spec.function(x=1) == 2
    assert spec.origin.package == f"{PACKAGE}.one"
    assert spec.origin.file == str(tmp_path / "one.py")
    assert spec.origin.line == 4


def test_hidden_private_and_disabled_entries_are_left_out(
    registry: Registry, tmp_path: Path
) -> None:
    for name in ("_private.py", ".hidden.py", "pack.disabled/__init__.py", "pack/_inner.py"):
        write(tmp_path / name, GOOD.format(id=name))
    write(tmp_path / "pack" / "__init__.py", "")
    write(tmp_path / "notes.txt", "no Python")

    registry.load_folder(tmp_path, PACKAGE)

    assert (registry.ids(), registry.failures) == ((), ())


def test_a_folder_that_is_not_there_brings_nothing(registry: Registry, tmp_path: Path) -> None:
    registry.load_folder(tmp_path / "gone", PACKAGE)

    assert (registry.ids(), registry.failures) == ((), ())


def test_files_of_a_package_may_import_each_other(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "pack" / "__init__.py", "")
    write(tmp_path / "pack" / "_shared.py", "STEP = 5")
    write(
        tmp_path / "pack" / "adder.py",
        """
        from graphengine.api import node
        from ._shared import STEP

        @node("Adder")
        def add(x: int) -> int:
            return x + STEP
        """,
    )
    registry.load_folder(tmp_path, PACKAGE)

    spec = registry.get("Adder")
    assert spec is not None
    assert spec.function(x=1) == 6


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("\nimport no_such_module_anywhere\n", 2, "no_such_module_anywhere"),
        ("x = 1\ndef broken(:\n", 2, "SyntaxError"),
        ("x = 1\n\n1 / 0\n", 3, "ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_kept_with_line_and_cause(
    registry: Registry, tmp_path: Path, text: str, line: int, cause: str
) -> None:
    file = write(tmp_path / "bad.py", text)
    write(tmp_path / "good.py", GOOD.format(id="Good"))

    registry.load_folder(tmp_path, PACKAGE)

    (failure,) = registry.failures
    assert (failure.file, failure.line) == (str(file), line)
    assert cause in failure.cause
    assert registry.ids() == ("Good",)
    assert f"{PACKAGE}.bad" not in sys.modules


def test_a_wrong_signature_costs_only_its_own_node(registry: Registry, tmp_path: Path) -> None:
    write(
        tmp_path / "mixed.py",
        """
        from graphengine.api import node

        @node("Wrong")
        def wrong(x) -> int:
            return x

        @node("Right")
        def right(x: int) -> int:
            return x
        """,
    )
    registry.load_folder(tmp_path, PACKAGE)

    (failure,) = registry.failures
    assert registry.ids() == ("Right",)
    assert failure.line == 4
    assert '"x"' in failure.cause


def test_an_id_that_is_taken_is_refused_and_says_by_whom(
    registry: Registry, tmp_path: Path
) -> None:
    first = write(tmp_path / "a.py", GOOD.format(id="Same"))
    write(tmp_path / "b.py", GOOD.format(id="Same"))

    registry.load_folder(tmp_path, PACKAGE)

    spec = registry.get("Same")
    assert spec is not None
    assert spec.origin.file == str(first)
    (failure,) = registry.failures
    assert failure.file == str(tmp_path / "b.py")
    assert '"Same"' in failure.cause
    assert str(first) in failure.cause


def test_imported_nodes_are_not_collected_twice(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "pack" / "__init__.py", "from .a import body")
    write(tmp_path / "pack" / "a.py", GOOD.format(id="A"))

    registry.load_folder(tmp_path, PACKAGE)

    assert registry.ids() == ("A",)
    assert registry.failures == ()


def test_texts_beside_a_file_reach_its_nodes(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "one.py", GOOD.format(id="One"))
    write(
        tmp_path / "one.ja.toml",
        """
        [One]
        title = "ノード"
        category = "試験"
        search = ["ためし"]
        inputs.x = "数値。"
        outputs.INT = "次の数値。"
        """,
    )
    registry.load_folder(tmp_path, PACKAGE)

    spec = registry.get("One")
    assert spec is not None
    texts = spec.text("ja")
    assert (texts.title, texts.category, texts.search) == ("ノード", "試験", ("ためし",))
    assert (texts.inputs["x"], texts.outputs["INT"]) == ("数値。", "次の数値。")


def test_a_text_file_that_is_not_toml_is_a_failure(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "one.py", GOOD.format(id="One"))
    write(tmp_path / "one.ja.toml", "[One\n")

    registry.load_folder(tmp_path, PACKAGE)

    (failure,) = registry.failures
    assert "TOMLDecodeError" in failure.cause


def test_an_edited_file_gives_other_keys(tmp_path: Path) -> None:
    keys = []
    for addend in (1, 2):
        write(tmp_path / "one.py", GOOD.format(id="One").replace("+ 1", f"+ {addend}"))
        registry = Registry()
        registry.load_file(tmp_path / "one.py", f"{PACKAGE}.one")
        keys.append(registry.specs()[0].key)
        del sys.modules[f"{PACKAGE}.one"]

    assert keys[0] != keys[1]


def test_installed_packages_name_their_nodes_by_entry_point(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / f"{PACKAGE}_installed.py", GOOD.format(id="Installed"))
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        metadata.EntryPoint("good", f"{PACKAGE}_installed", "graphengine.nodes"),
        metadata.EntryPoint("bad", "no_such_module_anywhere", "graphengine.nodes"),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points)

    registry.load_entry_points()

    assert registry.ids() == ("Installed",)
    (failure,) = registry.failures
    assert failure.package == "bad"
    assert "no_such_module_anywhere" in failure.cause


def test_functions_may_be_added_in_code(registry: Registry) -> None:
    @node("InCode")
    def in_code(x: int) -> int:
        return x

    @node("Wrong")
    def wrong(x: object) -> int:
        return 0

    registry.add_functions(in_code)
    assert registry.ids() == ("InCode",)
    assert not registry.add(describe(in_code))
    with pytest.raises(NodeDefinitionError):
        registry.add_functions(wrong)


def test_the_built_in_folders_stand_beside_the_package() -> None:
    root = Path(__file__).parent.parent

    assert builtin_folder("nodes") == root / "nodes"
    assert builtin_folder("workflows") == root / "workflows"


def test_all_built_in_nodes_load() -> None:
    registry = load_registry()

    assert registry.failures == ()
    assert {spec.origin.package.partition(".")[0] for spec in registry.specs()} <= {
        "graphengine_nodes"
    }


def test_plugin_folders_are_loaded_after_the_built_in_nodes(tmp_path: Path) -> None:
    write(tmp_path / "one.py", GOOD.format(id="FromAPlugin"))
    registry = load_registry([tmp_path])
    for name in [name for name in sys.modules if name.startswith("graphengine_plugins_0")]:
        del sys.modules[name]

    assert "FromAPlugin" in registry.ids()
