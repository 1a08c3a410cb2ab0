"""Which number formats go with which device, and what counts as running out of memory."""

from __future__ import annotations

import pytest
import torch

from graphengine.diffusion.devices import (
    best_device,
    choose_device,
    compute_dtype,
    is_out_of_memory,
    memory_budget,
    release_cached,
    storage_dtype,
)
from graphengine.errors import LANGUAGES, InputError
from graphengine.sockets import FileRef, Weights


@pytest.mark.parametrize(
    ("device", "part", "stored", "expected"),
    [
        ("cpu", "unet", torch.float16, torch.float32),
        ("cpu", "vae", torch.bfloat16, torch.float32),
        ("cuda", "unet", torch.float32, torch.float16),
        ("cuda", "unet", torch.bfloat16, torch.bfloat16),
        ("mps", "unet", torch.bfloat16, torch.float16),
        ("cuda", "controlnet", torch.float16, torch.float16),
        ("cuda", "clip", torch.float16, torch.float32),
        ("cuda", "vae", torch.float16, torch.float32),
    ],
)
def test_only_denoising_networks_compute_in_half_precision_and_never_on_a_cpu(
    device: str, part: str, stored: torch.dtype, expected: torch.dtype
) -> None:
    assert compute_dtype(torch.device(device), part, stored) is expected


def test_only_text_encoders_are_rounded_before_use() -> None:
    file = FileRef("x", 1, 1)
    assert storage_dtype(Weights(file, "clip")) is torch.float16
    assert storage_dtype(Weights(file, "unet")) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_every_backends_way_of_running_out_of_memory_is_known(
    error: BaseException, expected: bool
) -> None:
    assert is_out_of_memory(error) is expected


def test_the_budget_of_a_cpu_is_a_part_of_the_machines_memory() -> None:
    budget = memory_budget(torch.device("cpu"))
    assert 1 << 28 < budget < 1 << 46
    release_cached(torch.device("cpu"))


def test_the_best_device_can_hold_a_tensor() -> None:
    assert torch.zeros(1, device=best_device()).sum() == 0


def test_auto_and_nothing_mean_the_best_device() -> None:
    assert choose_device("auto") == choose_device(None) == best_device()
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there_is_told_in_both_languages(name: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_device(name)
    assert caught.value.code == "device_missing"
    assert all(name in caught.value.text(language) for language in LANGUAGES)
