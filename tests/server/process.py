"""The real server as a process, to be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGINS = Path(__file__).parent / "plugins"
START_TIMEOUT_S = 60


class Server:
    """``graphengine serve`` in a folder of its own."""

    def __init__(self, base: Path, plugins: Path | None = PLUGINS) -> None:
        self.base = base
        self.plugins = plugins
        self.port = 0
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()

    def start(self) -> float:
        """Start; returns how long it took until the address was printed."""
        began = time.monotonic()
        command = [sys.executable, "-m", "graphengine", "serve", "--port", str(self.port)]
        command += ["--base-directory", str(self.base)]
        command += [] if self.plugins is None else ["--plugins", str(self.plugins)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "LANG": "C", "LC_ALL": "C"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert "http://" in line, line
        self.url = line.split()[-1].rstrip("/")
        return time.monotonic() - began

    def end(self, how: signal.Signals) -> int:
        """End it by a signal; returns its exit status."""
        assert self._process is not None
        self._process.send_signal(how)
        return self.wait()

    def stop(self) -> int:
        """End it as a person would."""
        return self.end(signal.SIGTERM)

    def wait(self) -> int:
        """Wait until it has ended by itself; returns its exit status."""
        assert self._process is not None
        status = self._process.wait(START_TIMEOUT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status

    @property
    def pid(self) -> int:
        """The process that answers; the one that was started waits for it, or starts it again."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        until = time.monotonic() + START_TIMEOUT_S
        while not (found := children.read_text().split()) and time.monotonic() < until:
            time.sleep(0.01)
        return int(found[0])

    def call(self, path: str, body: Any = None, *, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None


def work(name: str, seconds: float) -> dict[str, Any]:
    """A prompt that takes its time and says that it was run."""
    return {"1": {"class_type": "Work", "inputs": {"name": name, "seconds": seconds}}}


def kill_while_working(
    base: Path, *, jobs: int, kills: int, seconds: float, pauses: list[float]
) -> Counter[str]:
    """Queue jobs, kill the server again and again, let it finish; counts of what came of it.

    ``lost``: jobs without a history entry; ``out_of_order``; ``unfinished``: not successful;
    ``restarted``: jobs that ran again because they were running when the server was killed.
    """
    ids = [f"job-{index:03}" for index in range(jobs)]
    with Server(base) as server:
        for job_id in ids:
            body = {"prompt": work(job_id, seconds), "prompt_id": job_id}
            server.call("/prompt", body)
        for pause in pauses[:kills]:
            time.sleep(pause)
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
            server.start()
        while server.call("/prompt")["exec_info"]["queue_remaining"]:
            time.sleep(0.05)
        history = server.call("/history")
    runs = Counter((base / "output" / "log").read_text().split())
    return Counter(
        lost=len(set(ids) - set(history)),
        out_of_order=int(list(history) != ids),
        unfinished=sum(entry["status"]["status_str"] != "success" for entry in history.values()),
        never_ran=len(set(ids) - set(runs)),
        restarted=sum(runs.values()) - len(ids),
    )
