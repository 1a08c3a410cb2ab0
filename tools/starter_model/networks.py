"""The three networks of the starter model, and how training runs them fast."""

from __future__ import annotations

import argparse
import contextlib
import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel

SCALE_FACTOR = 0.18215  # Stable Diffusion 1's, by which loaders multiply the posterior mean
TEXT_WIDTH = 128
TEXT_LAYERS = 4
TEXT_HEADS = 2
UNET_WIDTHS = (64, 128, 128)
UNET_ATTENDS = (False, True, True)  # at 16×16 attention would cost as much as all the rest
VAE_WIDTHS = (32, 32, 64, 96)
MADE_BY = {
    "text": "train_text_encoder.py",
    "unet": "train_unet.py",
    "encoder": "train_vae.py encoder",
    "decoder": "train_vae.py decoder",
}


def build_vae() -> AutoencoderKL:
    """An untrained KL autoencoder: pictures [B, 3, 128, 128] to latents [B, 4, 16, 16]."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(VAE_WIDTHS),
        up_block_types=("UpDecoderBlock2D",) * len(VAE_WIDTHS),
        block_out_channels=VAE_WIDTHS,
        layers_per_block=1,
        latent_channels=4,
        sample_size=128,
    )


def vae_half(vae: AutoencoderKL, half: str) -> nn.ModuleDict:
    """The encoder or the decoder of an autoencoder, with its 1×1 convolution to the latents."""
    if half == "encoder":
        return nn.ModuleDict({"encoder": vae.encoder, "quant_conv": vae.quant_conv})
    return nn.ModuleDict({"decoder": vae.decoder, "post_quant_conv": vae.post_quant_conv})


def build_text_encoder(words: int) -> CLIPTextModel:
    """An untrained CLIP text transformer: rows of its word table [B, 77] to [B, 77, 128]."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=words,
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=TEXT_LAYERS,
            num_attention_heads=TEXT_HEADS,
            hidden_act="quick_gelu",
            projection_dim=TEXT_WIDTH,
            attn_implementation="eager",  # the fused kernel's bfloat16 backward pass is slow
        )
    )


def build_unet() -> UNet2DConditionModel:
    """An untrained denoiser of latents [B, 4, 16, 16] under encodings [B, 77, 128]."""
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=UNET_WIDTHS,
        layers_per_block=1,
        down_block_types=tuple(
            "CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in UNET_ATTENDS
        ),
        up_block_types=tuple(
            "CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in reversed(UNET_ATTENDS)
        ),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=8,
    )


def options(description: str | None) -> argparse.ArgumentParser:
    """What every training script is told on its command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--state", help="folder of the training states")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    return parser


def use(device: str) -> None:
    """Make networks and tensors on `device` from here on; one thread does the processor's part."""
    torch.set_num_threads(1)
    if device != "cpu":
        torch.set_default_device(device)


def tensor_of(array: np.ndarray) -> Tensor:
    """An array as a tensor on the device in use."""
    return torch.from_numpy(array).to(torch.get_default_device())


def pace(done: int, total: int, seconds: float) -> str:
    """How long it took so far, and about how long it still takes."""
    return f"{seconds:.0f} s, about {seconds / done * (total - done):.0f} s left"


def load_state(path: Path) -> dict[str, Any]:
    """A training state, on the device in use."""
    state: dict[str, Any] = torch.load(
        needed(path), map_location=torch.get_default_device(), weights_only=True
    )
    return state


def needed(path: Path) -> Path:
    """The path of a training state; ends the program if the script that makes it has not run."""
    if not path.exists():
        script = f"python {MADE_BY[path.stem]}"
        raise SystemExit(f"{path} is not there. Run {script} first, with the same --state.")
    return path


def state_folder(given: str | None) -> Path:
    """The folder of training states: the given one, else one under the user's cache."""
    folder = Path(given) if given else Path.home() / ".cache/graphengine/starter_model"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def save_atomically(state: object, path: Path) -> None:
    """Write a training state so that an interruption leaves the old one or the new one."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def half_precision() -> contextlib.AbstractContextManager[object]:
    """Autocast to bfloat16 where that is fast; on a processor without it, ten times as slow."""
    if not _has_bfloat16():
        return contextlib.nullcontext()
    return torch.autocast(torch.get_default_device().type, torch.bfloat16)


def _has_bfloat16() -> bool:
    """Whether the device in use computes in bfloat16 (with AMX three times as fast)."""
    if torch.get_default_device().type != "cpu":
        return True
    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("amx_bf16", "avx512_bf16"))


class Average:
    """Exponential moving average of a network's weights, with a warm-up."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def update(self, network: nn.Module) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        theirs = network.state_dict()
        torch._foreach_lerp_(
            list(self.weights.values()), [theirs[k] for k in self.weights], 1 - decay
        )


class FloatAttention:
    """Attention in float32 (PyTorch's bfloat16 backward pass of attention is slow on CPUs)."""

    def __call__(
        self,
        attn: nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: None = None,
        temb: None = None,
    ) -> Tensor:
        del attention_mask, temb  # diffusers passes them by name; these networks use neither
        residual = hidden_states
        spatial = hidden_states.shape if hidden_states.ndim == 4 else None
        if spatial:
            hidden_states = hidden_states.flatten(2).transpose(1, 2)
        if attn.group_norm is not None:
            hidden_states = attn.group_norm(hidden_states.transpose(1, 2)).transpose(1, 2)
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        with torch.autocast("cpu", enabled=False):
            mixed = functional.scaled_dot_product_attention(
                *(_heads(x.float(), attn.heads) for x in (query, key, value))
            )
        mixed = attn.to_out[0](mixed.transpose(1, 2).flatten(2))
        if spatial:
            mixed = mixed.transpose(1, 2).reshape(spatial)
        return mixed + residual if attn.residual_connection else mixed


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class ChannelsLastGroupNorm(torch.autograd.Function):
    """Group norm of [B, C, H, W] in channels-last order.

    PyTorch's own backward pass takes about ten times as long in this order and bfloat16.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor, groups: int, eps: float) -> Tensor:
        size = x.shape[1] // groups
        count = x[0, 0].numel() * size
        rows = _rows(x)
        mean = _group_mean(_total(rows), groups, count)
        square = _group_mean(_total(rows * rows), groups, count)
        scale = (square - mean * mean).clamp_min(0).add(eps).rsqrt()
        ctx.save_for_backward(x, w, mean, scale)
        ctx.groups = groups
        slope = w * scale
        return _unrows(_affine(rows, slope, b - mean * slope), x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, w, mean, scale = ctx.saved_tensors
        count = x[0, 0].numel() * x.shape[1] // ctx.groups
        rows, grads = _rows(x), _rows(grad)
        total = _total(grads)
        aligned = (_total(grads * rows) - mean * total) * scale
        even = _group_mean(w * total, ctx.groups, count)
        tilt = scale * _group_mean(w * aligned, ctx.groups, count)
        dx = _affine(grads, w * scale, scale * (mean * tilt - even))
        dx.addcmul_(rows, (-scale * tilt).to(rows.dtype)[:, None])
        return _unrows(dx, x), aligned.sum(0), total.sum(0), None, None


def speed_up(network: nn.Module) -> None:
    """Put a diffusers network into the form that trains fastest; its weights stay."""
    network.to(memory_format=torch.channels_last)
    if torch.get_default_device().type != "cpu" or not _has_bfloat16():
        return  # PyTorch's own are faster there
    network.set_attn_processor(FloatAttention())
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.forward = functools.partial(_group_norm, module)


def _group_norm(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    if x.ndim != 4:
        return functional.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps)
    return ChannelsLastGroupNorm.apply(x, norm.weight, norm.bias, norm.num_groups, norm.eps)


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, x.shape[1])


def _unrows(rows: Tensor, like: Tensor) -> Tensor:
    return rows.view(len(like), *like.shape[2:], like.shape[1]).permute(0, 3, 1, 2)


def _total(rows: Tensor) -> Tensor:
    """Sums over the places of [B, places, C], in two stages: only the second needs float32."""
    few = rows.unflatten(1, (-1, min(32, rows.shape[1] // 2))).sum(2)
    return few.sum(1, dtype=torch.float32)


def _group_mean(sums: Tensor, groups: int, count: int) -> Tensor:
    size = sums.shape[1] // groups
    means = sums.view(len(sums), groups, size).sum(2) / count
    return means.repeat_interleave(size, 1)


def _affine(rows: Tensor, slope: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift.to(rows.dtype)[:, None], rows, slope.to(rows.dtype)[:, None])
