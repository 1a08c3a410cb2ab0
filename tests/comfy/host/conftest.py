"""A server that hosts the test plugins: ``serve(scenario)`` runs a coroutine against it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphengine.comfy.host import stand_ins
from graphengine.server.settings import ServerSettings
from tests.server.client import Client
from tests.server.conftest import Serve, run_server

PACKS = Path(__file__).parent / "custom_nodes"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    config = tmp_path / "paths.yaml"
    config.write_text(f"packs:\n  custom_nodes: {PACKS}\n", encoding="utf-8")

    def run(scenario: Callable[[Client], Awaitable[Any]], **settings: Any) -> Any:
        chosen = ServerSettings(
            base_directory=tmp_path, extra_model_paths_config=(config,), **settings
        )
        return asyncio.run(run_server(scenario, chosen))

    yield run
    stand_ins.uninstall()
