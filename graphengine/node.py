"""From a typed function to a node: the decorator marks, `describe` reads the signature."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from graphengine import sockets
from graphengine.context import Context
from graphengine.errors import GraphEngineError
from graphengine.events import Artifacts
from graphengine.folders import Folders
from graphengine.parameters import Bool, Choice, Float, Help, Int, Text, Widget
from graphengine.results import Block, Expand, Items, Lazy
from graphengine.spec import REQUIRED, InputSpec, Migrate, NodeSpec, NodeTexts, Origin, OutputSpec

F = TypeVar("F", bound=Callable[..., Any])
Fingerprint = Callable[[Mapping[str, Any], Folders], Hashable]


class NodeDefinitionError(GraphEngineError):
    """A node function whose signature the engine cannot read; says which part and why."""


@dataclass(frozen=True)
class Mark:
    """What the decorator leaves on a function."""

    id: str
    title: str
    category: str
    version: int
    cache: Literal["inputs", "never"]
    fingerprint: Fingerprint | None
    concurrent: bool
    per_node: bool
    deprecated: bool
    experimental: bool
    search: tuple[str, ...]
    renamed_from: tuple[str, ...]
    migrate: Migrate | None


def node(
    id: str,
    *,
    title: str = "",
    category: str = "",
    version: int = 1,
    cache: Literal["inputs", "never"] = "inputs",
    fingerprint: Fingerprint | None = None,
    concurrent: bool = False,
    per_node: bool = False,
    deprecated: bool = False,
    experimental: bool = False,
    search: tuple[str, ...] = (),
    renamed_from: tuple[str, ...] = (),
    migrate: Migrate | None = None,
) -> Callable[[F], F]:
    """Mark a function as the node ``id``; see `spec.NodeSpec` for what each option means.

    Raises `NodeDefinitionError` for what is no id or no function.
    """
    if not isinstance(id, str) or not id:
        raise NodeDefinitionError("node_no_id", got=getattr(id, "__name__", repr(id)))
    mark = Mark(
        id, title, category, version, cache, fingerprint, concurrent, per_node, deprecated,
        experimental, search, renamed_from, migrate,
    )  # fmt: skip

    def attach(function: F) -> F:
        if inspect.isclass(function):
            raise NodeDefinitionError("node_is_class", node=id, got=function.__name__)
        function.__node__ = mark  # type: ignore[attr-defined]
        return function

    return attach


def mark_of(function: Callable[..., Any]) -> Mark:
    """What the decorator left on a marked function."""
    mark: Mark = function.__node__  # type: ignore[attr-defined]
    return mark


def describe(
    function: Callable[..., Any],
    *,
    texts: Mapping[str, NodeTexts] | None = None,
    origin: Origin | None = None,
) -> NodeSpec:
    """The spec of a marked function; raises `NodeDefinitionError`."""
    mark = mark_of(function)
    hints = _hints(function, mark)
    inputs, context_name, open_inputs = _inputs(function, hints, mark)
    outputs, artifacts_field = _outputs(hints.get("return"), mark)
    return NodeSpec(
        id=mark.id,
        function=function,
        inputs=inputs,
        outputs=outputs,
        title=mark.title or mark.id,
        category=mark.category,
        description=inspect.getdoc(function) or "",
        sink=artifacts_field is not None,
        is_async=inspect.iscoroutinefunction(function),
        cache=mark.cache,
        version=mark.version,
        fingerprint=mark.fingerprint,
        concurrent=mark.concurrent,
        open_inputs=open_inputs,
        per_node=mark.per_node,
        context_name=context_name,
        artifacts_field=artifacts_field,
        deprecated=mark.deprecated,
        experimental=mark.experimental,
        search=mark.search,
        renamed_from=mark.renamed_from,
        migrate=mark.migrate,
        texts={} if texts is None else texts,
        origin=origin or Origin(function.__module__),
    )


def _hints(function: Callable[..., Any], mark: Mark) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # annotations are expressions, which may fail in any way
        raise NodeDefinitionError("node_annotation", node=mark.id, cause=str(error)) from error


def _inputs(
    function: Callable[..., Any], hints: Mapping[str, Any], mark: Mark
) -> tuple[tuple[InputSpec, ...], str | None, bool]:
    found: list[InputSpec] = []
    context_name = None
    open_inputs = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            open_inputs = True
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise NodeDefinitionError("node_positional", node=mark.id, input=parameter.name)
        if parameter.name not in hints:
            raise NodeDefinitionError("node_untyped", node=mark.id, input=parameter.name)
        if hints[parameter.name] is Context:
            context_name = parameter.name
            continue
        found.append(_input(parameter, hints[parameter.name], mark))
    return tuple(found), context_name, open_inputs


def _input(parameter: inspect.Parameter, annotation: Any, mark: Mark) -> InputSpec:
    inner, extras = _unwrap_annotated(annotation)
    inner, optional = _unwrap_optional(inner)
    inner, more = _unwrap_annotated(inner)
    extras = (*extras, *more)
    form = get_origin(inner)
    flags: dict[str, Any] = {"many": form is list, "lazy": form is Lazy, "items": form is Items}
    if form in (list, Lazy, Items):
        inner, more = _unwrap_annotated(get_args(inner)[0])
        inner, inner_optional = _unwrap_optional(inner)
        extras, optional = (*extras, *more), optional or inner_optional
    widget = _widget(inner, extras)
    link_type = widget.type if widget is not None else sockets.type_name(inner)
    if link_type is None:
        raise NodeDefinitionError(
            "node_no_socket", node=mark.id, input=parameter.name, got=_shown(inner)
        )
    default = REQUIRED if parameter.default is parameter.empty else parameter.default
    text = next((extra.help for extra in extras if isinstance(extra, Help | Widget)), "")
    optional = optional or (widget is not None and widget.optional and default is not REQUIRED)
    return InputSpec(
        parameter.name, link_type, widget, default, optional=optional, help=text, **flags
    )


def _widget(annotation: Any, extras: tuple[Any, ...]) -> Widget | None:
    """The widget named in Annotated, or the plain one of a scalar or Literal."""
    for extra in extras:
        if isinstance(extra, Widget):
            if isinstance(extra, Choice) and extra.find is None and not extra.options:
                literals = get_args(annotation) if get_origin(annotation) is Literal else ()
                return dataclasses.replace(extra, options=literals) if literals else extra
            return extra
    if get_origin(annotation) is Literal:
        return Choice(options=get_args(annotation))
    plain: dict[Any, type[Widget]] = {int: Int, float: Float, str: Text, bool: Bool}
    widget = plain.get(annotation)
    return None if widget is None else widget()


def _outputs(annotation: Any, mark: Mark) -> tuple[tuple[OutputSpec, ...], str | None]:
    """The outputs, and where artifacts are: '' = the whole result, a field's name, None = none."""
    if annotation is None:
        raise NodeDefinitionError("node_no_return", node=mark.id)
    parts = _union_parts(annotation)
    results = [part for part in parts if part not in (Expand, Block, type(None))]
    if not results:
        raise NodeDefinitionError("node_no_return", node=mark.id)
    if results == [Artifacts]:
        return (), ""
    fields = getattr(results[0], "_fields", None) if len(results) == 1 else None
    if fields is None:
        merged = results[0] if len(results) == 1 else typing.Union[tuple(results)]  # noqa: UP007
        return (_output(None, merged, mark, optional=type(None) in parts),), None
    hints = typing.get_type_hints(results[0], include_extras=True)
    artifacts = next((name for name in fields if hints[name] is Artifacts), None)
    named = [name for name in fields if name != artifacts]
    return tuple(_output(name, hints[name], mark) for name in named), artifacts


def _output(name: str | None, annotation: Any, mark: Mark, *, optional: bool = False) -> OutputSpec:
    inner, extras = _unwrap_annotated(annotation)
    inner, may_be_none = _unwrap_optional(inner)
    if tuple in (inner, get_origin(inner)):
        raise NodeDefinitionError("node_tuple", node=mark.id, got=str(inner))
    items = get_origin(inner) is Items
    if items:
        inner, _ = _unwrap_annotated(get_args(inner)[0])
    widget = _widget(inner, extras)
    link_type = widget.type if widget is not None else sockets.type_name(inner)
    if link_type is None:
        raise NodeDefinitionError(
            "node_no_socket", node=mark.id, input=name or "return", got=_shown(inner)
        )
    shown = link_type if name is None or name.upper() == link_type else name
    text = next((extra.help for extra in extras if isinstance(extra, Help | Widget)), "")
    return OutputSpec(shown, link_type, items, text, optional=optional or may_be_none)


def _unwrap_annotated(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        return inner, tuple(extras)
    return annotation, ()


def _unwrap_optional(annotation: Any) -> tuple[Any, bool]:
    """``T | None`` → (T, True); also through Annotated inside the union."""
    parts = _union_parts(annotation)
    if type(None) not in parts:
        return annotation, False
    rest = [part for part in parts if part is not type(None)]
    return (rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]), True  # noqa: UP007


def _union_parts(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _shown(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))
