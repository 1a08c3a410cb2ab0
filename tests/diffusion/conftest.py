"""Tiny models shared by the tests of sampling."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.residency import ModelStore
from graphengine.sockets import Condition, Conditioning, Model
from tests.diffusion.tiny_models import make_checkpoint


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tiny networks run faster on one thread, and much faster on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_store() -> ModelStore:
    return ModelStore("cpu", budget_bytes=1 << 30)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    """A tiny model of a family, made once per test session."""
    made: dict[str, Model] = {}
    folder = tmp_path_factory.mktemp("tiny")

    def model(family: str) -> Model:
        if family not in made:
            path = make_checkpoint(folder / f"{family}.safetensors", family=family)
            made[family] = load_checkpoint(path)[0]
        return made[family]

    return model


@pytest.fixture
def words() -> Callable[..., Conditioning]:
    """A conditioning of random numbers: words(seed, width=64, tokens=77, **fields)."""

    def conditioning(seed: int, *, width: int = 64, tokens: int = 77, **fields: object):
        generator = torch.Generator().manual_seed(seed)
        embedding = torch.randn(1, tokens, width, generator=generator)
        return Conditioning((Condition(embedding, **fields),))

    return conditioning
