"""Named things in given places: conditions that say so, and UNets that can be told.

Li et al. 2023 (arXiv:2301.07093), from boxes and names; see `gligen` for the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from graphengine.diffusion.conditions import Objects
from graphengine.diffusion.files import open_tensors
from graphengine.diffusion.gligen import GligenNetwork, open_gligen
from graphengine.diffusion.keys import unet_table
from graphengine.diffusion.layouts import read_unet_layout
from graphengine.diffusion.residency import ModelStore, Recipe
from graphengine.errors import InputError
from graphengine.sockets import Area, Condition, Conditioning, Gligen, Model

EXTRA = "gligen"
"""Where `Condition.extra` holds what lies where, a `Placed`."""

# So many things GLIGEN was trained to place at most.
SLOTS = 30


@dataclass(frozen=True, eq=False)
class Thing:
    """What lies in a place. ``name``: the pooled state of its name, [1, P]. ``area``: where."""

    name: Tensor
    area: Area


@dataclass(frozen=True)
class Placed:
    """Things in their places, for the layers that were loaded from ``gligen``."""

    gligen: Gligen
    things: tuple[Thing, ...]


def place_thing(
    conditioning: Conditioning, gligen: Gligen, name: Tensor | None, area: Area
) -> Conditioning:
    """The conditioning with one more named thing in a place, in latent pixels.

    ``name``: the pooled state of its name, [1, P]. Raises InputError if there is none, or no slot
    left.
    """
    if name is None:
        raise InputError("gligen_no_name")
    thing = Thing(name, area)
    return Conditioning(
        tuple(_with_thing(condition, gligen, thing) for condition in conditioning.conditions)
    )


def _with_thing(condition: Condition, gligen: Gligen, thing: Thing) -> Condition:
    placed: Placed | None = condition.extra.get(EXTRA)
    things = (*(placed.things if placed is not None else ()), thing)
    if len(things) > SLOTS:
        raise InputError("gligen_too_many", most=SLOTS)
    return replace(condition, extra={**condition.extra, EXTRA: Placed(gligen, things)})


@dataclass(frozen=True, eq=False)
class Grounding:
    """GLIGEN's layers, ready to be used with a UNet; without a network it does nothing."""

    model: Model
    unet: nn.Module
    network: GligenNetwork | None = None
    gligen: Gligen | None = None

    @torch.no_grad()
    def objects_of(self, condition: Condition, height: int, width: int) -> Objects | None:
        """What a condition says to lie where in a picture of this size, in latent pixels.

        Raises InputError if names were read by a text encoder of another width.
        """
        placed: Placed | None = condition.extra.get(EXTRA)
        if placed is None or self.network is None:
            return None
        like = next(self.network.parameters())
        names = torch.cat([thing.name for thing in placed.things]).to(like)
        expected, got = self.network.layout.name_width, names.shape[1]
        if expected != got:
            raise self._refusal(expected, got)
        boxes = torch.tensor([_box(thing.area, height, width) for thing in placed.things])
        return Objects(self.network.tokens(names, boxes.to(like), slots=SLOTS))

    @contextmanager
    def attached(self) -> Iterator[None]:
        """The UNet with the layers in its blocks, until left.

        Raises InputError if they are those of another UNet.
        """
        if self.network is None:
            yield
            return
        layers = self._layers(self.network)
        # diffusers would make tokens of names and places here; ours are made once, beforehand.
        self.unet.position_net = _Given()
        for block, layer in layers:
            block.fuser = layer
        try:
            yield
        finally:
            del self.unet.position_net
            for block, _ in layers:
                del block.fuser

    def _layers(self, network: GligenNetwork) -> list[tuple[Any, nn.Module]]:
        """Each transformer block of the UNet and its layer."""
        from diffusers.models.attention import BasicTransformerBlock

        weights = self.model.weights
        layout = read_unet_layout(open_tensors(weights.file).under(weights.prefix))
        ldm = unet_table(replace(layout, style="ldm"))
        blocks = {
            f"{name}.fuser": block
            for name, block in self.unet.named_modules()
            if isinstance(block, BasicTransformerBlock)
        }
        return [
            (block, self._layer(network, (name, ldm.source(name).key), block.norm1))
            for name, block in blocks.items()
        ]

    def _layer(self, network: GligenNetwork, names: tuple[str, str], norm: Any) -> nn.Module:
        """The layer of a block, by its name in either layout."""
        layer: Any = network.layer(names[0]) or network.layer(names[1])
        (width,) = norm.normalized_shape
        if layer is None or layer.linear.out_features != width:
            raise self._refusal(0 if layer is None else layer.linear.out_features, width)
        return cast("nn.Module", layer)

    def _refusal(self, expected: int, got: int) -> InputError:
        path = "" if self.gligen is None else self.gligen.weights.file.path
        return InputError("gligen_other_family", path=path, expected=expected, got=got)


class _Given(nn.Module):
    """Stands where diffusers looks for the maker of tokens: they are made already."""

    def forward(self, objs: Tensor) -> Tensor:
        return objs


def open_grounding(
    store: ModelStore, model: Model, unet: nn.Module, conditionings: Sequence[Conditioning]
) -> Grounding:
    """What the conditionings need for their named things; InputError if they need two models."""
    used = {
        condition.extra[EXTRA].gligen
        for conditioning in conditionings
        for condition in conditioning.conditions
        if EXTRA in condition.extra
    }
    if not used:
        return Grounding(model, unet)
    if len(used) > 1:
        raise InputError("gligen_two_models")
    gligen: Gligen = used.pop()
    weights, dtype = gligen.weights, next(unet.parameters()).dtype
    network: Any = store.network(
        Recipe(weights, "gligen", partial(open_gligen, weights), dtype=dtype)
    )
    return Grounding(model, unet, network, gligen)


def _box(area: Area, height: int, width: int) -> list[float]:
    """Left, top, right, bottom in parts of the picture."""
    return [
        area.x / width,
        area.y / height,
        (area.x + area.width) / width,
        (area.y + area.height) / height,
    ]
