"""The person's workflows, their earlier versions, and drafts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from graphengine.native import is_native, native_text, parse_native
from graphengine.opening import open_data
from graphengine.reasons import reason
from graphengine.server.answers import bad_field, read_model
from graphengine.server.documents import layouts_of
from graphengine.server.kept_files import Condition, Drafts, Workflows, etag_of
from graphengine.server.operations import Operation, answer
from graphengine.server.parts import Parts, parts_of
from graphengine.server.users import user_folder
from graphengine.server.v1_documents import opened_file
from graphengine.server.workflow_models import (
    DocumentBody,
    DraftAnswer,
    DraftBody,
    DraftInfo,
    DraftsAnswer,
    OpenedAnswer,
    RenameBody,
    SavedWorkflow,
    VersionsAnswer,
    WorkflowsAnswer,
    WorkflowVersion,
)

WRITING = web.AppKey("writing", asyncio.Lock)
"""Held from looking at an ETag until the file is written."""
T = TypeVar("T")


# --- workflows ------------------------------------------------------------------------------------


async def list_workflows(request: web.Request) -> web.Response:
    """The saved workflows."""
    workflows = Workflows(user_folder(request))
    found = await asyncio.to_thread(lambda: [_saved(*one) for one in workflows.all()])
    return answer(WorkflowsAnswer(workflows=found))


async def get_workflow(request: web.Request) -> web.Response:
    """A saved workflow, whatever form its file has."""
    name = request.match_info["name"]
    path = Workflows(user_folder(request)).existing(name)
    etag = etag_of(path)
    opened = await asyncio.to_thread(opened_file, parts_of(request), path, name)
    return answer(opened, etag=etag)


async def put_workflow(request: web.Request) -> web.Response:
    """Save a workflow; with ``If-Match`` or ``If-None-Match: *`` only under that condition."""
    name = request.match_info["name"]
    body = await read_model(request, DocumentBody)
    content = await asyncio.to_thread(_file_content, parts_of(request), body.document)
    workflows = Workflows(user_folder(request))
    path = await _alone(request, lambda: workflows.write(name, content, _condition(request)))
    return _saved_answer(path, workflows)


async def delete_workflow(request: web.Request) -> web.Response:
    """Delete a workflow; its versions stay, and it is the latest of them."""
    name = request.match_info["name"]
    workflows = Workflows(user_folder(request))
    await _alone(request, lambda: workflows.delete(name, _condition(request)))
    return web.Response(status=204)


async def rename_workflow(request: web.Request) -> web.Response:
    """Give a workflow another name."""
    body = await read_model(request, RenameBody)
    name = request.match_info["name"]
    workflows = Workflows(user_folder(request))
    path = await _alone(request, lambda: workflows.rename(name, body.name, _condition(request)))
    return _saved_answer(path, workflows)


async def list_versions(request: web.Request) -> web.Response:
    """What a workflow was before it was overwritten."""
    workflows = Workflows(user_folder(request))
    versions = [
        WorkflowVersion(number=number, modified=path.stat().st_mtime, size=path.stat().st_size)
        for number, path in workflows.versions(request.match_info["name"])
    ]
    return answer(VersionsAnswer(versions=versions))


async def get_version(request: web.Request) -> web.Response:
    """An earlier version."""
    name, number = request.match_info["name"], request.match_info["number"]
    if not number.isascii() or not number.isdecimal():
        raise bad_field("number", reason("reason_whole_number"))
    path = Workflows(user_folder(request)).version(name, int(number))
    return answer(await asyncio.to_thread(opened_file, parts_of(request), path, name))


def _file_content(parts: Parts, document: dict[str, Any]) -> bytes:
    """The file: of our own form, checked; other forms are converted."""
    if is_native(document):
        return native_text(parse_native(document)).encode()
    return open_data(document, layouts_of(parts.engine)).native().encode()


def _saved(name: str, path: Path) -> SavedWorkflow:
    state = path.stat()
    return SavedWorkflow(name=name, modified=state.st_mtime, size=state.st_size, etag=etag_of(path))


def _saved_answer(path: Path, workflows: Workflows) -> web.Response:
    name = path.relative_to(workflows.root.resolve()).as_posix().removesuffix(".json")
    saved = _saved(name, path)
    return answer(saved, etag=saved.etag)


# --- drafts ---------------------------------------------------------------------------------------


async def list_drafts(request: web.Request) -> web.Response:
    """All drafts."""
    drafts = Drafts(user_folder(request))
    found = await asyncio.to_thread(drafts.all)
    return answer(DraftsAnswer(drafts=[_draft_info(*one) for one in found]))


async def get_draft(request: web.Request) -> web.Response:
    """A draft with its document."""
    draft_id = request.match_info["id"]
    drafts = Drafts(user_folder(request))
    path, fields = await asyncio.to_thread(drafts.read, draft_id)
    etag = etag_of(path)
    draft = DraftAnswer(id=draft_id, modified=path.stat().st_mtime, etag=etag, **fields)
    return answer(draft, etag=etag)


async def put_draft(request: web.Request) -> web.Response:
    """Keep what a tab holds."""
    draft_id = request.match_info["id"]
    body = await read_model(request, DraftBody)
    drafts = Drafts(user_folder(request))
    fields = body.model_dump()
    path = await _alone(request, lambda: drafts.write(draft_id, fields, _condition(request)))
    info = _draft_info(draft_id, path, fields)
    return answer(info, etag=info.etag)


async def delete_draft(request: web.Request) -> web.Response:
    """Forget a draft."""
    drafts = Drafts(user_folder(request))
    await _alone(request, lambda: drafts.delete(request.match_info["id"]))
    return web.Response(status=204)


def _draft_info(draft_id: str, path: Path, about: dict[str, Any]) -> DraftInfo:
    state = path.stat()
    return DraftInfo(
        id=draft_id,
        name=about["name"],
        workflow=about.get("workflow"),
        modified=state.st_mtime,
        size=state.st_size,
        etag=etag_of(path),
    )


# --- the table ------------------------------------------------------------------------------------

_WORKFLOW = "/workflows/{name}"
OPERATIONS = (
    Operation("GET", "/workflows", "Saved workflows", list_workflows, WorkflowsAnswer),
    Operation("GET", _WORKFLOW, "A saved workflow", get_workflow, OpenedAnswer),
    Operation("PUT", _WORKFLOW, "Save a workflow", put_workflow, SavedWorkflow, DocumentBody),
    Operation("DELETE", _WORKFLOW, "Delete a workflow", delete_workflow, status=204),
    Operation(
        "POST", f"{_WORKFLOW}/rename", "Rename it", rename_workflow, SavedWorkflow, RenameBody
    ),
    Operation("GET", f"{_WORKFLOW}/versions", "Its versions", list_versions, VersionsAnswer),
    Operation(
        "GET", f"{_WORKFLOW}/versions/{{number}}", "An earlier version", get_version, OpenedAnswer
    ),
    Operation("GET", "/drafts", "Drafts", list_drafts, DraftsAnswer),
    Operation("GET", "/drafts/{id}", "A draft", get_draft, DraftAnswer),
    Operation("PUT", "/drafts/{id}", "Keep a draft", put_draft, DraftInfo, DraftBody),
    Operation("DELETE", "/drafts/{id}", "Forget a draft", delete_draft, status=204),
)


def _condition(request: web.Request) -> Condition:
    return Condition(
        if_match=request.headers.get("If-Match"),
        only_new=request.headers.get("If-None-Match") == "*",
    )


async def _alone(request: web.Request, write: Callable[[], T]) -> T:
    """Write beside the loop, one at a time."""
    async with request.app[WRITING]:
        return await asyncio.to_thread(write)
