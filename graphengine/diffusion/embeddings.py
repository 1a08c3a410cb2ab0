"""Textual inversions: learned vectors that stand in a token's place (Gal et al. 2022).

Gal et al., An Image is Worth One Word, arXiv:2208.01618. Read are all layouts that training
programs have written:

==========================================  ===============================================
``{"string_to_param": {"*": [n, D]}}``      AUTOMATIC1111, the paper's code (``.pt``)
``{"<token>": [D] or [n, D]}``              diffusers (``learned_embeds.bin``, safetensors)
``{"emb_params": [n, D]}``                  safetensors of many trainers
``{"clip_l": [n, D], "clip_g": [n, E]}``    SDXL: one tensor for each text encoder
``{"bundle_emb.name.…": [n, D]}``           embeddings bundled with a LoRA
``[{…: [n, D]}, …]``                        lists of any of them
==========================================  ===============================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from graphengine.diffusion.files import read_stored
from graphengine.diffusion.tokenizer import TextKind
from graphengine.errors import ModelFileError
from graphengine.sockets import FileRef

_BUNDLE = "bundle_emb."
_OF_NETWORKS = (".weight", ".bias", ".alpha")
"""Ends of keys in checkpoints and LoRA files, which people put into the wrong folder."""


def read_embedding(file: FileRef, *, kind: TextKind, width: int) -> Tensor:
    """The vectors of a textual-inversion file for one kind of text encoder: [n, D] float32.

    ``width`` chooses among several tensors; the result may still be of another width, if the
    file was trained for another kind of model. Raises ModelFileError for a file that is missing,
    damaged, unsafe (a pickle that wants more than tensors) or without vectors.
    """
    # nn.ParameterDict is what the paper's own code saves.
    stored = read_stored(file, allowed=(nn.ParameterDict,))
    found = [_rows(tensor) for tensor in _chosen(stored, kind, width)]
    if not found:
        raise ModelFileError("embedding_has_no_vectors", path=file.path)
    return torch.cat(found)


def _chosen(stored: Any, kind: TextKind, width: int) -> list[Tensor]:
    """The tensors whose rows, one below the other, are the embedding."""
    if isinstance(stored, list | tuple):
        fitting = (tensor for tensor in _all_tensors(stored) if tensor.shape[-1] == width)
        return list(fitting) or _all_tensors(stored)[:1]
    if not isinstance(stored, Mapping):
        return _all_tensors([stored])[:1]
    if "string_to_param" in stored:
        return _all_tensors([stored["string_to_param"]])[:1]
    if kind in stored:
        return _all_tensors([stored[kind]])[:1]
    if bundled := _bundled(stored, kind):
        return bundled
    of_network = any(str(key).endswith(_OF_NETWORKS) for key in stored)
    return [] if of_network else _all_tensors([stored])[:1]


def _bundled(stored: Mapping[str, Any], kind: TextKind) -> list[Tensor]:
    """The first embedding bundled with a LoRA: the kind's own tensor, or the only one."""
    bundled = {key: value for key, value in stored.items() if str(key).startswith(_BUNDLE)}
    own = [value for key, value in bundled.items() if key.endswith(f".{kind}")]
    return _all_tensors(own or bundled.values())[:1]


def _all_tensors(values: Iterable[Any]) -> list[Tensor]:
    """All vectors [D] and stacks of vectors [n, D] in nested dicts and lists, in order."""
    found = []
    todo = [*values][::-1]
    while todo:
        value = todo.pop()
        if isinstance(value, Tensor) and value.ndim in (1, 2) and value.is_floating_point():
            found.append(value)
        elif isinstance(value, Mapping | nn.ParameterDict):
            todo.extend([*value.values()][::-1])
        elif isinstance(value, list | tuple):
            todo.extend([*value][::-1])
    return found


def _rows(tensor: Tensor) -> Tensor:
    return tensor.detach().float().reshape(-1, tensor.shape[-1])
