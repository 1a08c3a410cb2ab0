"""The settings of one installation: folders, device and memory."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
)

from graphengine.comfy.pack_paths import PackFolders
from graphengine.errors import GraphEngineError
from graphengine.events import PreviewMethod
from graphengine.folders import MODEL_KINDS, Folders, model_folders
from graphengine.model_paths import FILE_NAME, ModelPaths, load_model_paths
from graphengine.plugins.source import PluginFolders
from graphengine.reasons import Unfit

if TYPE_CHECKING:
    from graphengine.cache import Cache
    from graphengine.disk_cache import DiskCache

PREFIX = "GRAPHENGINE_"
STARTER_FOLDER = Path(__file__).parent / "starter"
STARTER_KINDS = ("checkpoints", "loras", "embeddings", "vae")
DECISIONS_FILE = "plugins.json"
"""Which plugins are enabled; in the user folder."""
CRASHED_FILE = "crashed_custom_nodes.json"
"""Which plugins written for ComfyUI are left out; in the user folder."""
GIB = 2**30
_LARGEST_GIB = 1000


class SettingsError(GraphEngineError):
    """A setting whose value cannot be used; says which one and why."""


def option_name(name: str, option: str) -> Any:
    """A setting may also be called as its option is."""
    return AliasChoices(name, option)


def _in_bytes(value: Any) -> Any:
    """A small number without unit counts gibibytes: nobody means 4 bytes."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value
    return int(number * GIB) if 0 < number < _LARGEST_GIB else int(number)


Bytes = Annotated[ByteSize, BeforeValidator(_in_bytes), Field(ge=0)]
"""``8GiB``, ``500MB``, bytes, or gibibytes below 1000."""


def _known_device(name: str) -> str:
    if re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", name) is None:
        raise Unfit("reason_device")
    return name


Device = Annotated[str, AfterValidator(_known_device)]


class Settings(BaseModel):
    """Where files lie, where to compute, how much to keep.

    ``base_directory``: holds ``input``, ``output``, ``temp``, ``user``, ``models``, ``plugins`` and
    ``custom_nodes`` unless they are named one by one; the current directory by default.
    ``extra_model_paths_config``: files that name further folders; the one in the base directory is
    always read. ``device``: ``auto`` takes cuda, then mps, then cpu. ``cache_ram_bytes``: how much
    finished results may occupy in memory, ``cache_disk_bytes``: those of slow nodes on disk, in
    ``cache_directory`` (``cache``). ``cache_entries``: of how many nodes results are kept in
    memory; 0 as ``cache_classic``, which keeps those that the last run used.
    ``allowed_custom_nodes``: the names of those that are loaded; None = all. ``preview_method``:
    how pictures of what is being sampled are made; ``auto`` takes TAESD where ``vae_approx`` holds
    it. Clients that cannot tell them from results get them only where a method is named.
    ``disable_metadata``: files that are made do not tell how.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_directory: Path = Field(default_factory=Path.cwd)
    input_directory: Path | None = None
    output_directory: Path | None = None
    temp_directory: Path | None = None
    user_directory: Path | None = None
    models_directory: Path | None = Field(
        default=None, validation_alias=option_name("models_directory", "models")
    )
    plugin_directories: tuple[Path, ...] | None = Field(
        default=None, validation_alias=option_name("plugin_directories", "plugins")
    )
    extra_model_paths_config: tuple[Path, ...] = ()
    allowed_custom_nodes: tuple[str, ...] | None = None
    device: Device = "auto"
    cache_ram_bytes: Bytes = Field(
        default=ByteSize(2 * GIB), validation_alias=option_name("cache_ram_bytes", "cache_ram")
    )
    cache_disk_bytes: Bytes = Field(
        default=ByteSize(2 * GIB), validation_alias=option_name("cache_disk_bytes", "cache_disk")
    )
    cache_directory: Path | None = None
    cache_entries: int | None = Field(
        default=None, ge=0, validation_alias=option_name("cache_entries", "cache_lru")
    )
    cache_classic: bool = False
    preview_method: PreviewMethod = "auto"
    disable_metadata: bool = False

    def folders(self) -> Folders:
        """The folders of this installation; the starter model's come last.

        Raises `graphengine.model_paths.ModelPathsError`.
        """
        usual = model_folders(self._below_base(self.models_directory, "models"))
        starter = {kind: (STARTER_FOLDER / kind,) for kind in STARTER_KINDS}
        kinds = dict.fromkeys((*MODEL_KINDS, *self._model_paths.kinds))
        return Folders(
            input=self._below_base(self.input_directory, "input"),
            output=self._below_base(self.output_directory, "output"),
            temp=self._below_base(self.temp_directory, "temp"),
            user=self._below_base(self.user_directory, "user"),
            models={
                kind: self._model_paths.around(kind, usual.get(kind, ())) + starter.get(kind, ())
                for kind in kinds
            }
            | {"custom_nodes": self.custom_nodes()},
        )

    def plugins(self) -> tuple[Path, ...]:
        """The folders whose files and packages are loaded as plugins."""
        if self.plugin_directories is None:
            return (self.base_directory / "plugins",)
        return tuple(self.base_directory / folder for folder in self.plugin_directories)

    def plugin_folders(self) -> PluginFolders:
        """Where plugins lie: folders that were named are trusted, the usual one asks."""
        folders = self.plugins()
        named = self.plugin_directories is not None
        return PluginFolders(
            asking=() if named else folders,
            trusted=folders if named else (),
            decisions=self._below_base(self.user_directory, "user") / DECISIONS_FILE,
        )

    def custom_nodes(self) -> tuple[Path, ...]:
        """The folders whose entries are loaded as ComfyUI's custom nodes.

        Raises `graphengine.model_paths.ModelPathsError`.
        """
        return self._model_paths.around("custom_nodes", (self.base_directory / "custom_nodes",))

    def cache(self) -> Cache:
        """Where results are kept between runs."""
        from graphengine.cache import Cache

        return Cache(
            host_bytes=self.cache_ram_bytes,
            most_entries=self.cache_entries or None,
            last_run_only=self.cache_classic or self.cache_entries == 0,
            disk=self.disk_cache(),
        )

    def pack_folders(self) -> PackFolders:
        """Where plugins written for ComfyUI lie, and which of them are wanted.

        Raises `graphengine.model_paths.ModelPathsError`.
        """
        crashed = self._below_base(self.user_directory, "user") / CRASHED_FILE
        return PackFolders(self.custom_nodes(), self.allowed_custom_nodes, self.device, crashed)

    def disk_cache(self) -> DiskCache | None:
        """Where results of slow nodes are kept on disk; None if that is off."""
        if not self.cache_disk_bytes:
            return None
        from graphengine.disk_cache import DiskCache

        return DiskCache(self._below_base(self.cache_directory, "cache"), self.cache_disk_bytes)

    @cached_property
    def _model_paths(self) -> ModelPaths:
        usual = self.base_directory / FILE_NAME
        named = (self.base_directory / file for file in self.extra_model_paths_config)
        return load_model_paths((*([usual] if usual.is_file() else []), *named))

    def _below_base(self, folder: Path | None, name: str) -> Path:
        return self.base_directory / (folder or name)
