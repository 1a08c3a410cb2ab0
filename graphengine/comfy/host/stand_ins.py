"""ComfyUI's own modules, as far as plugins import them: found only while plugins are hosted.

``import nodes`` in a plugin means ComfyUI's module; here it finds ours under
``graphengine.comfy.modules``. Nothing is importable under those names before `install`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphengine.comfy.host.absent import absent, absent_modules
from graphengine.errors import GraphEngineError

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
    "comfy_config",
    "comfy_execution",
    "comfy_api",
    "comfy_extras",
    "comfyui_version",
    "protocol",
)
PACKS = "custom_nodes"
LAST_NAMES = ("api_server", "app", "cuda_malloc", PACKS, "utils")
"""Names of ComfyUI's that others may have too: they are looked for here last of all."""
_EXTRAS = "comfy_extras.nodes_"


class MissingStandIn(ModuleNotFoundError, GraphEngineError):
    """A module of ComfyUI's that is not offered here."""

    def __init__(self, name: str) -> None:
        GraphEngineError.__init__(self, "hosted_no_module", name=name)
        ModuleNotFoundError.__init__(self, self.text(), name=name)


class MissingName(AttributeError, GraphEngineError):
    """A name that a module which is offered does not have."""

    def __init__(self, module: str, name: str) -> None:
        GraphEngineError.__init__(self, "hosted_no_name", module=module, name=name)

    __str__ = GraphEngineError.__str__


def install(host: Host) -> None:
    """Let the names be found, and let the modules ask this host."""
    from graphengine.comfy import modules

    uninstall()
    modules.HOSTS[:] = [host]
    sys.meta_path.insert(0, _Finder(NAMES))
    sys.meta_path.append(_Finder(LAST_NAMES))


def uninstall() -> None:
    """Let nothing be found under ComfyUI's names any more."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in [name for name, module in sys.modules.copy().items() if _is_ours(name, module)]:
        del sys.modules[name]


def _is_ours(name: str, module: Any) -> bool:
    if name.startswith(f"{PACKAGE}.") or name.split(".")[0] in NAMES:
        return True
    loader = getattr(module, "__loader__", None)
    if name == PACKS:
        return getattr(module, "__file__", None) is None
    return name.split(".")[0] in LAST_NAMES and isinstance(loader, _OnlyNames)


def missing(module: str, name: str) -> Any:
    """What a stand-in's ``__getattr__`` gives for a name that it does not have.

    Something that can be imported, and fails where it is used, for a name that plugins are known
    to import; raises `MissingName` for any other.
    """
    found = absent(module, name)
    if found is not None:
        return found
    if not name.startswith("__") and _is_module(f"{module}.{name}"):
        return importlib.import_module(f"{module}.{name}")
    raise MissingName(module, name)


def _is_module(name: str) -> bool:
    """Whether a module can be imported, which ComfyUI's own modules would have done already."""
    known = name.startswith(_EXTRAS) or name in absent_modules()
    return known or _find(f"{PACKAGE}.{name}") is not None


class _Finder(MetaPathFinder):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del target
        if path is not None and fullname.startswith(f"{PACKS}."):
            return None
        if fullname.split(".")[0] not in self._names:
            return None
        if fullname == PACKS:
            return _all_packs()
        ours = f"{PACKAGE}.{fullname}"
        found = _find(ours)
        if found is None and (fullname.startswith(_EXTRAS) or fullname in absent_modules()):
            return ModuleSpec(fullname, _OnlyNames(), is_package=not fullname.startswith(_EXTRAS))
        if found is None and self._names == frozenset(LAST_NAMES):
            return None
        if found is None:
            raise MissingStandIn(fullname)
        is_package = found.submodule_search_locations is not None
        return ModuleSpec(fullname, _SameModule(ours), is_package=is_package)


def _all_packs() -> ModuleSpec:
    """The folders of plugins as a package, so that one finds another as ``custom_nodes.other``."""
    from graphengine.comfy.modules import the_host

    spec = ModuleSpec(PACKS, None, is_package=True)
    found = the_host().folders.models.get(PACKS, ())
    spec.submodule_search_locations = [str(folder) for folder in found]
    return spec


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


class _OnlyNames(Loader):
    """Makes a module that holds nothing itself; see `missing` and `core_classes.extra_name`."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        from graphengine.comfy.host.core_classes import extra_name

        module = ModuleType(spec.name)
        look = extra_name if spec.name.startswith(_EXTRAS) else missing
        module.__getattr__ = partial(look, spec.name)  # type: ignore[method-assign]  # as a module has it
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run."""


def _find(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
