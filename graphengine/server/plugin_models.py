"""What /api/v1/plugins tells and takes, as pydantic models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from graphengine.server.node_models import Model
from graphengine.server.v1_models import FailureAnswer
from graphengine.server.workflow_models import ProblemAnswer


class PluginInfo(Model):
    """A plugin. It has nodes only while its ``state`` is ``enabled``."""

    name: str
    title: str
    version: str
    description: str
    path: str
    digest: str = Field(description="sha256 of its code; to enable it is to trust this.")
    state: Literal["enabled", "new", "changed", "disabled"]
    installed: bool = Field(description="It came with a Python package.")
    isolated: bool = Field(description="It runs in a process of its own.")
    capabilities: list[str] = Field(description="What its nodes do beside computing.")
    dependencies: list[str]
    nodes: list[str]
    failures: list[FailureAnswer]
    notice: ProblemAnswer | None = Field(description="What to know and to do before it runs.")
    scripts: list[str] = Field(description="Addresses of its JavaScript modules for the editor.")
    workflows: list[str] = Field(description="Its templates, by name.")


class PackInfo(Model):
    """A plugin written for ComfyUI. It runs unmodified, and is loaded anew when it is saved."""

    name: str
    path: str = Field(description="The file or folder that it is; if it failed, the file that did.")
    nodes: list[str]
    failures: list[FailureAnswer]
    scripts: list[str] = Field(description="Addresses of its scripts, made for ComfyUI's editor.")


class PluginsAnswer(Model):
    """All plugins; which modules brought which nodes; everything that could not be loaded."""

    plugins: list[PluginInfo]
    packs: list[PackInfo]
    nodes: dict[str, list[str]]
    failures: list[FailureAnswer]


class EnableBody(Model):
    """What is enabled: the plugin as the person saw it."""

    digest: str = Field(min_length=64, max_length=64)
