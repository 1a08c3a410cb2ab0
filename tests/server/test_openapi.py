"""What /api/v1 says of itself is true: schemathesis asks every route and checks the answers."""

from __future__ import annotations

import asyncio

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import (
    content_type_conformance,
    load_all_checks,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.generation import GenerationMode

from graphengine.server.openapi import document
from tests.server.client import Client
from tests.server.conftest import Serve

load_all_checks()
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
RUNS = settings(
    max_examples=5,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def ask_every_route(url: str) -> int:
    """Requests made from the document, right ones and wrong ones; how many there were."""
    count = 0
    for found in schemathesis.openapi.from_dict(document()).get_all_operations():
        operation = found.ok()
        right, wrong = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
        for mode in (right, wrong) if operation.definition.raw.get("requestBody") else (right,):

            @RUNS
            @given(operation.as_strategy(generation_mode=mode))
            def asked(case: schemathesis.Case) -> None:
                nonlocal count
                count += 1
                case.call_and_validate(base_url=url, checks=CHECKS, timeout=30)

            asked()
    return count


def test_every_route_answers_as_the_document_says(serve: Serve) -> None:
    async def scenario(client: Client) -> None:
        await client.run({"1": {"class_type": "Show", "inputs": {"value": "a job to look at"}}})
        url = str(client.http.make_url("")).rstrip("/")
        assert await asyncio.to_thread(ask_every_route, url) > 100

    serve(scenario)
