"""Isolated plugins: whatever happens in their process fails one node and nothing else."""

from __future__ import annotations

import gc
import io
import itertools
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch

from graphengine.api import Image, node
from graphengine.context import CancelFlag
from graphengine.engine import Engine, RunResult
from graphengine.errors import NodeFailed
from graphengine.events import NodePreview, NodeProgress, NodeWarning
from graphengine.folders import Folders
from graphengine.isolation.values import Packed, pack, unpack
from graphengine.plugin_tools.same import same
from graphengine.plugins.source import PluginFolders
from graphengine.registry import Registry, load_registry
from graphengine.sockets import Latent
from graphengine.spec import REQUIRED
from graphengine.workflow import parse_api
from tests.toy_engine import n

PLUGIN = """
    import ctypes, os, sys, time
    from dataclasses import dataclass
    from typing import Annotated, NamedTuple

    from graphengine.api import Artifacts, Block, Context, Image, Int, Lazy, node, socket

    @node("Half", title="Half")
    def half(image: Image, times: Annotated[int, Int(ge=1, le=9)] = 1) -> Image:
        "Makes a picture darker."
        return Image(image.pixels * 0.5 ** times)

    @node("Process")
    def process(x: int) -> int:
        return os.getpid()

    @node("Crash")
    def crash(how: str) -> int:
        print("last words", flush=True)
        if how == "segfault":
            ctypes.string_at(0)
        if how == "exit":
            os._exit(7)
        if how == "sys.exit":
            sys.exit(3)
        if how == "error":
            raise ValueError("no such luck")
        while how == "loop":
            pass
        for _ in range(300 if how == "megabytes" else 0):
            print("x" * 10_000)
        return "text" if how == "wrong" else 1

    @socket("PALETTE")
    @dataclass(frozen=True)
    class Palette:
        name: str
        image: Image

    class Two(NamedTuple):
        palette: Palette
        count: int
        shown: Artifacts

    @node("Make")
    def make(image: Image, context: Context) -> Two:
        context.progress(1, 2)
        return Two(Palette("warm", image), 5, Artifacts(texts=("made",)))

    @node("Show")
    def show(side: int, context: Context) -> int:
        import PIL.Image

        context.preview(lambda: PIL.Image.new("RGB", (side, 2), (9, 8, 7)))
        return side

    @node("Use")
    async def use(palette: Palette) -> float:
        return float(palette.image.pixels.sum())

    @node("Pick")
    def pick(first: bool, a: Lazy[int], b: Lazy[int]) -> int:
        return a() if first else b()

    @node("Stop")
    def stop(x: int) -> int:
        return Block("enough")
"""


@node("White")
def white() -> Image:
    """A white picture."""
    return Image(torch.ones(1, 2, 2, 3))


class Isolated:
    """An engine with the plugin above in a process of its own."""

    def __init__(self, base: Path) -> None:
        pack_ = base / "plugins" / "pack"
        pack_.mkdir(parents=True)
        (pack_ / "plugin.toml").write_text("isolated = true")
        (pack_ / "__init__.py").write_text(dedent(PLUGIN))
        self.folders = PluginFolders(
            trusted=(base / "plugins",), decisions=base / "user" / "plugins.json"
        )
        registry = load_registry(self.folders, before=Registry())
        assert registry.failures == ()
        registry.add_functions(white)
        folders = Folders(base / "input", base / "output", base / "temp", base / "user")
        self.engine = Engine(registry, folders, plugin_folders=self.folders)
        self.events: list[Any] = []
        self.numbers = itertools.count()

    def run(self, nodes: dict[str, Any], target: str, **options: Any) -> RunResult:
        self.events.clear()
        return self.engine.run(
            parse_api(nodes), targets=(target,), on_event=self.events.append, **options
        )

    def value(self, nodes: dict[str, Any], target: str = "x") -> Any:
        return self.run(nodes, target).raise_for_status().outputs[target][0]

    def error(self, how: str) -> NodeFailed:
        error = self.run({"x": n("Crash", how=how)}, "x").error
        assert isinstance(error, NodeFailed)
        return error


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isolated]:
    made = Isolated(tmp_path_factory.mktemp("isolated"))
    yield made
    made.engine.registry = Registry()
    gc.collect()


def pid(isolated: Isolated) -> int:
    """The process as it is now; the number makes it a call that is in no cache."""
    return int(isolated.value({"x": n("Process", x=next(isolated.numbers))}))


def test_progress_and_previews_are_seen_while_it_runs(isolated: Isolated) -> None:
    isolated.value({"x": n("Show", side=3)})
    (preview,) = (event for event in isolated.events if isinstance(event, NodePreview))

    assert preview.node_id == "x"
    assert preview.image.size == (3, 2)
    assert preview.image.getpixel((2, 1)) == (9, 8, 7)


LOOPS = """
import sys, threading, time
from pathlib import Path

from graphengine.context import CancelFlag
from graphengine.isolation.process import PluginProcess

process = PluginProcess(Path(sys.executable))
process.ask("load", sys.argv[1], __import__("graphengine.folders", fromlist=["x"]).Folders(
    *(Path(),) * 4))
process.answer(CancelFlag(), 60)
process.ask("call", "Crash", {"how": "loop"}, None)
time.sleep(0.3)
print(process._process.pid, flush=True)
time.sleep(60)
"""


def test_its_endless_loop_does_not_outlive_an_engine_that_is_killed(tmp_path: Path) -> None:
    Isolated(tmp_path)
    command = [sys.executable, "-c", LOOPS, str(tmp_path / "plugins" / "pack")]
    engine = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    child = int(engine.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    engine.kill()
    engine.wait()
    engine.stdout.close()
    until = time.monotonic() + 10
    while Path(f"/proc/{child}/exe").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{child}/exe").exists()


def test_tensors_cross_both_ways_and_specs_are_whole(isolated: Isolated) -> None:
    image = isolated.value({"w": n("White"), "x": n("Half", image=["w", 0], times=2)})
    spec = isolated.engine.registry.get("Half")

    assert torch.equal(image.pixels, torch.full((1, 2, 2, 3), 0.25))
    assert spec is not None
    assert (spec.title, spec.description) == ("Half", "Makes a picture darker.")
    assert spec.inputs[0].default is REQUIRED
    assert (spec.inputs[1].default, spec.inputs[1].widget.le) == (1, 9)  # type: ignore[union-attr]
    assert spec.origin.package == "graphengine_plugins.pack"
    assert len(spec.origin.digest) == 16


def test_it_runs_in_one_other_process(isolated: Isolated) -> None:
    assert pid(isolated) == pid(isolated) != os.getpid()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("segfault", "SIGSEGV"),
        ("exit", "exit status 7"),
        ("sys.exit", "status 3"),
        ("error", "ValueError: no such luck"),
        ("wrong", "expected INT"),
    ],
)
def test_what_happens_in_it_fails_one_node_with_its_cause(
    isolated: Isolated, how: str, words: str
) -> None:
    before = pid(isolated)
    error = isolated.error(how)

    assert error.node_id == "x"
    assert words in error.text("en")
    if how in ("segfault", "exit"):
        assert "last words" in error.text("en")
    again = pid(isolated)
    assert (again != before) == (how in ("segfault", "exit"))


def test_an_endless_loop_is_ended_by_cancelling(isolated: Isolated) -> None:
    before = pid(isolated)
    cancel = CancelFlag()
    threading.Timer(0.5, cancel.set).start()
    result = isolated.run({"x": n("Crash", how="loop")}, "x", cancel=cancel)

    assert result.status == "cancelled"
    assert pid(isolated) != before
    assert gone(before)


def gone(process: int) -> bool:
    for _ in range(200):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_printed_megabytes_are_told(isolated: Isolated) -> None:
    assert isolated.value({"x": n("Crash", how="megabytes")}) == 1

    (warning,) = (event for event in isolated.events if isinstance(event, NodeWarning))
    assert warning.warning.code == "node_printed"
    assert warning.warning.details["characters"] > 3_000_000


def test_own_sockets_artifacts_progress_and_lazy_inputs_work(isolated: Isolated) -> None:
    nodes = {
        "w": n("White"),
        "m": n("Make", image=["w", 0]),
        "u": n("Use", palette=["m", 0]),
        "a": n("Process", x=30),
        "x": n("Pick", first=True, a=["m", 1], b=["a", 0]),
    }
    assert isolated.value(nodes, "u") == 12.0
    assert [event.node_id for event in isolated.events if isinstance(event, NodeProgress)] == ["m"]
    result = isolated.run(nodes, "x").raise_for_status()
    assert result.outputs["x"] == (5,)
    assert result.artifacts["m"].texts == ("made",)
    assert not result.reasons["a"].runs
    blocked = isolated.run({"s": n("Stop", x=1), "x": n("Process", x=["s", 0])}, "x")
    assert blocked.status == "done"


def test_own_values_outlive_the_process(isolated: Isolated) -> None:
    nodes = {"w": n("White"), "m": n("Make", image=["w", 0]), "u": n("Use", palette=["m", 0])}
    isolated.run(nodes, "m")
    isolated.error("exit")

    assert isolated.value(nodes, "u") == 12.0


def test_a_changed_plugin_gets_a_new_process_and_the_old_one_ends(tmp_path: Path) -> None:
    isolated = Isolated(tmp_path)
    before = pid(isolated)
    file = tmp_path / "plugins" / "pack" / "__init__.py"
    file.write_text(file.read_text().replace("os.getpid()", "-os.getpid()"))
    isolated.engine.reload_plugins()
    gc.collect()

    after = pid(isolated)
    assert after < 0
    assert gone(before)
    isolated.engine.registry = Registry()
    gc.collect()
    assert gone(-after)


def test_what_cannot_be_installed_or_imported_is_a_failure_of_the_plugin(tmp_path: Path) -> None:
    for name, manifest, code in (
        ("needs", 'isolated = true\ndependencies = ["./no-such-folder"]', ""),
        ("broken", "isolated = true", "1 / 0"),
        ("dies", "isolated = true", "import os; os._exit(9)"),
    ):
        (tmp_path / "plugins" / name).mkdir(parents=True)
        (tmp_path / "plugins" / name / "plugin.toml").write_text(manifest)
        (tmp_path / "plugins" / name / "__init__.py").write_text(code)

    registry = load_registry(
        PluginFolders(trusted=(tmp_path / "plugins",), decisions=tmp_path / "user" / "p.json"),
        before=Registry(),
    )
    causes = {failure.package.split(".")[-1]: failure.causes for failure in registry.failures}
    japanese = {name: each["ja"] for name, each in causes.items()}
    causes = {name: each["en"] for name, each in causes.items()}

    assert "exit status 9" in causes["dies"]
    assert not japanese["dies"].isascii()
    assert causes["broken"] == japanese["broken"] == "ZeroDivisionError: division by zero"
    assert "no-such-folder" in causes["needs"]


@pytest.mark.parametrize(
    "value",
    [
        Latent(torch.randn(1, 4, 2, 2).to(torch.bfloat16), batch_index=(1, 2)),
        {"a": [1, 2.5, None, True, "テ", b"x", (1,), {1, 2}]},
        REQUIRED,
        torch.empty(0, 3),
        torch.tensor(5),
    ],
)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert same(unpack(pack(value), own_classes=False), value)


class Evil:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/graphengine-evil",)


@pytest.mark.parametrize("value", [Evil(), eval, io.BytesIO])
def test_nothing_but_values_is_made_of_what_a_plugin_sends(value: Any) -> None:
    with pytest.raises(pickle.UnpicklingError):
        unpack(Packed(pickle.dumps(value), ()), own_classes=False)
