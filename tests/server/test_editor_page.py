"""The editor's page: how it is kept, what it may do, and what is there when it is not built."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.client import Client
from tests.server.conftest import Serve


def built(folder: Path) -> Path:
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>editor</title>")
    (folder / "assets" / "index-AbC123.js").write_text("export {};")
    (folder.parent / "secret.txt").write_text("secret")
    return folder


def test_the_page_is_asked_for_anew_and_its_files_are_kept_for_good(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = built(tmp_path / "package" / "webui")
    monkeypatch.setattr("graphengine.server.editor.resources.files", lambda _: folder.parent)

    async def scenario(client: Client) -> None:
        for path in ("/", "/panel"):
            page = await client.response("GET", path)
            assert (page.status, page.headers["Cache-Control"]) == (200, "no-cache")
            assert "editor" in await page.text()
            policy = page.headers["Content-Security-Policy"]
            assert "script-src" not in policy
            assert "default-src 'self'" in policy
            assert "connect-src 'self' blob:;" in policy
        script = await client.response("GET", "/assets/index-AbC123.js")
        assert "immutable" in script.headers["Cache-Control"]
        assert script.content_type in ("text/javascript", "application/javascript")
        for name in ("/assets/none.js", "/assets/..%2F..%2Fsecret.txt", "/assets/%2e%2e/secret"):
            assert (await client.response("GET", name)).status == 404
        assert (await client.response("GET", "/index.html")).status == 404

    serve(scenario)


def test_another_front_end_is_served_whole_and_its_page_runs_what_it_likes(
    serve: Serve, tmp_path: Path
) -> None:
    folder = built(tmp_path / "web")
    (folder / "extensions" / "core").mkdir(parents=True)
    (folder / "extensions" / "core" / "note.js").write_text("export {};")
    (folder / "style.css").write_text("body {}")

    async def scenario(client: Client) -> None:
        page = await client.response("GET", "/")
        policy = page.headers["Content-Security-Policy"]
        assert "default-src" not in policy
        assert "frame-ancestors 'self'" in policy
        assert await client.get("/extensions") == ["/extensions/core/note.js"]
        for name in ("/extensions/core/note.js", "/style.css", "/assets/index-AbC123.js"):
            file = await client.response("GET", name)
            assert (file.status, file.headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert (await client.response("GET", "/style.css")).content_type == "text/css"
        for name in ("/none.js", "/..%2Fsecret.txt", "/%2e%2e/secret.txt", "/extensions/x/y.js"):
            assert (await client.response("GET", name)).status == 404
        assert await client.get("/queue") == {"queue_running": [], "queue_pending": []}

    serve(scenario, web_directory=folder)


def test_a_token_in_the_address_opens_the_page_that_was_asked_for(
    serve: Serve, tmp_path: Path
) -> None:
    async def scenario(client: Client) -> None:
        assert (await client.response("GET", "/panel")).status == 401
        first = await client.response("GET", "/panel?token=12345678", allow_redirects=False)
        assert (first.status, first.headers["Location"]) == (303, "/panel")
        page = await client.response("GET", "/panel?token=12345678")
        assert (page.status, page.url.path, page.url.query_string) == (200, "/panel", "")
        assert (await client.response("GET", "/assets/index-AbC123.js")).status == 200

    serve(scenario, web_directory=built(tmp_path / "web"), token="12345678")


def test_without_a_bundle_the_page_says_how_to_build_it(serve: Serve, tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        page = await client.response("GET", "/")
        text = await page.text()
        assert page.status == 200
        assert "npm run build" in text
        assert "ビルド" in text

    serve(scenario, web_directory=tmp_path / "none")
