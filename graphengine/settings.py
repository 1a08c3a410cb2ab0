"""The settings of one installation: folders, device and memory, from ``GRAPHENGINE_*``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graphengine.errors import GraphEngineError
from graphengine.folders import Folders, model_folders

PREFIX = "GRAPHENGINE_"
STARTER_FOLDER = Path(__file__).parent / "starter"
STARTER_KINDS = ("checkpoints", "loras", "embeddings", "vae")
Device = Literal["auto", "cpu", "cuda", "mps"]


_SEPARATORS = {"plugin_directories": os.pathsep, "allowed_hosts": ","}
"""How lists are written in the environment."""


class SettingsError(GraphEngineError):
    """A setting whose value cannot be used; says which variable and why."""


class Settings(BaseModel):
    """Where files lie, where to compute, how much to keep.

    ``base_directory``: holds ``input``, ``output``, ``temp``, ``user``, ``models`` and
    ``plugins`` unless they are named one by one; the current directory by default.
    ``plugin_directories``: in the environment separated as in PATH.
    ``device``: ``auto`` takes cuda, then mps, then cpu. ``cache_ram_bytes``: how much finished
    results may occupy in memory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_directory: Path = Field(default_factory=Path.cwd)
    input_directory: Path | None = None
    output_directory: Path | None = None
    temp_directory: Path | None = None
    user_directory: Path | None = None
    models_directory: Path | None = None
    plugin_directories: tuple[Path, ...] | None = None
    device: Device = "auto"
    cache_ram_bytes: int = Field(default=2 * 1024**3, ge=0)

    def folders(self) -> Folders:
        """The folders of this installation; the starter model's come last."""
        return Folders(
            input=self._below_base(self.input_directory, "input"),
            output=self._below_base(self.output_directory, "output"),
            temp=self._below_base(self.temp_directory, "temp"),
            user=self._below_base(self.user_directory, "user"),
            models=model_folders(
                self._below_base(self.models_directory, "models"),
                {kind: (STARTER_FOLDER / kind,) for kind in STARTER_KINDS},
            ),
        )

    def plugins(self) -> tuple[Path, ...]:
        """The folders whose files and packages are loaded as plugins."""
        if self.plugin_directories is None:
            return (self.base_directory / "plugins",)
        return tuple(self.base_directory / folder for folder in self.plugin_directories)

    def _below_base(self, folder: Path | None, name: str) -> Path:
        return self.base_directory / (folder or name)


S = TypeVar("S", bound=Settings)


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings from ``GRAPHENGINE_*``; ``overrides`` win where they are not None.

    Raises `SettingsError`.
    """
    return load_settings_as(Settings, environment, **overrides)


def load_settings_as(
    kind: type[S], environment: Mapping[str, str] | None = None, **overrides: Any
) -> S:
    """As `load_settings`, for settings that hold more."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {
        name: environment[PREFIX + name.upper()]
        for name in kind.model_fields
        if environment.get(PREFIX + name.upper())
    }
    for name, separator in _SEPARATORS.items():
        if name in values:
            values[name] = values[name].split(separator)
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise SettingsError(
            "bad_setting", variable=PREFIX + name.upper(), got=first["input"], cause=first["msg"]
        ) from error
