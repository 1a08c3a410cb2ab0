"""The second way: diffusers' and transformers' networks under loops written from the formulas."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from graphengine.diffusion.layouts import TextLayout
from graphengine.diffusion.tokenizer import token_ids
from tests.diffusion.two_ways.models import TwoWays

SIDE, SEED, CFG = 128, 1234, 7.0
START, END = 49406, 49407


@dataclass
class Plain:
    """diffusers' and transformers' networks, filled by diffusers' converters.

    ``dtype``: in which everything is computed but the tables of noise levels, which are float32.
    """

    model: TwoWays
    tensors: Mapping[str, Tensor]
    dtype: torch.dtype = torch.float32

    @cached_property
    def unet(self) -> nn.Module:
        from diffusers import UNet2DConditionModel
        from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

        with torch.device("meta"):
            unet = UNet2DConditionModel(**self.model.config)
        state = convert_ldm_unet_checkpoint(dict(self.tensors), unet.config)
        return self.filled(unet, state)

    @cached_property
    def vae(self) -> nn.Module:
        from diffusers import AutoencoderKL
        from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

        with torch.device("meta"):
            vae = AutoencoderKL(
                block_out_channels=self.model.parts.vae.channels,
                layers_per_block=self.model.parts.vae.blocks,
                latent_channels=4,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
            )
        return self.filled(vae, convert_ldm_vae_checkpoint(dict(self.tensors), vae.config))

    def filled(self, network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
        """``network`` with exactly these tensors, in ``dtype``."""
        placed = {key: t.to(self.dtype) for key, t in state.items()}
        network.load_state_dict(placed, strict=True, assign=True)
        return network.eval().requires_grad_(False)

    def text_encoder(self, prefix: str, layout: TextLayout) -> Any:
        """transformers' own, its weights rounded to half precision."""
        from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint
        from transformers import CLIPTextConfig, CLIPTextModelWithProjection

        config = CLIPTextConfig(
            hidden_size=layout.width,
            intermediate_size=layout.intermediate,
            num_hidden_layers=layout.layers,
            num_attention_heads=layout.width // 64,
            hidden_act="quick_gelu" if layout.kind == "clip_l" else "gelu",
            projection_dim=layout.projection or layout.width,
            bos_token_id=START,
            eos_token_id=END,
        )
        network = CLIPTextModelWithProjection(config)
        if layout.style == "openclip":
            state = convert_open_clip_checkpoint(network, dict(self.tensors), prefix)
        else:
            state = {
                key.removeprefix(prefix): tensor
                for key, tensor in self.tensors.items()
                if key.startswith(prefix) and "position_ids" not in key
            }
        state.setdefault("text_projection.weight", torch.eye(layout.width))
        # The converter leaves out the last layer of SD 2.x, which is never used.
        rounded = {key: t.half().float() for key, t in state.items()}
        network.load_state_dict(rounded, strict=layout.kind != "clip_h")
        return network.to(self.dtype).eval()

    @torch.no_grad()
    def encode(
        self,
        segments: Sequence[tuple[str, float]],
        *,
        layer: int | None = None,
        vectors: Mapping[str, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The states [1, 77 n, D] of a prompt given as weighted pieces, and the pooled ones.

        ``vectors``: rows that stand for the piece "<emb>", for each kind of text encoder.
        """
        found = [
            self._encode(prefix, layout, segments, layer, (vectors or {}).get(layout.kind))
            for prefix, layout in self.model.parts.texts.items()
        ]
        return torch.cat([states for states, _ in found], dim=-1), found[-1][1]

    def encode_by(self, kind: str, segments: Sequence[tuple[str, float]]) -> tuple[Tensor, Tensor]:
        """The same by one of the text encoders alone."""
        texts = self.model.parts.texts.items()
        prefix, layout = next(each for each in texts if each[1].kind == kind)
        with torch.no_grad():
            return self._encode(prefix, layout, segments, None, None)

    def _encode(
        self,
        prefix: str,
        layout: TextLayout,
        segments: Sequence[tuple[str, float]],
        layer: int | None,
        vectors: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        network = self.text_encoder(prefix, layout)
        pad = END if layout.kind == "clip_l" else 0
        rows = 0 if vectors is None else len(vectors)
        if vectors is not None:
            network.resize_token_embeddings(49408 + rows, mean_resizing=False)
            network.text_model.embeddings.token_embedding.weight[49408:] = vectors
        pairs: list[tuple[int, float]] = []
        for text, weight in segments:
            ids = range(49408, 49408 + rows) if text == "<emb>" else token_ids(text)
            pairs += [(id, weight) for id in ids]
        chunks = [pairs[i : i + 75] for i in range(0, len(pairs), 75)] or [[]]
        ids = [_framed([id for id, _ in chunk], pad, START, END) for chunk in [*chunks, []]]
        weights = [_framed([w for _, w in chunk], 1.0, 1.0, 1.0) for chunk in chunks]
        output = network(torch.tensor(ids), output_hidden_states=True)
        chosen = self.model.layer if layer is None else layer
        states = output.hidden_states[chosen]
        if self.model.normed:
            states = network.text_model.final_layer_norm(states)
        empty, w = states[-1:], torch.tensor(weights).to(states)[..., None]
        states = (states[:-1] - empty) * w + empty
        last = network.text_model.final_layer_norm(output.hidden_states[-1])
        pooled = network.text_projection(last[:1, ids[0].index(END)])
        return states.flatten(0, 1)[None], pooled

    def denoise(self, cond: Sequence[Words], uncond: Sequence[Words], options: Options) -> Denoise:
        """(x, sigma) → denoised, under classifier-free guidance, one call a prompt."""

        @torch.no_grad()
        def guided(x: Tensor, sigma: Tensor) -> Tensor:
            sigma = sigma.reshape(()).to(x.dtype)
            if options.mask is not None:
                noisy = options.kept + options.noise * sigma
                x = x * options.mask + noisy * (1 - options.mask)
            result = positive = self.side(x, sigma, cond, options)
            if options.scale != 1.0:
                negative = self.side(x, sigma, uncond, options)
                result = negative + (positive - negative) * options.scale
            if options.mask is not None:
                result = result * options.mask + options.kept * (1 - options.mask)
            return result

        return guided

    def side(self, x: Tensor, sigma: Tensor, prompts: Sequence[Words], options: Options) -> Tensor:
        total, weight = torch.zeros_like(x), torch.zeros_like(x)
        for words in prompts:
            if not words.until <= float(sigma) <= words.since:
                continue
            y0, y1, x0, x1 = words.box or (0, x.shape[-2], 0, x.shape[-1])
            w = 1.0 if words.weight is None else words.weight
            part = x[..., y0:y1, x0:x1]
            total[..., y0:y1, x0:x1] += self._predict(part, sigma, words, options) * w
            weight[..., y0:y1, x0:x1] += w
        return total / weight

    def _predict(self, x: Tensor, sigma: Tensor, words: Words, options: Options) -> Tensor:
        scaled = x / (sigma**2 + 1) ** 0.5
        t = (sigma_table().log() - sigma.log()).abs().argmin().to(x.dtype)
        entry = scaled if options.concat is None else torch.cat([scaled, options.concat], 1)
        context = words.states.expand(len(x), -1, -1)
        more = self._told(words, len(x))
        if options.controlnet is not None:
            steered = options.controlnet(scaled, t, sigma, context, more)
            if steered is not None:
                more["down_block_additional_residuals"], more["mid_block_additional_residual"] = (
                    steered
                )
        output = self.unet(entry, t, encoder_hidden_states=context, **more).sample
        if self.model.prediction == "v":
            return x / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5
        denoised: Tensor = x - sigma * output
        if options.prediction == "lcm":
            skip = 0.25 / ((10 * t) ** 2 + 0.25)
            denoised = skip * x + 10 * t / ((10 * t) ** 2 + 0.25) ** 0.5 * denoised
        return denoised

    def _told(self, words: Words, count: int) -> dict[str, Any]:
        """What SDXL's networks are told beside the prompt."""
        if words.pooled is None or not self.model.sizes:
            return {}
        sizes = torch.tensor([words.sizes], dtype=self.dtype).expand(count, -1)
        told = {"text_embeds": words.pooled.expand(count, -1), "time_ids": sizes}
        return {"added_cond_kwargs": told}


Denoise = Callable[[Tensor, Tensor], Tensor]
ControlNet = Callable[[Tensor, Tensor, Tensor, Tensor, dict[str, Any]], tuple[Any, Tensor] | None]
"""(x for the network, t, sigma, context, what else it is told) → residuals, or none now."""


@dataclass(frozen=True, eq=False)
class Words:
    """A prompt for the second way; ``box``: top, bottom, left, right in latent pixels.

    It speaks while sigma is between ``until`` and ``since``.
    """

    states: Tensor
    pooled: Tensor | None = None
    sizes: tuple[float, ...] = ()
    box: tuple[int, int, int, int] | None = None
    weight: Tensor | float | None = None
    since: float = math.inf
    until: float = 0.0


@dataclass(frozen=True, eq=False)
class Options:
    """What else changes the second way's denoiser."""

    scale: float = CFG
    mask: Tensor | None = None
    kept: Tensor = field(default_factory=lambda: torch.zeros(1))
    noise: Tensor = field(default_factory=lambda: torch.zeros(1))
    concat: Tensor | None = None
    controlnet: ControlNet | None = None
    prediction: str = ""


def plain_noise(count: int = 1, seed: int = SEED) -> Tensor:
    """The float32 noise of a seed: one draw for the batch."""
    return torch.randn(
        count, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(seed)
    )


def sigma_table() -> Tensor:
    """Stable Diffusion's 1000 levels, [1000] float32."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = torch.cumprod(1 - betas, 0)
    return ((1 - kept) / kept).sqrt().float()


def normal_sigmas(steps: int) -> Tensor:
    """The schedule "normal": levels at evenly spaced, fractional timesteps."""
    log_table = sigma_table().log()
    t = torch.linspace(999, 0, steps)
    low = t.floor().long()
    mixed = torch.lerp(log_table[low], log_table[t.ceil().long()], t.frac()).exp()
    return torch.cat([mixed, torch.zeros(1)])


def plain_euler(denoise: Denoise, x: Tensor, sigmas: Tensor, *, ancestral: bool = False) -> Tensor:
    """Karras et al. 2022, Alg. 2 without churn; with ``ancestral`` k-diffusion's variant."""
    generator = torch.Generator().manual_seed(SEED)
    for sigma, after in pairwise(sigmas.to(x.dtype)):
        denoised = denoise(x, sigma)
        down, up = after, torch.tensor(0.0)
        if ancestral and after > 0:
            up = (after**2 * (sigma**2 - after**2) / sigma**2).sqrt()
            down = (after**2 - up**2).sqrt()
        x = x + (x - denoised) / sigma * (down - sigma)
        if ancestral and after > 0:
            x = x + torch.randn(x.shape, generator=generator) * up
    return x


def _framed(body: list[Any], pad: Any, start: Any, end: Any) -> list[Any]:
    return [start, *body, end, *[pad] * (75 - len(body))]
