"""Conditioning from prompts, clip skip, and trigger words.

For each encoder: prompt → chunks (prompt.py), with the vectors of textual inversions
(embeddings.py) → states (text_encoder.py); the encoders' states side by side are the
conditioning. Everything follows ComfyUI 0.3, so that equal seeds give equal pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphengine.diffusion.embeddings import read_embedding
from graphengine.diffusion.prompt import (
    CHUNK,
    Chunk,
    EmbeddingRow,
    Token,
    Vocabulary,
    empty_chunk,
    tokenize,
)
from graphengine.diffusion.residency import ModelStore
from graphengine.diffusion.text_encoder import chosen_layer, encode_chunks
from graphengine.diffusion.tokenizer import PAD, TextKind
from graphengine.errors import GraphEngineError, InputError
from graphengine.sockets import Clip, Condition, Conditioning, FileRef, TextEncoder

Resolve = Callable[[str], FileRef | None]
Warn = Callable[[GraphEngineError], None]
Chunks = Mapping[TextKind, tuple[Chunk, ...]]
"""Tokens for each kind of encoder."""

_DEEPEST_LAYER = -24


def encode(
    store: ModelStore,
    clip: Clip | None,
    text: str,
    *,
    resolve_embedding: Resolve | None = None,
    warn: Warn | None = None,
) -> Conditioning:
    """The conditioning of a prompt: one condition, its tensors float32 on the CPU.

    ``embedding``: [1, 77 n, D]; n = number of chunks (of the encoder with fewer, if there are
    two), D = the sum of the encoders' widths. ``pooled``: [1, P], the last encoder's.

    ``resolve_embedding`` finds the file of ``embedding:name``. ``warn`` is told, once each, of
    embeddings that are missing or of another width; they are left out. Raises ModelFileError for
    one that is damaged or unsafe, InputError if there is no text encoder.
    """
    clip = _required(clip)
    texts = [text] * len(clip.encoders)
    return _conditioning(store, clip, texts, _Reading(clip, resolve_embedding, warn))


def chunks_of(
    store: ModelStore, clip: Clip | None, text: str, *, resolve_embedding: Resolve | None = None
) -> Chunks:
    """The tokens of a prompt for each of the encoders, by its kind."""
    clip = _required(clip)
    reading = _Reading(clip, resolve_embedding, None)
    prompts = (
        _prepare(encoder, store.text_encoder(encoder, clip.patches), text, reading)
        for encoder in clip.encoders
    )
    return {prompt.encoder.kind: prompt.chunks for prompt in prompts}


def encode_chunks_by_kind(store: ModelStore, clip: Clip | None, chunks: Chunks) -> Conditioning:
    """As `encode`, of tokens that are there already: for each encoder one chunk or more."""
    clip = _required(clip)
    work = partial(_encode_chunks, store, clip, chunks)
    return Conditioning((store.with_memory(work),))


def encode_by_one(
    store: ModelStore, clip: Clip | None, kind: TextKind, chunks: tuple[Chunk, ...]
) -> tuple[Tensor, Tensor]:
    """What one of the encoders makes of tokens: [1, T, D], and its pooled vector [1, P]."""
    clip = _required(clip)
    encoder = next(each for each in clip.encoders if each.kind == kind)

    @torch.no_grad()
    def work() -> tuple[Tensor, Tensor]:
        prompt = _prompt(encoder, store.text_encoder(encoder, clip.patches), chunks)
        states, pooled = _run(clip, prompt)
        return states.cpu(), pooled.cpu()

    return store.with_memory(work)


@torch.no_grad()
def _encode_chunks(store: ModelStore, clip: Clip, chunks: Chunks) -> Condition:
    return _side_by_side(
        clip,
        [
            _prompt(encoder, store.text_encoder(encoder, clip.patches), chunks[encoder.kind])
            for encoder in clip.encoders
        ],
    )


def encode_sdxl(
    store: ModelStore,
    clip: Clip | None,
    text_g: str,
    *,
    text_l: str,
    size: Mapping[str, float],
    resolve_embedding: Resolve | None = None,
    warn: Warn | None = None,
) -> Conditioning:
    """As `encode`, with one prompt for each of SDXL's encoders, and what ``Condition.size`` says.

    The shorter prompt is filled up with empty chunks. Raises InputError for a CLIP that is not
    SDXL's pair of encoders.
    """
    clip = _required(clip)
    kinds = [encoder.kind for encoder in clip.encoders]
    if kinds != ["clip_l", "clip_g"]:
        raise InputError("clip_is_not_sdxl", got=" + ".join(kinds))
    reading = _Reading(clip, resolve_embedding, warn)
    found = _conditioning(store, clip, [text_l, text_g], reading, fill=True)
    return _with_size(found, size)


def encode_refiner(
    store: ModelStore,
    clip: Clip | None,
    text: str,
    *,
    size: Mapping[str, float],
    resolve_embedding: Resolve | None = None,
    warn: Warn | None = None,
) -> Conditioning:
    """As `encode`, with what ``Condition.size`` says: picture size and aesthetic score."""
    found = encode(store, clip, text, resolve_embedding=resolve_embedding, warn=warn)
    return _with_size(found, size)


def set_last_layer(clip: Clip | None, layer: int) -> Clip:
    """The CLIP stopped after ``layer``: -1 = the last, -2 = one earlier, … -24.

    Raises InputError for any other number.
    """
    if not _DEEPEST_LAYER <= layer <= -1:
        raise InputError("clip_layer_out_of_range", deepest=_DEEPEST_LAYER, got=layer)
    return replace(_required(clip), layer=layer)


def layer_of_clip_skip(clip_skip: int) -> int:
    """The layer of a clip skip as it is counted elsewhere: 1 = the last = -1, 2 = -2, …"""
    return -clip_skip


def add_embedding(clip: Clip | None, trigger: str, file: FileRef) -> Clip:
    """The CLIP with ``trigger`` standing for the vectors of a textual-inversion file.

    `prompt.split_triggers` tells how the word is recognised. Of two files with one trigger the
    one added later is taken. Raises InputError for an empty trigger.
    """
    if not trigger.strip():
        raise InputError("trigger_is_empty")
    clip = _required(clip)
    return replace(clip, embeddings=(*clip.embeddings, (trigger, file)))


def _required(clip: Clip | None) -> Clip:
    """A checkpoint without a text encoder puts None on its link."""
    if clip is None:
        raise InputError("no_clip")
    return clip


@dataclass(frozen=True, eq=False)
class _Reading:
    """How the words of a prompt are understood; tells each thing that is wrong with them once."""

    clip: Clip
    resolve: Resolve | None
    warn: Warn | None
    told: set[str] = field(default_factory=set)

    def vocabulary(self, rows: Callable[[FileRef], int]) -> Vocabulary:
        return Vocabulary(
            find=self.resolve or (lambda _: None),
            rows=rows,
            triggers=dict(self.clip.embeddings),
            missing=lambda name: self.tell(InputError("embedding_not_found", name=name)),
        )

    def tell(self, warning: GraphEngineError) -> None:
        if self.warn is not None and warning.text() not in self.told:
            self.told.add(warning.text())
            self.warn(warning)


@dataclass(frozen=True, eq=False)
class _Prompt:
    """A prompt made ready for one encoder. ``vectors``: each textual-inversion file's, [n, D]."""

    encoder: TextEncoder
    network: Any  # transformers' CLIPTextModel, which is too slow to import for its name alone
    chunks: tuple[Chunk, ...]
    vectors: Callable[[FileRef], Tensor]


def _conditioning(
    store: ModelStore, clip: Clip, texts: Sequence[str], reading: _Reading, *, fill: bool = False
) -> Conditioning:
    work = partial(_encode, store, clip, texts, reading, fill=fill)
    return Conditioning((store.with_memory(work),))


@torch.no_grad()
def _encode(
    store: ModelStore, clip: Clip, texts: Sequence[str], reading: _Reading, *, fill: bool
) -> Condition:
    prompts = [
        _prepare(encoder, store.text_encoder(encoder, clip.patches), text, reading)
        for encoder, text in zip(clip.encoders, texts, strict=True)
    ]
    most = max(len(prompt.chunks) for prompt in prompts)
    return _side_by_side(clip, [_filled(p, most) if fill else p for p in prompts])


def _side_by_side(clip: Clip, prompts: Sequence[_Prompt]) -> Condition:
    """All encoders' states for the length of the shortest, and the last one's pooled."""
    results = [_run(clip, prompt) for prompt in prompts]
    length = min(states.shape[1] for states, _ in results)
    states = torch.cat([states[:, :length].cpu() for states, _ in results], dim=-1)
    return Condition(states, results[-1][1].cpu())


def _prompt(encoder: TextEncoder, network: Any, chunks: tuple[Chunk, ...]) -> _Prompt:
    width = network.config.hidden_size
    vectors = cache(partial(read_embedding, kind=encoder.kind, width=width))
    return _Prompt(encoder, network, chunks, vectors)


def _prepare(encoder: TextEncoder, network: Any, text: str, reading: _Reading) -> _Prompt:
    width = network.config.hidden_size
    plain = _prompt(encoder, network, ())
    vectors = plain.vectors
    vocabulary = reading.vocabulary(lambda file: len(vectors(file)))
    found = tokenize(text, encoder.kind, vocabulary)
    misfits = {file: vectors(file).shape[1] for file in _files(found)}
    misfits = {file: got for file, got in misfits.items() if got != width}
    for file, got in misfits.items():
        reading.tell(_wrong_width(file, encoder, got=got, expected=width))
    chunks = tuple(_without(chunk, misfits, PAD[encoder.kind]) for chunk in found)
    return replace(plain, chunks=chunks)


def _files(chunks: Sequence[Chunk]) -> list[FileRef]:
    rows = [token.id for chunk in chunks for token in chunk if isinstance(token.id, EmbeddingRow)]
    return list(dict.fromkeys(row.file for row in rows))


def _without(chunk: Chunk, files: Mapping[FileRef, int], pad: int) -> Chunk:
    """The chunk without the vectors of ``files``, filled up behind its end.

    They counted when the prompt was cut, so that SDXL's two encoders cut alike.
    """
    kept = [t for t in chunk if not (isinstance(t.id, EmbeddingRow) and t.id.file in files)]
    return (*kept, *[Token(pad)] * (CHUNK - len(kept)))


def _wrong_width(file: FileRef, encoder: TextEncoder, *, got: int, expected: int) -> InputError:
    name = Path(file.path).name
    return InputError(
        "embedding_wrong_width", name=name, kind=encoder.kind, got=got, expected=expected
    )


def _filled(prompt: _Prompt, count: int) -> _Prompt:
    missing = count - len(prompt.chunks)
    return replace(prompt, chunks=(*prompt.chunks, *[empty_chunk(prompt.encoder.kind)] * missing))


def _run(clip: Clip, prompt: _Prompt) -> tuple[Tensor, Tensor]:
    network, kind = prompt.network, prompt.encoder.kind
    layers, normed = chosen_layer(clip, kind, network.config.num_hidden_layers)
    return encode_chunks(network, kind, prompt.chunks, prompt.vectors, layers=layers, normed=normed)


def _with_size(conditioning: Conditioning, size: Mapping[str, float]) -> Conditioning:
    conditions = (replace(condition, size=dict(size)) for condition in conditioning.conditions)
    return Conditioning(tuple(conditions))
