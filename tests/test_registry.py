"""The registry: node types by id; a later one of an id that is taken is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphengine.api import node
from graphengine.node import NodeDefinitionError, describe
from graphengine.registry import Registry, builtin_folder, load_registry


def test_functions_may_be_added_in_code() -> None:
    @node("InCode")
    def in_code(x: int) -> int:
        return x

    @node("Wrong")
    def wrong(x: object) -> int:
        return 0

    registry = Registry()
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


def test_a_node_is_described_once_and_only_when_it_is_asked_for(tmp_path: Path) -> None:
    head = "from graphengine.api import node\n"
    (tmp_path / "good.py").write_text(
        f"{head}@node('Good', renamed_from=('Old',))\ndef f() -> int: ...\n"
    )
    (tmp_path / "wrong.py").write_text(f"{head}@node('Wrong')\ndef f(x: object) -> int: ...\n")
    (tmp_path / "z.py").write_text(f"{head}@node('Good')\ndef f() -> str: ...\n")
    registry = Registry()
    registry.load_folder(tmp_path, "described_later")

    assert registry.ids() == ("Good", "Wrong")
    assert registry.get("Old") is registry.get("Good")
    assert [output.type for output in registry.get("Good").outputs] == ["INT"]  # type: ignore[union-attr]
    (refused,) = registry.failures
    assert "good.py" in refused.cause
    assert "「Good」は、すでに" in refused.causes["ja"]
    assert refused.file.endswith("z.py")
    with pytest.raises(NodeDefinitionError, match="x"):
        registry.specs()
