"""Who may ask: names under which the server is called, pages that call it, and the token.

A page of another site must not reach a server on this machine: not by a form (Origin), and not by a
name of its own that points here (Host, DNS rebinding). Addresses in digits are no such names.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from graphengine.errors import GraphEngineError
from graphengine.server.answers import refusal_of
from graphengine.server.settings import ServerSettings, is_loopback
from graphengine.server.token_page import token_page

COOKIE = "graphengine_token"
TOKEN_PROTOCOL = "graphengine.token."
"""A WebSocket subprotocol that begins so carries the token: pages cannot set headers there."""
PAGES = ("/", "/panel")
"""Where the editor answers: itself, and the settings panel alone, for phones."""
COOKIE_AGE_S = 30 * 24 * 3600
_PICTURE_ENDS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; connect-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    ),
}
USER_FILE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
"""A file that a person or a node wrote shows, but runs nothing."""


def guards(settings: ServerSettings) -> list[Middleware]:
    """The checks that every request passes, the first one first."""
    return [_host_check(settings), _origin_check(settings), _token_check(settings)]


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What browsers must not do with an answer."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    kept = _kept_by_browsers(request.path.lower(), response.status)
    if kept is not None:
        response.headers.setdefault("Cache-Control", kept)
    if request.app[CORS_ORIGIN] is None:
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    else:
        _allow_origin(request, response)


def _kept_by_browsers(path: str, status: int) -> str | None:
    """As ComfyUI says it of files by their names' ends; what answers otherwise says so itself."""
    name = path.rsplit("/", 1)[-1]
    if name.endswith((".js", ".css")) or (name.startswith("index") and name.endswith(".json")):
        return "no-cache"
    if name.endswith(_PICTURE_ENDS):
        return {200: "public, max-age=86400", 404: "public, max-age=3600"}.get(status)
    return None


CORS_ORIGIN = web.AppKey[str | None]("cors_origin")


# --- the host -------------------------------------------------------------------------------------


def _host_check(settings: ServerSettings) -> Middleware:
    names = {settings.host.lower(), socket.gethostname().lower(), *settings.allowed_hosts}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        name, _ = _host_and_port(request.host)
        if not (is_loopback(name) or _is_address(name) or name in names):
            raise refusal_of(GraphEngineError("host_refused", host=name), 403)
        return await handler(request)

    return check


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _host_and_port(host: str) -> tuple[str, int | None]:
    """Name in small letters without brackets, and port; ('', None) for nonsense."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError:
        return "", None


# --- the page that asks ---------------------------------------------------------------------------


def _origin_check(settings: ServerSettings) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and not _is_own(origin, request, settings):
            raise refusal_of(GraphEngineError("origin_refused", origin=origin), 403)
        foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
        if origin is None and foreign and request.method not in _SAFE_METHODS:
            raise refusal_of(GraphEngineError("origin_refused", origin="–"), 403)
        return await handler(request)

    return check


def _is_own(origin: str, request: web.Request, settings: ServerSettings) -> bool:
    """Whether a page comes from this server: same name and port; all loopback names are one."""
    if settings.cors_origin is not None and settings.cors_origin in (origin, "*"):
        return True
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https"):
        return False
    name, port = _host_and_port(parts.netloc)
    own_name, own_port = _host_and_port(request.host)
    usual = {"http": 80, "https": 443}
    if (port or usual[parts.scheme]) != (own_port or usual[request.scheme]):
        return False
    return name == own_name or (is_loopback(name) and is_loopback(own_name))


def _allow_origin(request: web.Request, response: web.StreamResponse) -> None:
    origin = request.headers.get("Origin")
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"
        response.headers["Access-Control-Allow-Methods"] = "POST, GET, DELETE, PUT, PATCH, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type, Authorization"
        response.headers["Access-Control-Allow-Credentials"] = "true"


# --- the token ------------------------------------------------------------------------------------


def _token_check(settings: ServerSettings) -> Middleware:
    token = settings.token

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "OPTIONS":  # what a browser asks before a foreign page's request
            return web.Response()
        if token is None:
            return await handler(request)
        if request.method == "GET" and request.path in PAGES and "token" in request.query:
            return _with_cookie(request, token)
        if any(_equal(shown, token) for shown in _shown_tokens(request)):
            return await handler(request)
        if _is_person(request):
            return token_page(request)
        raise refusal_of(GraphEngineError("token_needed"), 401)

    return check


def _with_cookie(request: web.Request, token: str) -> web.StreamResponse:
    """From the address with the token to the one without it, the token in a cookie."""
    if not _equal(request.query["token"], token):
        if _is_person(request):
            return token_page(request, wrong=True)
        raise refusal_of(GraphEngineError("token_wrong"), 401)
    answer = web.Response(
        status=303, headers={"Location": request.path, "Cache-Control": "no-store"}
    )
    answer.set_cookie(
        COOKIE,
        token,
        max_age=COOKIE_AGE_S,
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )
    return answer


def _is_person(request: web.Request) -> bool:
    """Whether a browser asks for one of the pages, and somebody will read the answer."""
    asks_for_page = request.method == "GET" and request.path in PAGES
    return asks_for_page and "text/html" in request.headers.get("Accept", "")


def _shown_tokens(request: web.Request) -> list[str]:
    """By header, by cookie, by WebSocket subprotocol."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    protocols = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    return [
        value.strip() if scheme.lower() == "bearer" else "",
        request.cookies.get(COOKIE, ""),
        *(
            protocol.strip().removeprefix(TOKEN_PROTOCOL)
            for protocol in protocols
            if protocol.strip().startswith(TOKEN_PROTOCOL)
        ),
    ]


def _equal(shown: str, token: str) -> bool:
    """Compared in the same time whatever was shown."""
    return hmac.compare_digest(shown.encode(errors="replace"), token.encode())
