"""A file from the web, for a person who asked for it: http and https, public addresses, bounded.

The server must not be a way into the network that it stands in (server-side request forgery): each
name is looked up once, all addresses but public ones are refused, and so is where a redirect leads.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from graphengine import __version__
from graphengine.errors import GraphEngineError

TIMEOUT_S = 30.0
MOST_REDIRECTS = 5
CHUNK_BYTES = 2**16
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Allowed = Callable[[str], bool]


async def fetch(
    address: str, *, most_bytes: int, allowed: Allowed | None = None
) -> tuple[bytes, str]:
    """What lies at an address, and what it is called there.

    ``allowed``: which IP addresses may be asked, by default `is_public`. Raises GraphEngineError
    with a code that begins with ``address_``: no http or https, no public address, nothing there,
    more than ``most_bytes``.
    """
    connector = aiohttp.TCPConnector(resolver=_Resolver(allowed or is_public))
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    headers = {"User-Agent": f"graphengine/{__version__}", "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers=headers, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        try:
            return await _follow(session, address, most_bytes, allowed or is_public)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if isinstance(error, _NotPublic) or isinstance(error.__cause__, _NotPublic):
                raise GraphEngineError("address_private", address=address) from error
            raise GraphEngineError("address_unreachable", address=address) from error


def is_public(ip: str) -> bool:
    """Whether an IP address is one of the open internet, also if it hides another one."""
    found = ipaddress.ip_address(ip)
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


class _NotPublic(OSError):
    """A name leads into a network that is not to be asked."""


class _Resolver(AbstractResolver):
    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        if not all(self._allowed(each["host"]) for each in found):
            raise _NotPublic(host)
        return found

    async def close(self) -> None:
        await self._system.close()


async def _follow(
    session: aiohttp.ClientSession, address: str, most_bytes: int, allowed: Allowed
) -> tuple[bytes, str]:
    at = address
    for _ in range(MOST_REDIRECTS + 1):
        _check(at, allowed)
        async with session.get(at, allow_redirects=False) as response:
            if response.status in (301, 302, 303, 307, 308):
                at = urljoin(at, response.headers.get("Location", ""))
                continue
            if response.status != 200:
                raise GraphEngineError("address_status", address=at, status=response.status)
            return await _content(response, at, most_bytes), _name(at)
    raise GraphEngineError("address_unreachable", address=address)


def _check(address: str, allowed: Allowed) -> None:
    """Raise unless it is a web address; digits are not looked up, so they are checked here."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise GraphEngineError("address_not_web", address=address)
    try:
        ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if not allowed(parts.hostname):
        raise _NotPublic(parts.hostname)


async def _content(response: aiohttp.ClientResponse, address: str, most_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        content += chunk
        if len(content) > most_bytes:
            most_mb = most_bytes // 2**20
            raise GraphEngineError("address_too_large", address=address, most_mb=most_mb)
    return bytes(content)


def _name(address: str) -> str:
    parts = urlsplit(address)
    return unquote(parts.path.rsplit("/", 1)[-1]) or parts.hostname or "workflow"
