"""Inputs of ComfyUI's third API that stand for several: by number, by choice, by what is linked.

An input ``images`` that grows is sent as ``images.image0``, ``images.image1``, …; a choice ``mode``
with inputs of its own as ``mode`` and ``mode.times``. The node gets a dict for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class DynamicInput:
    """An input that stands for several: how they are declared, and what the node gets for them."""

    id: str

    def declared_all(self) -> Iterator[tuple[str, bool, tuple[Any, dict[str, Any]]]]:
        """Name, whether it may be left out, and ``(type, options)`` of each."""
        raise NotImplementedError

    def gathered(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the node gets, out of what was sent by name."""
        raise NotImplementedError


def gather(inputs: Iterable[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A call's values with those of inputs that stand for several put together."""
    found = dict(values)
    for entry in inputs:
        if isinstance(entry, DynamicInput):
            within = {
                name: found.pop(name)
                for name in list(found)
                if name == entry.id or name.startswith(f"{entry.id}.")
            }
            found[entry.id] = entry.gathered(within)
    return found


# --- Autogrow ---


@dataclass
class TemplateNames:
    """One input for each name, the first ``min`` of which must be there."""

    input: Any
    names: Sequence[str]
    min: int = 1


@dataclass
class TemplatePrefix:
    """Inputs that are counted from 0, from ``min`` to ``max`` of them."""

    input: Any
    prefix: str
    min: int = 1
    max: int = 10

    @property
    def names(self) -> list[str]:
        """The names of all that there may be."""
        return [f"{self.prefix}{number}" for number in range(self.max)]


class _AutogrowInput(DynamicInput):
    """As many inputs as are linked."""

    def __init__(self, id: str, template: Any, optional: bool = False, **more: Any) -> None:
        del more
        self.id, self.template, self.optional = id, template, optional

    def declared_all(self) -> Iterator[tuple[str, bool, tuple[Any, dict[str, Any]]]]:
        needed = 0 if self.optional else self.template.min
        kind, options = self.template.input.declared()
        for number, name in enumerate(self.template.names):
            yield f"{self.id}.{name}", number >= needed, (kind, {**options, "grows": self.id})

    def gathered(self, values: Mapping[str, Any]) -> dict[str, Any]:
        given = {name.removeprefix(f"{self.id}."): value for name, value in values.items()}
        return {name: given[name] for name in self.template.names if given.get(name) is not None}


class Autogrow:
    """An input that grows."""

    Type = dict[str, Any]
    Input = _AutogrowInput
    TemplateNames = TemplateNames
    TemplatePrefix = TemplatePrefix


# --- DynamicCombo ---


@dataclass
class Option:
    """One choice, and the inputs that come with it."""

    key: str
    inputs: list[Any] = field(default_factory=list)


class _DynamicComboInput(DynamicInput):
    """A choice whose options have inputs of their own."""

    def __init__(
        self, id: str, options: Sequence[Option], optional: bool = False, **more: Any
    ) -> None:
        self.id, self.choices, self.optional = id, list(options), optional
        self.tooltip = more.get("tooltip")

    def declared_all(self) -> Iterator[tuple[str, bool, tuple[Any, dict[str, Any]]]]:
        options: dict[str, Any] = {"options": [option.key for option in self.choices]}
        if self.tooltip is not None:
            options["tooltip"] = self.tooltip
        yield self.id, self.optional, ("COMBO", options)
        for option in self.choices:
            for name, _, declared in _declared(option.inputs):
                yield f"{self.id}.{name}", True, declared

    def gathered(self, values: Mapping[str, Any]) -> dict[str, Any]:
        chosen = values.get(self.id)
        key = chosen[0] if isinstance(chosen, list) and chosen else chosen
        option = next((each for each in self.choices if each.key == key), Option(str(key)))
        given = {name.removeprefix(f"{self.id}."): value for name, value in values.items()}
        within: dict[str, Any] = {}
        for name, _, (_, options) in _declared(option.inputs):
            if given.get(name) is not None:
                within[name] = given[name]
            elif "default" in options:
                within[name] = options["default"]
        return {self.id: chosen, **gather(option.inputs, within)}


class DynamicCombo:
    """A choice with further inputs."""

    Type = dict[str, Any]
    Option = Option
    Input = _DynamicComboInput


def _declared(inputs: Iterable[Any]) -> Iterator[tuple[str, bool, tuple[Any, dict[str, Any]]]]:
    for entry in inputs:
        if isinstance(entry, DynamicInput):
            yield from entry.declared_all()
        else:
            yield entry.id, entry.optional, entry.declared()


def declared_sections(inputs: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """The inputs in the older form: by section and name."""
    sections: dict[str, dict[str, Any]] = {"required": {}}
    for name, optional, declared in _declared(inputs):
        section = sections.setdefault("optional" if optional else "required", {})
        section.setdefault(name, declared)
    return sections
