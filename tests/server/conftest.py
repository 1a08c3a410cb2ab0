"""A server with toy nodes in this process: ``serve(scenario)`` runs a coroutine against it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiohttp.test_utils import TestClient, TestServer

from graphengine.server.app import make_app
from graphengine.server.settings import ServerSettings
from tests.server.client import Client

PLUGINS = Path(__file__).parent / "plugins"


class Serve(Protocol):
    """Runs a scenario against a server of its own, whose folder lives as long as the test."""

    def __call__(self, scenario: Callable[[Client], Awaitable[Any]], **settings: Any) -> Any: ...


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    def run(scenario: Callable[[Client], Awaitable[Any]], **settings: Any) -> Any:
        return asyncio.run(run_server(scenario, server_settings(tmp_path, **settings)))

    return run


def server_settings(base: Path, **settings: Any) -> ServerSettings:
    return ServerSettings(**{"base_directory": base, "plugin_directories": (PLUGINS,), **settings})


async def run_server(scenario: Callable[[Client], Awaitable[Any]], settings: ServerSettings) -> Any:
    for name in ("input", "output", "temp", "user", "models"):
        (settings.base_directory / name).mkdir(exist_ok=True)
    async with TestClient(TestServer(make_app(settings), host="127.0.0.1")) as http:
        return await asyncio.wait_for(scenario(Client(http, settings.base_directory)), 60)
