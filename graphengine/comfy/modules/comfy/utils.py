"""ComfyUI's ``comfy.utils``: progress bars, reading weights, resizing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphengine.comfy.host.running import of_node, running_context, show
from graphengine.comfy.host.stand_ins import missing

PROGRESS_BAR_ENABLED = True


class Tensors(dict[str, Any]):
    """Tensors by name, and the file that they were read from."""

    path: str = ""


class ProgressBar:
    """Shows how far the node's call is in which it was made; stops the call if a person does."""

    def __init__(self, total: int, node_id: str | None = None) -> None:
        self.total = total
        self.current = 0
        self.node_id = node_id
        self._context = running_context()

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        """Say how far it is; ``preview`` is (format, PIL image, longest side) or an image."""
        if total is not None:
            self.total = total
        self.current = min(value, self.total)
        running = self._context or running_context()
        if running is None:
            return
        context = of_node(running, self.node_id)
        context.progress(self.current, self.total)
        if preview is not None:
            form, image, side = preview if isinstance(preview, tuple) else ("JPEG", preview, 512)
            show(context, lambda: image, whole=form == "PNG" and side is None)

    def update(self, value: int) -> None:
        """Say that it is further."""
        self.update_absolute(self.current + value)


def load_torch_file(
    ckpt: str, safe_load: bool = True, device: Any = None, return_metadata: bool = False
) -> Any:
    """The tensors of a file of weights by name; never runs code that a file holds."""
    del safe_load
    import torch
    from safetensors import safe_open

    path = Path(ckpt)
    where = str(device) if device is not None else "cpu"
    if path.suffix.lower() in (".safetensors", ".sft"):
        with safe_open(path, framework="pt", device=where) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata()
    else:
        tensors = torch.load(path, map_location=where, weights_only=True)
        tensors = tensors.get("state_dict", tensors)
        metadata = None
    named = Tensors(tensors)
    named.path = str(path)
    return (named, metadata) if return_metadata else named


def save_torch_file(sd: dict[str, Any], ckpt: str, metadata: dict[str, str] | None = None) -> None:
    """Write tensors to a safetensors file."""
    from safetensors.torch import save_file

    save_file(sd, ckpt, metadata=metadata)


def common_upscale(samples: Any, width: int, height: int, upscale_method: str, crop: str) -> Any:
    """[B, C, H, W] resized to ``width`` x ``height``; ``crop`` "center" keeps the proportions."""
    from graphengine.diffusion.resize import resize

    return resize(samples, width, height, method=upscale_method, crop=crop)  # type: ignore[arg-type]


def bislerp(samples: Any, width: int, height: int) -> Any:
    """[B, C, H, W] resized by turning vectors instead of mixing them."""
    return common_upscale(samples, width, height, "bislerp", "disabled")


def lanczos(samples: Any, width: int, height: int) -> Any:
    """[B, C, H, W] resized with Lanczos' kernel."""
    return common_upscale(samples, width, height, "lanczos", "disabled")


def repeat_to_batch_size(tensor: Any, batch_size: int, dim: int = 0) -> Any:
    """A tensor cut or repeated to ``batch_size`` items along ``dim``."""
    import torch

    count = tensor.shape[dim]
    if count >= batch_size:
        return tensor.narrow(dim, 0, batch_size)
    index = torch.arange(batch_size, device=tensor.device) % count
    return tensor.index_select(dim, index)


def resize_to_batch_size(tensor: Any, batch_size: int) -> Any:
    """A tensor cut or repeated to ``batch_size`` items."""
    return repeat_to_batch_size(tensor, batch_size)


def state_dict_prefix_replace(
    state_dict: dict[str, Any], replace_prefix: dict[str, str], filter_keys: bool = False
) -> dict[str, Any]:
    """The tensors whose names begin with a prefix under names with another one."""
    out: dict[str, Any] = {} if filter_keys else state_dict
    for old, new in replace_prefix.items():
        for name in [name for name in state_dict if name.startswith(old)]:
            out[new + name[len(old) :]] = state_dict.pop(name)
    return out


def calculate_parameters(sd: dict[str, Any], prefix: str = "") -> int:
    """How many numbers the tensors hold whose names begin with ``prefix``."""
    return sum(tensor.nelement() for name, tensor in sd.items() if name.startswith(prefix))


def get_attr(obj: Any, attr: str) -> Any:
    """An attribute by a path with dots."""
    for name in attr.split("."):
        obj = getattr(obj, name)
    return obj


def set_attr(obj: Any, attr: str, value: Any) -> Any:
    """Set an attribute by a path with dots; returns what was there."""
    *path, last = attr.split(".")
    for name in path:
        obj = getattr(obj, name)
    before = getattr(obj, last)
    setattr(obj, last, value)
    return before


def tiled_scale(
    samples: Any,
    function: Callable[[Any], Any],
    tile_x: int = 64,
    tile_y: int = 64,
    overlap: int = 8,
    upscale_amount: float = 4,
    out_channels: int = 3,
    output_device: Any = "cpu",
    pbar: ProgressBar | None = None,
) -> Any:
    """``function`` over [B, C, H, W] in overlapping tiles, blended at their edges."""
    from graphengine.diffusion.tiles import Tiling, tiled

    del out_channels

    def work(tile: Any) -> Any:
        result = function(tile).to(output_device)
        if pbar is not None:
            pbar.update(1)
        return result

    size = max(tile_x, tile_y)
    return tiled(work, samples, Tiling(size, overlap), scale=upscale_amount)


def set_progress_bar_enabled(enabled: bool) -> None:
    """Nothing to do: whether bars are shown is the client's choice."""
    del enabled


def __getattr__(name: str) -> Any:
    raise missing("comfy.utils", name)
