"""ComfyUI's own modules, as far as plugins import them: found only while plugins are hosted.

``import nodes`` in a plugin means ComfyUI's module; here it finds ours under
``graphengine.comfy.modules``. Nothing is importable under those names before `install`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphengine.comfy.host.host import Host

PACKAGE = "graphengine.comfy.modules"
NAMES = (
    "folder_paths",
    "nodes",
    "server",
    "execution",
    "node_helpers",
    "latent_preview",
    "comfy",
    "comfy_execution",
    "comfy_api",
    "comfy_extras",
)


class MissingStandIn(ModuleNotFoundError):
    """A module of ComfyUI's that is not offered here."""


def install(host: Host) -> None:
    """Let the names be found, and let the modules ask this host."""
    from graphengine.comfy import modules

    uninstall()
    modules.HOSTS[:] = [host]
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def uninstall() -> None:
    """Let nothing be found under ComfyUI's names any more."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in list(sys.modules):
        if name.split(".")[0] in NAMES or name.startswith(f"{PACKAGE}."):
            del sys.modules[name]


def missing(module: str, name: str) -> AttributeError:
    """What a stand-in's ``__getattr__`` raises for a name that it does not have."""
    return AttributeError(
        f"graphengine's stand-in for ComfyUI's {module!r} has no {name!r}; "
        "docs/en/coming-from-comfyui.md lists what is there"
    )


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname.split(".")[0] not in NAMES:
            return None
        ours = f"{PACKAGE}.{fullname}"
        found = _find(ours)
        if found is None:
            raise MissingStandIn(
                f"graphengine has no stand-in for ComfyUI's module {fullname!r}; "
                "docs/en/coming-from-comfyui.md lists those that are there",
                name=fullname,
            )
        is_package = found.submodule_search_locations is not None
        return ModuleSpec(fullname, _SameModule(ours), is_package=is_package)


class _SameModule(Loader):
    """Loads our module under ComfyUI's name too; it is one object with two names."""

    def __init__(self, ours: str) -> None:
        self._ours = ours
        self._kept: dict[str, Any] = {}

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        del spec
        module = importlib.import_module(self._ours)
        self._kept = {
            name: getattr(module, name)
            for name in ("__spec__", "__path__")
            if hasattr(module, name)
        }
        return module

    def exec_module(self, module: ModuleType) -> None:
        for name, value in self._kept.items():
            setattr(module, name, value)


def _find(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
