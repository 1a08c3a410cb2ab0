"""Workflows opened, kept and shown by the editor, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from graphengine.server.node_models import Model, Texts

_NATIVE: dict[str, Any] = {
    "type": "object",
    "description": "A workflow as graphengine saves it; workflow.schema.json tells its fields.",
    "x-model": "NativeWorkflow",
}
Document = Annotated[dict[str, Any], WithJsonSchema(_NATIVE)]


class ProblemAnswer(Model):
    """One thing that is wrong or was changed, where it is, and how to mend it."""

    code: str
    severity: Literal["error", "warning"]
    node_id: str | None
    title: str | None
    input: str | None
    expected: str | None
    got: str | None
    message: Texts
    hint: Texts


class MissingNode(Model):
    """A node type that is not here; ``suggestions`` are ids of those that are, likest first."""

    type: str
    node_ids: list[str] = Field(description="Inside a subgraph: its id, a colon, the node's id.")
    suggestions: list[str]


class MissingModelAnswer(Model):
    """A model file that is not here; ``substitutes`` are those that are, likest first."""

    node_id: str = Field(description="Inside a subgraph: its id, a colon, the node's id.")
    input: str
    folder: str
    name: str
    substitutes: list[str]
    url: str | None = Field(description="Where the workflow says that it comes from.")


class OpenedAnswer(Model):
    """An opened workflow: the document, what was changed on the way, and what is missing here."""

    name: str
    form: Literal["native", "ui", "api", "a1111"]
    document: Document
    notes: list[ProblemAnswer]
    missing_nodes: list[MissingNode]
    missing_models: list[MissingModelAnswer]


class DocumentBody(Model):
    """A workflow: as graphengine saves it, or of any form that can be opened."""

    document: Document


class SavedWorkflow(Model):
    """A workflow in the user folder; ``etag`` changes whenever it is written."""

    name: str = Field(description="Without .json; with slashes between folders.")
    modified: float = Field(description="Seconds since 1970.")
    size: int
    etag: str


class WorkflowsAnswer(Model):
    """The saved workflows, by name."""

    workflows: list[SavedWorkflow]


class RenameBody(Model):
    """The new name."""

    name: str = Field(min_length=1)


class WorkflowVersion(Model):
    """A workflow as it was before it was overwritten; the highest number is the latest."""

    number: int
    modified: float
    size: int


class AddressBody(Model):
    """Where a workflow lies: http or https, no address of a private network."""

    address: str = Field(max_length=4096)


class VersionsAnswer(Model):
    """The earlier versions of a workflow, latest first."""

    versions: list[WorkflowVersion]


class DraftBody(Model):
    """What a tab holds that is not saved. ``workflow``: the saved workflow that it came from."""

    name: str
    document: Document
    workflow: str | None = None
    base_etag: str | None = Field(None, description="The saved workflow's, when it was opened.")


class DraftInfo(Model):
    """A draft without its document."""

    id: str
    name: str
    workflow: str | None
    modified: float
    size: int
    etag: str


class DraftAnswer(DraftBody):
    """A draft."""

    id: str
    modified: float
    etag: str


class DraftsAnswer(Model):
    """All drafts, the latest changed first."""

    drafts: list[DraftInfo]


class Template(Model):
    """A workflow that comes along."""

    name: str
    title: Texts
    description: Texts
    thumbnail: str | None = Field(description="Address of a picture that it makes.")


class TemplatesAnswer(Model):
    """The workflows that come along; the first is the one to start with."""

    templates: list[Template]
