"""The built editor in a real Chromium against the real server with the starter model.

One server and one browser serve all tests of a process; each test has a browser context of its own
and starts without drafts and saved workflows.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from graphengine.jobs import STUCK_AFTER_S
from graphengine.server.editor import INDEX, bundle
from graphengine.server.settings import ServerSettings
from tests.editor.editor import Editor
from tests.server.process import Server

PLUGINS = Path(__file__).parent / "plugins"
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
EXPECT_MS = 20_000
NEEDED = "GRAPHENGINE_TEST_EDITOR"
"""Set to 1, as ./test.sh does, a missing browser or bundle is a failure and no reason to skip."""


def missing(what: str) -> None:
    if os.environ.get(NEEDED) == "1":
        pytest.fail(what)
    pytest.skip(what)


def refused(said: ConsoleMessage) -> list[str]:
    """What the page's policy did not let it do."""
    return [said.text] if "Content Security Policy" in said.text else []


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    """A loaded machine is slow; what happens at all happens within this time."""
    expect.set_options(timeout=EXPECT_MS)


@pytest.fixture(scope="session")
def chromium() -> str:
    installed = next(filter(None, map(shutil.which, NAMES)), "")
    found = os.environ.get("GRAPHENGINE_CHROMIUM") or installed
    if not found:
        missing("Chromium is not installed; ./test.sh installs it")
    if not (bundle(ServerSettings()) / INDEX).is_file():
        missing("the editor is not built; ./run.sh builds it")
    return found


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("editor")
    with Server(base, plugins=PLUGINS) as running:
        yield running


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(chromium: str, playwright: Playwright) -> Iterator[Browser]:
    launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
    yield launched
    launched.close()


@pytest.fixture
def no_jobs_left(server: Server) -> Iterator[None]:
    """What a test has queued ends with it, so that one that fails does not fail those after it."""
    yield
    for job in server.call("/api/v1/jobs")["jobs"]:
        if not job["finished"]:
            server.call(f"/api/v1/jobs/{job['id']}", method="DELETE")
    stuck_at = time.monotonic() + STUCK_AFTER_S
    while running := server.call("/api/v1/queue")["running"]:
        time.sleep(0.05)
        if time.monotonic() > stuck_at:
            end_the_stuck_one(server, running[0])


def end_the_stuck_one(server: Server, job_id: str) -> None:
    """Have the server start again without this job."""
    before = server.pid
    with contextlib.suppress(HTTPError):  # it ended just now, or does so within a moment
        server.call(f"/api/v1/jobs/{job_id}/kill", method="POST")
        while server.pid == before:
            time.sleep(0.05)


@pytest.fixture
def context(browser: Browser, server: Server, no_jobs_left: None) -> Iterator[BrowserContext]:
    for kept in ("drafts", "workflows", "workflow_versions"):
        shutil.rmtree(server.base / "user" / "default" / kept, ignore_errors=True)
    made = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    made.set_default_timeout(20_000)
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    yield made
    made.close()


@pytest.fixture
def open_editor(context: BrowserContext, server: Server) -> Iterator[Callable[..., Editor]]:
    """Opens the editor in a new page; afterwards no page may have thrown or broken the policy."""
    wrong: list[str] = []

    def opened(path: str = "/", *, page: Page | None = None) -> Editor:
        page = page or context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.extend(refused(said)))
        editor = Editor(page, server.url)
        editor.go(path)
        return editor

    yield opened
    assert wrong == []


@pytest.fixture
def editor(open_editor: Callable[..., Editor]) -> Editor:
    return open_editor()
