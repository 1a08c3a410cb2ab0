"""The reference of all nodes, for the command line and as a file.

``python -m graphengine.docs`` writes ``nodes/README.md`` from the nodes themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from graphengine.errors import GraphEngineError, render
from graphengine.folders import Folders
from graphengine.nearest import listed, nearest
from graphengine.parameters import Bool, Choice, Float, Int, ModelFile, Seed, Widget
from graphengine.registry import Registry, builtin_folder
from graphengine.spec import BUILTIN_PACKAGE, InputSpec, NodeSpec, OutputSpec

REFERENCE = "README.md"
LONGEST_LIST = 12
"""A longer list of choices is shown in part."""


def find_node(registry: Registry, name: str) -> NodeSpec:
    """The node type of this id; raises GraphEngineError with the nearest ids."""
    spec = registry.get(name)
    if spec is None:
        close = listed(nearest(name, registry.ids()))
        raise GraphEngineError("cli_unknown_node", name=name, nearest=close)
    return spec


def node_list(specs: Iterable[NodeSpec], language: str) -> str:
    """All nodes by category, one a line: id and title."""
    specs = tuple(specs)
    width = max((len(spec.id) for spec in specs), default=0)
    lines: list[str] = []
    for category, members in _by_category(specs, language):
        lines += ["", category]
        lines += [f"  {spec.id:<{width}}  {spec.text(language).title}" for spec in members]
    return "\n".join(lines[1:])


def node_page(spec: NodeSpec, language: str) -> str:
    """All about one node, as Markdown."""
    texts = spec.text(language)
    marks = [f"`{spec.id}`", texts.category]
    marks += [mark for mark in ("deprecated", "experimental") if getattr(spec, mark)]
    parts = [f"### {texts.title}", " · ".join(marks), texts.description]
    if spec.inputs:
        input_heads = ("cli_inputs", "cli_type", "cli_values", "cli_default", "cli_meaning")
        rows = [_input_row(each, texts.inputs[each.name], language) for each in spec.inputs]
        parts.append(_table([_word(head, language) for head in input_heads], rows))
    if spec.outputs:
        output_heads = ("cli_outputs", "cli_type", "cli_meaning")
        output_rows = [_output_row(each, texts.outputs[each.name]) for each in spec.outputs]
        parts.append(_table([_word(head, language) for head in output_heads], output_rows))
    return "\n\n".join(part for part in parts if part)


def reference(specs: Iterable[NodeSpec], language: str) -> str:
    """The pages of all nodes, by category, as one Markdown file."""
    title, intro = (_word(f"cli_reference_{part}", language) for part in ("title", "intro"))
    parts = [f"# {title}", intro]
    for category, members in _by_category(specs, language):
        parts += [f"## {category}", *(node_page(spec, language) for spec in members)]
    return "\n\n".join(parts) + "\n"


def node_json(spec: NodeSpec, folders: Folders) -> dict[str, Any]:
    """All about one node, as JSON values; lists of files are those that are there now."""
    return {
        "id": spec.id,
        "title": spec.title or spec.id,
        "category": spec.category,
        "description": spec.description,
        "sink": spec.sink,
        "deprecated": spec.deprecated,
        "experimental": spec.experimental,
        "package": spec.origin.package,
        "file": spec.origin.file,
        "inputs": [_input_json(each, folders) for each in spec.inputs],
        "outputs": [dataclasses.asdict(each) for each in spec.outputs],
        "texts": {language: dataclasses.asdict(texts) for language, texts in spec.texts.items()},
    }


def write_reference() -> None:
    """Write the reference of the built-in nodes beside them."""
    (builtin_folder("nodes") / REFERENCE).write_text(builtin_reference(), encoding="utf-8")


def builtin_reference() -> str:
    """The reference of the built-in nodes."""
    registry = Registry()
    registry.load_folder(builtin_folder("nodes"), BUILTIN_PACKAGE)
    return reference(registry.specs(), "en")


def _by_category(
    specs: Iterable[NodeSpec], language: str
) -> Iterable[tuple[str, Iterable[NodeSpec]]]:
    def category(spec: NodeSpec) -> str:
        return spec.text(language).category or Path(spec.origin.file).stem

    return groupby(sorted(specs, key=lambda spec: (category(spec), spec.id)), category)


def _input_row(spec: InputSpec, help_text: str, language: str) -> tuple[str, ...]:
    marks = [("cli_several_links", spec.many), ("cli_on_demand", spec.lazy)]
    remarks = [_word(code, language) for code, holds in marks if holds]
    return (
        f"`{spec.name}`",
        ", ".join([spec.type, *remarks]),
        _values(spec.widget),
        _default(spec, language),
        help_text,
    )


def _output_row(spec: OutputSpec, help_text: str) -> tuple[str, ...]:
    return f"`{spec.name}`", spec.type, help_text


def _values(widget: Widget | None) -> str:
    """What a person may set: a range, the choices, or which folder's files."""
    if isinstance(widget, ModelFile):
        return f"{widget.kind}/"
    if isinstance(widget, Choice):
        shown = [str(option) for option in widget.options[:LONGEST_LIST]]
        return ", ".join(shown + ["…"] * (len(widget.options) > LONGEST_LIST))
    if isinstance(widget, Seed):
        return "-1, 0 … 2⁶⁴ - 1"
    if isinstance(widget, Int | Float):
        low, high = ("" if edge is None else f"{edge}" for edge in (widget.ge, widget.le))
        return f"{low} … {high}".strip() if low or high else ""
    return f"{widget.off}, {widget.on}" if isinstance(widget, Bool) and widget.on else ""


def _default(spec: InputSpec, language: str) -> str:
    if spec.required:
        return _word("cli_required", language)
    return _word("cli_optional", language) if spec.default is None else f"`{spec.default}`"


def _input_json(spec: InputSpec, folders: Folders) -> dict[str, Any]:
    fields = {
        "name": spec.name,
        "type": spec.type,
        "required": spec.required,
        "optional": spec.optional,
        "many": spec.many,
        "lazy": spec.lazy,
        "items": spec.items,
        "help": spec.help,
    }
    if not spec.required:
        fields["default"] = spec.default
    return fields | ({} if spec.widget is None else {"widget": _widget_json(spec.widget, folders)})


def _widget_json(widget: Widget, folders: Folders) -> dict[str, Any]:
    names = (field.name for field in dataclasses.fields(widget))
    fields = {name: getattr(widget, name) for name in names if name not in ("help", "find")}
    if isinstance(widget, Choice):
        fields["options"] = list(widget.choices(folders))
    return {"kind": type(widget).__name__, **fields}


def _table(heads: list[str], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _word(code: str, language: str) -> str:
    return render(code, {}, language)[0]


if __name__ == "__main__":
    write_reference()
