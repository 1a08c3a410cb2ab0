"""/metrics in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from graphengine.server.parts import Parts, parts_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
routes = web.RouteTableDef()


@routes.get("/metrics")
async def get_metrics(request: web.Request) -> web.Response:
    """How many jobs, results and clients there are."""
    text = "".join(_lines(parts_of(request)))
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


def _lines(parts: Parts) -> Iterator[str]:
    states = {"queued": 0, "running": 0, **parts.jobs.store.counts()}
    yield from _family("jobs", "gauge", "Jobs in the store, by state.")
    for state, count in sorted(states.items()):
        yield f'graphengine_jobs{{state="{state}"}} {count}\n'
    cache = parts.engine.cache.statistics()
    yield from _one("queue_paused", "gauge", "Whether the queue is paused.", parts.jobs.paused)
    yield from _one("clients", "gauge", "Connected WebSocket clients.", parts.hub.clients)
    yield from _one("cache_entries", "gauge", "Results in memory.", cache.entries)
    yield from _one("cache_host_bytes", "gauge", "Bytes of results on the host.", cache.host_bytes)
    device_bytes = cache.device_bytes
    yield from _one("cache_device_bytes", "gauge", "Bytes of results on the device.", device_bytes)
    if parts.engine.cache.disk is not None:
        disk = parts.engine.cache.disk.statistics()
        yield from _one("disk_cache_entries", "gauge", "Results on disk.", disk.entries)
        yield from _one("disk_cache_bytes", "gauge", "Bytes of results on disk.", disk.size_bytes)
        yield from _one("disk_cache_hits_total", "counter", "Results read.", disk.hits)
        yield from _one("disk_cache_damaged_total", "counter", "Damaged ones.", disk.damaged)
    yield from _one("cache_hits_total", "counter", "Results found.", cache.hits)
    yield from _one("cache_misses_total", "counter", "Results not found.", cache.misses)
    yield from _one("cache_evictions_total", "counter", "Results dropped.", cache.evictions)


def _one(name: str, kind: str, text: str, value: int) -> Iterator[str]:
    yield from _family(name, kind, text)
    yield f"graphengine_{name} {int(value)}\n"


def _family(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP graphengine_{name} {text}\n# TYPE graphengine_{name} {kind}\n"
