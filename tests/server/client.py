"""A small client of the protocol, as other people's scripts have one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestClient


class Client:
    """HTTP and WebSocket against the server of one test; ``base`` is the server's folder."""

    def __init__(self, http: TestClient[Any, Any], base: Path) -> None:
        self.http = http
        self.base = base

    async def get(self, path: str, status: int = 200, **options: Any) -> Any:
        return await self._answer("GET", path, status, **options)

    async def post(self, path: str, body: Any = None, status: int = 200, **options: Any) -> Any:
        return await self._answer("POST", path, status, json=body, **options)

    async def delete(self, path: str, status: int = 200, **options: Any) -> Any:
        return await self._answer("DELETE", path, status, **options)

    async def response(self, method: str, path: str, **options: Any) -> ClientResponse:
        answer = await self.http.request(method, path, **options)
        await answer.read()
        return answer

    async def _answer(self, method: str, path: str, status: int, **options: Any) -> Any:
        answer = await self.http.request(method, path, **options)
        content = await answer.read()
        assert answer.status == status, (answer.status, content[:2000])
        if answer.content_type == "application/json" and content:
            return json.loads(content)
        return content

    async def socket(self, client_id: str = "me", **options: Any) -> ClientWebSocketResponse:
        return await self.http.ws_connect(f"/ws?clientId={client_id}", **options)

    async def queue(self, prompt: Any, client_id: str | None = "me", **fields: Any) -> str:
        body = {"prompt": prompt, **fields}
        if client_id is not None:
            body["client_id"] = client_id
        answer = await self.post("/prompt", body)
        return str(answer["prompt_id"])

    async def ended(self, prompt_id: str) -> Any:
        """The history entry of a job, once there is one."""
        while True:
            entries = await self.get(f"/history/{prompt_id}")
            if entries:
                return entries[prompt_id]
            await asyncio.sleep(0.01)

    async def run(self, prompt: Any, **fields: Any) -> Any:
        """The history entry of a prompt that is queued now."""
        return await self.ended(await self.queue(prompt, **fields))


async def until_done(socket: ClientWebSocketResponse, prompt_id: str) -> list[Any]:
    """The job's frames until the server says that it is over: objects, and bytes of previews.

    What a job before it still has to tell, on a busy machine, is left out.
    """
    frames: list[Any] = []
    while True:
        message = await socket.receive(timeout=30)
        if message.type is WSMsgType.BINARY:
            frames.append(message.data)
            continue
        assert message.type is WSMsgType.TEXT, message
        frame = json.loads(message.data)
        if frame["data"].get("prompt_id", prompt_id) != prompt_id:
            continue
        frames.append(frame)
        if frame["type"] == "executing" and frame["data"] == {"node": None, "prompt_id": prompt_id}:
            return frames


def kinds(frames: list[Any]) -> list[str]:
    return [frame["type"] for frame in frames if isinstance(frame, dict)]


def data_of(frames: list[Any], kind: str) -> list[Any]:
    return [f["data"] for f in frames if isinstance(f, dict) and f["type"] == kind]
