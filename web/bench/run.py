"""Measures the editor in headless Chromium (software rendering), and React Flow as it comes.

    python web/bench/run.py [--nodes 1000 5000] [--leak-s 30] [--json FILE]

Needs the built editor (./run.sh builds it) and the built plain page:
``cd web/bench && npx vite build``. Run it on an idle machine; each figure tells what it is.

Up to 1,000 nodes are all in view when the view is moved, more are not: then it is moved where nodes
are built. A key is measured twice: by the clock, from the event to the end of the page's work on the
frame that shows the letter, and by the processor time that the page's main thread takes for it, with
all that follows (what is put off, and the frames of the blinking cursor). The latter does not grow
with what else the machine does, and leaves out what other threads raster and compose.
"""

from __future__ import annotations

import argparse
import gzip
import http.server
import itertools
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]


from playwright.sync_api import Page, sync_playwright  # noqa: E402
from scene import STEP, scene  # noqa: E402

from tests.server.process import Server  # noqa: E402

WIDTH, HEIGHT = 1280, 800
MOVES = 90
LONGEST_S = 20
RECORD = """() => {
  const frames = []; let on = true;
  const tick = (at) => { frames.push(at); if (on) requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
  window.__stop = () => { on = false; return frames; };
}"""
KEY_TIMES = """() => {
  window.__keys = [];
  let pressed = 0;
  const made = new MessageChannel();
  made.port1.onmessage = () => window.__keys.push(performance.now() - pressed);
  addEventListener('keydown', (event) => { pressed = event.timeStamp; }, true);
  addEventListener('input', () => {
    requestAnimationFrame(() => made.port2.postMessage(null));
  }, true);
}"""
TEXT = "a red heart in the center, white background, sharp"
QUIET_MS = 2500
"""After it drafts are kept and problems asked for."""
PRESS_MS = 80
"""From key to key, as a good typist's."""
SETTLED = """async () => {
  const until = performance.now() + 8000;
  for (let calm = 0; calm < 3 && performance.now() < until;) {
    const began = performance.now();
    await new Promise(requestAnimationFrame);
    calm = performance.now() - began < 40 ? calm + 1 : 0;
  }
}"""
FIT = "Shift+1"


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    figures: dict[str, Any] = {"machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"}
    with _server() as server, sync_playwright() as playwright:
        chromium = os.environ.get("GRAPHENGINE_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--js-flags=--expose-gc"],
        )
        figures["bundle_gzip_kb"] = _bundle_kb()
        figures["first_paint_ms"] = _first_paint(_page(browser), server.url)
        with _plain_pages() as address:
            for count in arguments.nodes:
                for name, measured in (
                    (f"editor_{count}", partial(_editor, _page(browser), server, count)),
                    (f"plain_{count}", partial(_plain, _page(browser), address, count)),
                ):
                    figures[name] = measured()
                    print(name, json.dumps(figures[name]), file=sys.stderr, flush=True)
        if arguments.leak_s:
            figures["leak"] = _leak(_page(browser), server.url, arguments.leak_s)
        browser.close()
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1000, 5000])
    parser.add_argument("--leak-s", type=float, default=30)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


# --- the editor -----------------------------------------------------------------------------------


def _editor(page: Page, server: Server, count: int) -> dict[str, Any]:
    """Opening, panning and dragging with all in view or, for many nodes, a few; typing."""
    folder = server.base / "user" / "default" / "workflows"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"bench-{count}.json").write_text(json.dumps(scene(count)))
    page.goto(server.url)
    page.locator(".react-flow__node").first.wait_for()
    page.evaluate(SETTLED)
    figures: dict[str, Any] = {"opening_ms": _open(page, count)}
    if count <= 1000:
        _fit(page)
    else:
        _approach(page)
    figures["zoom"] = round(_zoom(page), 3)
    figures["dom_nodes"] = page.locator(".react-flow__node").count()
    figures["pan"] = _pan(page)
    figures["drag"] = _drag(page)
    figures["typing_ms"] = _typing(page)
    page.close()
    return figures


def _fit(page: Page) -> None:
    """Bring all into view."""
    page.keyboard.press(FIT)
    page.wait_for_timeout(800)
    page.evaluate(SETTLED)


def _approach(page: Page) -> None:
    """Zoom into the middle of the graph until nodes are built."""
    page.keyboard.press("Escape")
    _fit(page)
    box = page.locator(".react-flow").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    while _zoom(page) < 0.6:
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(60)
    page.evaluate(SETTLED)


def _open(page: Page, count: int) -> float:
    """From the file in the page's hands to nodes that can be moved."""
    name = f"bench-{count}.json"
    return round(
        page.evaluate(
            """async (name) => {
              const text = await (await fetch(`/userdata/${encodeURIComponent('workflows/' + name)}`)).text();
              const transfer = new DataTransfer();
              transfer.items.add(new File([text], name, {type: 'application/json'}));
              const target = document.querySelector('.canvas');
              const began = performance.now();
              for (const type of ['dragenter', 'dragover', 'drop'])
                target.dispatchEvent(new DragEvent(type, {dataTransfer: transfer, bubbles: true, cancelable: true}));
              const title = name.replace('.json', '');
              while (![...document.querySelectorAll('[role=tab]')].some((tab) =>
                tab.getAttribute('aria-selected') === 'true' && tab.textContent.includes(title)))
                await new Promise(requestAnimationFrame);
              while (document.querySelector('.react-flow__node, .light-layer') === null)
                await new Promise(requestAnimationFrame);
              await new Promise(requestAnimationFrame);
              return performance.now() - began;
            }""",
            name,
        ),
        0,
    )


def _zoom(page: Page) -> float:
    transform = page.locator(".react-flow__viewport").evaluate("one => one.style.transform")
    return float(transform.rsplit("scale(", 1)[1].rstrip(")"))


def _pan(page: Page) -> dict[str, float]:
    """Moving the whole with the middle button."""
    page.mouse.move(WIDTH / 2, HEIGHT / 2)
    page.mouse.down(button="middle")
    figures = _while_moving(page, WIDTH / 2, HEIGHT / 2, radius=250)
    page.mouse.up(button="middle")
    page.evaluate(SETTLED)
    return figures


def _drag(page: Page) -> dict[str, float]:
    """Moving one node that is in view by its header."""
    x, y = page.evaluate(
        """([stepX, stepY]) => {
          const [, dx, dy, zoom] = document.querySelector('.react-flow__viewport').style.transform
            .match(/translate\\(([-\\d.]+)px, ?([-\\d.]+)px\\) scale\\(([\\d.]+)\\)/).map(Number);
          const box = document.querySelector('.react-flow').getBoundingClientRect();
          const column = Math.ceil((box.width / 2 - dx) / zoom / stepX);
          const row = Math.ceil((box.height / 2 - dy) / zoom / stepY);
          return [box.x + dx + (column * stepX + 60) * zoom, box.y + dy + (row * stepY + 12) * zoom];
        }""",
        list(STEP),
    )
    page.mouse.move(x, y)
    page.mouse.down()
    figures = _while_moving(page, x, y, radius=80)
    page.mouse.up()
    page.evaluate(SETTLED)
    return figures


def _while_moving(page: Page, x: float, y: float, *, radius: float) -> dict[str, float]:
    """Frames a second, and the 95th percentile of a frame's time, while the mouse goes about."""
    from math import cos, sin

    page.evaluate(RECORD)
    until = time.monotonic() + LONGEST_S
    for step in range(1, MOVES + 1):
        if time.monotonic() > until:
            break
        page.mouse.move(x + radius * sin(step / 9), y + radius * (1 - cos(step / 9)) / 2)
    frames = page.evaluate("window.__stop()")
    times = [after - before for before, after in itertools.pairwise(frames)]
    if not times:
        return {"fps": 0, "p95_ms": 0}
    late = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    return {"fps": round(1000 * len(times) / sum(times), 1), "p95_ms": round(late, 1)}


def _typing(page: Page) -> dict[str, float]:
    """A key in a prompt: until its frame is made, and what the main thread works for it."""
    _approach(page)
    prompts = page.locator("textarea").all()
    middle = HEIGHT / 2
    min(prompts, key=lambda one: abs((one.bounding_box() or {"y": 0})["y"] - middle)).click()
    page.evaluate(KEY_TIMES)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def work() -> dict[str, float]:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: 1000 * metric["value"] for metric in metrics}

    page.wait_for_timeout(QUIET_MS)
    before = work()
    for letter in TEXT:
        page.keyboard.type(letter)
        page.wait_for_timeout(PRESS_MS)
    after = work()
    times = page.evaluate("window.__keys")
    quantiles = statistics.quantiles(times, n=20)

    def each(*names: str) -> float:
        return round(sum(after[name] - before[name] for name in names) / len(times), 1)

    return {
        "frame_median": round(quantiles[9], 1),
        "frame_p95": round(quantiles[-1], 1),
        "main_thread": each("TaskDuration"),
        "scripts": each("ScriptDuration"),
        "style_and_layout": each("RecalcStyleDuration", "LayoutDuration"),
        "keys": len(times),
    }


# --- React Flow as it comes -----------------------------------------------------------------------


def _plain(page: Page, address: str, count: int) -> dict[str, Any]:
    page.goto(f"{address}/plain.html")
    page.wait_for_function("window.show !== undefined")
    opening = page.evaluate(
        """async (scene) => {
          const began = performance.now();
          window.show(scene);
          while (document.querySelectorAll('.react-flow__node').length < scene.nodes.length)
            await new Promise(requestAnimationFrame);
          await new Promise(requestAnimationFrame);
          return performance.now() - began;
        }""",
        scene(count),
    )
    page.evaluate(SETTLED)
    figures = {"opening_ms": round(opening), "zoom": round(_zoom(page), 3)}
    figures["dom_nodes"] = page.locator(".react-flow__node").count()
    if count <= 1000:
        figures |= {"pan": _plain_pan(page), "drag": _drag(page)}
    else:
        figures["pan"] = _plain_pan(page)
    page.close()
    return figures


def _plain_pan(page: Page) -> dict[str, float]:
    page.mouse.move(4, 4)
    page.mouse.down()
    figures = _while_moving(page, 4, 4, radius=250)
    page.mouse.up()
    page.evaluate(SETTLED)
    return figures


@contextmanager
def _plain_pages() -> Iterator[str]:
    folder = Path(__file__).parent / "dist"
    if not (folder / "plain.html").is_file():
        raise SystemExit("build the plain page first: cd web/bench && npx vite build")
    handler = partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


# --- start and leaks ------------------------------------------------------------------------------


def _bundle_kb() -> dict[str, float]:
    """What the page asks for at first, and everything, in KB of gzip."""
    folder = ROOT / "graphengine" / "webui"
    index = (folder / "index.html").read_text()
    sizes = {path: len(gzip.compress(path.read_bytes())) / 1024 for path in folder.rglob("*.*")}
    first = sum(size for path, size in sizes.items() if path.name in index)
    return {"start": round(first, 1), "all": round(sum(sizes.values()), 1)}


def _first_paint(page: Page, url: str) -> float:
    """First contentful paint of a first visit."""
    page.goto(url)
    page.locator(".react-flow__node").first.wait_for()
    paint = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"
    )
    page.close()
    return round(paint, 0)


def _leak(page: Page, url: str, seconds: float) -> dict[str, Any]:
    """Heap and elements after runs with previews, against those after the first few."""
    page.goto(url)
    page.locator(".react-flow__node").first.wait_for()
    seed = page.get_by_role("textbox", name="Seed").first
    seed.fill("-1")  # drawn anew, so that no run finds its results in the cache
    seed.press("Enter")
    session = page.context.new_cdp_session(page)

    def measured() -> dict[str, float]:
        page.wait_for_timeout(500)
        for _ in range(3):
            session.send("HeapProfiler.collectGarbage")
        counts = session.send("Memory.getDOMCounters")
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 2**20
        return {
            "heap_mb": round(heap, 2),
            "nodes": counts["nodes"],
            "listeners": counts["jsEventListeners"],
        }

    _runs(page, seconds=seconds / 3)
    before = measured()
    runs = _runs(page, seconds=seconds)
    figures = {"runs": runs, "before": before, "after": measured()}
    page.close()
    return figures


def _runs(page: Page, *, seconds: float) -> int:
    """Queue run after run; how many ended."""
    ended, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        page.evaluate(
            """async () => {
              const jobs = async () => (await (await fetch('/api/v1/jobs?limit=1')).json()).jobs[0];
              const before = (await jobs())?.id;
              dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', code: 'Enter', ctrlKey: true, bubbles: true}));
              for (;;) {
                const job = await jobs();
                if (job && job.id !== before && job.finished) return;
                await new Promise((done) => setTimeout(done, 100));
              }
            }"""
        )
        ended += 1
    return ended


def _page(browser: Any) -> Page:
    page: Page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(60_000)
    return page


@contextmanager
def _server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as base:
        server = Server(Path(base))
        server.start()
        try:
            yield server
        finally:
            server.end(signal.SIGTERM)


if __name__ == "__main__":
    main()
