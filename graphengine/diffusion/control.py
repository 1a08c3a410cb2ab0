"""Steering by pictures: control files as socket values, and control networks during sampling."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from graphengine.diffusion import control_lora, controlnet, t2i_adapter
from graphengine.diffusion.architectures import prefix_of, prompt_width, refuse
from graphengine.diffusion.conditions import Control, OpenControl, Residuals
from graphengine.diffusion.controlnet_union import choose_kind
from graphengine.diffusion.denoiser import to_batch
from graphengine.diffusion.files import TensorFile, open_tensors
from graphengine.diffusion.networks import twin
from graphengine.diffusion.residency import ModelStore, Recipe
from graphengine.diffusion.resize import resize
from graphengine.errors import InputError, ModelFileError
from graphengine.sockets import (
    Condition,
    Conditioning,
    ControlApplication,
    ControlNet,
    Image,
    Model,
    UnionKind,
    WeightPatch,
    Weights,
)

# In files whose tensors are differences to those of a model: an empty tensor of this name.
DIFFERENCE_MARK = "difference"
# ControlNet 1.1's shuffle model is told by its name: its tensors are like those of the others.
_POOLED = re.compile(r"_shuffle(_fp16)?$")
# Picture pixels to a latent pixel.
LATENT_SCALE = 8


# --- files ---


def load_control_file(path: str | Path, model: Model | None = None) -> ControlNet:
    """The ControlNet or T2I adapter in a file, in any of the layouts in use.

    ``model``: whose weights are added where the file holds only the differences to a model's.
    Raises ModelFileError for another kind of file, and for differences without a model.
    """
    tensors = open_tensors(path)
    prefix = prefix_of(tensors, controlnet.PREFIXES, controlnet.MARKS)
    if prefix is not None:
        return _controlnet(tensors, prefix, model)
    prefix = prefix_of(tensors, t2i_adapter.PREFIXES, t2i_adapter.MARKS)
    if prefix is None:
        raise refuse(tensors, wanted="ControlNet")
    t2i_adapter.read_adapter_layout(tensors.under(prefix))
    return ControlNet(Weights(tensors.ref, "controlnet", prefix), "t2i_adapter")


def _controlnet(tensors: TensorFile, prefix: str, model: Model | None) -> ControlNet:
    part = tensors.under(prefix)
    kind: Literal["controlnet", "control_lora"] = "controlnet"
    if control_lora.MARK in part:
        part, kind = control_lora.with_products(part), "control_lora"
    layout = controlnet.read_controlnet_layout(part)
    patches: tuple[WeightPatch, ...] = ()
    if DIFFERENCE_MARK in tensors:
        if model is None:
            raise ModelFileError("controlnet_is_difference", path=tensors.ref.path)
        patches = (AddModelWeights(model.weights, model.patches),)
    return ControlNet(
        Weights(tensors.ref, "controlnet", prefix),
        kind,
        patches=patches,
        context_width=layout.encoder.context_width,
        union_kinds=0 if layout.union is None else layout.union.kinds,
        pooled=_POOLED.search(Path(tensors.ref.path).stem) is not None,
    )


@dataclass(frozen=True)
class AddModelWeights:
    """A model's weights, with its patches, added to a ControlNet that holds the differences."""

    weights: Weights
    patches: tuple[WeightPatch, ...] = ()

    def changes(
        self, network: str, shapes: Mapping[str, torch.Size]
    ) -> dict[str, Callable[[Tensor], Tensor]]:
        """The sum, for each tensor that the model's UNet has too, under the same name."""
        del network
        return control_lora.sums(self.weights, self.patches, shapes)


UNION_KINDS = tuple(kind for kind in get_args(UnionKind) if kind != "auto")
"""The kinds of pictures that a union ControlNet knows apart, by number."""


def set_union_kind(net: ControlNet, kind: UnionKind) -> ControlNet:
    """``net`` told which of `UNION_KINDS` its picture is; "auto" = not told.

    One that was made for one kind of picture stays as it is. InputError if it knows fewer kinds.
    """
    if not net.union_kinds or kind == "auto":
        return replace(net, union_kind=None)
    index = UNION_KINDS.index(kind)
    if index >= net.union_kinds:
        known = ", ".join(UNION_KINDS[: net.union_kinds])
        raise InputError("union_kind_unknown", path=net.weights.file.path, got=kind, known=known)
    return replace(net, union_kind=index)


# --- conditioning ---


def apply_control(
    conditionings: tuple[Conditioning, ...],
    net: ControlNet,
    image: Image,
    *,
    strength: float,
    start: float = 0.0,
    end: float = 1.0,
    on_negative: bool = False,
) -> tuple[Conditioning, ...]:
    """The conditionings, steered by a picture too; at strength 0 as they are.

    Several applications add up. ``on_negative``: the negative side of the sampler, if it has no
    control of its own, is steered alike. Raises InputError if the prompts are another model
    family's than the ControlNet.
    """
    if strength == 0:
        return conditionings
    application = ControlApplication(net, _rgb(image.pixels), strength, start, end)
    return tuple(
        Conditioning(
            tuple(
                _steered(condition, application, on_negative)
                for condition in conditioning.conditions
            )
        )
        for conditioning in conditionings
    )


def _steered(condition: Condition, application: ControlApplication, on_negative: bool) -> Condition:
    wanted = application.net.context_width
    if wanted is not None:
        _check_prompts(application.net, wanted, condition.embedding.shape[-1])
    return replace(
        condition, control=(*condition.control, application), control_on_negative=on_negative
    )


def _rgb(pixels: Tensor) -> Tensor:
    """[B, H, W, 3], whatever the number of channels was."""
    return pixels.expand(*pixels.shape[:-1], 3) if pixels.shape[-1] == 1 else pixels[..., :3]


# --- sampling ---


def control_opener(
    store: ModelStore, model: Model, unet: nn.Module, shape: tuple[int, ...]
) -> OpenControl:
    """What makes control networks ready for sampling a latent of ``shape`` with ``unet``.

    One application that several conditions share becomes one control, so that they share calls.
    """

    def opened(application: ControlApplication) -> Control:
        net, opening = application.net, _OPENINGS[application.net.kind]
        dtype, patches = next(unet.parameters()).dtype, net.patches
        if net.kind == "control_lora":
            below = control_lora.AddModelBelow(net.weights, model.weights, model.patches)
            patches = (*patches, below)
        network = store.network(
            Recipe(net.weights, net.kind, partial(opening, net.weights), patches, dtype)
        )
        if net.kind == "t2i_adapter":
            _check_adapter(net, network, unet)
            return RunningAdapter(network, application, shape[0])
        _check_controlnet(net, network, unet)
        if net.union_kinds:
            # The shared network must not know what another application shows it.
            network = twin(network)
            choose_kind(network, net.union_kind)
        return RunningControlNet(network, application, shape[0], model.family.latent_channels)

    return cache(opened)


_OPENINGS = {
    "controlnet": controlnet.open_controlnet,
    "control_lora": control_lora.open_control_lora,
    "t2i_adapter": t2i_adapter.open_adapter,
}


@dataclass(frozen=True, eq=False)
class RunningControlNet:
    """A ControlNet at work. ``items``: pictures a condition, to which the hint's are fitted."""

    network: nn.Module
    application: ControlApplication
    items: int
    latent_channels: int

    def __call__(self, x: Tensor, timestep: Tensor, context: Tensor, y: Tensor | None) -> Residuals:
        """What it adds to the skip connections and the middle, at its strength."""
        height, width = (LATENT_SCALE * side for side in x.shape[-2:])
        hint = fitted_hint(self.application.hint, width, height)
        down, middle = self.network(
            x[:, : self.latent_channels],
            timestep,
            encoder_hidden_states=context,
            controlnet_cond=batched_hint(hint, self.items, len(x)).to(x),
            conditioning_scale=self.application.strength,
            class_labels=y,
            return_dict=False,
        )
        if self.application.net.pooled:
            down, middle = [_averaged(part) for part in down], _averaged(middle)
        return Residuals(tuple(down), middle)


def _averaged(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True).expand_as(x)


@dataclass(frozen=True, eq=False)
class RunningAdapter:
    """A T2I adapter at work: it looks at the picture only, once for each size and number."""

    network: nn.Module
    application: ControlApplication
    items: int
    _seen: dict[tuple[int, ...], tuple[Tensor, ...]] = field(default_factory=dict)

    def __call__(self, x: Tensor, timestep: Tensor, context: Tensor, y: Tensor | None) -> Residuals:
        """What it adds to the encoder, at its strength, one tensor a level."""
        del timestep, context, y
        shape = len(x), *x.shape[-2:]
        if shape not in self._seen:
            self._seen[shape] = self._features(x)
        return Residuals(encoder=self._seen[shape])

    def _features(self, x: Tensor) -> tuple[Tensor, ...]:
        # diffusers keeps its configuration untyped.
        network = cast("Any", self.network)
        block = network.downscale_factor
        height, width = (math.ceil(LATENT_SCALE * side / block) * block for side in x.shape[-2:])
        hint = fitted_hint(self.application.hint, width, height)
        if network.config.in_channels == 1:
            hint = hint.mean(dim=1, keepdim=True)
        features = network(batched_hint(hint, self.items, len(x)).to(x))
        return tuple(self.application.strength * feature for feature in features)


def fitted_hint(hint: Tensor, width: int, height: int) -> Tensor:
    """A hint [B, H, W, C] as [B, C, height, width]: nearest pixels, cut about the centre."""
    return resize(hint.movedim(-1, 1), width, height, method="nearest-exact", crop="center")


def batched_hint(hint: Tensor, items: int, total: int) -> Tensor:
    """A hint for ``total`` rows: those of each condition are ``items`` pictures."""
    return to_batch(hint, items).repeat(total // items, 1, 1, 1)


def _check_controlnet(net: ControlNet, network: Any, unet: Any) -> None:
    """Raise InputError if a ControlNet was made for a UNet of another shape."""
    wanted, got = network.config, unet.config
    _check_prompts(net, wanted.cross_attention_dim, got.cross_attention_dim)
    vector = wanted.projection_class_embeddings_input_dim
    if vector is not None:
        _check(net, vector, got.projection_class_embeddings_input_dim or 0)
    skips = [block.out_channels for block in network.controlnet_down_blocks]
    _check(net, _list(skips), _list(skip_widths(unet)))


def skip_widths(unet: Any) -> list[int]:
    """The width of each skip connection of a UNet, in order of computation."""
    widths = [unet.conv_in.out_channels]
    for block in unet.down_blocks:
        width = block.resnets[-1].conv2.out_channels
        widths += [width] * (len(block.resnets) + len(block.downsamplers or ()))
    return widths


def _check_adapter(net: ControlNet, network: Any, unet: Any) -> None:
    """Raise InputError if a T2I adapter was made for a UNet of another shape."""
    adapter, levels = network.config, list(unet.config.block_out_channels)
    channels = list(adapter.channels)
    if adapter.adapter_type == "full_adapter_xl":
        levels.append(levels[-1])
    elif adapter.adapter_type == "light_adapter":
        channels.append(channels[-1])
    _check(net, _list(channels), _list(levels))


def _check_prompts(net: ControlNet, wanted: int, got: int) -> None:
    _check(net, prompt_width(wanted), prompt_width(got))


def _list(widths: Sequence[int]) -> str:
    return ", ".join(map(str, widths))


def _check(net: ControlNet, wanted: object, got: object) -> None:
    if wanted != got:
        path = net.weights.file.path
        raise InputError("control_other_family", path=path, expected=wanted, got=got)
