"""Whatever is sent, the server answers with what is wrong, never with a defect of its own."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphengine.server.v1 import OPERATIONS, PREFIX
from tests.server.client import Client
from tests.server.conftest import Serve

NAMES = st.sampled_from(["Number", "Add", "Show", "Widgets", "Maybe", "Nonsense", "", "nodes"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
LINKS = st.tuples(st.sampled_from("123456"), st.integers(-1, 2)).map(list)
INPUTS = st.dictionaries(
    st.sampled_from(["a", "b", "value", "text", "strength", "method", "seed", "open", "x"]),
    LINKS | JSON,
    max_size=4,
)
NODES = st.fixed_dictionaries({"class_type": NAMES, "inputs": INPUTS}) | JSON
PROMPTS = st.dictionaries(st.sampled_from("123456"), NODES, max_size=6) | JSON
FIELDS = st.dictionaries(
    st.sampled_from(["prompt_id", "number", "front", "client_id", "extra_data", "targets"]),
    JSON,
    max_size=2,
)
BODIES = st.builds(lambda fields, prompt: {**fields, "prompt": prompt}, FIELDS, PROMPTS) | JSON
BODY_ROUTES = st.sampled_from(
    [
        ("POST", "/prompt"),
        ("POST", "/queue"),
        ("POST", "/history"),
        ("POST", "/interrupt"),
        ("POST", "/free"),
        ("POST", "/settings"),
        ("POST", "/settings/a"),
        ("POST", "/upload/image"),
        *((each.method, PREFIX + each.path.replace("{id}", "1")) for each in OPERATIONS),
    ]
)
PATHS = st.sampled_from(
    [
        "/view?filename={}",
        "/view?filename=a.png&type={}",
        "/view?filename=a.png&preview={}",
        "/view?filename=a.png&subfolder={}",
        "/view_metadata/loras?filename={}",
        "/history?max_items={}",
        "/history?offset={}",
        "/history/{}",
        "/object_info/{}",
        "/models/{}",
        "/userdata?dir={}",
        "/userdata/{}",
        "/v2/userdata?path={}",
        "/settings/{}",
        "/internal/files/{}",
        "/api/v1/jobs?limit={}",
        "/api/v1/jobs?state={}",
        "/api/v1/jobs/{}",
    ]
)
TEXTS = st.text(max_size=12) | st.sampled_from(["../x", "a/../..", "\0", "-1", "9" * 30, "a.png"])
RUNS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def test_no_body_makes_the_server_fail(serve: Serve) -> None:
    def scenario_of(client: Client, loop: asyncio.AbstractEventLoop) -> None:
        @RUNS
        @given(BODY_ROUTES, BODIES)
        def sent(route: tuple[str, str], body: Any) -> None:
            method, path = route
            data = io.BytesIO(json.dumps(body).encode(errors="replace"))
            answer = asyncio.run_coroutine_threadsafe(
                client.response(method, path, data=data), loop
            ).result(30)
            assert answer.status < 500, (method, path, body)

        sent()

    async def scenario(client: Client) -> None:
        await asyncio.to_thread(scenario_of, client, asyncio.get_running_loop())

    serve(scenario)


def test_no_address_makes_the_server_fail(serve: Serve) -> None:
    def scenario_of(client: Client, loop: asyncio.AbstractEventLoop) -> None:
        @RUNS
        @given(PATHS, TEXTS)
        def asked(path: str, text: str) -> None:
            from urllib.parse import quote

            address = path.format(quote(text, safe=""))
            answer = asyncio.run_coroutine_threadsafe(client.response("GET", address), loop)
            assert answer.result(30).status < 500, address

        asked()

    async def scenario(client: Client) -> None:
        (client.base / "output" / "a.png").write_bytes(b"no picture")
        await asyncio.to_thread(scenario_of, client, asyncio.get_running_loop())

    serve(scenario)
