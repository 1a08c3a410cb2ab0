"""The cases: what a workflow does, and the same written out for the second way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from tests.diffusion.oracle import by_diffusers
from tests.diffusion.two_ways.files import lora_places, with_lora, write_controlnet, write_lora
from tests.diffusion.two_ways.models import TwoWays
from tests.diffusion.two_ways.plain import (
    CFG,
    SEED,
    SIDE,
    Denoise,
    Options,
    Plain,
    Words,
    normal_sigmas,
    plain_euler,
    plain_noise,
    sigma_table,
)

PROMPT = "a (red:1.3) cat on a mat"
SEGMENTS = (("a ", 1.0), ("red", 1.3), (" cat on a mat", 1.0))
NEGATIVE = "blurry"
LONG = ", ".join(f"word number {i}" for i in range(30))


def workflow(steps: int, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Text to image in API form; ``changes``: "NODE.INPUT" → value, or a node → its definition."""
    nodes: dict[str, Any] = {
        "model": node("CheckpointLoaderSimple", ckpt_name=""),
        "cond": node("CLIPTextEncode", text=PROMPT, clip=["model", 1]),
        "uncond": node("CLIPTextEncode", text=NEGATIVE, clip=["model", 1]),
        "latent": node("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=1),
        "sampler": node(
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
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["model", 2]),
    }
    for name, value in changes.items():
        id, _, input_name = name.partition(".")
        if input_name:
            inputs = nodes[id]["inputs"] | {input_name: value}
            nodes[id] = nodes[id] | {"inputs": inputs}  # the given definition stays as it is
        else:
            nodes[id] = value
    return nodes


def node(type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": type, "inputs": inputs}


# A second prompt, and what lets it act beside the first one where a node "placed" puts it.
OTHER = {"other": node("CLIPTextEncode", text="a blue dog", clip=["model", 1])}
BOTH = {
    "both": node("ConditioningCombine", conditioning_1=["cond", 0], conditioning_2=["placed", 0]),
    "sampler.positive": ["both", 0],
}


@dataclass(frozen=True, eq=False)
class Case:
    """One sampling. ``changes``: of the workflow; ``expected``: the latent by the second way."""

    name: str
    changes: Mapping[str, Any]
    expected: Callable[[], Tensor]


@dataclass(eq=False)
class World:
    """What the cases of one model share."""

    model: TwoWays
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
        if self.model.sizes == 5:
            sizes = (SIDE, SIDE, 0, 0, score)
        states, pooled = self.plain.encode(segments, **options)
        return Words(states, pooled, sizes)

    def denoise(self, options: Options | None = None) -> Denoise:
        return self.plain.denoise([self.cond], [self.uncond], options or Options())

    def placed(self, tensor: Tensor) -> Tensor:
        """A float32 tensor in the second way's dtype."""
        return tensor.to(self.plain.dtype)

    def sigmas(self, steps: int | None = None) -> Tensor:
        return self.placed(normal_sigmas(steps or self.model.steps))

    def start(self, count: int = 1) -> Tensor:
        """Pure noise, with the variance that training saw at the highest level."""
        return self.placed(plain_noise(count)) * (1 + self.sigmas()[0] ** 2).sqrt()

    def euler(self, denoise: Denoise, *, count: int = 1, ancestral: bool = False) -> Tensor:
        found = plain_euler(denoise, self.start(count), self.sigmas(), ancestral=ancestral)
        return found / self.model.scale

    def euler_of(self, cond: Sequence[Words], uncond: Sequence[Words] = ()) -> Tensor:
        return self.euler(self.plain.denoise(cond, uncond or [self.uncond], Options()))

    def by_diffusers(self, sampler: str) -> Tensor:
        found = by_diffusers(sampler, self.denoise(), self.start(), self.model.steps, SEED)
        return found / self.model.scale

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
        """The posterior's mean, scaled for the network."""
        mean: Tensor = self.plain.vae.encode(self.placed(picture) * 2 - 1).latent_dist.mean
        return mean * self.model.scale


# --- cases of every family ------------------------------------------------------------------------


def _common(world: World) -> Iterator[Case]:
    yield Case("euler normal, weights", {}, lambda: world.euler(world.denoise()))
    karras = {"sampler.scheduler": "karras"}
    for sampler in ("dpmpp_2m", "heun"):
        changes = karras | {"sampler.sampler_name": sampler}
        yield Case(f"{sampler} karras", changes, lambda s=sampler: world.by_diffusers(s))
    ancestral = {"sampler.sampler_name": "euler_ancestral"}
    yield Case("euler_ancestral", ancestral, lambda: world.euler(world.denoise(), ancestral=True))

    def decoded() -> Tensor:
        z = world.euler(world.denoise())
        with torch.no_grad():
            y = world.plain.vae.decode(z).sample
        return ((y + 1) / 2).clamp(0, 1).movedim(1, -1)

    yield Case("picture", {}, decoded)
    yield from _image_cases(world)


def _image_cases(world: World) -> Iterator[Case]:
    picture, mask = world.picture, world.mask
    given = {
        "picture": node("LoadImage", image="picture.png"),
        "mask": node("LoadImageMask", image="mask.png", channel="red"),
        "encode": node("VAEEncode", pixels=["picture", 0], vae=["model", 2]),
    }
    to_image = given | {"sampler.latent_image": ["encode", 0], "sampler.denoise": 0.6}
    steps, scale = world.model.steps, world.model.scale

    def image_to_image(options: Callable[[Tensor, Tensor], Options]) -> Tensor:
        kept, noise = world.encoded(picture), world.placed(plain_noise())
        sigmas = world.sigmas(int(steps / 0.6))[-(steps + 1) :]
        denoise = world.denoise(options(kept, noise))
        return plain_euler(denoise, kept + noise * sigmas[0], sigmas) / scale

    yield Case("img2img, denoise 0.6", to_image, lambda: image_to_image(lambda *_: Options()))
    masked = to_image | {
        "masked": node("SetLatentNoiseMask", samples=["encode", 0], mask=["mask", 0]),
        "sampler.latent_image": ["masked", 0],
    }

    def under_mask(kept: Tensor, noise: Tensor) -> Options:
        small = interpolate(mask, size=kept.shape[-2:], mode="bilinear")
        return Options(mask=world.placed(small), kept=kept, noise=noise)

    yield Case("inpaint by noise mask", masked, lambda: image_to_image(under_mask))
    fresh = masked | {"sampler.sampler_name": "ddim"}

    def under_mask_by_ddim(kept: Tensor, _noise: Tensor) -> Options:
        return under_mask(kept, world.placed(plain_noise(seed=SEED + 1)))

    yield Case("inpaint by ddim", fresh, lambda: image_to_image(under_mask_by_ddim))
    grown = given | {
        "encode": node(
            "VAEEncodeForInpaint",
            pixels=["picture", 0],
            vae=["model", 2],
            mask=["mask", 0],
            grow_mask_by=6,
        ),
        "sampler.latent_image": ["encode", 0],
    }

    def painted_anew() -> Tensor:
        spread = conv2d(mask.round(), torch.ones(1, 1, 6, 6), padding=3).clamp(0, 1)
        spread = spread[..., :SIDE, :SIDE].round()
        small = world.placed(interpolate(spread, size=(SIDE // 8, SIDE // 8), mode="bilinear"))
        kept = world.encoded(_greyed(picture, mask))
        noise = world.placed(plain_noise())
        denoise = world.denoise(Options(mask=small, kept=kept, noise=noise))
        return plain_euler(denoise, kept + world.start(), world.sigmas()) / scale

    yield Case("inpaint by VAE encode", grown, painted_anew)


def _greyed(picture: Tensor, mask: Tensor) -> Tensor:
    return (picture - 0.5) * (1 - mask.round()) + 0.5


def _text_cases(world: World, layer: int) -> Iterator[Case]:
    """``layer``: to stop the text encoder at."""
    skipped = {
        "skip": node("CLIPSetLastLayer", clip=["model", 1], stop_at_clip_layer=layer),
        "cond.clip": ["skip", 0],
        "uncond.clip": ["skip", 0],
    }

    def stopped() -> Tensor:
        uncond = world.words(((NEGATIVE, 1.0),), layer=layer)
        return world.euler_of([world.words(SEGMENTS, layer=layer)], [uncond])

    yield Case(f"clip layer {layer}", skipped, stopped)

    def long_words() -> Tensor:
        cond = world.words(((LONG, 1.0),))
        repeats = cond.states.shape[1] // 77
        states = world.uncond.states.repeat(1, repeats, 1)
        return world.euler_of([cond], [replace(world.uncond, states=states)])

    yield Case("long prompt", {"cond.text": LONG}, long_words)
    kinds = {layout.kind: layout.width for layout in world.model.parts.texts.values()}
    generator = torch.Generator().manual_seed(9)
    vectors = {k: torch.randn(3, width, generator=generator) * 0.3 for k, width in kinds.items()}
    saved = vectors if len(kinds) > 1 else {"emb_params": next(iter(vectors.values()))}
    save_file(saved, world.folder / "models" / "embeddings" / "thing.safetensors")
    spoken = (("a", 1.0), ("<emb>", 1.2), ("dog", 1.0))
    yield Case(
        "embedding",
        {"cond.text": "a (embedding:thing:1.2) dog"},
        lambda: world.euler_of([world.words(spoken, vectors=vectors)]),
    )


def blue_dog(world: World) -> Words:
    """What the node "other" says."""
    return world.words((("a blue dog", 1.0),))


def _place_cases(world: World) -> Iterator[Case]:
    area = node(
        "ConditioningSetArea",
        conditioning=["other", 0],
        width=64,
        height=96,
        x=64,
        y=32,
        strength=0.8,
    )

    def in_areas() -> Tensor:
        # A box from row 4 and column 8 of 12 by 8, fading in at its top and left.
        rows, columns = torch.ones(12), torch.ones(8)
        rows[:3], columns[:2] = torch.arange(1, 4) / 3, torch.arange(1, 3) / 2
        weight = world.placed(rows[:, None] * columns[None] * 0.8)
        placed = replace(blue_dog(world), box=(4, 16, 8, 16), weight=weight)
        # The negative prompt speaks about the area too.
        there = replace(world.uncond, box=placed.box, weight=placed.weight)
        return world.euler_of([world.cond, placed], [world.uncond, there])

    yield Case("areas", OTHER | BOTH | {"placed": area}, in_areas)
    mask = node(
        "ConditioningSetMask",
        conditioning=["other", 0],
        mask=["mask", 0],
        strength=0.7,
        set_cond_area="default",
    )
    loaded = {"mask": node("LoadImageMask", image="mask.png", channel="red")}
    shape = world.mask

    def in_a_mask() -> Tensor:
        small = interpolate(shape, size=(SIDE // 8, SIDE // 8), mode="bilinear")
        placed = replace(blue_dog(world), weight=world.placed(small) * 0.7)
        return world.euler_of([world.cond, placed])

    yield Case("mask", OTHER | BOTH | loaded | {"placed": mask}, in_a_mask)
    early, late = (
        node("ConditioningSetTimestepRange", conditioning=[source, 0], start=start, end=end)
        for source, start, end in (("cond", 0.0, 0.4), ("other", 0.4, 1.0))
    )
    turns = {"early": early, "placed": late, "both.conditioning_1": ["early", 0]}

    def in_turns() -> Tensor:
        change = float(sigma_at(0.4))
        first, second = replace(world.cond, until=change), replace(blue_dog(world), since=change)
        return world.euler_of([first, second])

    yield Case("prompts in turns", OTHER | BOTH | turns, in_turns)


def sigma_at(percent: float) -> Tensor:
    """The level where a part of the denoising is done: at a fractional timestep, [] float32."""
    t = torch.tensor((1 - percent) * 999)
    log_table = sigma_table().log()
    return torch.lerp(log_table[int(t.floor())], log_table[int(t.ceil())], t.frac()).exp()


# --- files ----------------------------------------------------------------------------------------


def _file_cases(world: World) -> Iterator[Case]:
    places = lora_places(world.model)
    lora = write_lora(
        world.folder / "models" / "loras" / "style.safetensors", places, world.plain.tensors
    )
    patched = {
        "lora": node(
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
        changed = World(world.model, world.folder, replace(world.plain, tensors=tensors))
        return changed.euler(changed.denoise())

    yield Case("LoRA", patched, with_changed_weights)
    steering = write_controlnet(
        world.folder / "models" / "controlnet" / "control.safetensors", world.model
    )
    hint = world.picture
    steered = {
        "picture": node("LoadImage", image="picture.png"),
        "control": node("ControlNetLoader", control_net_name="control.safetensors"),
        "apply": node(
            "ControlNetApplyAdvanced",
            positive=["cond", 0],
            negative=["uncond", 0],
            control_net=["control", 0],
            image=["picture", 0],
            strength=0.8,
            start_percent=0.0,
            end_percent=0.7,
        ),
        "sampler.positive": ["apply", 0],
        "sampler.negative": ["apply", 1],
    }

    def with_controlnet() -> Tensor:
        network = plain_controlnet(steering, world)
        end = float(sigma_at(0.7))

        def call(
            x: Tensor, t: Tensor, sigma: Tensor, context: Tensor, told: dict[str, Any]
        ) -> tuple[Any, Tensor] | None:
            if float(sigma) < end:
                return None
            down, middle = network(
                x,
                t,
                encoder_hidden_states=context,
                controlnet_cond=world.placed(hint),
                return_dict=False,
                **told,
            )
            return [0.8 * part for part in down], 0.8 * middle

        return world.euler(world.denoise(Options(controlnet=call)))

    yield Case("ControlNet", steered, with_controlnet)


def plain_controlnet(tensors: Mapping[str, Tensor], world: World) -> nn.Module:
    from diffusers import ControlNetModel
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    config = {key: value for key, value in world.model.config.items() if key != "up_block_types"}
    with torch.device("meta"):
        network = ControlNetModel(**config)
    state = dict(tensors)
    if "controlnet_mid_block.weight" not in state:
        state = convert_controlnet_checkpoint(state, network.config)
    return world.plain.filled(network, state)


# --- families -------------------------------------------------------------------------------------


def _sd1(world: World) -> Iterator[Case]:
    yield from _common(world)
    for sampler in ("lms", "res_multistep"):
        changes = {"sampler.scheduler": "karras", "sampler.sampler_name": sampler}
        yield Case(f"{sampler} karras", changes, lambda s=sampler: world.by_diffusers(s))
    yield Case(
        "batch of 2", {"latent.batch_size": 2}, lambda: world.euler(world.denoise(), count=2)
    )
    yield Case("cfg 1", {"sampler.cfg": 1.0}, lambda: world.euler(world.denoise(Options(1.0))))
    yield from _text_cases(world, -2)
    yield from _place_cases(world)
    yield from _file_cases(world)
    yield from _sampling_cases(world)


def _sd2(world: World) -> Iterator[Case]:
    yield from _common(world)
    yield from _text_cases(world, -3)
    yield from _file_cases(world)


def _sampling_cases(world: World) -> Iterator[Case]:
    mode = {
        "lcm": node("ModelSamplingDiscrete", model=["model", 0], sampling="lcm", zsnr=False),
        "sampler.model": ["lcm", 0],
        "sampler.sampler_name": "lcm",
        "sampler.scheduler": "simple",
        "sampler.cfg": 1.0,
        "sampler.steps": 4,
    }
    yield Case("LCM", mode, lambda: _consistency(world))
    steps = world.model.steps
    stages = {
        "first": advanced(steps, ["latent", 0], (0, 3), noise="enable", left="enable"),
        "sampler": advanced(steps, ["first", 0], (3, 10000), noise="disable", left="disable"),
    }
    yield Case("two advanced samplers", stages, lambda: world.euler(world.denoise()))


def _consistency(world: World) -> Tensor:
    """Luo et al. 2023, Alg. 3, over four of the fifty levels."""
    levels = world.placed(sigma_table()[19::20])
    sigmas = [levels[-(1 + int(i * 50 / 4))] for i in range(4)]
    denoise = world.plain.denoise([world.cond], [], Options(1.0, prediction="lcm"))
    x = world.start()
    generator = torch.Generator().manual_seed(SEED)
    for sigma, after in pairwise([*sigmas, torch.tensor(0.0)]):
        x = denoise(x, sigma)
        if after > 0:
            x = x + after * torch.randn(x.shape, generator=generator)
    return x / world.model.scale


def advanced(
    steps: int, latent: list[Any], part: tuple[int, int], *, noise: str, left: str
) -> dict[str, Any]:
    return node(
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
    for held in (False, True):
        prepared = {
            "picture": node("LoadImage", image="picture.png"),
            "mask": node("LoadImageMask", image="mask.png", channel="red"),
            "inpaint": node(
                "InpaintModelConditioning",
                positive=["cond", 0],
                negative=["uncond", 0],
                vae=["model", 2],
                pixels=["picture", 0],
                mask=["mask", 0],
                noise_mask=held,
            ),
            "sampler.positive": ["inpaint", 0],
            "sampler.negative": ["inpaint", 1],
            "sampler.latent_image": ["inpaint", 2],
        }

        def painted(held: bool = held) -> Tensor:
            small = world.placed(interpolate(mask, size=(SIDE // 8, SIDE // 8), mode="bilinear"))
            concat = torch.cat([small.round(), world.encoded(_greyed(picture, mask))], dim=1)
            kept, noise = world.encoded(picture), world.placed(plain_noise())
            options = Options(concat=concat, kept=kept, noise=noise, mask=small if held else None)
            x = kept + world.start()
            return plain_euler(world.denoise(options), x, world.sigmas()) / world.model.scale

        name = "inpainting model, noise mask" if held else "inpainting model"
        yield Case(name, prepared, painted)


def _sdxl(world: World) -> Iterator[Case]:
    yield from _common(world)
    sized = node(
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
        return world.euler_of([replace(world.cond, sizes=(768, 1024, 8, 16, 640, 512))])

    yield Case("sizes", {"cond": sized}, with_sizes)
    yield from _text_cases(world, -1)
    yield from _place_cases(world)
    yield from _file_cases(world)


CASES: Mapping[str, Callable[[World], Iterator[Case]]] = {
    "sd1": _sd1,
    "sd2": _sd2,
    "inpaint": _inpaint,
    "sdxl": _sdxl,
    "refiner": _common,
}
