"""What plugins written for ComfyUI add to the server: routes, scripts, examples, messages."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Never
from urllib.parse import quote

from aiohttp import web
from aiohttp.web_urldispatcher import AbstractResource

from graphengine.comfy.host.added import Added
from graphengine.comfy.host.host import Host, Pack
from graphengine.comfy.host.packs import MODULES, pack_module
from graphengine.comfy.host.running import running_context, show
from graphengine.engine import Engine
from graphengine.folders import inside
from graphengine.plugins.plugin import LoadFailure
from graphengine.registry import Registry
from graphengine.server.editor import get_other_file
from graphengine.server.live import Frame, Said
from graphengine.server.pack_queue import PackQueue
from graphengine.server.parts import PARTS, Parts

logger = logging.getLogger(__name__)
_EXAMPLES = ("example_workflows", "example", "examples", "workflow", "workflows")
_UNENCODED_PREVIEW = 2


class PackRoutes(AbstractResource):
    """The routes of all packs, as they are and below /api; made anew when packs are.

    It lies at the root of the server's own routes, which are asked first.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._made_for: tuple[Pack, ...] = ()
        self._routers: list[web.UrlDispatcher] = []

    async def resolve(
        self, request: web.Request
    ) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """The first pack's route that answers a request."""
        host = self._engine.host
        if host is None:
            return None, set()
        if self._made_for is not host.packs:
            self._routers = [each for pack in host.packs for each in _routers(pack.added)]
            self._made_for = host.packs
        for router in self._routers:
            found = await router.resolve(request)
            if found.http_exception is None:
                return found, set()
        return None, set()

    @property
    def canonical(self) -> str:
        """Where it lies: what begins with this."""
        return "/"

    def url_for(self, **kwargs: str) -> Never:
        """Packs' routes have no names here."""
        raise NotImplementedError

    def add_prefix(self, prefix: str) -> Never:
        """It belongs at the root."""
        raise NotImplementedError

    def raw_match(self, path: str) -> bool:
        """No route is added to it from outside."""
        del path
        return False

    def get_info(self) -> Any:
        """What the application's table of routes says of it."""
        return {"path": self.canonical}

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        return iter(())

    def __len__(self) -> int:
        return 0


def attach(app: web.Application) -> None:
    """Answer with the routes and scripts of packs, whenever they come, and let them be heard."""
    app.router.add_get("/extensions/{name}/{path:.+}", _script)
    app.router.register_resource(PackRoutes(app[PARTS].engine))
    app.on_startup.append(connect)


async def connect(app: web.Application) -> None:
    """Let packs reach clients, the queue and the event loop."""
    parts = app[PARTS]
    host = parts.engine.host
    if host is None:
        return
    host.send = lambda event, data, client_id: _send(parts, event, data, client_id)
    if host.server is not None:
        host.server.served = app
        host.server.jobs = PackQueue(parts)
        host.server.address, host.server.port = parts.settings.host, parts.settings.port
        host.server.loop = asyncio.get_running_loop()


def listed(host: Host, registry: Registry) -> list[dict[str, Any]]:
    """All packs as JSON values, also those that failed, with what became nodes of theirs."""
    failures: dict[str, list[LoadFailure]] = {}
    for failure in registry.failures:
        if failure.package.startswith(MODULES):
            failures.setdefault(failure.package, []).append(failure)
    nodes: dict[str, list[str]] = {}
    for spec in registry.specs():
        nodes.setdefault(spec.origin.package, []).append(spec.id)
    loaded = {pack_module(pack.path): pack for pack in host.loaded}
    return [
        {
            "name": module.removeprefix(MODULES),
            "path": str(loaded[module].path if module in loaded else failures[module][0].file),
            "nodes": nodes.get(module, []),
            "failures": [failure.as_dict() for failure in failures.get(module, ())],
            "scripts": _scripts(loaded[module]) if module in loaded else [],
        }
        for module in sorted(loaded.keys() | failures.keys())
    ]


def scripts(host: Host) -> list[str]:
    """The addresses of all scripts for the editor."""
    return [address for pack in host.loaded for address in _scripts(pack)]


def _scripts(pack: Pack) -> list[str]:
    return [
        f"/extensions/{quote(name)}/{quote(path.relative_to(folder).as_posix())}"
        for name, folder in _web_folders(pack).items()
        for path in sorted(folder.rglob("*.js"))
    ]


def _web_folders(pack: Pack) -> dict[str, Path]:
    """The folders of a pack's scripts by the names under which they are served."""
    own = {} if pack.web is None else {pack.web_name: pack.web}
    return {**own, **{name: Path(folder) for name, folder in pack.added.web_folders.items()}}


def examples(host: Host) -> dict[str, list[str]]:
    """The names of example workflows by pack."""
    found = {pack.name: [path.stem for path in _example_files(pack)] for pack in host.loaded}
    return {name: names for name, names in found.items() if names}


def example(host: Host, name: str, file: str) -> Path | None:
    """An example workflow of a pack."""
    found = (path for pack in host.loaded if pack.name == name for path in _example_files(pack))
    return next((path for path in found if path.stem == file), None)


def texts(host: Host) -> dict[str, dict[str, Any]]:
    """Translations by language, as packs' ``locales`` hold them."""
    merged: dict[str, dict[str, Any]] = {}
    for pack in host.loaded:
        for folder in sorted(_folder(pack).glob("locales/*")):
            if folder.is_dir():
                _merge(merged.setdefault(folder.name, {}), _locale(folder))
    return merged


def _routers(added: Added) -> Iterator[web.UrlDispatcher]:
    """What a pack has added: by ``routes``, and to the application itself."""
    if "routes" in vars(added):
        router = web.UrlDispatcher()
        for route in added.routes:
            _add(router, route)
        yield router
    if "app" in vars(added):
        yield added.app.router


def _add(router: web.UrlDispatcher, route: web.AbstractRouteDef) -> None:
    """Add a route of a pack twice; one whose address is taken is left out."""
    if not isinstance(route, web.RouteDef):
        route.register(router)
        return
    for path in (route.path, f"/api{route.path}"):
        try:
            router.add_route(route.method, path, route.handler, **route.kwargs)
        except (RuntimeError, ValueError) as error:
            logger.warning("a plugin's route %s %s is left out: %s", route.method, path, error)


def _send(parts: Parts, event: Any, data: Any, client_id: str | None) -> None:
    """Send what a plugin says; raises TypeError for what is not JSON."""
    if isinstance(event, str):
        json.dumps(data)
        parts.hub.send(Said(event, data), client_id)
        return
    context = running_context()
    if event == _UNENCODED_PREVIEW and context is not None:
        show(context, lambda: data[1])
        return
    parts.hub.send(Frame(struct.pack(">I", int(event)) + bytes(data)), client_id)


async def _script(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    host = request.app[PARTS].engine.host
    for pack in host.loaded if host is not None else ():
        folders = _web_folders(pack)
        folder = folders.get(name, pack.web if name == pack.name else None)
        path = None if folder is None else inside(folder, request.match_info["path"])
        if path is not None and path.is_file():
            return web.FileResponse(path)
    return await get_other_file(request)


def _folder(pack: Pack) -> Path:
    return pack.path if pack.path.is_dir() else pack.path / "none"


def _example_files(pack: Pack) -> Iterator[Path]:
    for name in _EXAMPLES:
        yield from sorted((_folder(pack) / name).glob("*.json"))


def _locale(folder: Path) -> dict[str, Any]:
    """``main.json`` and, under their names, what the other files hold."""
    found = dict(_read(folder / "main.json"))
    for name in ("nodeDefs", "commands", "settings"):
        content = _read(folder / f"{name}.json")
        if content:
            found[name] = content
    return found


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        logger.warning("%s cannot be read: %s", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        there = into.get(name)
        if isinstance(there, dict) and isinstance(value, dict):
            _merge(there, value)
        else:
            into[name] = value
