"""Latents in files, as ComfyUI writes and reads them: safetensors named ``.latent``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from graphengine.diffusion.files import open_tensors
from graphengine.diffusion.images import whole_file
from graphengine.diffusion.saving import choose_target
from graphengine.sockets import Latent

_SAMPLES = "latent_tensor"
# Its presence says that the latent is as the VAE made it; older files hold it scaled for SD 1.x.
_VERSION = "latent_format_version_0"
_OLD_SCALE = 0.18215


def save_latent(
    latent: Latent, folder: Path, prefix: str, *, metadata: Mapping[str, Any] | None = None
) -> tuple[str, str]:
    """Write the batch into one file; its name and sub-folder.

    ``prefix`` as in `saving.save_pictures`; ``metadata`` becomes JSON texts in the file's header.
    Masks and noise indices are not kept. Raises InputError as `save_pictures` does.
    """
    height, width = latent.samples.shape[-2:]
    target = choose_target(folder, prefix, width=width, height=height)
    name = f"{target.stem}_{target.first:05}_.latent"
    tensors = {_SAMPLES: latent.samples.contiguous().cpu(), _VERSION: torch.tensor([])}
    header = {key: json.dumps(value) for key, value in (metadata or {}).items()}
    with whole_file(target.folder / name) as file:
        file.write(save(tensors, metadata=header))
    return name, target.subfolder


def load_latent(path: Path) -> Latent:
    """The batch in a file, float32; raises ModelFileError if it is none or damaged."""
    file = open_tensors(path)
    samples = file.tensor(_SAMPLES).float()
    return Latent(samples if _VERSION in file else samples / _OLD_SCALE)
