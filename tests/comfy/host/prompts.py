"""Prompts and what comes of them, in few words."""

from __future__ import annotations

from typing import Any

from tests.server.client import Client, data_of, until_done


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def link(node_id: str, output: int = 0) -> list[Any]:
    return [node_id, output]


async def watched(client: Client, prompt: Any, **fields: Any) -> tuple[Any, list[Any]]:
    """The history entry of a prompt, and all that was said while it ran."""
    socket = await client.socket()
    prompt_id = await client.queue(prompt, **fields)
    frames = await until_done(socket, prompt_id)
    await socket.close()
    return await client.ended(prompt_id), frames


def started(frames: list[Any]) -> list[str]:
    """The nodes that were run, in their order."""
    return [data["node"] for data in data_of(frames, "executing") if data["node"] is not None]


def shown(entry: Any, node_id: str) -> list[str]:
    assert node_id in entry["outputs"], entry["status"]["messages"][-1]
    return list(entry["outputs"][node_id]["shown"])


def error_of(entry: Any) -> Any:
    kind, data = entry["status"]["messages"][-1]
    assert kind == "execution_error", entry
    return data
