"""One node's calls: list mapping, lazy inputs, and what its body returned, checked.

ComfyUI's rule for lists: a node whose inputs hold several items is called once an item; shorter
lists repeat their last item; ``Items`` inputs get everything in one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from graphengine import sockets
from graphengine.errors import GraphEngineError, InputError
from graphengine.events import Artifacts
from graphengine.graph import GraphNode
from graphengine.results import Block, Expand, Items, Lazy, Outputs
from graphengine.spec import NodeSpec, OutputSpec

Arguments = dict[str, Any]
_PLAIN = {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN"}
_LOOSE = {"COMBO", sockets.ANY}


class WrongResult(GraphEngineError):
    """A body returned something else than its annotation says."""


class Called(NamedTuple):
    """What one call gave: outputs in order, or a piece of graph, and what it showed.

    ``blocked``: the block that kept it from being made.
    """

    outputs: tuple[Any, ...] = ()
    artifacts: Artifacts | None = None
    expand: Expand | None = None
    blocked: Block | None = None


def blocked_call(node: GraphNode, block: Block) -> Called:
    """A call that was not made: a block on every output."""
    return Called((block,) * len(node.spec.outputs), blocked=block)


def of_every_call(node: GraphNode, inputs: Arguments) -> Arguments:
    """The inputs that all calls of a node get, so those that are not mapped over items."""
    items_names = node.spec.items_names
    return {
        name: value
        for name, value in inputs.items()
        if type(value) is not Items or name in items_names
    }


def blocked_by(arguments: Mapping[str, Any]) -> Block | None:
    """The first `Block` among one call's arguments, also inside a list of items."""
    for value in arguments.values():
        kind = type(value)
        if kind is Block:
            return value  # type: ignore[no-any-return]  # narrowed by its exact type
        if kind is Items or kind is list:
            for item in value:
                if isinstance(item, Block):
                    return item
    return None


def plan_calls(node: GraphNode, inputs: Arguments) -> tuple[tuple[Arguments, ...], bool]:
    """The arguments of each call, and whether the node is mapped over items at all.

    Raises InputError(mapping_empty) if one input has no items while another has some.
    """
    items_names = node.spec.items_names
    mapped = {
        name: value
        for name, value in inputs.items()
        if type(value) is Items and name not in items_names
    }
    arguments = dict(inputs)
    for name in items_names:
        if name in inputs and not isinstance(inputs[name], Items):
            arguments[name] = Items((inputs[name],))
    if not mapped:
        return (arguments,), False
    count = max(len(items) for items in mapped.values())
    if count == 0 and node.spec.hosted is not None and len(mapped) == len(inputs):
        return ({},), True
    empty = next((name for name, items in mapped.items() if not items), None)
    if empty is not None and (count or node.spec.hosted is not None):
        raise InputError("mapping_empty", title=node.title, node_id=node.id, input=empty)
    return tuple(
        {
            **arguments,
            **{name: items[min(index, len(items) - 1)] for name, items in mapped.items()},
        }
        for index in range(count)
    ), True


def with_lazy(node: GraphNode, arguments: Arguments) -> Arguments:
    """The arguments with every lazy input as something to call.

    One whose value is there gives it; an unlinked one gives its literal or default; a linked one
    that was not evaluated yet raises `NeedsInputs`.
    """
    lazies: Arguments = {}
    for entry in node.spec.inputs:
        if entry.lazy:
            if entry.name in arguments:
                lazies[entry.name] = Lazy(entry.name, arguments[entry.name])
            elif entry.name in node.links:
                lazies[entry.name] = Lazy(entry.name)
            elif node.spec.hosted is None:
                lazies[entry.name] = Lazy(entry.name, None if entry.required else entry.default)
    return {**arguments, **lazies}


def read_result(node: GraphNode, result: Any) -> Called:
    """A body's result as outputs in order; raises `WrongResult` if it is not what it declares."""
    spec = node.spec
    if isinstance(result, Block):
        return Called((result,) * len(spec.outputs))
    if isinstance(result, Expand):
        return Called(expand=result)
    if isinstance(result, Outputs):
        if result.expand is None and len(result.values) != len(spec.outputs):
            raise _wrong_count(node, len(spec.outputs), result.values)
        return Called(tuple(result.values), result.artifacts, result.expand)
    if spec.artifacts_field == "":
        if not isinstance(result, Artifacts):
            raise _wrong_result(node, "Artifacts", result)
        return Called((), result)
    if spec.artifacts_field is None and len(spec.outputs) == 1:
        outputs: tuple[Any, ...] = (result,)
        artifacts = None
    else:
        outputs, artifacts = _fields(node, result)
    for output, value in zip(spec.outputs, outputs, strict=True):
        if type(value) not in _PLAIN or _PLAIN[type(value)] != output.type:
            _check_type(node, output, value)
    return Called(outputs, artifacts)


def join_outputs(
    spec: NodeSpec, calls: tuple[tuple[Any, ...], ...], mapped: bool
) -> tuple[Any, ...]:
    """The node's outputs from those of its calls: items laid one after the other."""
    if not mapped and not spec.gives_items:
        return calls[0]
    joined: list[Any] = []
    for index, output in enumerate(spec.outputs):
        values = [outputs[index] for outputs in calls]
        if output.items:
            joined.append(Items(item for value in values for item in _items_of(value)))
        elif mapped:
            joined.append(Items(item for value in values for item in _flat(value)))
        else:
            joined.append(values[0])
    return tuple(joined)


def join_artifacts(shown: Iterable[Artifacts | None]) -> Artifacts | None:
    """All that was shown, in its order; None if nothing was."""
    joined: Artifacts | None = None
    for each in shown:
        if each is not None:
            joined = each if joined is None else joined.joined(each)
    return joined


def _flat(value: Any) -> tuple[Any, ...]:
    """One value, or the items that a piece of graph gave in its place."""
    return value if isinstance(value, Items) else (value,)


def _items_of(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _fields(node: GraphNode, result: Any) -> tuple[tuple[Any, ...], Artifacts | None]:
    spec = node.spec
    names = getattr(result, "_fields", None)
    wanted = len(spec.outputs) + (spec.artifacts_field is not None)
    if not isinstance(result, tuple) or len(result) != wanted:
        raise _wrong_count(node, wanted, result)
    if spec.artifacts_field is None:
        return tuple(result), None
    if names is None:
        raise _wrong_result(node, f"a NamedTuple ({_named(spec)})", result)
    artifacts = getattr(result, spec.artifacts_field)
    return tuple(
        value for name, value in zip(names, result, strict=True) if name != spec.artifacts_field
    ), artifacts


def _check_type(node: GraphNode, output: OutputSpec, value: Any) -> None:
    if output.type in _LOOSE or isinstance(value, Block) or (value is None and output.optional):
        return
    items = _items_of(value) if output.items else (value,)
    for item in items:
        got = _PLAIN.get(type(item)) or getattr(item, "__socket_type__", None)
        fits = got is not None and (
            sockets.accepts(output.type, got) or (got == "INT" and output.type == "FLOAT")
        )
        if not fits and not isinstance(item, Block):
            raise WrongResult(
                "wrong_output_type",
                title=node.title,
                node_id=node.id,
                output=output.name,
                expected=output.type,
                got=got or type(item).__name__,
            )


def _wrong_count(node: GraphNode, wanted: int, result: Any) -> WrongResult:
    return _wrong_result(node, f"{wanted} values ({_named(node.spec)})", result)


def _wrong_result(node: GraphNode, expected: str, result: Any) -> WrongResult:
    got = f"{len(result)} values" if isinstance(result, tuple) else type(result).__name__
    return WrongResult(
        "wrong_result", title=node.title, node_id=node.id, expected=expected, got=got
    )


def _named(spec: NodeSpec) -> str:
    return ", ".join(output.name for output in spec.outputs)
