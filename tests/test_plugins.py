"""Plugins: found in folders and packages, trusted by what they hold, loaded as a snapshot."""

from __future__ import annotations

import gc
import sys
from importlib import metadata
from pathlib import Path
from textwrap import dedent

import pytest

from graphengine.engine import Engine
from graphengine.errors import GraphEngineError
from graphengine.folders import Folders
from graphengine.plugins.decisions import Decisions, load_decisions, save_decisions
from graphengine.plugins.source import PluginFolders, find_sources, source_at
from graphengine.registry import Registry, load_registry
from graphengine.spec import NodeSpec
from graphengine.workflow import parse_api

PACKAGE = "plugins_test"
GOOD = """
    from graphengine.api import node

    @node("{id}", title="A node")
    def body(x: int) -> int:
        return x + 1
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


def load(folder: Path, before: Registry | None = None) -> Registry:
    """The plugins of a folder, without the built-in nodes."""
    return load_registry(PluginFolders(trusted=(folder,)), before=before or Registry())


def spec_of(registry: Registry, node_id: str) -> NodeSpec:
    spec = registry.get(node_id)
    assert spec is not None
    return spec


def test_every_file_and_package_of_a_folder_is_loaded(tmp_path: Path) -> None:
    write(tmp_path / "one.py", GOOD.format(id="One"))
    write(tmp_path / "pack" / "__init__.py", GOOD.format(id="Two"))
    write(tmp_path / "pack" / "deep" / "three.py", GOOD.format(id="Three"))

    registry = load(tmp_path)

    assert registry.failures == ()
    assert registry.ids() == ("One", "Three", "Two")
    spec = registry.get("One")
    assert spec is not None
    assert spec.function(x=1) == 2
    assert spec.origin.package == "graphengine_plugins.one"
    assert spec.origin.file == str(tmp_path / "one.py")
    assert spec.origin.line == 4


def test_hidden_private_and_disabled_entries_are_left_out(tmp_path: Path) -> None:
    for name in ("_private.py", ".hidden.py", "pack.disabled/__init__.py", "pack/_inner.py"):
        write(tmp_path / name, GOOD.format(id=name))
    write(tmp_path / "pack" / "__init__.py", "")
    write(tmp_path / "notes.txt", "no Python")

    registry = load(tmp_path)

    assert (registry.ids(), registry.failures) == ((), ())


def test_files_of_a_package_may_import_each_other(tmp_path: Path) -> None:
    write(tmp_path / "pack" / "__init__.py", "")
    write(tmp_path / "pack" / "_shared.py", "STEP = 5")
    write(
        tmp_path / "pack" / "adder.py",
        """
        from graphengine.api import node
        from ._shared import STEP

        @node("Adder")
        def add(x: int) -> int:
            return x + STEP
        """,
    )
    registry = load(tmp_path)

    spec = registry.get("Adder")
    assert spec is not None
    assert spec.function(x=1) == 6


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("\nimport no_such_module_anywhere\n", 2, "no_such_module_anywhere"),
        ("x = 1\ndef broken(:\n", 2, "SyntaxError"),
        ("x = 1\n\n1 / 0\n", 3, "ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_kept_with_line_and_cause(
    tmp_path: Path, text: str, line: int, cause: str
) -> None:
    file = write(tmp_path / "bad.py", text)
    write(tmp_path / "good.py", GOOD.format(id="Good"))

    registry = load(tmp_path)

    (failure,) = registry.failures
    assert (failure.file, failure.line) == (str(file), line)
    assert cause in failure.cause
    assert registry.ids() == ("Good",)
    assert not [name for name in sys.modules if name.startswith("graphengine_plugins.bad")]


def test_a_wrong_signature_costs_only_its_own_node(tmp_path: Path) -> None:
    write(
        tmp_path / "mixed.py",
        """
        from graphengine.api import node

        @node("Wrong")
        def wrong(x) -> int:
            return x

        @node("Right")
        def right(x: int) -> int:
            return x
        """,
    )
    registry = load(tmp_path)

    (failure,) = registry.failures
    assert registry.ids() == ("Right",)
    assert failure.line == 4
    assert '"x"' in failure.cause


def test_an_id_that_is_taken_is_refused_and_says_by_whom(tmp_path: Path) -> None:
    first = write(tmp_path / "a.py", GOOD.format(id="Same"))
    write(tmp_path / "b.py", GOOD.format(id="Same"))

    registry = load(tmp_path)

    spec = registry.get("Same")
    assert spec is not None
    assert spec.origin.file == str(first)
    (failure,) = registry.failures
    assert failure.file == str(tmp_path / "b.py")
    assert '"Same"' in failure.cause
    assert str(first) in failure.cause


def test_imported_nodes_are_not_collected_twice(tmp_path: Path) -> None:
    write(tmp_path / "pack" / "__init__.py", "from .a import body")
    write(tmp_path / "pack" / "a.py", GOOD.format(id="A"))

    registry = load(tmp_path)

    assert registry.ids() == ("A",)
    assert registry.failures == ()


def test_texts_beside_a_file_reach_its_nodes(tmp_path: Path) -> None:
    write(tmp_path / "one.py", GOOD.format(id="One"))
    write(
        tmp_path / "one.ja.toml",
        """
        [One]
        title = "ノード"
        category = "試験"
        search = ["ためし"]
        inputs.x = "数値。"
        outputs.INT = "次の数値。"
        """,
    )
    registry = load(tmp_path)

    spec = registry.get("One")
    assert spec is not None
    texts = spec.text("ja")
    assert (texts.title, texts.category, texts.search) == ("ノード", "試験", ("ためし",))
    assert (texts.inputs["x"], texts.outputs["INT"]) == ("数値。", "次の数値。")


def test_a_text_file_that_is_not_toml_is_a_failure(tmp_path: Path) -> None:
    write(tmp_path / "one.py", GOOD.format(id="One"))
    write(tmp_path / "one.ja.toml", "[One\n")

    registry = load(tmp_path)

    (failure,) = registry.failures
    assert "TOMLDecodeError" in failure.cause


def test_an_edited_file_gives_other_keys(tmp_path: Path) -> None:
    keys = []
    for addend in (1, 2):
        write(tmp_path / "one.py", GOOD.format(id="One").replace("+ 1", f"+ {addend}"))
        keys.append(spec_of(load(tmp_path), "One").key)

    assert keys[0] != keys[1]


def test_installed_packages_name_their_nodes_by_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / f"{PACKAGE}_installed.py", GOOD.format(id="Installed"))
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        metadata.EntryPoint("good", f"{PACKAGE}_installed", "graphengine.nodes"),
        metadata.EntryPoint("bad", "no_such_module_anywhere", "graphengine.nodes"),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points)
    found = {source.name: source.digest for source in find_sources(PluginFolders())}
    file = tmp_path / "plugins.json"
    save_decisions(file, Decisions(found))

    registry = load_registry(PluginFolders(decisions=file), before=Registry())

    assert registry.ids() == ("Installed",)
    (failure,) = registry.failures
    assert failure.package == "bad"
    assert "no_such_module_anywhere" in failure.cause


def test_plugins_are_loaded_after_the_built_in_nodes(tmp_path: Path) -> None:
    write(tmp_path / "one.py", GOOD.format(id="FromAPlugin"))
    write(tmp_path / "two.py", GOOD.format(id="KSampler"))

    registry = load_registry(PluginFolders(trusted=(tmp_path,)))

    assert "FromAPlugin" in registry.ids()
    assert spec_of(registry, "KSampler").origin.package == "graphengine_nodes.ksampler"


# --- what may run ---------------------------------------------------------------------------------


def asking(folder: Path) -> PluginFolders:
    return PluginFolders(asking=(folder / "plugins",), decisions=folder / "user" / "plugins.json")


def states(folders: PluginFolders) -> dict[str, str]:
    registry = load_registry(folders, before=Registry())
    assert set(registry.ids()) == {p.name for p in registry.plugins if p.state == "enabled"}
    return {plugin.name: plugin.state for plugin in registry.plugins}


def test_a_plugin_runs_once_it_is_enabled_and_not_after_a_change(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    text = dedent(GOOD.format(id="one")) + f"open({str(ran)!r}, 'a').close()\n"
    file = write(tmp_path / "plugins" / "one.py", text)
    folders = asking(tmp_path)
    assert folders.decisions is not None

    assert states(folders) == {"one": "new"}
    assert not ran.exists()

    (source,) = find_sources(folders)
    save_decisions(folders.decisions, Decisions().enable("one", source.digest))
    assert states(folders) == {"one": "enabled"}
    assert ran.exists()

    file.write_text(file.read_text() + "\n# changed\n")
    assert states(folders) == {"one": "changed"}

    save_decisions(folders.decisions, load_decisions(folders.decisions).disable("one"))
    assert states(folders) == {"one": "disabled"}


def test_a_folder_that_was_named_is_trusted_also_after_changes(tmp_path: Path) -> None:
    file = write(tmp_path / "plugins" / "one.py", GOOD.format(id="one"))
    folders = PluginFolders(trusted=(tmp_path / "plugins",), decisions=tmp_path / "plugins.json")
    assert folders.decisions is not None

    assert states(folders) == {"one": "enabled"}
    file.write_text(file.read_text() + "\n# changed\n")
    assert states(folders) == {"one": "enabled"}
    save_decisions(folders.decisions, Decisions().disable("one"))
    assert states(folders) == {"one": "disabled"}


def test_every_code_file_of_a_plugin_is_part_of_what_is_trusted(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    write(pack / "__init__.py", "")
    digests = set()
    for name in ("__init__.py", "deep/_inner.py", "web/button.js", "native.so", "plugin.toml"):
        write(pack / name, "# x\n")
        digests.add(digest_of(pack))
    write(pack / "deep" / "_inner.py", "# y\n")
    digests.add(digest_of(pack))
    (pack / "deep" / "_inner.py").rename(pack / "deep" / "_other.py")
    digests.add(digest_of(pack))

    assert len(digests) == 7
    for name in ("settings.json", "weights.bin", "__pycache__/x.py", ".git/hooks.py"):
        write(pack / name, "x")
    assert digest_of(pack) in digests


def digest_of(path: Path) -> str:
    source = source_at(path)
    assert source is not None
    return source.digest


def test_damaged_decisions_are_said_and_enable_nothing(tmp_path: Path) -> None:
    write(tmp_path / "plugins" / "one.py", GOOD.format(id="one"))
    folders = asking(tmp_path)
    write(tmp_path / "user" / "plugins.json", '{"enabled": [')

    with pytest.raises(GraphEngineError) as caught:
        load_registry(folders, before=Registry())

    assert caught.value.code == "plugin_decisions"
    assert str(folders.decisions) in caught.value.text()


# --- snapshots ------------------------------------------------------------------------------------

SHARED = """
    from graphengine.api import node
    from ._shared import STEP

    @node("Adder")
    def add(x: int) -> int:
        from ._late import FACTOR

        return x * FACTOR + STEP
"""


def write_pack(folder: Path, step: int, factor: int) -> None:
    write(folder / "pack" / "__init__.py", "")
    write(folder / "pack" / "adder.py", SHARED)
    write(folder / "pack" / "_shared.py", f"STEP = {step}")
    write(folder / "pack" / "_late.py", f"FACTOR = {factor}")


def test_a_changed_helper_module_changes_results_and_keys_but_not_what_runs(tmp_path: Path) -> None:
    write_pack(tmp_path, 1, 1)
    old = load(tmp_path)
    write_pack(tmp_path, 2, 3)
    new = load(tmp_path, old)
    before, after = spec_of(old, "Adder"), spec_of(new, "Adder")

    assert before.key != after.key
    assert (before.function(x=10), after.function(x=10)) == (11, 32)
    assert (before.function(x=10), after.function(x=10)) == (11, 32)


def test_an_unchanged_plugin_is_not_imported_again(tmp_path: Path) -> None:
    write(tmp_path / "one.py", GOOD.format(id="One"))
    write(tmp_path / "two.py", GOOD.format(id="Two"))
    old = load(tmp_path)
    write(tmp_path / "two.py", GOOD.format(id="Three"))
    new = load(tmp_path, old)

    assert new.ids() == ("One", "Three")
    assert spec_of(new, "One").function is spec_of(old, "One").function


def test_a_plugin_that_nobody_uses_any_more_leaves_no_modules(tmp_path: Path) -> None:
    write_pack(tmp_path, 0, 1)
    registry = load(tmp_path)
    for step in range(1, 20):
        write_pack(tmp_path, step, 1)
        registry = load(tmp_path, registry)
    assert spec_of(registry, "Adder").function(x=0) == 19
    gc.collect()
    loaded = {name for name in sys.modules if name.startswith("graphengine_plugins.pack")}

    assert len({name.split(".")[1] for name in loaded}) == 1
    del registry
    gc.collect()
    assert not [name for name in sys.modules if name.startswith("graphengine_plugins.pack")]


def test_results_of_old_code_do_not_keep_it_alive(tmp_path: Path) -> None:
    text = """
        from dataclasses import dataclass
        from graphengine.api import node, socket

        @socket("NUMBER")
        @dataclass(frozen=True)
        class Number:
            value: int

        @node("Make")
        def make(x: int) -> Number:
            return Number(x)
    """
    folders = PluginFolders(trusted=(tmp_path / "plugins",))
    places = Folders(*(tmp_path / name for name in ("input", "output", "temp", "user")), models={})
    engine = Engine(Registry(), places, plugin_folders=folders)
    workflow = parse_api({"1": {"class_type": "Make", "inputs": {"x": 1}}})
    for step in range(5):
        write(tmp_path / "plugins" / "one.py", dedent(text) + f"# {step}\n")
        engine.reload_plugins()
        engine.run(workflow, targets=("1",)).raise_for_status()

    assert engine.cache.statistics().entries == 1
    gc.collect()
    assert len([name for name in sys.modules if name.startswith("graphengine_plugins.one_")]) == 1


# --- packages and manifests -----------------------------------------------------------------------

PROJECT = """
    [project]
    name = "adding"
    version = "1.2"
    description = "Adds."
    dependencies = ["numpy"]

    [project.entry-points."graphengine.nodes"]
    adding = "adding"

    [tool.graphengine.plugin]
    capabilities = ["network"]
"""


def test_a_project_folder_is_the_package_that_its_entry_point_names(tmp_path: Path) -> None:
    for layout in ("flat", "src/flat"):
        base = tmp_path / layout.replace("/", "_")
        project = base / "project"
        package = project / layout.replace("flat", "adding")
        write(project / "pyproject.toml", PROJECT)
        write(project / "tests" / "test_adding.py", "1 / 0")
        write(package / "__init__.py", "")
        write(package / "nodes.py", GOOD.format(id="Add"))
        write(package / "web" / "add.js", "")
        write(package / "workflows" / "example.json", "{}")

        registry = load(base)

        (plugin,) = registry.plugins
        assert (registry.failures, registry.ids()) == ((), ("Add",))
        assert (plugin.name, plugin.manifest.name, plugin.manifest.version) == (
            "project",
            "adding",
            "1.2",
        )
        assert plugin.manifest.capabilities == ("network",)
        assert plugin.manifest.dependencies == ("numpy",)
        assert plugin.web == package / "web"
        assert [path.name for path in plugin.workflows] == ["example.json"]


def test_a_manifest_that_cannot_be_used_is_said_and_nothing_runs(tmp_path: Path) -> None:
    write(tmp_path / "pack" / "__init__.py", GOOD.format(id="One"))
    write(tmp_path / "pack" / "plugin.toml", 'capabilities = ["everything"]')

    registry = load(tmp_path)

    (failure,) = registry.failures
    assert registry.ids() == ()
    assert "capabilities.0" in failure.cause
    assert str(tmp_path / "pack" / "plugin.toml") in failure.cause


def test_two_plugins_of_one_name_are_not_both_loaded(tmp_path: Path) -> None:
    write(tmp_path / "a" / "one.py", GOOD.format(id="One"))
    write(tmp_path / "b" / "one.py", GOOD.format(id="Two"))

    registry = load_registry(
        PluginFolders(trusted=(tmp_path / "a", tmp_path / "b")), before=Registry()
    )

    assert registry.ids() == ("One",)
    (failure,) = registry.failures
    assert (failure.file, "a/one.py" in failure.cause) == (str(tmp_path / "b" / "one.py"), True)
    assert failure.causes["ja"].startswith("同じ名前のプラグイン「one」がすでにあります")


def test_a_named_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    (failure,) = load_registry(PluginFolders(trusted=(gone,)), before=Registry()).failures
    assert (failure.file, failure.cause) == (str(gone), "There is no such folder.")
    assert failure.causes["ja"] == "このフォルダーはありません。"
    assert load_registry(PluginFolders(asking=(gone,)), before=Registry()).failures == ()
