"""Samplings computed in two ways: by the engine, and by diffusers' networks under a plain loop.

Each case runs as a workflow through the engine, from a single-file checkpoint with random weights
in the published layout, and again with diffusers' and transformers' own networks, which
diffusers' converters fill from the same file, under a loop written out here from the formulas. No
code of ``graphengine.diffusion`` takes part in the second way but the byte-pair tokenizer.
``TINY`` is for the tests; ``PUBLISHED`` has the published sizes (see tools/parity.py).
"""

from __future__ import annotations

import gc
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import interpolate

from graphengine.diffusion.controlnet import ControlNetLayout, build_controlnet, controlnet_table
from graphengine.diffusion.layouts import TextLayout, UNetLayout, VaeLayout
from graphengine.diffusion.tokenizer import token_ids
from graphengine.engine import Engine
from graphengine.settings import Settings
from graphengine.workflow import parse_api
from tests.diffusion import tiny_models as tiny
from tests.diffusion.oracle import by_diffusers

SIDE, SEED, CFG = 128, 1234, 7.0
START, END = 49406, 49407
VAE = replace(tiny.VAE, channels=(128, 256, 512, 512), blocks=2)


@dataclass(frozen=True)
class TwoWays:
    """A model to compute with in both ways: the parts of its file, and what it is by the facts.

    ``file``: the name that its file has. ``texts``: text encoders by their prefix in the file.
    ``config``: of diffusers' UNet. ``layer``: which text states are taken by default (-1 = the
    last), ``normed`` whether behind the final layer norm. ``sizes``: how many sizes the network
    is told.
    """

    file: str
    unet: UNetLayout
    texts: Mapping[str, TextLayout]
    config: Mapping[str, Any]
    scale: float = 0.18215
    layer: int = -1
    normed: bool = True
    prediction: str = "eps"
    sizes: int = 0
    steps: int = 8
    vae: VaeLayout = VAE


_CROSS, _PLAIN = ("CrossAttn{}Block2D", "{}Block2D")


def _config(unet: UNetLayout, heads: Any, **more: Any) -> dict[str, Any]:
    """diffusers' configuration of a network whose levels without attention are known."""
    down = [(_CROSS if depth else _PLAIN).format("Down") for depth in unet.down_depths]
    up = [(_CROSS if depth else _PLAIN).format("Up") for depth in unet.up_depths]
    return {
        "in_channels": unet.in_channels,
        "block_out_channels": unet.channels,
        "layers_per_block": unet.blocks[0],
        "down_block_types": down,
        "up_block_types": up,
        "cross_attention_dim": unet.context_width,
        "attention_head_dim": heads,
        **more,
    }


def _sdxl_config(unet: UNetLayout, depths: Any) -> dict[str, Any]:
    return _config(
        unet,
        tuple(width // 64 for width in unet.channels),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        transformer_layers_per_block=depths,
        projection_class_embeddings_input_dim=unet.vector_width,
    )


def _family(
    unets: Mapping[str, UNetLayout], texts: Mapping[str, TextLayout], **more: Any
) -> dict[str, TwoWays]:
    sd1, sd2, xl, refiner = (unets[name] for name in ("sd1", "sd2", "sdxl", "refiner"))
    inpaint = replace(sd1, in_channels=9)
    text_1 = {"cond_stage_model.transformer.": texts["l"]}
    text_xl = {
        "conditioner.embedders.0.transformer.": texts["l"],
        "conditioner.embedders.1.model.": texts["g"],
    }
    is_xl = {"scale": 0.13025, "layer": -2, "normed": False}
    return {
        "sd1": TwoWays("v1-5.safetensors", sd1, text_1, _config(sd1, 8), **more),
        "inpaint": TwoWays("inpainting.safetensors", inpaint, text_1, _config(inpaint, 8), **more),
        "sd2": TwoWays(
            "v2-1_768.safetensors",
            sd2,
            {"cond_stage_model.model.": texts["h"]},
            _config(sd2, tuple(width // 64 for width in sd2.channels), use_linear_projection=True),
            layer=-2,
            prediction="v",
            **more,
        ),
        "sdxl": TwoWays(
            "sd_xl_base.safetensors",
            xl,
            text_xl,
            _sdxl_config(xl, tuple(depth or 1 for depth in xl.down_depths)),
            sizes=6,
            **is_xl,
            **more,
        ),
        "refiner": TwoWays(
            "sd_xl_refiner.safetensors",
            refiner,
            {"conditioner.embedders.0.model.": texts["g"]},
            _sdxl_config(refiner, refiner.middle_depth),
            sizes=5,
            **is_xl,
            **more,
        ),
    }


SD1 = UNetLayout(
    style="ldm",
    in_channels=4,
    out_channels=4,
    channels=(320, 640, 1280, 1280),
    blocks=(2, 2, 2, 2),
    down_depths=(1, 1, 1, 0),
    middle_depth=1,
    up_depths=(0, 1, 1, 1),
    context_width=768,
    linear_projection=False,
)
_OPENCLIP = replace(tiny.CLIP_H, width=1024, layers=24, intermediate=4096, projection=1024)
PUBLISHED = _family(
    {
        "sd1": SD1,
        "sd2": replace(SD1, context_width=1024, linear_projection=True),
        "sdxl": replace(
            SD1,
            channels=(320, 640, 1280),
            blocks=(2, 2, 2),
            down_depths=(0, 2, 10),
            middle_depth=10,
            up_depths=(10, 2, 0),
            context_width=2048,
            linear_projection=True,
            vector_width=2816,
        ),
        "refiner": replace(
            SD1,
            channels=(384, 768, 1536, 1536),
            down_depths=(0, 4, 4, 0),
            middle_depth=4,
            up_depths=(0, 4, 4, 0),
            context_width=1280,
            linear_projection=True,
            vector_width=2560,
        ),
    },
    {
        "l": replace(tiny.CLIP_L, width=768, layers=12, intermediate=3072),
        "h": _OPENCLIP,
        "g": replace(
            _OPENCLIP, kind="clip_g", width=1280, layers=32, intermediate=5120, projection=1280
        ),
    },
)
_TINY_UNET = replace(tiny.SD1_UNET, blocks=(1, 1, 1))
TINY = _family(
    {
        "sd1": _TINY_UNET,
        "sd2": replace(_TINY_UNET, channels=(64, 64, 128), linear_projection=True),
        "sdxl": tiny.SDXL_UNET,
        "refiner": replace(tiny.REFINER_UNET, down_depths=(0, 2, 2, 0), up_depths=(0, 2, 2, 0)),
    },
    {"l": tiny.CLIP_L, "h": tiny.CLIP_H, "g": tiny.CLIP_G},
    vae=tiny.VAE,
    steps=4,
)


# --- files ----------------------------------------------------------------------------------------


def write_checkpoint(published: TwoWays, folder: Path) -> Path:
    """The model's single file in half precision, with what else published files carry along."""
    tensors = _under("model.diffusion_model.", tiny.unet_tensors(published.unet))
    tensors |= _under("first_stage_model.", tiny.vae_tensors(published.vae, seed=1))
    for seed, (prefix, layout) in enumerate(published.texts.items(), start=2):
        tensors |= _under(prefix, tiny.text_tensors(layout, seed=seed))
        if layout.style == "openclip":
            tensors[f"{prefix}logit_scale"] = torch.tensor(4.6)
            tensors[f"{prefix}attn_mask"] = torch.zeros(77, 77)
        else:
            tensors[f"{prefix}text_model.embeddings.position_ids"] = torch.arange(77)[None]
    tensors |= {"betas": torch.zeros(1000), "alphas_cumprod": torch.zeros(1000)}
    path = folder / published.file
    save_file({key: t.half() if t.is_floating_point() else t for key, t in tensors.items()}, path)
    return path


def lora_places(unet: UNetLayout) -> dict[str, str]:
    """What kohya's scripts call some weights of SD 1.x → their keys in the checkpoint."""
    blocks = unet.blocks[0]
    into, out = f"input_blocks.{blocks + 2}.1", f"output_blocks.{2 * (blocks + 1) + 1}.1"
    down = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0"
    text = "lora_te_text_model_encoder_layers_1"
    network, words = "model.diffusion_model", "cond_stage_model.transformer.text_model.encoder"
    return {
        f"{down}_attn1_to_q": f"{network}.{into}.transformer_blocks.0.attn1.to_q",
        f"{down}_attn2_to_k": f"{network}.{into}.transformer_blocks.0.attn2.to_k",
        f"{down}_ff_net_0_proj": f"{network}.{into}.transformer_blocks.0.ff.net.0.proj",
        "lora_unet_up_blocks_2_attentions_1_proj_in": f"{network}.{out}.proj_in",
        "lora_unet_mid_block_resnets_0_conv1": f"{network}.middle_block.0.in_layers.2",
        f"{text}_self_attn_v_proj": f"{words}.layers.1.self_attn.v_proj",
        f"{text}_mlp_fc1": f"{words}.layers.1.mlp.fc1",
    }


def write_lora(
    path: Path, places: Mapping[str, str], tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """A LoRA of rank 4 with alpha 2 as kohya's scripts save it."""
    generator = torch.Generator().manual_seed(20)
    lora: dict[str, Tensor] = {}
    for name, key in places.items():
        out, into, *kernel = tensors[f"{key}.weight"].shape
        down = torch.randn(4, into, *kernel, generator=generator) / math.sqrt(into)
        lora[f"{name}.lora_down.weight"] = down
        lora[f"{name}.lora_up.weight"] = torch.randn(
            out, 4, *[1] * len(kernel), generator=generator
        )
        lora[f"{name}.alpha"] = torch.tensor(2.0)
    save_file(lora, path)
    return lora


def with_lora(
    tensors: Mapping[str, Tensor],
    places: Mapping[str, str],
    lora: Mapping[str, Tensor],
    strength: float,
) -> dict[str, Tensor]:
    """A checkpoint's tensors with W + strength · alpha / rank · up · down, in float32."""
    changed = dict(tensors)
    for name, key in places.items():
        up, down = lora[f"{name}.lora_up.weight"], lora[f"{name}.lora_down.weight"]
        weight = changed[f"{key}.weight"].float()
        difference = (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
        changed[f"{key}.weight"] = weight + strength * (2.0 / 4) * difference
    return changed


def write_controlnet(path: Path, unet: UNetLayout) -> dict[str, Tensor]:
    """A ControlNet in its authors' layout, its zero convolutions trained."""
    layout = ControlNetLayout(unet, 3, (16, 32, 96, 256))
    tensors = tiny.random_tensors(build_controlnet(layout), controlnet_table(layout), 30)
    tensors = {
        key: t * (0.1 if key.startswith(("zero_convs", "middle_block_out")) else 1)
        for key, t in tensors.items()
    }
    save_file(_under("control_model.", tensors), path)
    return tensors


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: tensor for key, tensor in tensors.items()}


# --- the second way -------------------------------------------------------------------------------


@dataclass
class Plain:
    """diffusers' and transformers' networks in float32, filled by diffusers' converters."""

    published: TwoWays
    tensors: Mapping[str, Tensor]

    @cached_property
    def unet(self) -> nn.Module:
        from diffusers import UNet2DConditionModel
        from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

        with torch.device("meta"):
            unet = UNet2DConditionModel(**self.published.config)
        state = convert_ldm_unet_checkpoint(dict(self.tensors), unet.config)
        return _filled(unet, state)

    @cached_property
    def vae(self) -> nn.Module:
        from diffusers import AutoencoderKL
        from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

        with torch.device("meta"):
            vae = AutoencoderKL(
                block_out_channels=self.published.vae.channels,
                layers_per_block=self.published.vae.blocks,
                latent_channels=4,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
            )
        return _filled(vae, convert_ldm_vae_checkpoint(dict(self.tensors), vae.config))

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
        return network.eval()

    @torch.no_grad()
    def encode(
        self,
        segments: Sequence[tuple[str, float]],
        *,
        layer: int | None = None,
        vectors: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The states [1, 77 n, D] of a prompt given as weighted pieces, and the pooled ones.

        ``vectors``: rows that stand for the piece "<emb>".
        """
        found = [
            self._encode(prefix, layout, segments, layer, vectors)
            for prefix, layout in self.published.texts.items()
        ]
        return torch.cat([states for states, _ in found], dim=-1), found[-1][1]

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
        chosen = self.published.layer if layer is None else layer
        states = output.hidden_states[chosen]
        if self.published.normed:
            states = network.text_model.final_layer_norm(states)
        empty, w = states[-1:], torch.tensor(weights)[..., None]
        states = (states[:-1] - empty) * w + empty
        last = network.text_model.final_layer_norm(output.hidden_states[-1])
        pooled = network.text_projection(last[:1, ids[0].index(END)])
        return states.flatten(0, 1)[None], pooled

    def denoise(self, cond: Sequence[Words], uncond: Sequence[Words], options: Options) -> Denoise:
        """(x, sigma) → denoised, under classifier-free guidance, one call a prompt."""

        @torch.no_grad()
        def guided(x: Tensor, sigma: Tensor) -> Tensor:
            sigma = sigma.reshape(())
            if options.mask is not None:
                noisy = options.kept + options.noise * sigma
                x = x * options.mask + noisy * (1 - options.mask)
            result = positive = self._side(x, sigma, cond, options)
            if options.scale != 1.0:
                negative = self._side(x, sigma, uncond, options)
                result = negative + (positive - negative) * options.scale
            if options.mask is not None:
                result = result * options.mask + options.kept * (1 - options.mask)
            return result

        return guided

    def _side(self, x: Tensor, sigma: Tensor, prompts: Sequence[Words], options: Options) -> Tensor:
        total, weight = torch.zeros_like(x), torch.zeros_like(x)
        for words in prompts:
            y0, y1, x0, x1 = words.box or (0, x.shape[-2], 0, x.shape[-1])
            w = 1.0 if words.weight is None else words.weight
            part = x[..., y0:y1, x0:x1]
            total[..., y0:y1, x0:x1] += self._predict(part, sigma, words, options) * w
            weight[..., y0:y1, x0:x1] += w
        return total / weight

    def _predict(self, x: Tensor, sigma: Tensor, words: Words, options: Options) -> Tensor:
        scaled = x / (sigma**2 + 1) ** 0.5
        t = (_table().log() - sigma.log()).abs().argmin().float()
        entry = scaled if options.concat is None else torch.cat([scaled, options.concat], 1)
        context = words.states.expand(len(x), -1, -1)
        more = self._told(words, len(x))
        if options.controlnet is not None:
            down, middle = options.controlnet(scaled, t, context)
            more["down_block_additional_residuals"] = down
            more["mid_block_additional_residual"] = middle
        output = self.unet(entry, t, encoder_hidden_states=context, **more).sample
        if self.published.prediction == "v":
            return x / (sigma**2 + 1) - output * sigma / (sigma**2 + 1) ** 0.5
        denoised: Tensor = x - sigma * output
        if options.prediction == "lcm":
            skip = 0.25 / ((10 * t) ** 2 + 0.25)
            denoised = skip * x + 10 * t / ((10 * t) ** 2 + 0.25) ** 0.5 * denoised
        return denoised

    def _told(self, words: Words, count: int) -> dict[str, Any]:
        """What SDXL's networks are told beside the prompt."""
        if words.pooled is None or not self.published.sizes:
            return {}
        sizes = torch.tensor([words.sizes], dtype=torch.float32).expand(count, -1)
        told = {"text_embeds": words.pooled.expand(count, -1), "time_ids": sizes}
        return {"added_cond_kwargs": told}


Denoise = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Words:
    """A prompt for the second way; ``box``: top, bottom, left, right in latent pixels."""

    states: Tensor
    pooled: Tensor | None = None
    sizes: tuple[float, ...] = ()
    box: tuple[int, int, int, int] | None = None
    weight: Tensor | float | None = None


@dataclass(frozen=True, eq=False)
class Options:
    """What else changes the second way's denoiser."""

    scale: float = CFG
    mask: Tensor | None = None
    kept: Tensor = field(default_factory=lambda: torch.zeros(1))
    noise: Tensor = field(default_factory=lambda: torch.zeros(1))
    concat: Tensor | None = None
    controlnet: Callable[[Tensor, Tensor, Tensor], tuple[Any, Tensor]] | None = None
    prediction: str = ""


def plain_noise(count: int = 1, seed: int = SEED) -> Tensor:
    """The noise of a seed: one draw for the batch."""
    return torch.randn(
        count, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(seed)
    )


def _table() -> Tensor:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = torch.cumprod(1 - betas, 0)
    return ((1 - kept) / kept).sqrt().float()


def normal_sigmas(steps: int) -> Tensor:
    """The schedule "normal": levels at evenly spaced, fractional timesteps."""
    log_table = _table().log()
    t = torch.linspace(999, 0, steps)
    low = t.floor().long()
    mixed = torch.lerp(log_table[low], log_table[t.ceil().long()], t.frac()).exp()
    return torch.cat([mixed, torch.zeros(1)])


def plain_euler(denoise: Denoise, x: Tensor, sigmas: Tensor, *, ancestral: bool = False) -> Tensor:
    """Karras et al. 2022, Alg. 2 without churn; with ``ancestral`` k-diffusion's variant."""
    generator = torch.Generator().manual_seed(SEED)
    for sigma, after in pairwise(sigmas):
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


def _filled(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    network.load_state_dict({key: t.float() for key, t in state.items()}, strict=True, assign=True)
    return network.eval().requires_grad_(False)


# --- the cases ------------------------------------------------------------------------------------

PROMPT = "a (red:1.3) cat on a mat"
SEGMENTS = (("a ", 1.0), ("red", 1.3), (" cat on a mat", 1.0))
NEGATIVE = "blurry"
LONG = ", ".join(f"word number {i}" for i in range(30))


def workflow(steps: int, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Text to image in API form; ``changes``: "NODE.INPUT" → value, or a node → its definition."""
    nodes: dict[str, Any] = {
        "model": _node("CheckpointLoaderSimple", ckpt_name=""),
        "cond": _node("CLIPTextEncode", text=PROMPT, clip=["model", 1]),
        "uncond": _node("CLIPTextEncode", text=NEGATIVE, clip=["model", 1]),
        "latent": _node("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=1),
        "sampler": _node(
            "KSampler",
            model=["model", 0],
            seed=SEED,
            steps=steps,
            cfg=CFG,
            sampler_name="euler",
            scheduler="normal",
            positive=["cond", 0],
            negative=["uncond", 0],
            latent_image=["latent", 0],
            denoise=1.0,
        ),
        "decode": _node("VAEDecode", samples=["sampler", 0], vae=["model", 2]),
    }
    for name, value in changes.items():
        node, _, input_name = name.partition(".")
        if input_name:
            nodes[node]["inputs"][input_name] = value
        else:
            nodes[node] = value
    return nodes


def _node(type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": type, "inputs": inputs}


@dataclass(frozen=True, eq=False)
class Case:
    """One sampling. ``changes``: of the workflow; ``expected``: the latent by the second way."""

    name: str
    changes: Mapping[str, Any]
    expected: Callable[[], Tensor]


def run(name: str, published: TwoWays) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Each case of a family's model: its name, the engine's result, the second way's."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        for kind in ("checkpoints", "loras", "controlnet", "embeddings"):
            (folder / "models" / kind).mkdir(parents=True)
        path = write_checkpoint(published, folder / "models" / "checkpoints")
        world = World(published, folder, Plain(published, load_file(path)))
        cases = list(_CASES[name](world))
        engine = Engine.open(Settings(base_directory=folder, device="cpu"))
        ours = [_ours(engine, published, case) for case in cases]
        del engine
        gc.collect()
        for case, got in zip(cases, ours, strict=True):
            yield f"{name}: {case.name}", got, case.expected()


def _ours(engine: Engine, published: TwoWays, case: Case) -> Tensor:
    nodes = workflow(published.steps, {"model.ckpt_name": published.file, **case.changes})
    target = "decode" if case.name.startswith("picture") else "sampler"
    result = engine.run(parse_api(nodes), targets=[target]).raise_for_status()
    value = result.outputs[target][0]
    found: Tensor = value.pixels if target == "decode" else value.samples
    return found


@dataclass(eq=False)
class World:
    """What the cases of one model share."""

    published: TwoWays
    folder: Path
    plain: Plain

    @cached_property
    def cond(self) -> Words:
        return self.words(SEGMENTS)

    @cached_property
    def uncond(self) -> Words:
        return self.words(((NEGATIVE, 1.0),), score=2.5)

    def words(
        self, segments: Sequence[tuple[str, float]], *, score: float = 6.0, **options: Any
    ) -> Words:
        sizes: tuple[float, ...] = (SIDE, SIDE, 0, 0, SIDE, SIDE)
        if self.published.sizes == 5:
            sizes = (SIDE, SIDE, 0, 0, score)
        states, pooled = self.plain.encode(segments, **options)
        return Words(states, pooled, sizes)

    def denoise(self, options: Options | None = None) -> Denoise:
        return self.plain.denoise([self.cond], [self.uncond], options or Options())

    def euler(self, denoise: Denoise, *, count: int = 1) -> Tensor:
        sigmas = normal_sigmas(self.published.steps)
        x = plain_noise(count) * (1 + sigmas[0] ** 2).sqrt()
        return plain_euler(denoise, x, sigmas) / self.published.scale

    def by_diffusers(self, sampler: str) -> Tensor:
        x = plain_noise() * (1 + _table()[-1] ** 2).sqrt()
        return (
            by_diffusers(sampler, self.denoise(), x, self.published.steps, SEED)
            / self.published.scale
        )

    @cached_property
    def picture(self) -> Tensor:
        """A picture of the input folder, [1, 3, H, W] in 0..1."""
        pixels = np.random.default_rng(5).integers(0, 256, (SIDE // 8, SIDE // 8, 3), np.uint8)
        image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        (self.folder / "input").mkdir(exist_ok=True)
        image.save(self.folder / "input" / "picture.png")
        return torch.from_numpy(np.asarray(image).astype(np.float32) / 255).movedim(-1, 0)[None]

    @cached_property
    def mask(self) -> Tensor:
        """The left part of the picture, soft at its edge, [1, 1, H, W]; a file beside it."""
        ramp = np.clip((SIDE * 0.55 - np.arange(SIDE)) / 24, 0, 1)
        values = (255 * np.tile(ramp, (SIDE, 1))).astype(np.uint8)
        (self.folder / "input").mkdir(exist_ok=True)
        Image.fromarray(values).convert("RGB").save(self.folder / "input" / "mask.png")
        return torch.from_numpy(values.astype(np.float32) / 255)[None, None]

    @torch.no_grad()
    def encoded(self, picture: Tensor) -> Tensor:
        mean: Tensor = self.plain.vae.encode(picture * 2 - 1).latent_dist.mean
        return mean


def _common(world: World) -> Iterator[Case]:
    yield Case("euler normal, weights", {}, lambda: world.euler(world.denoise()))
    karras = {"sampler.scheduler": "karras"}
    for sampler in ("dpmpp_2m", "heun"):
        changes = karras | {"sampler.sampler_name": sampler}
        yield Case(f"{sampler} karras", changes, lambda s=sampler: world.by_diffusers(s))
    ancestral = {"sampler.sampler_name": "euler_ancestral"}
    yield Case("euler_ancestral", ancestral, lambda: _ancestral(world))

    def decoded() -> Tensor:
        z = world.euler(world.denoise())
        with torch.no_grad():
            y = world.plain.vae.decode(z).sample
        return ((y + 1) / 2).clamp(0, 1).movedim(1, -1)

    yield Case("picture", {}, decoded)


def _ancestral(world: World) -> Tensor:
    sigmas = normal_sigmas(world.published.steps)
    x = plain_noise() * (1 + sigmas[0] ** 2).sqrt()
    return plain_euler(world.denoise(), x, sigmas, ancestral=True) / world.published.scale


def _sd1(world: World) -> Iterator[Case]:
    yield from _common(world)
    for sampler in ("lms", "res_multistep"):
        changes = {"sampler.scheduler": "karras", "sampler.sampler_name": sampler}
        yield Case(f"{sampler} karras", changes, lambda s=sampler: world.by_diffusers(s))
    yield Case(
        "batch of 2", {"latent.batch_size": 2}, lambda: world.euler(world.denoise(), count=2)
    )
    yield Case("cfg 1", {"sampler.cfg": 1.0}, lambda: world.euler(world.denoise(Options(1.0))))
    yield from _image_cases(world)
    yield from _text_cases(world)
    yield from _file_cases(world)
    yield from _sampling_cases(world)


def _image_cases(world: World) -> Iterator[Case]:
    picture, mask = world.picture, world.mask
    given = {
        "picture": _node("LoadImage", image="picture.png"),
        "mask": _node("LoadImageMask", image="mask.png", channel="red"),
        "encode": _node("VAEEncode", pixels=["picture", 0], vae=["model", 2]),
    }
    to_image = given | {"sampler.latent_image": ["encode", 0], "sampler.denoise": 0.6}
    scale = world.published.scale

    def image_to_image(options: Callable[[Tensor, Tensor], Options]) -> Tensor:
        kept = world.encoded(picture) * scale
        steps = world.published.steps
        sigmas = normal_sigmas(int(steps / 0.6))[-(steps + 1) :]
        noise = plain_noise()
        denoise = world.denoise(options(kept, noise))
        return plain_euler(denoise, kept + noise * sigmas[0], sigmas) / scale

    yield Case("img2img, denoise 0.6", to_image, lambda: image_to_image(lambda *_: Options()))
    masked = to_image | {
        "masked": _node("SetLatentNoiseMask", samples=["encode", 0], mask=["mask", 0]),
        "sampler.latent_image": ["masked", 0],
    }

    def under_mask(kept: Tensor, noise: Tensor) -> Options:
        small = interpolate(mask, size=kept.shape[-2:], mode="bilinear")
        return Options(mask=small, kept=kept, noise=noise)

    yield Case("inpaint by noise mask", masked, lambda: image_to_image(under_mask))


def _text_cases(world: World) -> Iterator[Case]:
    skipped = {
        "skip": _node("CLIPSetLastLayer", clip=["model", 1], stop_at_clip_layer=-2),
        "cond.clip": ["skip", 0],
        "uncond.clip": ["skip", 0],
    }

    def with_words(cond: Sequence[Words], *uncond: Words) -> Tensor:
        return world.euler(world.plain.denoise(cond, uncond or [world.uncond], Options()))

    yield Case(
        "clip skip 2",
        skipped,
        lambda: with_words(
            [world.words(SEGMENTS, layer=-2)], world.words(((NEGATIVE, 1.0),), layer=-2)
        ),
    )

    def long_words() -> Tensor:
        cond = world.words(((LONG, 1.0),))
        repeats = cond.states.shape[1] // 77
        states = world.uncond.states.repeat(1, repeats, 1)
        return with_words([cond], replace(world.uncond, states=states))

    yield Case("long prompt", {"cond.text": LONG}, long_words)
    width = world.published.unet.context_width
    vectors = torch.randn(3, width, generator=torch.Generator().manual_seed(9)) * 0.3
    save_file({"emb_params": vectors}, world.folder / "models" / "embeddings" / "thing.safetensors")
    spoken = (("a", 1.0), ("<emb>", 1.0), ("dog", 1.0))
    yield Case(
        "embedding",
        {"cond.text": "a embedding:thing dog"},
        lambda: with_words([world.words(spoken, vectors=vectors)]),
    )

    def in_areas() -> Tensor:
        placed = _area_words(world)
        # The negative prompt speaks about the area too.
        there = replace(world.uncond, box=placed.box, weight=placed.weight)
        return with_words([world.cond, placed], world.uncond, there)

    yield Case("areas", _areas(), in_areas)


def _areas() -> dict[str, Any]:
    return {
        "other": _node("CLIPTextEncode", text="a blue dog", clip=["model", 1]),
        "area": _node(
            "ConditioningSetArea",
            conditioning=["other", 0],
            width=64,
            height=96,
            x=64,
            y=32,
            strength=0.8,
        ),
        "both": _node(
            "ConditioningCombine", conditioning_1=["cond", 0], conditioning_2=["area", 0]
        ),
        "sampler.positive": ["both", 0],
    }


def _area_words(world: World) -> Words:
    """A box from row 4 and column 8 of 12 by 8, fading in at its top and left."""
    rows, columns = torch.ones(12), torch.ones(8)
    rows[:3], columns[:2] = torch.arange(1, 4) / 3, torch.arange(1, 3) / 2
    weight = rows[:, None] * columns[None] * 0.8
    other = world.words((("a blue dog", 1.0),))
    return replace(other, box=(4, 16, 8, 16), weight=weight)


def _file_cases(world: World) -> Iterator[Case]:
    places = lora_places(world.published.unet)
    lora = write_lora(
        world.folder / "models" / "loras" / "style.safetensors", places, world.plain.tensors
    )
    patched = {
        "lora": _node(
            "LoraLoader",
            model=["model", 0],
            clip=["model", 1],
            lora_name="style.safetensors",
            strength_model=0.7,
            strength_clip=0.7,
        ),
        "cond.clip": ["lora", 1],
        "uncond.clip": ["lora", 1],
        "sampler.model": ["lora", 0],
    }

    def with_changed_weights() -> Tensor:
        tensors = with_lora(world.plain.tensors, places, lora, 0.7)
        return _euler_of(World(world.published, world.folder, Plain(world.published, tensors)))

    yield Case("LoRA", patched, with_changed_weights)
    steering = write_controlnet(
        world.folder / "models" / "controlnet" / "control.safetensors", world.published.unet
    )
    hint = world.picture
    steered = {
        "picture": _node("LoadImage", image="picture.png"),
        "control": _node("ControlNetLoader", control_net_name="control.safetensors"),
        "apply": _node(
            "ControlNetApplyAdvanced",
            positive=["cond", 0],
            negative=["uncond", 0],
            control_net=["control", 0],
            image=["picture", 0],
            strength=0.8,
            start_percent=0.0,
            end_percent=1.0,
        ),
        "sampler.positive": ["apply", 0],
        "sampler.negative": ["apply", 1],
    }

    def with_controlnet() -> Tensor:
        network = _plain_controlnet(steering, world.published)

        def call(x: Tensor, t: Tensor, context: Tensor) -> tuple[Any, Tensor]:
            down, middle = network(
                x, t, encoder_hidden_states=context, controlnet_cond=hint, return_dict=False
            )
            return [0.8 * part for part in down], 0.8 * middle

        return world.euler(world.denoise(Options(controlnet=call)))

    yield Case("ControlNet", steered, with_controlnet)


def _euler_of(world: World) -> Tensor:
    return world.euler(world.denoise())


def _plain_controlnet(tensors: Mapping[str, Tensor], published: TwoWays) -> nn.Module:
    from diffusers import ControlNetModel
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    config = {key: value for key, value in published.config.items() if key != "up_block_types"}
    with torch.device("meta"):
        network = ControlNetModel(**config)
    state = convert_controlnet_checkpoint(dict(tensors), network.config)
    return _filled(network, state)


def _sampling_cases(world: World) -> Iterator[Case]:
    mode = {
        "lcm": _node("ModelSamplingDiscrete", model=["model", 0], sampling="lcm", zsnr=False),
        "sampler.model": ["lcm", 0],
        "sampler.sampler_name": "lcm",
        "sampler.scheduler": "simple",
        "sampler.cfg": 1.0,
        "sampler.steps": 4,
    }
    yield Case("LCM", mode, lambda: _consistency(world))
    steps = world.published.steps
    stages = {
        "first": _advanced(steps, ["latent", 0], (0, 3), noise="enable", left="enable"),
        "sampler": _advanced(steps, ["first", 0], (3, 10000), noise="disable", left="disable"),
    }
    yield Case("two advanced samplers", stages, lambda: _euler_of(world))


def _consistency(world: World) -> Tensor:
    """Luo et al. 2023, Alg. 3, over four of the fifty levels."""
    levels = _table()[19::20]
    sigmas = [levels[-(1 + int(i * 50 / 4))] for i in range(4)]
    denoise = world.plain.denoise([world.cond], [], Options(1.0, prediction="lcm"))
    x = plain_noise() * (1 + sigmas[0] ** 2).sqrt()
    generator = torch.Generator().manual_seed(SEED)
    for sigma, after in pairwise([*sigmas, torch.tensor(0.0)]):
        x = denoise(x, sigma)
        if after > 0:
            x = x + after * torch.randn(x.shape, generator=generator)
    return x / world.published.scale


def _advanced(
    steps: int, latent: list[Any], part: tuple[int, int], *, noise: str, left: str
) -> dict[str, Any]:
    return _node(
        "KSamplerAdvanced",
        model=["model", 0],
        add_noise=noise,
        noise_seed=SEED,
        steps=steps,
        cfg=CFG,
        sampler_name="euler",
        scheduler="normal",
        positive=["cond", 0],
        negative=["uncond", 0],
        latent_image=latent,
        start_at_step=part[0],
        end_at_step=part[1],
        return_with_leftover_noise=left,
    )


def _inpaint(world: World) -> Iterator[Case]:
    picture, mask = world.picture, world.mask
    prepared = {
        "picture": _node("LoadImage", image="picture.png"),
        "mask": _node("LoadImageMask", image="mask.png", channel="red"),
        "inpaint": _node(
            "InpaintModelConditioning",
            positive=["cond", 0],
            negative=["uncond", 0],
            vae=["model", 2],
            pixels=["picture", 0],
            mask=["mask", 0],
            noise_mask=False,
        ),
        "sampler.positive": ["inpaint", 0],
        "sampler.negative": ["inpaint", 1],
        "sampler.latent_image": ["inpaint", 2],
    }
    scale = world.published.scale

    def painted() -> Tensor:
        grey = (picture - 0.5) * (1 - mask.round()) + 0.5
        small = interpolate(mask, size=(SIDE // 8, SIDE // 8), mode="bilinear").round()
        concat = torch.cat([small, world.encoded(grey) * scale], dim=1)
        sigmas, kept = normal_sigmas(world.published.steps), world.encoded(picture) * scale
        x = kept + plain_noise() * (1 + sigmas[0] ** 2).sqrt()
        return plain_euler(world.denoise(Options(concat=concat)), x, sigmas) / scale

    yield Case("inpainting model", prepared, painted)


def _sdxl(world: World) -> Iterator[Case]:
    yield from _common(world)
    sized = _node(
        "CLIPTextEncodeSDXL",
        clip=["model", 1],
        width=1024,
        height=768,
        crop_w=16,
        crop_h=8,
        target_width=512,
        target_height=640,
        text_g=PROMPT,
        text_l=PROMPT,
    )

    def with_sizes() -> Tensor:
        cond = replace(world.cond, sizes=(768, 1024, 8, 16, 640, 512))
        return world.euler(world.plain.denoise([cond], [world.uncond], Options()))

    yield Case("sizes", {"cond": sized}, with_sizes)


_CASES: Mapping[str, Callable[[World], Iterator[Case]]] = {
    "sd1": _sd1,
    "sd2": _common,
    "inpaint": _inpaint,
    "sdxl": _sdxl,
    "refiner": _common,
}
