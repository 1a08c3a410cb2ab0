"""The networks in memory: made from socket values when needed, kept within a budget.

A network is kept under (weights, patches). The least recently used one goes first when room is
needed; one that a running block holds (``ModelStore.hold``) never goes. Patched networks share
every tensor that no patch touches with the network they were made from.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from graphengine.diffusion.devices import (
    choose_device,
    compute_dtype,
    is_out_of_memory,
    memory_budget,
    release_cached,
    storage_dtype,
)
from graphengine.diffusion.networks import assign, open_text_encoder, open_unet, open_vae
from graphengine.diffusion.tiny_vae import open_tiny_vae
from graphengine.errors import InputError, OutOfMemory
from graphengine.sockets import Model, TextEncoder, Vae, WeightPatch, Weights

R = TypeVar("R")
Change = Callable[[Tensor], Tensor]


class TensorPatch(WeightPatch, Protocol):
    """A patch that a store can apply: LoRA, merge, hypernetwork, …

    Frozen and hashable, because patches are part of the key of the patched network.
    """

    def changes(self, network: str, shapes: Mapping[str, torch.Size]) -> Mapping[str, Change]:
        """What becomes of the touched tensors of ``network``; the untouched ones are left out.

        ``network``: "unet", "vae", "clip_l", "clip_g", "clip_h". ``shapes``: the network's keys
        (diffusers' and transformers' names) and shapes. A change maps a float32 tensor on the
        device to a new float32 tensor of the same shape and must not write into its argument.
        """
        ...


@dataclass(frozen=True)
class Recipe:
    """How a network is made: which weights, opened by what, how patched, in which dtype.

    ``network``: its name for patches. ``dtype``: what it computes in; None = by device.
    """

    weights: Weights
    network: str
    open: Callable[[], nn.Module] = field(compare=False)
    patches: tuple[WeightPatch, ...] = ()
    dtype: torch.dtype | None = None


@dataclass(frozen=True)
class Resident:
    """One network in memory. ``own_bytes``: what would become free if it alone went."""

    recipe: Recipe
    size_bytes: int
    own_bytes: int
    held: bool


@dataclass(eq=False)
class _Entry:
    network: nn.Module
    storages: dict[int, int]
    holders: int = 0


class ModelStore:
    """Networks on one device under a memory budget. Safe to use from several threads.

    ``device``: a device's name; None and "auto" mean the best one. ``budget_bytes``: None = most
    of a GPU's free memory, half of the machine's otherwise. ``dtype``: what denoising networks
    compute in; None = by device.
    """

    def __init__(
        self,
        device: torch.device | str | None = None,
        *,
        budget_bytes: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.budget_bytes = memory_budget(self.device) if budget_bytes is None else budget_bytes
        self._dtype = dtype
        self._entries: OrderedDict[Recipe, _Entry] = OrderedDict()
        self._lock = threading.RLock()
        self._held: ContextVar[list[Recipe] | None] = ContextVar("held", default=None)

    def unet(self, model: Model) -> nn.Module:
        """The UNet2DConditionModel of a model with its patches applied, ready to be called."""
        opened = partial(open_unet, model.weights)
        return self.network(Recipe(model.weights, "unet", opened, model.patches, self._dtype))

    def text_encoder(
        self, encoder: TextEncoder, patches: tuple[WeightPatch, ...] = ()
    ) -> nn.Module:
        """The CLIPTextModel of an encoder, computing in float32 with float16-rounded weights.

        Its attribute ``text_projection`` is an ``nn.Linear`` or None.
        """
        opened = partial(open_text_encoder, encoder.weights, encoder.kind)
        return self.network(Recipe(encoder.weights, encoder.kind, opened, patches))

    def vae(self, vae: Vae) -> nn.Module:
        """The AutoencoderKL or TinyVae of a VAE; InputError for pixel space, which has none."""
        if vae.weights is None:
            raise InputError("vae_has_no_network")
        opened: Callable[[], nn.Module] = partial(open_vae, vae.weights)
        name = "vae"
        if vae.encoder is not None:
            scale = vae.family.latent_scale
            opened = partial(open_tiny_vae, vae.encoder, vae.weights, scale)
            # One decoder may go with several encoders.
            name = f"vae with {vae.encoder.file}"
        return self.network(Recipe(vae.weights, name, opened))

    def network(self, recipe: Recipe) -> nn.Module:
        """The network of a recipe: the one in memory, or made now, others making room for it."""
        with self._lock:
            entry = self._entries.get(recipe) or self._retrying(partial(self._make, recipe))
            self._entries.move_to_end(recipe)
            self._note_use(recipe, entry)
            return entry.network

    @contextmanager
    def hold(self) -> Iterator[None]:
        """A block within which every network that it asks for stays in memory."""
        held: list[Recipe] = []
        token = self._held.set(held)
        try:
            yield
        finally:
            self._held.reset(token)
            with self._lock:
                for recipe in held:
                    self._entries[recipe].holders -= 1

    def with_memory(self, work: Callable[[], R]) -> R:
        """What ``work`` returns; if memory runs out, once more with all unused networks gone.

        Networks that ``work`` asks for are held while it runs. Raises OutOfMemory if there is
        no room then either.
        """
        return self._retrying(partial(self._held_call, work))

    def free(self, needed_bytes: int | None = None) -> None:
        """Let networks that nothing holds go, oldest first, until ``needed_bytes`` fit (or all)."""
        with self._lock:
            limit = -1 if needed_bytes is None else self.budget_bytes - needed_bytes
            for recipe in [r for r, entry in self._entries.items() if not entry.holders]:
                if self.used_bytes() <= limit:
                    break
                del self._entries[recipe]
        release_cached(self.device)

    def used_bytes(self) -> int:
        """Bytes of all networks in memory; a tensor that several share counts once."""
        with self._lock:
            return sum(_union(entry.storages for entry in self._entries.values()).values())

    def residents(self) -> tuple[Resident, ...]:
        """Who holds what, least recently used first."""
        with self._lock:
            return tuple(self._resident(recipe) for recipe in self._entries)

    def _resident(self, recipe: Recipe) -> Resident:
        entry = self._entries[recipe]
        others = _union(e.storages for r, e in self._entries.items() if r is not recipe)
        own = sum(size for place, size in entry.storages.items() if place not in others)
        return Resident(recipe, sum(entry.storages.values()), own, entry.holders > 0)

    def _held_call(self, work: Callable[[], R]) -> R:
        with self.hold():
            return work()

    def _note_use(self, recipe: Recipe, entry: _Entry) -> None:
        held = self._held.get()
        if held is not None and recipe not in held:
            entry.holders += 1
            held.append(recipe)

    def _retrying(self, work: Callable[[], R]) -> R:
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Freed outside the handler: the error's traceback keeps the failed work's tensors alive.
        self.free()
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory("out_of_memory", device=str(self.device), cause=error) from error

    def _make(self, recipe: Recipe) -> _Entry:
        network = self._patched(recipe) if recipe.patches else self._loaded(recipe)
        entry = _Entry(network, _storages(network))
        self._entries[recipe] = entry
        return entry

    def _loaded(self, recipe: Recipe) -> nn.Module:
        network = recipe.open()
        state = network.state_dict()
        dtype = self._compute_dtype(recipe, next(iter(state.values())))
        self.free(sum(tensor.numel() for tensor in state.values()) * dtype.itemsize)
        placed = {key: self._place(recipe, tensor, dtype) for key, tensor in state.items()}
        return assign(network, placed).to(self.device)

    def _patched(self, recipe: Recipe) -> nn.Module:
        with self.hold():
            base = self.network(replace(recipe, patches=()))
            state = dict(base.state_dict())
            changes = _changes(recipe, {key: tensor.shape for key, tensor in state.items()})
            self.free(sum(state[key].nbytes for key in changes))
            for key, steps in changes.items():
                state[key] = self._place(recipe, _changed(state[key], steps), state[key].dtype)
            return assign(recipe.open(), state).to(self.device)

    def _place(self, recipe: Recipe, tensor: Tensor, dtype: torch.dtype) -> Tensor:
        rounded = storage_dtype(recipe.weights)
        if rounded is not None:
            tensor = tensor.to(rounded)
        return tensor.to(self.device, dtype)

    def _compute_dtype(self, recipe: Recipe, stored: Tensor) -> torch.dtype:
        if recipe.dtype is not None:
            return recipe.dtype
        return compute_dtype(self.device, recipe.weights.part, stored.dtype)


def _changes(recipe: Recipe, shapes: Mapping[str, torch.Size]) -> dict[str, list[Change]]:
    """The touched keys and what happens to each, in the order of the patches."""
    found: dict[str, list[Change]] = {}
    for patch in recipe.patches:
        # sockets only promise hashability, because they know nothing of tensors.
        changes = cast("TensorPatch", patch).changes(recipe.network, shapes)
        for key, change in changes.items():
            found.setdefault(key, []).append(change)
    return found


def _changed(tensor: Tensor, steps: list[Change]) -> Tensor:
    for change in steps:
        tensor = change(tensor.float())
    return tensor


def _storages(network: nn.Module) -> dict[int, int]:
    tensors = [*network.parameters(), *network.buffers()]
    return {tensor.data_ptr(): tensor.nbytes for tensor in tensors}


def _union(storages: Iterable[Mapping[int, int]]) -> dict[int, int]:
    return {place: size for entry in storages for place, size in entry.items()}
