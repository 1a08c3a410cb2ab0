"""Attacks, one test each; SECURITY.md lists them."""

from __future__ import annotations

import io

import pytest
from aiohttp import WSServerHandshakeError

from tests.server.client import Client
from tests.server.conftest import Serve
from tests.server.test_queue import SHOW

TOKEN = "a-long-token"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "a:b:c"])
def test_a_foreign_name_that_points_here_is_refused(serve: Serve, host: str) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.response("GET", "/queue", headers={"Host": host})

        assert answer.status in (400, 403)

    serve(scenario)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8188", "[::1]:8188", "192.168.0.7"])
def test_this_machines_names_and_addresses_are_allowed(serve: Serve, host: str) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.response("GET", "/queue", headers={"Host": host})

        assert answer.status == 200

    serve(scenario)


def test_a_name_can_be_allowed(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.response("GET", "/queue", headers={"Host": "studio.example:80"})

        assert answer.status == 200

    serve(scenario, allowed_hosts=("studio.example",))


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1:1", "file://"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_page_is_refused(serve: Serve, origin: str, method: str) -> None:
    async def scenario(client: Client) -> None:
        headers = {"Origin": origin}
        answer = await client.response(method, "/prompt", json={"prompt": SHOW}, headers=headers)

        assert answer.status == 403
        assert (await client.get("/history")) == {}

    serve(scenario)


def test_a_foreign_page_cannot_open_the_socket(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.socket(headers={"Origin": "http://evil.example"})
        assert refused.value.status == 403

    serve(scenario)


def test_a_form_of_a_foreign_page_without_origin_is_refused(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = await client.response("POST", "/interrupt", headers=headers)

        assert answer.status == 403

    serve(scenario)


def test_localhost_and_127_0_0_1_are_the_same_page(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        port = client.http.port
        for origin, host in (
            (f"http://localhost:{port}", f"127.0.0.1:{port}"),
            (f"http://127.0.0.1:{port}", f"localhost:{port}"),
        ):
            headers = {"Origin": origin, "Host": host}
            answer = await client.response(
                "POST", "/prompt", json={"prompt": SHOW}, headers=headers
            )
            assert answer.status == 200

    serve(scenario)


def test_a_page_can_be_allowed(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        headers = {"Origin": "https://app.example"}
        answer = await client.response("GET", "/queue", headers=headers)

        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"

    serve(scenario, cors_origin="https://app.example")


def test_without_the_token_nothing_is_answered(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        for method, path in (("GET", "/queue"), ("POST", "/prompt"), ("GET", "/"), ("GET", "/x")):
            assert (await client.response(method, path)).status == 401
        wrong = {"Authorization": "Bearer wrong-token"}
        assert (await client.response("GET", "/queue", headers=wrong)).status == 401
        assert (await client.response("GET", "/?token=wrong-token")).status == 401
        with pytest.raises(WSServerHandshakeError):
            await client.socket()

    serve(scenario, token=TOKEN)


@pytest.mark.parametrize(
    ("language", "message", "wrong"),
    [
        ("ja,en;q=0.5", "このサーバーにはトークンが必要です。", "トークンが違います。"),
        ("fr", "This server asks for its token.", "That is not this server&#x27;s token."),
    ],
)
def test_a_browser_without_the_token_gets_a_page_that_takes_it(
    serve: Serve, language: str, message: str, wrong: str
) -> None:
    async def scenario(client: Client) -> None:
        headers = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": language}

        async def page(path: str) -> str:
            answer = await client.response("GET", path, headers=headers)
            assert (answer.status, answer.content_type) == (401, "text/html")
            return await answer.text()

        asked = await page("/panel")
        assert message in asked
        assert 'method="get" action="/panel"' in asked
        assert wrong in await page("/?token=wrong-token")
        assert (await client.response("GET", "/queue", headers=headers)).status == 401

        answer = await client.response(
            "GET", f"/panel?token={TOKEN}", headers=headers, allow_redirects=False
        )
        assert (answer.status, answer.headers["Location"]) == (303, "/panel")

    serve(scenario, token=TOKEN)


def test_the_token_is_taken_by_header_and_subprotocol(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.response("GET", "/queue", headers=headers)).status == 200
        socket = await client.socket(protocols=("graphengine", f"graphengine.token.{TOKEN}"))
        assert (await socket.receive_json())["type"] == "status"
        assert socket.protocol == "graphengine"

    serve(scenario, token=TOKEN)


def test_the_printed_address_gives_a_cookie_that_no_page_can_read_or_send(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.response("GET", f"/?token={TOKEN}", allow_redirects=False)

        assert (answer.status, answer.headers["Location"]) == (303, "/")
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        given = {"Cookie": cookie.split(";")[0]}
        assert (await client.response("GET", "/queue", headers=given)).status == 200

    serve(scenario, token=TOKEN)


def test_every_answer_tells_browsers_what_not_to_do(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        for path in ("/queue", "/no-such-page", "/history?max_items=x"):
            headers = (await client.response("GET", path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"

    serve(scenario)


def test_a_body_beyond_the_limit_is_refused(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.response("POST", "/prompt", data=io.BytesIO(b" " * 2**21))

        assert answer.status == 413
        assert (await answer.json())["error"]["type"] == "http_413"

    serve(scenario, max_upload_mb=1)


def test_a_page_that_is_not_there_is_told_in_the_same_shape(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        answer = await client.get("/no-such-page", status=404)

        assert answer["error"]["type"] == "http_404"

    serve(scenario)
