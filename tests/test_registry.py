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
