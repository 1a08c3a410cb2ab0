"""Values on their way between our nodes and those written for ComfyUI; tensors are not copied.

Between two hosted nodes values travel as they are. What comes from a node of ours is unwrapped
before a hosted one sees it, and wrapped again by the type that an input of ours declares.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from graphengine import sockets
from graphengine.comfy.host import conditioning, model_patcher, networks, other_networks
from graphengine.errors import InputError
from graphengine.results import Block, Items, Lazy
from graphengine.spec import NodeSpec


def to_hosted(value: Any) -> Any:
    """A value as ComfyUI's nodes know it; what is not one of our sockets stays as it is."""
    unwrap = TO_HOSTED.get(type(value))
    return value if unwrap is None else unwrap(value)


def to_ours(kind: str, value: Any, *, input_name: str = "") -> Any:
    """A value of a hosted node as our nodes know it, by the type that is wanted.

    Raises InputError if it cannot be one.
    """
    wrap = _TO_OURS.get(kind)
    if wrap is None or value is None or type(value) in TO_HOSTED or isinstance(value, Block):
        return value
    try:
        return wrap(value)
    except (TypeError, KeyError, AttributeError, IndexError, ValueError) as error:
        raise InputError(
            "hosted_value", input=input_name, expected=kind, got=type(value).__name__
        ) from error


def bridged(spec: NodeSpec) -> NodeSpec:
    """A node of ours that takes what hosted nodes give."""
    known = _BRIDGED.get(spec.id)
    if known is not None and known[0] is spec:
        return known[1]
    wanted = {slot.name: slot.type for slot in spec.inputs if slot.type in _TO_OURS}
    made = spec if not wanted else dataclasses.replace(spec, function=_bridge(spec, wanted))
    _BRIDGED[spec.id] = (spec, made)
    return made


_BRIDGED: dict[str, tuple[NodeSpec, NodeSpec]] = {}
"""Each node with its bridged form, as long as it is the same node."""


def _bridge(spec: NodeSpec, wanted: Mapping[str, str]) -> Callable[..., Any]:
    function = spec.function

    def call(**arguments: Any) -> Any:
        for name, kind in wanted.items():
            if name in arguments:
                arguments[name] = _each_to_ours(kind, arguments[name], name)
        return function(**arguments)

    return call


def _each_to_ours(kind: str, value: Any, name: str) -> Any:
    if isinstance(value, Items):
        return Items(to_ours(kind, item, input_name=name) for item in value)
    if isinstance(value, Lazy):
        return Lazy(name, to_ours(kind, value(), input_name=name)) if value.evaluated else value
    if type(value) is list and kind != "CONDITIONING":
        return [to_ours(kind, item, input_name=name) for item in value]
    return to_ours(kind, value, input_name=name)


def _latent(value: Any) -> sockets.Latent:
    index = value.get("batch_index")
    mask = value.get("noise_mask")
    if mask is not None:
        mask = mask.reshape((-1, 1, mask.shape[-2], mask.shape[-1]))
    return sockets.Latent(value["samples"], mask, None if index is None else tuple(index))


def _latent_dict(latent: sockets.Latent) -> dict[str, Any]:
    given = {
        "samples": latent.samples,
        "noise_mask": latent.noise_mask,
        "batch_index": None if latent.batch_index is None else list(latent.batch_index),
    }
    return {name: value for name, value in given.items() if value is not None}


def _sampler(sampler: sockets.Sampler) -> Any:
    from graphengine.comfy.host.sampler_methods import hosted_sampler

    return hosted_sampler(sampler)


def _sampler_of(value: Any) -> sockets.Sampler:
    from graphengine.comfy.host.sampler_methods import sampler_of

    return sampler_of(value)


def _guider(guider: sockets.Guider) -> Any:
    from graphengine.comfy.host.guiders import hosted_guider

    return hosted_guider(guider)


def _guider_of(value: Any) -> sockets.Guider:
    return value.as_guider()  # type: ignore[no-any-return]  # of CFGGuider or derived from it


def _image(value: Any) -> sockets.Image:
    return sockets.Image(value if value.ndim == 4 else value.unsqueeze(0))


def _mask(value: Any) -> sockets.Mask:
    return sockets.Mask(value.reshape((-1, value.shape[-2], value.shape[-1])))


TO_HOSTED: Mapping[type, Callable[[Any], Any]] = {
    sockets.Image: lambda image: image.pixels,
    sockets.Mask: lambda mask: mask.values,
    sockets.Latent: _latent_dict,
    sockets.Sigmas: lambda sigmas: sigmas.values,
    sockets.Conditioning: conditioning.to_list,
    sockets.Model: model_patcher.ModelPatcher,
    sockets.Clip: networks.Clip,
    sockets.Vae: networks.Vae,
    sockets.Noise: networks.Noise,
    sockets.Sampler: _sampler,
    sockets.Guider: _guider,
    sockets.ControlNet: other_networks.ControlNet,
    sockets.ClipVision: other_networks.ClipVisionModel,
    sockets.ClipVisionOutput: other_networks.vision_output,
    sockets.UpscaleModel: other_networks.UpscaleModel,
}
"""Sockets whose values ComfyUI's nodes know in another form; others are handed on as they are."""
_TO_OURS: Mapping[str, Callable[[Any], Any]] = {
    "IMAGE": _image,
    "MASK": _mask,
    "LATENT": _latent,
    "SIGMAS": sockets.Sigmas,
    "CONDITIONING": conditioning.from_list,
    "MODEL": model_patcher.model_of,
    "CLIP": networks.clip_of,
    "VAE": networks.vae_of,
    "NOISE": networks.noise_of,
    "SAMPLER": _sampler_of,
    "GUIDER": _guider_of,
    "CONTROL_NET": other_networks.description_of,
    "CLIP_VISION": other_networks.description_of,
    "CLIP_VISION_OUTPUT": other_networks.vision_output_of,
    "UPSCALE_MODEL": other_networks.description_of,
}
