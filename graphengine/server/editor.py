"""The editor's files: the page itself is asked for each time, what it loads is kept for good.

Another front end in the editor's place (``--front-end-root``) may have files of any name, and what
its page may do is its own affair.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from graphengine import __version__
from graphengine.errors import LANGUAGES, GraphEngineError
from graphengine.folders import inside
from graphengine.server.answers import Refusal
from graphengine.server.parts import PARTS, parts_of
from graphengine.server.security import PAGES
from graphengine.server.settings import ServerSettings

INDEX = "index.html"
_OTHER_PAGE = {"Content-Security-Policy": "object-src 'none'; frame-ancestors 'self'"}
_FOR_GOOD = "public, max-age=31536000, immutable"
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>graphengine</title>
<style>body{{font:16px/1.6 sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}}</style>
<h1>graphengine {version}</h1>{texts}
<p><a href="/api/v1/docs">API</a> · <a href="/queue">queue</a> · <a href="/history">history</a></p>
"""


async def get_page(request: web.Request) -> web.StreamResponse:
    """The editor where it is built, else a page that says how to build it."""
    settings = parts_of(request).settings
    index = bundle(settings) / INDEX
    headers = {"Cache-Control": "no-cache", **(_OTHER_PAGE if settings.web_directory else {})}
    if index.is_file():
        return web.FileResponse(index, headers=headers)
    return web.Response(text=missing_page(), content_type="text/html", headers=headers)


async def get_asset(request: web.Request) -> web.StreamResponse:
    """A file of the editor whose name changes with its content."""
    return _file(request, f"assets/{request.match_info['name']}", _FOR_GOOD)


async def get_other_file(request: web.Request) -> web.StreamResponse:
    """A file of another front end, whose names need not change with the content."""
    return _file(request, request.path.lstrip("/"), "no-cache")


async def get_icon(request: web.Request) -> web.StreamResponse:
    """The page's icon."""
    return _file(request, "favicon.svg", "max-age=86400")


routes = [
    *(web.get(path, get_page) for path in PAGES),
    web.get("/assets/{name:.+}", get_asset),
    web.get("/favicon.svg", get_icon),
]


def attach(app: web.Application) -> None:
    """Answer with all files of another front end; last of all, as its names may be any."""
    if app[PARTS].settings.web_directory is not None:
        app.router.add_get("/{name:.+}", get_other_file)


def other_extensions(settings: ServerSettings) -> list[str]:
    """The addresses of the scripts that another front end brings."""
    root = settings.web_directory
    found = () if root is None else sorted(root.glob("extensions/**/*.js"))
    return [f"/{quote(path.relative_to(root or path).as_posix())}" for path in found]


def bundle(settings: ServerSettings) -> Path:
    """Where the built editor lies: inside the package, unless the settings name a folder."""
    return settings.web_directory or Path(str(resources.files("graphengine"))) / "webui"


def missing_page() -> str:
    """What a person reads who opens a server without an editor."""
    error = GraphEngineError("editor_not_built")
    texts = "".join(f'<p lang="{one}">{error.text(one)}</p>' for one in LANGUAGES)
    return _MISSING.format(version=__version__, texts=texts)


def _file(request: web.Request, name: str, kept: str) -> web.StreamResponse:
    path = inside(bundle(parts_of(request).settings), name)
    if path is None or not path.is_file():
        raise Refusal(404, "file_not_found", f"The editor has no file {name!r}")
    return web.FileResponse(path, headers={"Cache-Control": kept})
