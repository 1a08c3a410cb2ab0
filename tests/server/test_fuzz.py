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
IDS = st.integers(0, 5) | st.sampled_from(["1", "a:b", "-10", ""])
SLOT_NAMES = st.sampled_from(["a", "b", "value", "INT"])
DRAWN_TYPES = st.sampled_from(["Number", "Add", "Show", "Widgets", "Reroute", "Note", "s"])
SLOTS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["a", "b", "value", "INT"]),
            "type": st.sampled_from(["INT", "*"]),
        },
        optional={
            "link": st.none() | st.integers(0, 5),
            "links": st.none() | st.lists(st.integers(0, 5), max_size=3),
            "widget": st.none() | st.fixed_dictionaries({"name": NAMES}),
        },
    )
    | JSON,
    max_size=3,
)
DRAWN_NODES = st.fixed_dictionaries(
    {
        "id": IDS,
        "type": DRAWN_TYPES,
    },
    optional={
        "mode": st.sampled_from([0, 2, 4, 9]) | JSON,
        "inputs": SLOTS | JSON,
        "outputs": SLOTS | JSON,
        "widgets_values": st.lists(JSON, max_size=4) | JSON,
        "pos": st.lists(st.floats(-1e9, 1e9), max_size=3) | JSON,
        "properties": JSON,
        "flags": JSON,
    },
)
DRAWN_LINKS = st.lists(
    st.tuples(st.integers(0, 5), IDS, st.integers(-1, 2), IDS, st.integers(-1, 2), NAMES).map(list)
    | st.fixed_dictionaries({"id": st.integers(0, 5), "origin_id": IDS, "target_id": IDS})
    | JSON,
    max_size=5,
)
GRAPHS = {"nodes": st.lists(DRAWN_NODES | JSON, max_size=5), "links": DRAWN_LINKS}
SUBGRAPHS = st.fixed_dictionaries(
    {**GRAPHS, "id": st.just("s"), "name": st.just("S")},
    optional={"inputs": SLOTS, "outputs": SLOTS, "inputNode": JSON, "outputNode": JSON},
)
DRAWINGS = st.fixed_dictionaries(
    {**GRAPHS, "version": st.sampled_from([0.4, 1]) | JSON},
    optional={
        "extra": JSON,
        "groups": st.lists(JSON, max_size=2) | JSON,
        "definitions": st.fixed_dictionaries({"subgraphs": st.lists(SUBGRAPHS | JSON, max_size=2)})
        | JSON,
        "graphengine": JSON,
    },
)
NATIVE_NODES = st.fixed_dictionaries(
    {"id": IDS, "type": DRAWN_TYPES},
    optional={
        "values": INPUTS | JSON,
        "inputs": SLOTS,
        "outputs": SLOTS,
        "mode": JSON,
        "extra": JSON,
    },
)
ENDS = st.tuples(IDS, st.integers(-1, 2)).map(list) | JSON
NATIVE_LINKS = st.fixed_dictionaries({"id": st.integers(0, 5), "from": ENDS, "to": ENDS})
NATIVE_DRAWINGS = st.fixed_dictionaries(
    {"format": st.just("graphengine workflow"), "version": st.just(1) | JSON},
    optional={
        "nodes": st.lists(NATIVE_NODES | JSON, max_size=5),
        "links": st.lists(NATIVE_LINKS | JSON, max_size=5),
        "subgraphs": JSON,
        "panel": JSON,
        "models": JSON,
    },
)
DRAWING_ROUTES = st.sampled_from(
    [("/prompt", True), ("/api/v1/validate", True), ("/api/v1/open?name=x.json", False)]
)
"""Where a drawing goes, and whether in the field ``prompt``."""
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


def test_nothing_that_an_editor_might_save_makes_the_server_fail(serve: Serve) -> None:
    def scenario_of(client: Client, loop: asyncio.AbstractEventLoop) -> None:
        @RUNS
        @given(DRAWING_ROUTES, DRAWINGS | NATIVE_DRAWINGS)
        def sent(route: tuple[str, bool], drawing: Any) -> None:
            path, wrapped = route
            body = {"prompt": drawing} if wrapped else drawing
            data = io.BytesIO(json.dumps(body).encode(errors="replace"))
            answer = asyncio.run_coroutine_threadsafe(
                client.response("POST", path, data=data), loop
            ).result(30)
            assert answer.status < 500, (path, drawing)

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
