from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphengine.api import Context, Folders
from graphengine.context import CancelFlag, Surroundings
from graphengine.diffusion.residency import ModelStore
from graphengine.events import Event
from graphengine.folders import model_folders
from graphengine.registry import Registry, load_registry


@pytest.fixture(scope="session")
def builtins() -> Registry:
    """All built-in nodes."""
    return load_registry()


@pytest.fixture(scope="session")
def call(builtins: Registry) -> Callable[..., Any]:
    """Calls a built-in node's function by the node's id."""

    def run(node_id: str, /, **inputs: Any) -> Any:
        spec = builtins.get(node_id)
        assert spec is not None, node_id
        return spec.function(**inputs)

    return run


@pytest.fixture(scope="session")
def store() -> ModelStore:
    """Networks on the CPU."""
    return ModelStore("cpu")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Empty folders of this test's own."""
    own = [tmp_path / name for name in ("input", "output", "temp", "user")]
    for folder in own:
        folder.mkdir()
    return Folders(*own, models=model_folders(tmp_path / "models"))


@pytest.fixture
def events() -> list[Event]:
    """What the node under test has told."""
    return []


@pytest.fixture
def context(folders: Folders, store: ModelStore, events: list[Event]) -> Context:
    """What node 1, a SaveImage, gets from a run."""
    surroundings = Surroundings(
        folders,
        lambda: store,
        events.append,
        CancelFlag(),
        make_prompt=lambda: {"1": {"class_type": "SaveImage", "inputs": {}}},
        pnginfo={"workflow": {"nodes": [1]}},
    )
    return Context("1", "Save Image", surroundings)
