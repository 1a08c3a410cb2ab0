"""Nodes as ComfyUI describes them: /object_info, made from the specs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from graphengine.folders import Folders
from graphengine.parameters import (
    Bool,
    Choice,
    Float,
    ImageFile,
    Int,
    Prompt,
    Seed,
    Text,
    Widget,
)
from graphengine.registry import Registry
from graphengine.spec import BUILTIN_PACKAGE, InputSpec, NodeSpec

logger = logging.getLogger(__name__)


def object_info(registry: Registry, folders: Folders) -> dict[str, Any]:
    """All nodes by id, as ComfyUI describes them; except those that cannot say."""
    ours = {spec.id: node_info(spec, folders) for spec in registry.specs() if not spec.hosted}
    return {**ours, **hosted_info(registry)}


def hosted_info(registry: Registry) -> dict[str, Any]:
    """The nodes that were written for ComfyUI, as they describe themselves now."""
    told = ((spec.id, spec.hosted.info()) for spec in registry.specs() if spec.hosted)
    return {node_id: dict(info) for node_id, info in told if info is not None}


def node_info(spec: NodeSpec, folders: Folders) -> dict[str, Any]:
    """One node as ComfyUI describes it; empty if it cannot describe itself."""
    if spec.hosted is not None:
        return dict(spec.hosted.info() or {})
    sections = _sections(spec)
    info: dict[str, Any] = {
        "input": {
            section: {slot.name: input_config(slot, folders) for slot in slots}
            for section, slots in sections.items()
            if slots or section == "required"
        },
        "input_order": {
            section: [slot.name for slot in slots]
            for section, slots in sections.items()
            if slots or section == "required"
        },
        "output": [output.type for output in spec.outputs],
        "output_is_list": [output.items for output in spec.outputs],
        "output_name": [output.name for output in spec.outputs],
        "name": spec.id,
        "display_name": spec.title or spec.id,
        "description": spec.description,
        "python_module": _python_module(spec),
        "category": spec.category,
        "output_node": spec.sink,
    }
    if any(output.help for output in spec.outputs):
        info["output_tooltips"] = [output.help for output in spec.outputs]
    for name in ("deprecated", "experimental"):
        if getattr(spec, name):
            info[name] = True
    return info


def input_config(slot: InputSpec, folders: Folders) -> list[Any]:
    """``[type, options]``; of a choice the list of its values stands for the type."""
    if slot.declared is not None:
        return list(slot.declared)
    options: dict[str, Any] = {}
    if slot.help:
        options["tooltip"] = slot.help
    if slot.lazy:
        options["lazy"] = True
    if slot.raw_link:
        options["rawLink"] = True
    widget = slot.widget
    if widget is None:
        return [slot.type, options] if options else [slot.type]
    if not slot.required and slot.default is not None:
        options["default"] = slot.default
    if widget.advanced:
        options["advanced"] = True
    if isinstance(widget, Choice):
        if isinstance(widget, ImageFile) and widget.upload:
            options["image_upload"] = True
        return [choices_of(widget, folders), options]
    return [slot.type, {**options, **_widget_options(widget)}]


def choices_of(widget: Choice, folders: Folders) -> list[Any]:
    """What can be chosen now; nothing where a plugin fails to find it, which is logged."""
    try:
        return list(widget.choices(folders))
    except Exception:
        logger.exception("the choices of a widget could not be found")
        return []


def asks_folders(widget: Choice) -> bool:
    return widget.find is not None or type(widget) is not Choice


def _sections(spec: NodeSpec) -> Mapping[str, list[InputSpec]]:
    """Inputs without a widget that may be left out, and what says so itself, are optional."""
    sections: dict[str, list[InputSpec]] = {"required": [], "optional": []}
    for slot in spec.inputs:
        may_be_absent = slot.optional or (slot.widget is None and not slot.required)
        sections["optional" if may_be_absent else "required"].append(slot)
    return sections


def _widget_options(widget: Widget) -> dict[str, Any]:
    if isinstance(widget, Int | Float):
        return _number_options(widget)
    if isinstance(widget, Bool):
        labels = {"label_on": widget.on, "label_off": widget.off}
        return {name: text for name, text in labels.items() if text}
    if isinstance(widget, Text):
        return _text_options(widget)
    return {}


def _number_options(widget: Int | Float) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if widget.ge is not None:
        options["min"] = widget.ge
    if widget.le is not None:
        options["max"] = widget.le
    options["step"] = widget.step
    if widget.slider:
        options["display"] = "slider"
    if isinstance(widget, Float) and widget.round is not None:
        options["round"] = widget.round
    if isinstance(widget, Seed):
        options["control_after_generate"] = True
    return options


def _text_options(widget: Text) -> dict[str, Any]:
    options: dict[str, Any] = {"multiline": widget.multiline}
    if widget.placeholder:
        options["placeholder"] = widget.placeholder
    if isinstance(widget, Prompt) and widget.dynamic:
        options["dynamicPrompts"] = True
    return options


def _python_module(spec: NodeSpec) -> str:
    """Built-in nodes are ComfyUI's "nodes"; others tell their plugin."""
    package = spec.origin.package
    if package.split(".")[0] == BUILTIN_PACKAGE:
        return "nodes"
    return f"custom_nodes.{package.partition('.')[2] or package}"
