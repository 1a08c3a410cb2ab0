"""The messages of the WebSocket, as pydantic models: what the editor may count on.

The names and fields are those of ComfyUI's protocol; ``live.py`` and ``history.py`` write them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from graphengine.server.node_models import Model


class ExecInfo(Model):
    queue_remaining: int


class StatusState(Model):
    exec_info: ExecInfo


class StatusData(Model):
    """How long the queue is; ``sid`` only in the first message."""

    status: StatusState
    sid: str | None = None


class JobData(Model):
    """Something happened to a job; milliseconds since 1970."""

    prompt_id: str
    timestamp: int


class CachedData(JobData):
    """These nodes need not run."""

    nodes: list[str]


class ExecutingData(Model):
    """The node that runs now; null when the job is over."""

    prompt_id: str
    node: str | None
    display_node: str | None = None


class ProgressData(Model):
    """How far the node is."""

    prompt_id: str
    node: str
    value: float
    max: float


class NodeStateData(Model):
    """How far a node is; ``display_node_id`` is the workflow's own node."""

    prompt_id: str
    node_id: str
    display_node_id: str
    real_node_id: str
    parent_node_id: str | None
    state: Literal["pending", "running", "finished", "error"]
    value: float
    max: float


class ProgressStateData(Model):
    """How far all nodes of a job are."""

    prompt_id: str
    nodes: dict[str, NodeStateData]


class ExecutedData(Model):
    """A node has shown something, or its results were still there."""

    prompt_id: str
    node: str
    display_node: str
    output: dict[str, Any] | None


class ErrorData(JobData):
    """A node failed."""

    node_id: str | None
    node_type: str | None
    executed: list[str]
    exception_message: str
    exception_type: str
    traceback: list[str]
    current_inputs: dict[str, Any]
    current_outputs: list[str]
    code: str
    message: dict[Literal["en", "ja"], str] = Field(description="In every language.")


class InterruptedData(JobData):
    """The job was stopped."""

    node_id: str | None
    node_type: str | None
    executed: list[str]


class FeatureFlagsData(Model):
    """What the server can do."""

    supports_preview_metadata: bool
    max_upload_size: int


class StatusMessage(Model):
    type: Literal["status"]
    data: StatusData


class FeatureFlagsMessage(Model):
    type: Literal["feature_flags"]
    data: FeatureFlagsData


class StartMessage(Model):
    type: Literal["execution_start"]
    data: JobData


class CachedMessage(Model):
    type: Literal["execution_cached"]
    data: CachedData


class ExecutingMessage(Model):
    type: Literal["executing"]
    data: ExecutingData


class ProgressMessage(Model):
    type: Literal["progress"]
    data: ProgressData


class ProgressStateMessage(Model):
    type: Literal["progress_state"]
    data: ProgressStateData


class ExecutedMessage(Model):
    type: Literal["executed"]
    data: ExecutedData


class SuccessMessage(Model):
    type: Literal["execution_success"]
    data: JobData


class ErrorMessage(Model):
    type: Literal["execution_error"]
    data: ErrorData


class InterruptedMessage(Model):
    type: Literal["execution_interrupted"]
    data: InterruptedData


class PluginsChangedData(Model):
    """These plugins were loaded anew: what is known of nodes has to be asked for again."""

    plugins: list[str]


class PluginsChangedMessage(Model):
    type: Literal["plugins_changed"]
    data: PluginsChangedData


class PreviewMetadata(Model):
    """What a preview's frame (id 4) says of its picture."""

    node_id: str
    prompt_id: str
    display_node_id: str
    parent_node_id: str | None
    real_node_id: str
    image_type: str


class SocketMessage(
    RootModel[
        Annotated[
            StatusMessage
            | FeatureFlagsMessage
            | StartMessage
            | CachedMessage
            | ExecutingMessage
            | ProgressMessage
            | ProgressStateMessage
            | ExecutedMessage
            | SuccessMessage
            | ErrorMessage
            | InterruptedMessage
            | PluginsChangedMessage,
            Field(discriminator="type"),
        ]
    ]
):
    """Any text frame of the WebSocket."""
