"""Files of the web for a person who asks: public addresses only, bounded, wherever they lead."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from graphengine.errors import GraphEngineError
from graphengine.server.fetching import fetch, is_public
from tests.server.client import Client
from tests.server.conftest import Serve

INNER = (
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "::1",
    "fe80::1",
    "fd00::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
)


@pytest.mark.parametrize("ip", INNER)
def test_no_address_of_an_inner_network_is_public(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize("ip", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_addresses_of_the_internet_are_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://127.0.0.1:1/w.json", "address_private"),
        ("http://localhost:1/w.json", "address_private"),
        ("http://[::1]:1/w.json", "address_private"),
        ("http://169.254.169.254/latest/meta-data", "address_private"),
        ("file:///etc/passwd", "address_not_web"),
        ("ftp://example.org/w.json", "address_not_web"),
        ("javascript:alert(1)", "address_not_web"),
        ("", "address_not_web"),
    ],
)
def test_the_server_refuses_to_be_a_way_into_its_network(
    serve: Serve, address: str, code: str
) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.post("/api/v1/open-address", {"address": address}, 400)
        assert answer["error"]["type"] == code
        assert answer["error"]["extra_info"]

    serve(scenario)


def fetched(path: str, *, most_bytes: int = 1000) -> Any:
    """What `fetch` gives from a server here, as if this machine were a public one, but ::1 not."""

    async def give(request: web.Request) -> web.StreamResponse:
        port = request.url.port
        match request.path:
            case "/moved":
                raise web.HTTPFound("/flows/my%20flow.json")
            case "/inwards":
                raise web.HTTPFound(f"http://[::1]:{port}/flows/my%20flow.json")
            case "/round":
                raise web.HTTPFound("/round")
            case "/secret":
                raise web.HTTPForbidden
        return web.Response(body=b"x" * 500)

    async def run() -> Any:
        app = web.Application()
        app.router.add_get("/{path:.*}", give)
        async with TestServer(app, host="127.0.0.1") as server:
            address = f"http://127.0.0.1:{server.port}{path}"
            return await fetch(address, most_bytes=most_bytes, allowed="127.0.0.1".__eq__)

    return asyncio.run(run())


def test_a_file_is_fetched_with_its_name_also_where_it_has_moved() -> None:
    assert fetched("/moved") == (b"x" * 500, "my flow.json")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/inwards", "address_private"),
        ("/round", "address_unreachable"),
        ("/secret", "address_status"),
    ],
)
def test_what_leads_astray_is_told(path: str, code: str) -> None:
    with pytest.raises(GraphEngineError) as caught:
        fetched(path)
    assert caught.value.code == code


def test_no_more_is_read_than_may_be() -> None:
    with pytest.raises(GraphEngineError) as caught:
        fetched("/large", most_bytes=100)
    assert caught.value.code == "address_too_large"
