"""What the editor gets to know of each node, as pydantic models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A value that goes over /api/v1."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Texts(Model):
    """A text in every language."""

    en: str
    ja: str


class NodeTextsInfo(Model):
    """A node's texts in one language; inputs and outputs by name."""

    title: str
    description: str
    category: str = Field(description="With slashes between its levels.")
    inputs: dict[str, str]
    outputs: dict[str, str]
    search: list[str] = Field(description="Further words under which it is found.")


class NodeLanguages(Model):
    """A node's texts in every language."""

    en: NodeTextsInfo
    ja: NodeTextsInfo


class NumberWidget(Model):
    """A number. A seed of -1 is drawn anew at each run; ``max`` of a seed may exceed 2^53."""

    kind: Literal["int", "float", "seed"]
    min: int | float | None
    max: int | float | None
    step: int | float
    round: float | None = Field(description="The grid that an editor keeps to.")
    slider: bool
    advanced: bool


class SwitchWidget(Model):
    """A switch, and what its two positions are called."""

    kind: Literal["switch"]
    on: str
    off: str
    advanced: bool


class TextWidget(Model):
    """A text; a prompt has weights, embeddings and, if it is dynamic, {a|b} choices."""

    kind: Literal["text", "prompt"]
    multiline: bool
    placeholder: str
    dynamic: bool
    advanced: bool


class ChoiceWidget(Model):
    """One of ``choices``; of a file, ``folder`` is its kind ("checkpoints", "input", …)."""

    kind: Literal["choice", "model", "image"]
    choices: list[Any]
    folder: str | None
    upload: bool
    advanced: bool


class OtherWidget(Model):
    """A value of a kind that a plugin brings; the editor shows it as a text."""

    kind: Literal["other"]
    type: str
    advanced: bool


WidgetInfo = NumberWidget | SwitchWidget | TextWidget | ChoiceWidget | OtherWidget


class InputInfo(Model):
    """An input. Without a widget, only a link can give it; with one, a link may too."""

    name: str
    type: str
    widget: WidgetInfo | None
    default: Any = Field(description="What it is if nobody sets it; null if there is none.")
    required: bool
    optional: bool = Field(description="May be left without a link.")
    many: bool = Field(description="Takes several links.")
    lazy: bool
    items: bool = Field(description="Gets a whole list in one call.")
    grows: str | None = Field(
        default=None,
        description="What it is one of several of: those in use are shown, and a free one.",
    )


class OutputInfo(Model):
    """An output."""

    name: str
    type: str
    items: bool = Field(description="Its items go on one by one.")
    optional: bool


class NodeInfo(Model):
    """A node type."""

    id: str
    version: int
    texts: NodeLanguages
    inputs: list[InputInfo]
    outputs: list[OutputInfo]
    is_output: bool = Field(description="It shows or writes something; a run needs one.")
    always_runs: bool
    open_inputs: bool = Field(description="Links to further names are passed on.")
    deprecated: bool
    experimental: bool
    renamed_from: list[str]
    built_in: bool
    package: str = Field(description="The plugin that it comes from.")


class NodesAnswer(Model):
    """Every node type by id."""

    nodes: dict[str, NodeInfo]
    embeddings: list[str] = Field(description="Names for embedding:name in prompts.")
