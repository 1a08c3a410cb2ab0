"""ComfyUI's ``comfy.utils``: progress bars, reading weights, resizing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from graphengine.comfy.host.running import of_node, running_context, show
from graphengine.comfy.host.stand_ins import missing

PROGRESS_BAR_ENABLED = True
PROGRESS_BAR_HOOK: Callable[..., Any] | None = None


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
        if PROGRESS_BAR_HOOK is not None:
            PROGRESS_BAR_HOOK(self.current, self.total, preview, node_id=self.node_id)
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
    from safetensors import safe_open

    path = Path(ckpt)
    where = str(device) if device is not None else "cpu"
    if path.suffix.lower() in (".safetensors", ".sft"):
        with safe_open(path, framework="pt", device=where) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata()
    else:
        tensors, metadata = _unpacked(path, where), None
    named = Tensors(tensors)
    named.path = str(path)
    return (named, metadata) if return_metadata else named


def _unpacked(path: Path, device: str) -> dict[str, Any]:
    """What torch.save wrote, without what training leaves around it."""
    from graphengine.diffusion.files import read_stored

    stored = read_stored(path)
    if "state_dict" in stored:
        stored = stored["state_dict"]
    elif len(stored) == 1 and isinstance(next(iter(stored.values())), dict):
        (stored,) = stored.values()
    return {
        name: value.to(device) if hasattr(value, "to") else value for name, value in stored.items()
    }


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


def state_dict_key_replace(
    state_dict: dict[str, Any], keys_to_replace: dict[str, str]
) -> dict[str, Any]:
    """The tensors under other names."""
    for old, new in keys_to_replace.items():
        if old in state_dict:
            state_dict[new] = state_dict.pop(old)
    return state_dict


def convert_sd_to(state_dict: dict[str, Any], dtype: Any) -> dict[str, Any]:
    """The tensors in another type."""
    for name in list(state_dict):
        state_dict[name] = state_dict[name].to(dtype)
    return state_dict


def weight_dtype(sd: dict[str, Any], prefix: str = "") -> Any:
    """The type that most of the numbers have; None without any."""
    counts: dict[Any, int] = {}
    for name, tensor in sd.items():
        if name.startswith(prefix):
            counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.numel()
    return max(counts, key=lambda dtype: counts[dtype], default=None)


def safetensors_header(safetensors_path: str, max_size: int = 100 * 1024 * 1024) -> bytes | None:
    """The JSON at the beginning of a safetensors file; None if it is larger than ``max_size``."""
    with Path(safetensors_path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return file.read(length) if length <= max_size else None


def calculate_parameters(sd: dict[str, Any], prefix: str = "") -> int:
    """How many numbers the tensors hold whose names begin with ``prefix``."""
    return sum(tensor.nelement() for name, tensor in sd.items() if name.startswith(prefix))


def get_attr(obj: Any, attr: str) -> Any:
    """An attribute by a path with dots."""
    for name in attr.split("."):
        obj = getattr(obj, name)
    return obj


def set_attr_param(obj: Any, attr: str, value: Any) -> Any:
    """Set a parameter by a path with dots; returns what was there."""
    import torch

    return set_attr(obj, attr, torch.nn.Parameter(value, requires_grad=False))


def copy_to_param(obj: Any, attr: str, value: Any) -> None:
    """Write into the tensor at a path with dots."""
    get_attr(obj, attr).data.copy_(value)


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
    import torch

    from graphengine.diffusion.tiles import Tiling, tiled

    del out_channels

    def work(tile: Any) -> Any:
        result = function(tile).to(output_device)
        if pbar is not None:
            pbar.update(1)
        return result

    tiling = Tiling(max(tile_x, tile_y), overlap)
    done = [tiled(work, item[None], tiling, scale=upscale_amount) for item in samples]
    return torch.cat(done)


def get_tiled_scale_steps(width: int, height: int, tile_x: int, tile_y: int, overlap: int) -> int:
    """How many tiles `tiled_scale` makes of one picture."""
    import torch

    from graphengine.diffusion.tiles import Tiling

    return Tiling(max(tile_x, tile_y), overlap).count(torch.Size((height, width)))


def tiled_scale_multidim(
    samples: Any,
    function: Callable[[Any], Any],
    tile: Sequence[int] = (64, 64),
    overlap: int = 8,
    upscale_amount: float = 4,
    out_channels: int = 3,
    output_device: Any = "cpu",
    downscale: bool = False,
    index_formulas: Any = None,
    pbar: ProgressBar | None = None,
) -> Any:
    """As `tiled_scale`; of pictures only."""
    del index_formulas
    if len(tile) != 2:
        raise NotImplementedError("graphengine's tiled_scale_multidim works in two dimensions")
    scale = 1 / upscale_amount if downscale else upscale_amount
    return tiled_scale(
        samples, function, tile[1], tile[0], overlap, scale, out_channels, output_device, pbar
    )


def reshape_mask(input_mask: Any, output_shape: Sequence[int]) -> Any:
    """A mask [B, H, W] at a latent's size and with its number of channels: [B, C, h, w]."""
    from graphengine.diffusion.conditions import resize_mask
    from graphengine.diffusion.denoiser import to_batch

    mask = to_batch(resize_mask(input_mask, *output_shape[-2:]), output_shape[0])
    return mask.expand(-1, output_shape[1], -1, -1)


def string_to_seed(data: str) -> int:
    """A number of 32 bits from a text: its CRC."""
    import zlib

    return zlib.crc32(data.encode())


def set_progress_bar_enabled(enabled: bool) -> None:
    """Nothing to do: whether bars are shown is the client's choice."""
    del enabled


def set_progress_bar_global_hook(function: Callable[..., Any] | None) -> None:
    """Tell a function too how far nodes are: (value, total, preview)."""
    globals()["PROGRESS_BAR_HOOK"] = function


def __getattr__(name: str) -> Any:
    return missing("comfy.utils", name)
