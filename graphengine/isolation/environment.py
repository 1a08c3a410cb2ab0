"""A plugin's own virtual environment: its dependencies before those of the engine."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from graphengine.errors import GraphEngineError

_READY = "graphengine-ready"
_LAST_LINES = 5


def environment_python(folder: Path, name: str, dependencies: Sequence[str]) -> Path:
    """The Python of a plugin's environment, which is made unless it is there.

    It lies in ``folder`` under the plugin's name and a hash of what it holds. What it lacks, like
    torch, comes from the engine's own environment. Raises GraphEngineError.
    """
    wanted = "\n".join((sys.version, sys.prefix, *sorted(dependencies)))
    target = folder / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    python = target / "bin" / "python"
    if not (target / _READY).is_file():
        shutil.rmtree(target, ignore_errors=True)
        _run(name, [sys.executable, "-m", "venv", "--without-pip", str(target)])
        if dependencies:
            pip = [sys.executable, "-m", "pip", "--python", str(python), "--no-input"]
            _run(name, [*pip, "install", "--quiet", *dependencies])
        _fall_back(python)
        (target / _READY).touch()
    return python


def _fall_back(python: Path) -> None:
    """Let the environment find what it lacks in the engine's, after its own packages."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, check=True)
    below = Path(own.stdout.strip()) / "graphengine.pth"
    ours = sysconfig.get_path("purelib")
    package = Path(__file__).parents[2]
    below.write_text(f"import site; site.addsitedir({ours!r})\n{package}\n", encoding="utf-8")


def _run(name: str, command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        cause = " ".join((done.stderr or done.stdout).strip().splitlines()[-_LAST_LINES:])
        raise GraphEngineError("isolated_environment", name=name, cause=cause)
