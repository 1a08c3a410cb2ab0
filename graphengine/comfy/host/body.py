"""Calling a hosted node: its inputs as it expects them, its result as the engine does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from graphengine.comfy.host.crossing import to_hosted, to_ours
from graphengine.comfy.host.graph_building import ExecutionBlocker, is_link
from graphengine.comfy.host.node_output import NodeOutput
from graphengine.context import Context
from graphengine.errors import GraphEngineError
from graphengine.events import Artifacts, SavedFile
from graphengine.registry import Registry
from graphengine.results import Block, Expand, Items, Lazy, Outputs
from graphengine.spec import OutputSpec
from graphengine.steps import Step
from graphengine.workflow import Link

PLAIN = frozenset((int, float, str, bool, type(None)))
_FILE_KEYS = {"filename", "subfolder", "type"}
_FILE_KINDS = ("output", "temp", "input")


class WrongReturn(GraphEngineError):
    """A hosted node returned something else than it declares."""


def as_inputs(arguments: dict[str, Any], *, is_list: bool) -> dict[str, Any]:
    """The arguments as ComfyUI's nodes get them; an unevaluated lazy one is None."""
    for name, value in arguments.items():
        if type(value) not in PLAIN:
            arguments[name] = _as_input(value, is_list)
    return arguments


def unevaluated(arguments: Mapping[str, Any]) -> list[str]:
    """The names of lazy inputs that are linked and not there yet."""
    return [n for n, v in arguments.items() if type(v) is Lazy and not v.evaluated]


def as_outputs(
    result: Any, outputs: tuple[OutputSpec, ...], context: Context, registry: Registry
) -> Outputs:
    """What a call returned; raises `WrongReturn`."""
    shown = piece = None
    if isinstance(result, NodeOutput):
        result = result.as_returned()
    if isinstance(result, dict):
        shown = _artifacts(result["ui"], context) if result.get("ui") else None
        piece = result.get("expand")
        result = result.get("result", (None,) * len(outputs) if shown else ())
    if isinstance(result, ExecutionBlocker):
        return Outputs((Block(result.message),) * len(outputs), shown)
    if piece is not None:
        nodes = {key: _bridged_node(node, registry) for key, node in piece.items()}
        values = tuple(_as_output(value, linked=True) for value in result or ())
        return Outputs((), shown, Expand(nodes, values, unique_ids=True))
    return Outputs(_values(result, outputs, context), shown)


def without_gradients() -> AbstractContextManager[Any]:
    """What bodies run in; torch is not imported for it."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.no_grad()


def step_without_gradients(step: Step) -> Any:
    """One step of a coroutine."""
    with without_gradients():
        return step()


def _as_input(value: Any, is_list: bool) -> Any:
    if type(value) is Lazy:
        if value.evaluated:
            return _as_input(value(), is_list)
        return (None,) if is_list else None
    if type(value) is Items:
        return [_as_input(item, False) for item in value]
    if type(value) is Link:
        return list(value)
    return to_hosted(value)


def _values(result: Any, outputs: tuple[OutputSpec, ...], context: Context) -> tuple[Any, ...]:
    if result is None and not outputs:
        return ()
    if not isinstance(result, tuple | list):
        raise _wrong(context, outputs, type(result).__name__)
    if len(result) < len(outputs):
        raise _wrong(context, outputs, f"{len(result)}")
    return tuple(
        _listed(value, output, context) if output.items else _as_output(value)
        for output, value in zip(outputs, result, strict=False)
    )


def _listed(value: Any, output: OutputSpec, context: Context) -> Any:
    """The items of a list output; a tensor gives its first dimension."""
    if isinstance(value, ExecutionBlocker):
        return _as_output(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise WrongReturn(
            "hosted_not_a_list",
            title=context.title,
            node_id=context.node_id,
            output=output.name,
            got=type(value).__name__,
        )
    return [_as_output(item) for item in value]


def _as_output(value: Any, *, linked: bool = False) -> Any:
    if isinstance(value, ExecutionBlocker):
        return Block(value.message)
    if linked and is_link(value):
        return Link(value[0], int(value[1]))
    return value


def _bridged_node(node: Mapping[str, Any], registry: Registry) -> Mapping[str, Any]:
    """A node of a piece whose values our own nodes can take."""
    spec = registry.get(str(node.get("class_type")))
    if spec is None or spec.hosted is not None:
        return node
    types = {slot.name: slot.type for slot in spec.inputs}
    inputs = {
        name: value if type(value) in PLAIN or is_link(value) else _given(types, name, value)
        for name, value in node.get("inputs", {}).items()
    }
    return {**node, "inputs": inputs}


def _given(types: Mapping[str, str], name: str, value: Any) -> Any:
    return to_ours(types.get(name, ""), value, input_name=name)


def _artifacts(ui: Mapping[str, Any], context: Context) -> Artifacts:
    shown = {name: _as_tuple(value) for name, value in ui.items()}
    try:
        json.dumps(shown)
    except (TypeError, ValueError) as error:
        raise WrongReturn(
            "hosted_ui", title=context.title, node_id=context.node_id, cause=str(error)
        ) from error
    files = shown.get("images", ())
    if files and all(_is_file(file) for file in files):
        del shown["images"]
        saved = (SavedFile(file["filename"], file["subfolder"], file["type"]) for file in files)
        return Artifacts(tuple(saved), more=shown)
    return Artifacts(more=shown)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _is_file(file: Any) -> bool:
    return (
        isinstance(file, dict)
        and file.keys() == _FILE_KEYS
        and file["type"] in _FILE_KINDS
        and all(isinstance(value, str) for value in file.values())
    )


def _wrong(context: Context, outputs: tuple[OutputSpec, ...], got: str) -> WrongReturn:
    names = ", ".join(output.name for output in outputs)
    return WrongReturn(
        "hosted_wrong_count",
        title=context.title,
        node_id=context.node_id,
        expected=f"({names}{',' if len(outputs) == 1 else ''})",
        got=got,
    )
