"""What ``INPUT_TYPES`` says, as inputs of the engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from graphengine.comfy.host.types import WIDGET_TYPES, fits, named
from graphengine.folders import Folders
from graphengine.parameters import (
    Bool,
    Choice,
    Float,
    ImageFile,
    Int,
    Seed,
    Text,
    Widget,
    WrongValue,
)
from graphengine.spec import REQUIRED, InputSpec

SECTIONS = ("required", "optional")
Entry = tuple[Any, Mapping[str, Any]]
_LONGEST_LIST = 20


class Declaration(NamedTuple):
    """A copy of what ``INPUT_TYPES`` returned: inputs by section, and hidden kinds by name.

    ``open``: a mapping of a class of its own, which may take names that it does not list.
    """

    sections: Mapping[str, Mapping[str, Entry]]
    hidden: Mapping[str, Any]
    open: tuple[Mapping[str, Any], ...] = ()


class Validated(NamedTuple):
    """What ``VALIDATE_INPUTS`` takes over: checks of some inputs' values, of all links' types."""

    names: Collection[str] = ()
    everything: bool = False
    types: bool = False


def read_declaration(declared: Any) -> Declaration:
    """The declaration in what ``INPUT_TYPES`` returned; raises TypeError for another shape."""
    sections = {
        section: {name: _entry(entry) for name, entry in (declared.get(section) or {}).items()}
        for section in SECTIONS
    }
    own = tuple(
        section
        for section in map(declared.get, SECTIONS)
        if isinstance(section, Mapping) and type(section) is not dict
    )
    return Declaration(sections, dict(declared.get("hidden") or {}), own)


def unlisted_input(
    declaration: Declaration, name: str, validated: Validated, *, is_list: bool
) -> InputSpec | None:
    """An input that is hidden, or that a section lists nowhere but says to hold; None else."""
    if name in declaration.hidden:
        hidden: Entry = ("*", {})
        return _spec(name, hidden, validated._replace(types=True), optional=True, is_list=is_list)
    for section in declaration.open:
        if name in section:
            return _spec(name, _entry(section[name]), validated, optional=True, is_list=is_list)
    return None


def input_specs(
    declaration: Declaration, validated: Validated, *, is_list: bool
) -> tuple[InputSpec, ...]:
    """The inputs in their order."""
    return tuple(
        _spec(name, entry, validated, optional=section == "optional", is_list=is_list)
        for section in SECTIONS
        for name, entry in declaration.sections[section].items()
    )


@dataclass(frozen=True, kw_only=True)
class HostedWidget(Widget):
    """A value that is turned into its type and checked as ComfyUI does it.

    ``free``: the node itself checks range and choices.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Any, ...] | None = None
    free: bool = False
    default: Any = None  # type: ignore[misc]  # of one input here, of a whole class there

    @property
    def shown(self) -> Widget:
        """The widget of ours that is like it."""
        options = self.options
        more: dict[str, Any] = {
            "help": str(options.get("tooltip") or ""),
            "advanced": bool(options.get("advanced")),
        }
        if self.kind in ("INT", "FLOAT"):
            return self._number(more)
        if self.kind == "BOOLEAN":
            on, off = options.get("label_on"), options.get("label_off")
            return Bool(on=str(on or ""), off=str(off or ""), **more)
        if self.kind == "STRING":
            multiline = bool(options.get("multiline"))
            return Text(
                multiline=multiline, placeholder=str(options.get("placeholder") or ""), **more
            )
        if options.get("image_upload"):
            return ImageFile(**more)
        return Choice(options=self.choices or tuple(options.get("options") or ()), **more)

    def _number(self, more: dict[str, Any]) -> Widget:
        options = self.options
        low, high = options.get("min"), options.get("max")
        slider = options.get("display") in ("slider", "knob")
        more = {"ge": low, "le": high, "slider": slider, **more}
        if self.kind == "INT":
            kind = Seed if self.is_seed else Int
            return kind(step=int(options.get("step") or 1), **more)
        rounded = options.get("round")
        grid = float(rounded) if rounded else None
        return Float(step=float(options.get("step") or 0.5), round=grid, **more)

    @property
    def is_seed(self) -> bool:
        """Whether a control beside it decides its next value."""
        return self.kind == "INT" and bool(self.options.get("control_after_generate"))

    def check(self, value: Any, folders: Folders) -> Any:  # noqa: ARG002
        value = self._converted(value)
        if not self.free:
            self._check_range(value)
            self._check_choices(value)
        return value

    def _converted(self, value: Any) -> Any:
        convert = _CONVERSIONS.get(self.kind)
        if convert is None or type(value) is convert:
            return value
        try:
            return convert(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise WrongValue("wrong_value_type", self.kind, cause=str(error)) from error

    def _check_range(self, value: Any) -> None:
        if self.kind not in ("INT", "FLOAT"):
            return
        low, high = self.options.get("min"), self.options.get("max")
        if low is not None and value < low:
            raise WrongValue("below_minimum", f"{self.kind} ≥ {low}")
        if high is not None and value > high:
            raise WrongValue("above_maximum", f"{self.kind} ≤ {high}")

    def _check_choices(self, value: Any) -> None:
        if self.choices is None or value in self.choices:
            return
        shown = ", ".join(str(choice) for choice in self.choices[:_LONGEST_LIST])
        more = f", … ({len(self.choices)})" if len(self.choices) > _LONGEST_LIST else ""
        raise WrongValue("not_in_list", f"{shown}{more}" or "–", choices=self.choices)


_CONVERSIONS: Mapping[str, type] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


def _entry(entry: Any) -> Entry:
    if isinstance(entry, str):
        return entry, {}
    kind = entry[0]
    options = entry[1] if len(entry) > 1 and isinstance(entry[1], Mapping) else {}
    return (list(kind) if isinstance(kind, list | tuple) else kind), dict(options)


def _spec(
    name: str, entry: Entry, validated: Validated, *, optional: bool, is_list: bool
) -> InputSpec:
    kind, options = entry
    free = validated.everything or name in validated.names
    return InputSpec(
        name,
        named(kind),
        _widget(entry, free=free),
        default=None if optional else REQUIRED,
        optional=optional,
        lazy=bool(options.get("lazy")),
        items=is_list,
        raw_link=bool(options.get("rawLink")),
        help=str(options.get("tooltip") or ""),
        fits=_anything if validated.types else partial(fits, kind),
        declared=(kind, options) if options else (kind,),
    )


def _anything(offered: Any) -> bool:  # noqa: ARG001
    return True


def _widget(entry: Entry, *, free: bool) -> HostedWidget | None:
    kind, options = entry
    if options.get("forceInput"):
        return None
    if isinstance(kind, list):
        default = options.get("default", kind[0] if kind else None)
        return HostedWidget(
            kind="COMBO", options=options, choices=tuple(kind), free=free, default=default
        )
    if str(kind) not in WIDGET_TYPES:
        return None
    choices = options.get("options")
    first = choices[0] if isinstance(choices, list | tuple) and choices else None
    default = options.get("default", {"COMBO": first}.get(str(kind), _DEFAULTS.get(str(kind))))
    return HostedWidget(kind=str(kind), options=options, free=free, default=default)


_DEFAULTS: Mapping[str, Any] = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}
