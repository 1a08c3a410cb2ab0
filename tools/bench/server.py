"""What the server costs: from POST /prompt to the last message on the WebSocket.

    python tools/bench/server.py [graphs] [clients] [kills] [hosted] [--repeat 5]

``graphs``: chains and wide graphs of trivial nodes, fresh and cached, wall and processor time of
the server process, and bytes on the socket. ``clients``: 1,000 connected clients of which 100 never
read. ``kills``: 30 jobs, 20 times SIGKILL. Without a name these three. ``hosted``: the graphs, of
nodes that were written for ComfyUI. The server is a process of its own; the minimum of the repeats
is shown, as other work on the machine only ever adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from hosted import PACK

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.server.process import Server, kill_while_working

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def chain(size: int, seed: int) -> dict[str, Any]:
    """One number, ``size`` additions one after the other, one sink."""
    prompt: dict[str, Any] = {"0": {"class_type": "Number", "inputs": {"value": seed}}}
    for index in range(1, size + 1):
        inputs = {"a": [str(index - 1), 0], "b": index}
        prompt[str(index)] = {"class_type": "Add", "inputs": inputs}
    prompt["show"] = {"class_type": "Show", "inputs": {"value": [str(size), 0]}}
    return prompt


def wide(size: int, seed: int) -> dict[str, Any]:
    """``size`` / 2 additions beside each other, each with its sink."""
    prompt: dict[str, Any] = {"0": {"class_type": "Number", "inputs": {"value": seed}}}
    for index in range(1, size // 2 + 1):
        inputs = {"a": ["0", 0], "b": index}
        prompt[f"a{index}"] = {"class_type": "Add", "inputs": inputs}
        prompt[f"s{index}"] = {"class_type": "Show", "inputs": {"value": [f"a{index}", 0]}}
    return prompt


def cpu_s(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """The memory that a process occupies."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def run_prompt(
    session: aiohttp.ClientSession,
    socket: aiohttp.ClientWebSocketResponse,
    server: Server,
    body: Any,
) -> tuple[float, int]:
    """Seconds from POST until the job's last message, and the bytes that came."""
    data = json.dumps(body).encode()
    began = time.perf_counter()
    async with session.post(f"{server.url}/prompt", data=data) as answer:
        prompt_id = (await answer.json())["prompt_id"]
    size = 0
    while True:
        message = await socket.receive()
        size += len(message.data)
        last = '"executing"' in message.data and '"node":null' in message.data
        if last and prompt_id in message.data:
            return time.perf_counter() - began, size


async def bench_graphs(server: Server, repeat: int) -> None:
    """Print a row for each graph."""
    print(f"{'graph':>14} {'fresh ms':>9} {'cpu ms':>7} {'cached ms':>9} {'cpu ms':>7} {'MB':>6}")
    cases: tuple[tuple[str, Callable[[int, int], Any], int, int], ...] = (
        ("chain 10", chain, 10, 40),
        ("chain 1000", chain, 1000, 1),
        ("chain 10000", chain, 10_000, 1),
        ("wide 2000", wide, 2000, 1),
    )
    async with aiohttp.ClientSession() as session:
        url = f"{server.url}/ws?clientId=bench"
        async with session.ws_connect(url, max_msg_size=0) as socket:
            for name, make, size, times in cases:
                rows = []
                for index in range(max(repeat if size < 10_000 else 2, 1)):
                    bodies = [
                        {"prompt": make(size, index * times + k), "client_id": "bench"}
                        for k in range(times)
                    ]
                    fresh = await _timed(session, socket, server, bodies)
                    cached = await _timed(session, socket, server, bodies)
                    rows.append((*fresh, *cached[:2]))
                fresh_s, fresh_cpu, size_bytes, cached_s, cached_cpu = map(
                    min, zip(*rows, strict=True)
                )
                print(
                    f"{name:>14} {fresh_s * 1e3:9.1f} {fresh_cpu * 1e3:7.1f} "
                    f"{cached_s * 1e3:9.1f} {cached_cpu * 1e3:7.1f} {size_bytes / 1e6:6.2f}"
                )


async def _timed(
    session: aiohttp.ClientSession,
    socket: aiohttp.ClientWebSocketResponse,
    server: Server,
    bodies: list[Any],
) -> tuple[float, float, int]:
    """Of several prompts: least wall time, mean processor time, most bytes."""
    before = cpu_s(server.pid)
    results = [await run_prompt(session, socket, server, body) for body in bodies]
    cpu = (cpu_s(server.pid) - before) / len(bodies)
    return min(s for s, _ in results), cpu, max(size for _, size in results)


async def bench_clients(server: Server, _: int) -> None:
    """Print how long events take to reach the owners among 900 clients; 100 more never read."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        url = f"{server.url}/ws?clientId="
        sockets = [await session.ws_connect(f"{url}c{index}") for index in range(900)]
        ended: dict[str, float] = {}
        readers = [asyncio.create_task(note_ends(socket, ended)) for socket in sockets]
        deaf = [await deaf_client(server.url, index) for index in range(100)]
        print(f"clients: 900 that read, 100 that do not; server {rss_mb(server.pid):.0f} MB")
        before, began = cpu_s(server.pid), time.perf_counter()
        for index in range(100):
            await post(session, server, wide(100, index), f"deaf{index}")
        asked = {}
        for index in range(0, 900, 9):
            prompt_id = await post(session, server, chain(10, index), f"c{index}")
            asked[prompt_id] = time.perf_counter()
            while index % 90 == 0 and prompt_id not in ended:  # let the queue run empty
                await asyncio.sleep(0.001)
        while len(ended) < len(asked):
            await asyncio.sleep(0.001)
        waits = sorted(ended[prompt_id] - at for prompt_id, at in asked.items())
        print(
            f"200 jobs in {time.perf_counter() - began:.1f} s "
            f"(cpu {cpu_s(server.pid) - before:.1f} s); every owner heard of its end; from POST to "
            f"the last message: median {waits[50] * 1e3:.0f} ms; server {rss_mb(server.pid):.0f} MB"
        )
        for reader in readers:
            reader.cancel()
        for _, writer in deaf:
            writer.close()


async def note_ends(socket: aiohttp.ClientWebSocketResponse, ended: dict[str, float]) -> None:
    """Read all, and note when a job of this client was over."""
    async for message in socket:
        if '"executing"' in message.data and '"node":null' in message.data:
            ended[json.loads(message.data)["data"]["prompt_id"]] = time.perf_counter()


async def post(
    session: aiohttp.ClientSession, server: Server, prompt: dict[str, Any], client_id: str
) -> str:
    """Queue a prompt; returns its id."""
    body = {"prompt": prompt, "client_id": client_id}
    async with session.post(f"{server.url}/prompt", json=body) as answer:
        return str((await answer.json())["prompt_id"])


async def deaf_client(url: str, index: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket that is opened and never read from."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    request = (
        f"GET /ws?clientId=deaf{index} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    )
    writer.write(request.encode())
    await writer.drain()
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def bench_start(server: Server) -> None:
    """Start the server and print what that took."""
    began = time.monotonic()
    server.start()
    urllib.request.urlopen(f"{server.url}/object_info").read()
    wall = time.monotonic() - began
    print(
        f"start to the first /object_info: {wall:.2f} s (cpu {cpu_s(server.pid):.2f} s), "
        f"{rss_mb(server.pid):.0f} MB"
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["graphs", "clients", "kills"])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (min(8192, hard), hard) if soft < 8192 else (soft, hard)
    )
    for what in options.what:
        with tempfile.TemporaryDirectory() as folder:
            if what == "kills":
                draw = random.Random(1)
                pauses = [draw.uniform(0, 1) for _ in range(20)]
                counts = kill_while_working(
                    Path(folder), jobs=30, kills=20, seconds=0.3, pauses=pauses
                )
                print(f"30 jobs, 20 x SIGKILL: {dict(counts)}")
                continue
            server = Server(Path(folder))
            if what == "hosted":
                server.plugins = None
                (server.base / "custom_nodes").mkdir()
                (server.base / "custom_nodes" / "pack.py").write_text(PACK, encoding="utf-8")
            bench_start(server)
            server.end(signal.SIGTERM)
            bench_start(server)
            bench = bench_clients if what == "clients" else bench_graphs
            try:
                asyncio.run(bench(server, options.repeat))
            finally:
                server.end(signal.SIGTERM)


if __name__ == "__main__":
    main()
