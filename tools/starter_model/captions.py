"""Captions as token ids, over the few words that the captions use.

The text encoder trains on a small table: row 0 stands for every word that no caption uses and
stays zero, the others are the words of CLIP's vocabulary that occur. `export.py` spreads the rows
over CLIP's whole table.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from random import Random

import scenes
import torch
from torch import Tensor

from graphengine.diffusion.tokenizer import END, START, token_ids

TOKENS = 77
UNKNOWN = 0


@cache
def known_ids() -> tuple[int, ...]:
    """The ids of CLIP's vocabulary that occur in captions, ascending; row i + 1 is entry i."""
    rng = Random("vocabulary")
    found = {START, END}
    for _ in range(20_000):
        found.update(token_ids(scenes.caption(scenes.training_scene(rng), rng).text))
    return tuple(sorted(found))


def rows(texts: Iterable[str], length: int = TOKENS) -> Tensor:
    """Rows of the small table for each text: [N, length] int64, ended and padded as CLIP does."""
    return torch.tensor([_pad(_row_ids(text), length) for text in texts])


def rows_with_strange_words(texts: Iterable[str], length: int, rng: Random) -> Tensor:
    """As `rows`, with unknown words put at random places."""
    result = []
    for text in texts:
        ids = _row_ids(text)
        for _ in range(rng.randint(1, 4)):
            ids.insert(rng.randint(0, len(ids)), UNKNOWN)
        result.append(_pad(ids, length))
    return torch.tensor(result)


@cache
def _row_of() -> dict[int, int]:
    return {token: row + 1 for row, token in enumerate(known_ids())}


def _row_ids(text: str) -> list[int]:
    return [_row_of().get(token, UNKNOWN) for token in token_ids(text)]


def _pad(ids: list[int], length: int) -> list[int]:
    start, end = _row_of()[START], _row_of()[END]
    ids = [start, *ids[: length - 2], end]
    return ids + [end] * (length - len(ids))
