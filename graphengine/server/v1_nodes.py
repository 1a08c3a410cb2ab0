"""GET /api/v1/nodes: every node type as the editor needs it, made from the specs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from aiohttp import web

from graphengine.comfy.node_info import choices_of
from graphengine.folders import Folders
from graphengine.parameters import (
    Bool,
    Choice,
    Float,
    ImageFile,
    Int,
    ModelFile,
    Prompt,
    Seed,
    Text,
    Widget,
)
from graphengine.registry import Registry
from graphengine.server.node_models import (
    ChoiceWidget,
    InputInfo,
    NodeInfo,
    NodeLanguages,
    NodesAnswer,
    NodeTextsInfo,
    NumberWidget,
    OtherWidget,
    OutputInfo,
    SwitchWidget,
    TextWidget,
    WidgetInfo,
)
from graphengine.server.operations import Operation
from graphengine.server.parts import parts_of
from graphengine.spec import BUILTIN_PACKAGE, REQUIRED, InputSpec, NodeSpec


async def get_nodes(request: web.Request) -> web.Response:
    """Every node type; with the ETag of the last answer only if something has changed."""
    listing = parts_of(request).node_list
    body, etag = await asyncio.to_thread(listing.current)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    response = web.Response(body=body, content_type="application/json", headers=headers)
    response.enable_compression()
    return response


OPERATIONS = (Operation("GET", "/nodes", "Every node type", get_nodes, NodesAnswer),)


def nodes_answer(registry: Registry, folders: Folders) -> dict[str, Any]:
    """The answer as JSON values."""
    nodes = {spec.id: node_info(spec, folders) for spec in registry.specs()}
    embeddings = list(folders.list("embeddings"))
    return NodesAnswer(nodes=nodes, embeddings=embeddings).model_dump(mode="json")


def node_info(spec: NodeSpec, folders: Folders) -> NodeInfo:
    """One node type."""
    package = spec.origin.package
    return NodeInfo(
        id=spec.id,
        version=spec.version,
        texts=NodeLanguages(en=_texts(spec, "en"), ja=_texts(spec, "ja")),
        inputs=[_input(slot, folders) for slot in spec.inputs],
        outputs=[
            OutputInfo(name=one.name, type=one.type, items=one.items, optional=one.optional)
            for one in spec.outputs
        ],
        is_output=spec.sink,
        always_runs=spec.cache == "never",
        open_inputs=spec.open_inputs,
        deprecated=spec.deprecated,
        experimental=spec.experimental,
        renamed_from=list(spec.renamed_from),
        built_in=package.split(".")[0] == BUILTIN_PACKAGE,
        package=package,
    )


def _texts(spec: NodeSpec, language: Literal["en", "ja"]) -> NodeTextsInfo:
    text = spec.text(language)
    return NodeTextsInfo(
        title=text.title or spec.id,
        description=text.description,
        category=text.category,
        inputs=_filled(text.inputs),
        outputs=_filled(text.outputs),
        search=list(text.search),
    )


def _filled(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}


def _input(slot: InputSpec, folders: Folders) -> InputInfo:
    widget = None if slot.widget is None else _widget(slot.widget.shown, slot.name, folders)
    return InputInfo(
        name=slot.name,
        type=slot.type,
        widget=widget,
        default=_default(slot, widget),
        required=slot.required,
        optional=slot.optional or (slot.widget is None and not slot.required),
        many=slot.many,
        lazy=slot.lazy,
        items=slot.items,
        grows=_grows(slot),
    )


def _grows(slot: InputSpec) -> str | None:
    """The input of a hosted node that stands for several, of which this is one."""
    options = slot.declared[1] if slot.declared is not None and len(slot.declared) > 1 else {}
    grows = options.get("grows")
    return grows if isinstance(grows, str) else None


def _default(slot: InputSpec, widget: WidgetInfo | None) -> Any:
    """What a new node starts with; None where there may be nothing and nothing is said."""
    if slot.default is not REQUIRED and (slot.default is not None or slot.optional):
        return slot.default
    if isinstance(widget, ChoiceWidget):
        return next(iter(widget.choices), None)
    return None if slot.widget is None else slot.widget.default


def _widget(widget: Widget, name: str, folders: Folders) -> WidgetInfo:
    if isinstance(widget, Int | Float):
        return _number(widget, name)
    if isinstance(widget, Bool):
        return SwitchWidget(kind="switch", on=widget.on, off=widget.off, advanced=widget.advanced)
    if isinstance(widget, Text):
        return TextWidget(
            kind="prompt" if isinstance(widget, Prompt) else "text",
            multiline=widget.multiline,
            placeholder=widget.placeholder,
            dynamic=isinstance(widget, Prompt) and widget.dynamic,
            advanced=widget.advanced,
        )
    if isinstance(widget, Choice):
        return _choice(widget, folders)
    return OtherWidget(kind="other", type=widget.type, advanced=widget.advanced)


def _number(widget: Int | Float, name: str) -> NumberWidget:
    is_seed = isinstance(widget, Seed) or (isinstance(widget, Int) and name == "noise_seed")
    return NumberWidget(
        kind="seed" if is_seed else "int" if isinstance(widget, Int) else "float",
        min=widget.ge,
        max=widget.le,
        step=widget.step,
        round=widget.round if isinstance(widget, Float) else None,
        slider=widget.slider,
        advanced=widget.advanced,
    )


def _choice(widget: Choice, folders: Folders) -> ChoiceWidget:
    is_image = isinstance(widget, ImageFile)
    is_file = isinstance(widget, ModelFile)
    return ChoiceWidget(
        kind="image" if is_image else "model" if is_file else "choice",
        choices=choices_of(widget, folders),
        folder=widget.kind if isinstance(widget, ModelFile) else None,
        upload=isinstance(widget, ImageFile) and widget.upload,
        advanced=widget.advanced,
    )
