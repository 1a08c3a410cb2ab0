"""The server as a process: killed at any moment, it loses nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphengine.errors import GraphEngineError
from graphengine.server.app import hold_folder
from graphengine.server.run import serve
from graphengine.server.settings import ServerSettings
from tests.server.conftest import server_settings
from tests.server.process import ROOT, Server, kill_while_working, work


def test_a_server_that_is_killed_again_and_again_loses_no_job(tmp_path: Path) -> None:
    draw = random.Random(7)
    pauses = [draw.uniform(0.0, 0.6) for _ in range(5)]

    counts = kill_while_working(tmp_path, jobs=12, kills=5, seconds=0.15, pauses=pauses)

    assert counts["lost"] == 0
    assert counts["out_of_order"] == 0
    assert counts["unfinished"] == 0
    assert counts["never_ran"] == 0
    assert counts["restarted"] <= 5


def test_a_server_that_is_asked_to_stop_ends_soon_and_goes_on_later(tmp_path: Path) -> None:
    steps = {"class_type": "Steps", "inputs": {"count": 6000, "seconds": 0.01}}
    long = {"1": steps, "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}}}
    with Server(tmp_path) as server:
        server.call("/prompt", {"prompt": long, "prompt_id": "long"})
        server.call("/prompt", {"prompt": work("next", 0), "prompt_id": "next"})

        assert server.end(signal.SIGTERM) == 0
        server.start()
        queue = server.call("/queue")
        waiting = [item[1] for item in queue["queue_running"] + queue["queue_pending"]]
        server.call("/interrupt", {})

    assert waiting == ["long", "next"]


def test_what_a_slow_node_made_is_there_after_a_restart_and_made_again_if_damaged(
    tmp_path: Path,
) -> None:
    prompt = {
        "1": {"class_type": "SlowLatent", "inputs": {"value": 0.5}},
        "2": {"class_type": "Show", "inputs": {"value": ["1", 0]}},
    }

    def run_in_new_process(how: signal.Signals) -> str:
        with Server(tmp_path) as server:
            prompt_id = server.call("/prompt", {"prompt": prompt})["prompt_id"]
            while not (history := server.call(f"/history/{prompt_id}")):
                time.sleep(0.01)
            while not server.call("/api/v1/cache")["disk"]["entries"]:
                time.sleep(0.01)
            server.end(how)
        assert history[prompt_id]["status"]["status_str"] == "success"
        return (tmp_path / "output" / "calls").read_text()

    assert run_in_new_process(signal.SIGKILL) == "0.5 "
    assert run_in_new_process(signal.SIGTERM) == "0.5 "
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert run_in_new_process(signal.SIGTERM) == "0.5 0.5 "


def test_main_py_starts_the_server_as_other_peoples_test_suites_do(tmp_path: Path) -> None:
    command = f"{sys.executable} {ROOT / 'tools' / 'main.py'} --listen 127.0.0.1 --port 0 --cpu"
    command += f" --output-directory {tmp_path / 'out'} --cache-lru 100 --lowvram"
    command += " --quick-test-for-ci"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    done = subprocess.run(
        command.split(), cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )

    assert "http://127.0.0.1:" in done.stdout
    assert "Note: --lowvram changes nothing" in done.stderr
    assert "--cache-lru" not in done.stderr


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    settings = server_settings(tmp_path)
    lock = hold_folder(settings)
    try:
        with pytest.raises(GraphEngineError) as refused:
            hold_folder(settings)
    finally:
        lock.release()

    assert refused.value.code == "already_serving"
    hold_folder(settings).release()


CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBbzCCARWgAwIBAgIUVn7zq3mgRhngjQfUpsvAG/XH2vYwCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBYTAgFw0yNjExMjYyMzEzMzJaGA8yMTI2MTEwMjIzMTMzMlow
DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCROpiUte5aD
koX6gxMZtQdEoySGqw8dPs8ctTwB8faPFOv2OV/NljgZZa8mort1qVEgalJQHe6e
tGdZzMWDfROjUzBRMB0GA1UdDgQWBBRZP5AUtMLHQNsJit7sapvgvMLKqTAfBgNV
HSMEGDAWgBRZP5AUtMLHQNsJit7sapvgvMLKqTAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0gAMEUCIHkqmyjA9mlMJ2WUz42yvTYzP0pyVt8Kbm7TifqEPJCc
AiEA4rcWcsr34GbCikVARVVrwroEOzuXRiZdOX2fEtjkTGo=
-----END CERTIFICATE-----
"""


def test_a_certificate_or_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    here, gone = tmp_path / "here.pem", tmp_path / "gone.pem"
    here.write_text(CERTIFICATE)
    for certificate, key in ((gone, here), (here, gone)):
        settings = ServerSettings(
            base_directory=tmp_path, port=0, tls_certificate=certificate, tls_key=key
        )
        with pytest.raises(GraphEngineError) as caught:
            serve(settings, print, only_start=True)
        assert f"{gone}: No such file or directory. " in caught.value.text()
        assert f"{gone} (No such file or directory)。" in caught.value.text("ja")
