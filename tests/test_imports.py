"""Who may import whom, and that nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "graphengine"
NODE_FILES = sorted(ROOT.glob("nodes/**/*.py"))
HEAVY = {"torch", "diffusers", "transformers", "networkx", "numpy", "scipy", "PIL", "aiohttp"}
SLOW = {*HEAVY, "asyncio", "sqlalchemy", "alembic", "rich", "email.parser", "ssl"}
"""What starting, checking and listing have no use for."""

# What stands on the left never imports what stands on the right, not even by way of others.
CHAINS = [
    ("errors", "sockets", "parameters", "spec", "node", "api"),
    ("spec", "registry", "engine"),
    ("workflow", "graph", "plan", "executor", "engine"),
    ("fingerprint", "cache", "executor", "engine"),
    ("events", "context", "executor", "run_display", "cli"),
    ("folders", "settings", "engine", "cli"),
    ("job", "store", "jobs", "worker", "server", "cli"),
    ("engine", "worker", "server", "cli"),
    ("workflow", "comfy", "opening", "cli"),
]


def imports(path: Path, *, inside_functions: bool = True) -> Iterator[str]:
    """The modules that a file imports at run time, so not those for type checkers only."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, ast.If) and "TYPE_CHECKING" in ast.unparse(entry.test):
            continue
        if isinstance(entry, ast.FunctionDef | ast.AsyncFunctionDef) and not inside_functions:
            continue
        if isinstance(entry, ast.Import):
            yield from (alias.name for alias in entry.names)
        elif isinstance(entry, ast.ImportFrom):
            yield from _imported_from(entry)
        waiting.extend(ast.iter_child_nodes(entry))


def _imported_from(entry: ast.ImportFrom) -> Iterator[str]:
    """``from graphengine import calls`` names the module ``graphengine.calls``."""
    module = entry.module or ""
    for alias in entry.names:
        path = ROOT.joinpath(*module.split("."), alias.name)
        is_module = path.with_suffix(".py").is_file() or path.is_dir()
        yield f"{module}.{alias.name}" if is_module else module


def files_of(module: str) -> list[Path]:
    """The file of a module right below graphengine, or all files of a package there."""
    file = PACKAGE / f"{module}.py"
    return [file] if file.is_file() else list((PACKAGE / module).rglob("*.py"))


@cache
def own_imports(module: str) -> frozenset[str]:
    """The modules right below graphengine that one of them imports."""
    names = (name.split(".") for path in files_of(module) for name in imports(path))
    own = {parts[1] for parts in names if parts[0] == "graphengine" and len(parts) > 1}
    return frozenset(own - {module})


def reachable(module: str) -> set[str]:
    """The modules right below graphengine that one of them imports, by way of others too."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        more = own_imports(waiting.pop()) - found
        found |= more
        waiting += more
    return found


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
def test_imports_go_one_way(chain: tuple[str, ...]) -> None:
    for place, module in enumerate(chain):
        assert files_of(module), module
        assert not reachable(module) & set(chain[place + 1 :]), module


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("diffusion/**/*.py")), ids=lambda p: p.stem)
def test_the_torch_layer_knows_only_errors_and_sockets(path: Path) -> None:
    own = {name for name in imports(path) if name.split(".")[0] == "graphengine"}
    allowed = {"graphengine.errors", "graphengine.sockets"}

    assert {name for name in own - allowed if not name.startswith("graphengine.diffusion")} == set()


@pytest.mark.parametrize("path", NODE_FILES, ids=lambda path: path.stem)
def test_a_node_file_imports_the_api_at_the_top_and_torch_in_bodies(path: Path) -> None:
    top = set(imports(path, inside_functions=False))
    everywhere = set(imports(path))
    own = {name for name in everywhere - top if name.startswith("graphengine")}

    assert {name for name in top if name.startswith("graphengine")} == {"graphengine.api"}
    assert not {name.split(".")[0] for name in top} & HEAVY
    assert {name for name in own if not name.startswith("graphengine.diffusion")} == set()


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_heavy_is_imported_at_the_top_of_the_engine(path: Path) -> None:
    top = {name.split(".")[0] for name in imports(path, inside_functions=False)}

    assert not top & HEAVY


@pytest.mark.parametrize(
    "code",
    [
        "import graphengine.cli",
        "run('validate', 'workflows/text_to_image.json')",
        "run('nodes')",
        "run('nodes', '--json')",
    ],
)
def test_the_command_line_imports_nothing_slow(code: str) -> None:
    script = f"""
import sys
def run(*args):
    from graphengine.cli import main
    sys.argv[1:] = args
    try:
        main()
    except SystemExit as end:
        assert end.code in (0, 1), end.code
{code}
"""

    assert imported_by(script) & SLOW == set()


def test_the_engine_imports_nothing_heavy_until_a_node_needs_it() -> None:
    assert imported_by("import graphengine.engine") & HEAVY == set()


def imported_by(script: str) -> set[str]:
    """The modules that a script has imported when it is done, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}\nprint(*sys.modules, file=sys.stderr)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())
