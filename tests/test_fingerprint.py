"""Keys: equal for what gives equal results, different for everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest

from graphengine.api import ModelFile, node
from graphengine.fingerprint import base_key, is_unique, pulled_key, unique_key, written
from graphengine.node import describe
from graphengine.spec import NodeSpec
from tests.toy_engine import Toy, n

SOURCE = b"s" * 32
OTHER = b"o" * 32


@node("Body")
def body(value: int) -> int:
    """A body."""
    return value


SPEC = describe(body)


def key_of(
    values: dict[str, Any] | None = None, *links: tuple[str, bytes, int], spec: NodeSpec = SPEC
) -> bytes:
    return base_key(spec, "1", values or {}, links, "")


def test_every_value_name_link_slot_and_source_makes_another_key() -> None:
    keys = [
        key_of(),
        key_of({"a": 1}),
        key_of({"a": 1.0}),
        key_of({"a": True}),
        key_of({"a": "1"}),
        key_of({"a": None}),
        key_of({"a": [1]}),
        key_of({"a": ["1"]}),
        key_of({"a": {"x": 1}}),
        key_of({"a": {"x": "1"}}),
        key_of({"b": 1}),
        key_of({"a": "1", "b": "2"}),
        key_of({"a": "1'\0b='2"}),
        key_of({}, ("a", SOURCE, 0)),
        key_of({}, ("a", SOURCE, 1)),
        key_of({}, ("b", SOURCE, 0)),
        key_of({}, ("a", OTHER, 0)),
        key_of({}, ("a", SOURCE, 0), ("a", OTHER, 0)),
        key_of({}, ("a", OTHER, 0), ("a", SOURCE, 0)),
    ]

    assert len(set(keys)) == len(keys)
    assert not any(is_unique(key) for key in keys)


def test_equal_inputs_make_equal_keys_whatever_the_node_is_called() -> None:
    assert base_key(SPEC, "1", {"a": [1, {"b": 2.5}]}, (("c", SOURCE, 0),), "f") == base_key(
        SPEC, "2", {"a": [1, {"b": 2.5}]}, (("c", SOURCE, 0),), "f"
    )


def test_half_characters_and_control_characters_have_keys() -> None:
    assert not is_unique(key_of({"a": "\ud800\0"}))


@pytest.mark.parametrize(
    "value", [object(), [object()], {"a": object()}], ids=["object", "list", "dict"]
)
def test_what_cannot_be_written_down_never_has_the_same_key(value: Any) -> None:
    assert is_unique(key_of({"a": value}))
    assert key_of({"a": value}) != key_of({"a": value})


def test_a_value_that_holds_itself_never_has_the_same_key() -> None:
    value: list[Any] = []
    value.append(value)

    assert is_unique(key_of({"a": value}))


def test_behind_a_unique_key_everything_is_unique() -> None:
    unique = unique_key()

    assert is_unique(key_of({}, ("a", unique, 0)))
    assert is_unique(pulled_key(SOURCE, (("a", unique, 0),)))
    assert is_unique(pulled_key(unique, (("a", SOURCE, 0),)))
    assert unique_key() != unique


def test_what_was_pulled_is_part_of_the_key() -> None:
    keys = {
        pulled_key(SOURCE, ()),
        pulled_key(SOURCE, (("a", OTHER, 0),)),
        pulled_key(SOURCE, (("b", OTHER, 0),)),
        pulled_key(SOURCE, (("a", OTHER, 1),)),
        pulled_key(OTHER, (("a", OTHER, 0),)),
    }

    assert len(keys) == 5


def test_sets_and_mappings_are_written_in_one_order() -> None:
    assert written({"b": 1, "a": 2}) == written({"a": 2, "b": 1})
    assert written({"b", "a"}) == written({"a", "b"})
    assert written({1: "x"}) != written({"1": "x"})
    assert written(b"x") != written("x")
    assert written(Path("x")) != written("x")


def test_another_version_runs_again(tmp_path: Path) -> None:
    def versioned(version: int) -> Toy:
        @node("Versioned", version=version)
        def body(value: int) -> int:
            """The value."""
            return value * version

        return Toy(tmp_path, body, cache=cache)

    cache = Toy(tmp_path).engine.cache
    nodes = {"x": n("Versioned", value=3)}

    assert versioned(1).value(nodes) == 3
    assert versioned(2).value(nodes) == 6


def test_a_fingerprint_decides_whether_a_node_runs_again(tmp_path: Path) -> None:
    state: list[Any] = [("a", b"1")]
    ran: list[int] = []

    @node("Watch", fingerprint=lambda values, folders: (values["value"], *state))
    def watch(value: int) -> int:
        """The value."""
        ran.append(value)
        return value

    toy = Toy(tmp_path, watch)
    nodes = {"x": n("Watch", value=1)}
    toy.value(nodes)
    toy.value(nodes)
    assert ran == [1]
    state[0] = ("a", b"2")
    toy.value(nodes)
    assert ran == [1, 1]
    assert [reason.kind for reason in toy.run(nodes, targets=("x",)).reasons.values()] == ["cached"]


@pytest.mark.parametrize("how", ["raises", "nan", "object"])
def test_a_fingerprint_that_says_nothing_lets_the_node_run_every_time(
    tmp_path: Path, how: str
) -> None:
    ran: list[int] = []

    def fingerprint(values: Any, folders: Any) -> Any:
        if how == "raises":
            raise OSError
        return float("nan") if how == "nan" else object()

    @node("Watch", fingerprint=fingerprint)
    def watch() -> int:
        """A number."""
        ran.append(1)
        return 1

    toy = Toy(tmp_path, watch)
    for _ in range(2):
        assert toy.value({"x": n("Watch")}) == 1

    assert len(ran) == 2


def test_a_node_runs_again_when_its_model_file_changed(tmp_path: Path) -> None:
    @node("Read")
    def read(name: Annotated[str, ModelFile(kind="vae")]) -> str:
        """The name."""
        ran.append(name)
        return name

    ran: list[str] = []
    toy = Toy(tmp_path, read)
    file = tmp_path / "models" / "vae" / "a.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"1")
    nodes = {"x": n("Read", name="a.safetensors")}
    toy.value(nodes)
    toy.value(nodes)
    assert len(ran) == 1
    file.write_bytes(b"12")
    result = toy.run(nodes, targets=("x",))

    assert len(ran) == 2
    assert result.reasons["x"].kind == "outside_changed"
