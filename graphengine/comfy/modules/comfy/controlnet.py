"""ComfyUI's ``comfy.controlnet``: control networks."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.other_networks import ControlNet
from graphengine.comfy.host.stand_ins import missing

__all__ = ["ControlNet"]
ControlBase = ControlNet


def load_controlnet(ckpt_path: str, model: Any = None, model_options: Any = None) -> ControlNet:
    """The control network in a file; ``model``: for files that hold differences to one."""
    from graphengine.diffusion.control import load_control_file

    del model_options
    return ControlNet(load_control_file(ckpt_path, None if model is None else model.description))


def broadcast_image_to(tensor: Any, target_batch_size: int, batched_number: int) -> Any:
    """Pictures cut or repeated to a batch, once for each of so many conditions."""
    from graphengine.diffusion.denoiser import to_batch

    single = max(1, target_batch_size // batched_number)
    return to_batch(tensor, single).repeat(batched_number, *(1,) * (tensor.ndim - 1))


def __getattr__(name: str) -> Any:
    return missing("comfy.controlnet", name)
