"""From a class that was written for ComfyUI to a node of the engine."""

from __future__ import annotations

import inspect
import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphengine.comfy.host import body, checking
from graphengine.comfy.host.crossing import bridged
from graphengine.comfy.host.dynamic_prompt import DynamicPrompt
from graphengine.comfy.host.inputs import (
    Declaration,
    Validated,
    input_specs,
    read_declaration,
    unlisted_input,
)
from graphengine.comfy.host.running import RUNNING, Running
from graphengine.comfy.host.types import Declared, named
from graphengine.context import Context
from graphengine.results import Outputs
from graphengine.spec import Fault, Hosted, InputSpec, NodeSpec, Origin, OutputSpec
from graphengine.steps import InSteps
from graphengine.unchanged import count_writes

if TYPE_CHECKING:
    from graphengine.comfy.host.host import Host
    from graphengine.folders import Folders

logger = logging.getLogger(__name__)
CONTEXT = "\0context"
"""The name under which a body gets its context: none that an input could have."""


class HostedNode:
    """One node class: describes it anew where it may have changed, checks with it, calls it."""

    def __init__(self, host: Host, name: str, cls: Any, *, title: str, origin: Origin) -> None:
        self._host = host
        self._name = name
        self._class = cls
        self._title = title
        self._origin = origin
        self._is_list = bool(getattr(cls, "INPUT_IS_LIST", False))
        self._function: str = cls.FUNCTION
        self._target = getattr(cls, "HOSTED_TARGET", None)
        self._validate = getattr(cls, "VALIDATE_INPUTS", None)
        self._is_changed = getattr(cls, "IS_CHANGED", None)
        self._validates = checking.signature_of(self._validate)
        self._watches = checking.signature_of(self._is_changed)
        self._declaration: Declaration | None = None
        self._spec = self._described(self._declared())

    @property
    def spec(self) -> NodeSpec:
        """The node as it described itself last."""
        return self._spec

    def refresh(self) -> NodeSpec:
        """The node as it describes itself now; if it cannot, its check says why."""
        try:
            declared = self._declared()
            if declared != self._declaration:
                self._spec = self._described(declared)
        except Exception as error:  # a plugin's code, which may fail in any way
            return self._broken(checking.raised(error))
        return self._spec

    # --- describing ---

    def _declared(self) -> Declaration:
        return read_declaration(self._class.INPUT_TYPES())

    def _described(self, declared: Declaration) -> NodeSpec:
        self._declaration = declared
        kinds_by_name = {name: _hidden_kind(kind) for name, kind in declared.hidden.items()}
        self._hidden = tuple((n, kind) for n, kind in kinds_by_name.items() if kind in _HIDDEN)
        self._outputs = output_specs(self._class)
        cls, function = self._class, getattr(self._class, self._function)
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(cls, "check_lazy_status", None)
        )
        kinds = {kind for kind in declared.hidden.values() if isinstance(kind, str)}
        return NodeSpec(
            id=self._name,
            function=self._call_async if is_async else self._call,
            inputs=input_specs(declared, self._taken_over(), is_list=self._is_list),
            outputs=self._outputs,
            title=self._title,
            category=str(getattr(cls, "CATEGORY", "")),
            description=str(getattr(cls, "DESCRIPTION", "") or ""),
            sink=bool(getattr(cls, "OUTPUT_NODE", False)),
            is_async=is_async,
            fingerprint=None if self._is_changed is None else self._fingerprint,
            open_inputs=True,
            per_node=bool(getattr(cls, "NOT_IDEMPOTENT", False)) or "UNIQUE_ID" in kinds,
            context_name=CONTEXT,
            deprecated=bool(getattr(cls, "DEPRECATED", False)),
            experimental=bool(getattr(cls, "EXPERIMENTAL", False)),
            search=tuple(map(str, getattr(cls, "SEARCH_ALIASES", None) or ())),
            origin=self._origin,
            hosted=Hosted(
                self.refresh,
                self._check,
                self._info,
                bridged,
                self._ask if hasattr(cls, "check_lazy_status") else None,
                self._unlisted,
            ),
        )

    def _unlisted(self, name: str) -> InputSpec | None:
        """An input that the class takes though it is in no list that people see."""
        declared = self._declaration
        if declared is None or not (declared.open or name in declared.hidden):
            return None
        return unlisted_input(declared, name, self._taken_over(), is_list=self._is_list)

    def _taken_over(self) -> Validated:
        validates = self._validates
        return Validated(
            validates.names, validates.anything, types="input_types" in validates.names
        )

    def _broken(self, fault: Fault) -> NodeSpec:
        import dataclasses

        spec = self._spec
        assert spec.hosted is not None
        hosted = dataclasses.replace(spec.hosted, check=lambda *_: (fault,))
        return dataclasses.replace(spec, inputs=(), hosted=hosted)

    def _info(self) -> Mapping[str, Any] | None:
        """What /object_info says; None if the node cannot describe itself now."""
        try:
            info = node_info(self._class, self._name, self._title, self._origin.package)
            json.dumps(info, allow_nan=False)
            return info
        except Exception as error:  # a plugin's code, which may fail in any way
            logger.warning("%s cannot describe itself: %r", self._name, error)
            return None

    # --- checking ---

    def _check(
        self, node_id: str, values: Mapping[str, Any], types: Mapping[str, Any]
    ) -> Iterable[Fault]:
        if self._validate is None or not self._can_be_asked(values, types):
            return ()
        given = checking.arguments_for(self._validates, values, types)
        wanted = list(given) or ["input_types"]
        if self._is_list:
            given = {name: [value] for name, value in given.items()}
        if "input_types" in self._validates.names:
            given["input_types"] = {name: _raw(kind) for name, kind in types.items()}
        known = {"UNIQUE_ID": node_id, "PROMPT": {}}
        hidden = {n: known.get(kind) for n, kind in self._hidden if n in self._validates.names}
        try:
            result = checking.waited(self._validate(**{**hidden, **given}))
        except Exception as error:  # a plugin's code, which may fail in any way
            return (checking.raised(error),)
        return checking.refusals([result], wanted)

    def _can_be_asked(self, values: Mapping[str, Any], types: Mapping[str, Any]) -> bool:
        """Whether the inputs that it must have are there and were not found wrong before."""
        required = self._declaration.sections["required"] if self._declaration else {}
        return all(name in values or name in types for name in required)

    def _fingerprint(self, values: Mapping[str, Any], folders: Folders) -> Any:  # noqa: ARG002
        """What ``IS_CHANGED`` says; NaN, which nothing equals, if it holds one."""
        assert self._is_changed is not None
        sections = self._declaration.sections if self._declaration else {}
        linked = [name for name in sections.get("required", ()) if name not in values]
        optional = sections.get("optional", ())
        linked += [n for n in self._watches.required if n not in values and n in optional]
        given = checking.arguments_for(self._watches, values, linked)
        if self._is_list:
            given = {name: [value] for name, value in given.items()}
        state = checking.waited(self._is_changed(**given))
        return math.nan if isinstance(state, float) and math.isnan(state) else state

    # --- calling ---

    def _ask(self, **arguments: Any) -> Any:
        """The lazy inputs that it wants next."""
        context: Context = arguments.pop(CONTEXT)
        waiting = set(body.unevaluated(arguments))
        given = body.as_inputs(arguments, is_list=self._is_list)
        token = RUNNING.set(Running(context))
        try:
            names = self._function_of(context, "check_lazy_status", given)(**given)
        finally:
            RUNNING.reset(token)
        if inspect.isawaitable(names):
            return self._asked_async(names, waiting)
        return [name for name in names or () if name in waiting]

    async def _asked_async(self, names: Any, waiting: set[str]) -> list[str]:
        return [name for name in await names or () if name in waiting]

    def _call(self, **arguments: Any) -> Outputs:
        context: Context = arguments.pop(CONTEXT)
        given = body.as_inputs(arguments, is_list=self._is_list)
        token = RUNNING.set(Running(context))
        try:
            function = self._function_of(context, self._function, given)
            before = count_writes(given)
            result = function(**given)
        finally:
            RUNNING.reset(token)
        if before:
            self._host.note_mutations(before, context)
        return self._read(result, context)

    def _read(self, result: Any, context: Context) -> Outputs:
        if result is None and self._target is not None:
            result = (None,) * len(self._outputs)
        return body.as_outputs(result, self._outputs, context, self._host.registry)

    async def _call_async(self, **arguments: Any) -> Outputs:
        context: Context = arguments.pop(CONTEXT)
        given = body.as_inputs(arguments, is_list=self._is_list)
        RUNNING.set(Running(context))
        result = self._function_of(context, self._function, given)(**given)
        if inspect.isawaitable(result):
            result = await InSteps(result, body.step_without_gradients)
        return self._read(result, context)

    def _function_of(
        self, context: Context, name: str, given: dict[str, Any]
    ) -> Callable[..., Any]:
        """A method of the node's object, or of its class; hidden values go where it wants them."""
        hidden = {key: _hidden_value(kind, context) for key, kind in self._hidden}
        if self._target is not None:
            kinds = {kind: hidden[key] for key, kind in self._hidden}
            return getattr(self._target(kinds), name)  # type: ignore[no-any-return]
        for key, value in hidden.items():
            given[key] = [value] if self._is_list else value
        function: Callable[..., Any] = getattr(self._host.instances.get(context, self._class), name)
        return function


def output_specs(cls: Any) -> tuple[OutputSpec, ...]:
    """The outputs that a class declares."""
    declared = getattr(cls, "RETURN_TYPES", ())
    # By index, as tuples of plugins' own classes answer in their own way then.
    types = tuple(declared[index] for index in range(len(declared)))
    names = tuple(getattr(cls, "RETURN_NAMES", None) or ())
    lists = tuple(getattr(cls, "OUTPUT_IS_LIST", None) or ())
    tips = tuple(getattr(cls, "OUTPUT_TOOLTIPS", None) or ())
    return tuple(
        OutputSpec(
            str(names[index]) if index < len(names) else str(named(kind)),
            named(kind),
            items=bool(lists[index]) if index < len(lists) else False,
            help=str(tips[index] or "") if index < len(tips) else "",
            optional=True,
        )
        for index, kind in enumerate(types)
    )


def node_info(cls: Any, name: str, title: str, module: str) -> dict[str, Any]:
    """A class as ComfyUI's /object_info tells it."""
    describe = getattr(cls, "GET_NODE_INFO_V1", None)
    if describe is not None:
        return {**describe(), "python_module": module}
    declared = cls.INPUT_TYPES()
    types = list(getattr(cls, "RETURN_TYPES", ()))
    is_list = getattr(cls, "OUTPUT_IS_LIST", None)
    names = getattr(cls, "RETURN_NAMES", None)
    info: dict[str, Any] = {
        "input": declared,
        "input_order": {section: list(entries) for section, entries in declared.items()},
        "output": types,
        "output_is_list": [False] * len(types) if is_list is None else list(is_list),
        "output_name": types if names is None else list(names),
        "name": name,
        "display_name": title,
        "description": getattr(cls, "DESCRIPTION", ""),
        "python_module": module,
        "category": getattr(cls, "CATEGORY", "sd"),
        "output_node": bool(getattr(cls, "OUTPUT_NODE", False)),
    }
    if hasattr(cls, "OUTPUT_TOOLTIPS"):
        info["output_tooltips"] = cls.OUTPUT_TOOLTIPS
    for flag in ("DEPRECATED", "EXPERIMENTAL", "API_NODE"):
        if getattr(cls, flag, False):
            info[flag.lower()] = True
    return info


_HIDDEN = frozenset(
    (
        "UNIQUE_ID",
        "PROMPT",
        "DYNPROMPT",
        "EXTRA_PNGINFO",
        "AUTH_TOKEN_COMFY_ORG",
        "API_KEY_COMFY_ORG",
    )
)
"""The hidden kinds that are given; one of another kind is an input that people do not see."""


def _raw(kind: Any) -> Any:
    return kind.raw if isinstance(kind, Declared) else kind


def _hidden_kind(kind: Any) -> str:
    return str(kind[0]) if isinstance(kind, list | tuple) else str(kind)


def _hidden_value(kind: str, context: Context) -> Any:
    if kind == "UNIQUE_ID":
        return context.node_id
    if kind == "PROMPT":
        return context.run.prompt
    if kind == "DYNPROMPT":
        return DynamicPrompt(context.run)
    if kind == "EXTRA_PNGINFO":
        return context.run.pnginfo or None
    return None
