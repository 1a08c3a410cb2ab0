"""Opens whatever a workflow was saved as, and tells what was changed on the way.

Our own format, ComfyUI's editor and API formats, settings of the Stable Diffusion web UI; as a
file of their own or inside a picture, a latent or a model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from graphengine.canvas import Canvas
from graphengine.collecting import collector_paused
from graphengine.comfy.convert import to_workflow
from graphengine.comfy.draw import draw_workflow
from graphengine.comfy.layouts import Layouts
from graphengine.comfy.loose_json import completed, without_comments
from graphengine.comfy.metadata import carried, carrier
from graphengine.comfy.ui_format import is_ui_format, parse_ui
from graphengine.comfy.ui_writing import to_ui, without_repetition
from graphengine.errors import GraphEngineError, Problem
from graphengine.folders import Folders
from graphengine.json_text import JsonText, parse_json
from graphengine.migrating import migrated_canvas, migrated_workflow, with_versions
from graphengine.missing_models import match_models
from graphengine.native import is_native, native_text, parse_native
from graphengine.registry import Registry
from graphengine.seed_control import after_run
from graphengine.shown import shown
from graphengine.workflow import Workflow, duplicates_refused, parse_api, to_api

if TYPE_CHECKING:
    from random import Random

Form = Literal["native", "ui", "api", "a1111"]
LARGEST_BYTES = 512 * 2**20
"""Of larger files, which are models, only the beginning is read: it holds what they carry."""


@dataclass(frozen=True)
class Opened:
    """An opened workflow: what runs, what is drawn, and what was changed, item by item.

    ``models``: name and hash of the model files that it was made with, as far as they are told.
    """

    form: Form
    workflow: Workflow
    changes: tuple[Problem, ...]
    layouts: Layouts
    drawn: Canvas | None = None
    models: tuple[Mapping[str, Any], ...] = ()

    @cached_property
    def canvas(self) -> Canvas:
        """What is drawn; a workflow without places is given some."""
        return self.drawn or draw_workflow(self.workflow, self.layouts)

    def matched(self, registry: Registry, folders: Folders) -> Opened:
        """The same with the names of model files that are here instead of those that are not."""
        found = match_models(self.workflow, registry, folders, self.models)
        changes = (*self.changes, *found.changes)
        return dataclasses.replace(self, workflow=found.workflow, changes=changes)

    def after_run(self, random: Random) -> Opened:
        """The same for the next run: every seed as its control says."""
        if self.drawn is None:
            return self
        canvas = after_run(self.drawn, random)
        ui = to_ui(canvas, self.layouts)
        workflow, _ = to_workflow(canvas, self.layouts, ui)
        return dataclasses.replace(self, workflow=workflow, drawn=canvas)

    def api(self) -> dict[str, Any]:
        """The workflow as API-format JSON: what runs, and nothing else."""
        return to_api(self.workflow)

    def ui(self) -> dict[str, Any]:
        """The workflow as JSON for ComfyUI's editor."""
        return to_ui(self.canvas, self.layouts)

    def native(self) -> str:
        """The workflow as a file of our own."""
        canvas = with_versions(self.canvas, self.layouts.spec)
        return native_text(without_repetition(canvas, self.layouts))


def open_file(path: str | Path, layouts: Layouts) -> Opened:
    """The workflow of any file; raises GraphEngineError if there is none in it."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES)
    except FileNotFoundError as error:
        raise GraphEngineError("workflow_not_found", path=str(path)) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GraphEngineError("workflow_unreadable", path=str(path), reason=reason) from error
    return open_content(content, str(path), layouts)


@collector_paused()
def open_content(content: bytes, name: str, layouts: Layouts) -> Opened:
    """As `open_file`, from what a file holds; messages call it ``name``."""
    if carrier(content) is not None:
        return _open_carried(content, name, layouts)
    if content.lstrip()[:1] not in (b"{", b"["):
        from graphengine.comfy.a1111 import is_settings

        text = _plain_text(content)
        if text is not None and is_settings(text):
            return _open_settings(text, layouts)
    return _open_json(content, name, layouts)


def open_data(data: Any, layouts: Layouts) -> Opened:
    """As `open_file`, from parsed JSON."""
    if is_native(data):
        return _open_canvas("native", parse_native(data), (), layouts)
    if is_ui_format(data):
        canvas, told = parse_ui(data, layouts)
        return _open_canvas("ui", canvas, told, layouts, ui=data)
    if isinstance(data, Mapping):
        for wrapper in ("workflow", "prompt", "output"):
            inner = data.get(wrapper)
            if isinstance(inner, Mapping) and "class_type" not in inner:
                return open_data(inner, layouts)
    prompt, told = _without_comments(data)
    workflow, more = migrated_workflow(parse_api(prompt), layouts.spec)
    return Opened("api", workflow, (*told, *more), layouts)


def _open_canvas(
    form: Form,
    canvas: Canvas,
    told: tuple[Problem, ...],
    layouts: Layouts,
    ui: Mapping[str, Any] | None = None,
) -> Opened:
    canvas, migrated = migrated_canvas(canvas, layouts.spec)
    workflow, more = to_workflow(canvas, layouts, ui or to_ui(canvas, layouts))
    return Opened(form, workflow, (*told, *migrated, *more), layouts, canvas, _models_of(canvas))


# --- files that carry a workflow ------------------------------------------------------------------


def _open_carried(content: bytes, name: str, layouts: Layouts) -> Opened:
    """The editor's workflow if it can be read, else the API's, else that of the settings."""
    found = carried(content)
    broken: list[Problem] = []
    error: GraphEngineError | None = None
    for text in (found.workflow, found.prompt):
        if text is None:
            continue
        try:
            opened = _open_json(text.encode("utf-8", "replace"), name, layouts)
        except GraphEngineError as cause:
            error = cause
            why = {"reason": cause.texts()}
            broken.append(
                Problem("carried_broken", got=cause.code, severity="warning", details=why)
            )
            continue
        return dataclasses.replace(opened, changes=(*broken, *opened.changes))
    if found.parameters is not None:
        opened = _open_settings(found.parameters, layouts)
        return dataclasses.replace(opened, changes=(*broken, *opened.changes))
    raise error or GraphEngineError("nothing_carried", path=name, kind=carrier(content))


def _open_settings(text: str, layouts: Layouts) -> Opened:
    from graphengine.comfy.a1111 import parse_settings
    from graphengine.comfy.a1111_workflow import model_references, workflow_of

    settings = parse_settings(text)
    workflow, told = workflow_of(settings)
    return Opened("a1111", workflow, told, layouts, models=model_references(settings))


def _models_of(canvas: Canvas) -> tuple[Mapping[str, Any], ...]:
    """The model files that the canvas, its subgraphs and its nodes tell of."""
    found = list(canvas.models)
    for part in (canvas, *(subgraph.canvas for subgraph in canvas.subgraphs.values())):
        for node in part.nodes.values():
            properties = node.extra.get("properties")
            listed = properties.get("models") if isinstance(properties, Mapping) else None
            found += listed if isinstance(listed, list) else ()
    return tuple(model for model in found if isinstance(model, Mapping))


# --- JSON -----------------------------------------------------------------------------------------


def _open_json(content: bytes, name: str, layouts: Layouts) -> Opened:
    parsed, told = _parsed(content, name)
    if not is_ui_format(parsed.data) and not is_native(parsed.data):
        duplicates_refused(parsed)
    opened = open_data(parsed.data, layouts)
    return dataclasses.replace(opened, changes=(*told, *opened.changes))


def _parsed(content: bytes, name: str) -> tuple[JsonText, tuple[Problem, ...]]:
    """The JSON, also if it has comments or is cut off; then that is told."""
    try:
        return parse_json(content, name), ()
    except GraphEngineError as error:
        for text, change in _mended(error, content):
            try:
                return parse_json(text.encode(), name), (change,)
            except GraphEngineError:
                continue
        raise


def _mended(error: GraphEngineError, content: bytes) -> Iterator[tuple[str, Problem]]:
    text = _plain_text(content)
    if text is None:
        return
    if error.code == "json_syntax":
        yield without_comments(text), Problem("comments_left_out", severity="warning")
    if error.code == "json_cut_off" and (whole := completed(text)) is not None:
        where = {"line": error.details["line"], "column": error.details["column"]}
        yield whole, Problem("cut_off_opened", severity="warning", details=where)


def _without_comments(data: Any) -> tuple[Any, tuple[Problem, ...]]:
    """An API-format prompt without entries that are remarks and no nodes."""
    if not isinstance(data, Mapping):
        return data, ()
    remarks = [name for name, entry in data.items() if _is_remark(str(name), entry)]
    told = tuple(
        Problem("remark_left_out", got=shown({name: 0}), severity="warning") for name in remarks
    )
    return {name: entry for name, entry in data.items() if name not in remarks}, told


def _is_remark(name: str, entry: Any) -> bool:
    return name.startswith(("_", "#", "//")) or (
        isinstance(entry, str | int | float | None) and not name.isdecimal()
    )


def _plain_text(content: bytes) -> str | None:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
