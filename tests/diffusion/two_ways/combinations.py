"""More cases: nodes in the company in which people use them, and what their options do together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from tests.diffusion.two_ways.cases import (
    BOTH,
    LONG,
    OTHER,
    SEGMENTS,
    Case,
    World,
    advanced,
    blue_dog,
    node,
    plain_controlnet,
    sigma_at,
)
from tests.diffusion.two_ways.files import lora_places, with_lora, write_controlnet, write_lora
from tests.diffusion.two_ways.plain import (
    CFG,
    SEED,
    SIDE,
    Denoise,
    Options,
    Words,
    plain_euler,
    plain_noise,
)


def _of_sd1(world: World) -> Iterator[Case]:
    yield from _parts(world)
    yield from _batches(world)
    yield from _guidance(world)
    yield from _prompts(world)
    yield from _networks(world)


def _encoded(world: World) -> dict[str, Any]:
    """Nodes that load the picture and encode it."""
    assert world.picture.shape[-1] == SIDE
    return {
        "picture": node("LoadImage", image="picture.png"),
        "encode": node("VAEEncode", pixels=["picture", 0], vae=["model", 2]),
    }


def _from(world: World, latent: Tensor, noise: Tensor, sigmas: Tensor, **options: Any) -> Tensor:
    """Euler's end from a latent under noise of the first level, which is not the highest."""
    x = latent + world.placed(noise) * sigmas[0]
    return plain_euler(world.denoise(Options(**options)), x, sigmas) / world.model.scale


# --- parts of a run -------------------------------------------------------------------------------


def _parts(world: World) -> Iterator[Case]:
    steps = world.model.steps

    def middle(noise: Tensor, last: float | None) -> Tensor:
        sigmas = world.sigmas()[1:4].clone()
        if last is not None:
            sigmas[-1] = last
        return _from(world, world.encoded(world.picture), noise, sigmas)

    for added, left in (("enable", "enable"), ("enable", "disable"), ("disable", "enable")):
        changes = {"sampler": advanced(steps, ["encode", 0], (1, 3), noise=added, left=left)}
        noise = plain_noise() * (added == "enable")
        last = 0.0 if left == "disable" else None
        yield Case(
            f"steps of a picture: noise {added}, leftover {left}",
            _encoded(world) | changes,
            lambda noise=noise, last=last: middle(noise, last),
        )
    halves = {
        "noise": node("RandomNoise", noise_seed=SEED),
        "none": node("DisableNoise"),
        "guider": node(
            "CFGGuider", model=["model", 0], positive=["cond", 0], negative=["uncond", 0], cfg=5.0
        ),
        "select": node("KSamplerSelect", sampler_name="euler"),
        "levels": node(
            "BasicScheduler", model=["model", 0], scheduler="normal", steps=steps, denoise=0.6
        ),
        "split": node("SplitSigmas", sigmas=["levels", 0], step=2),
        "first": _custom(["noise", 0], ["split", 0], ["encode", 0]),
        "sampler": _custom(["none", 0], ["split", 1], ["first", 0]),
    }

    def in_two_halves() -> Tensor:
        sigmas = world.sigmas(int(steps / 0.6))[-(steps + 1) :]
        return _from(world, world.encoded(world.picture), plain_noise(), sigmas, scale=5.0)

    yield Case("custom sampling in two halves", _encoded(world) | halves, in_two_halves)
    large = {
        "first": advanced(steps, ["latent", 0], (0, 10000), noise="enable", left="disable"),
        "large": node(
            "LatentUpscale",
            samples=["first", 0],
            upscale_method="nearest-exact",
            width=196,
            height=160,
            crop="disabled",
        ),
        "sampler.latent_image": ["large", 0],
        "sampler.denoise": 0.5,
    }

    def second_pass() -> Tensor:
        z = interpolate(world.euler(world.denoise()), size=(20, 24), mode="nearest-exact")
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(SEED))
        sigmas = world.sigmas(int(steps / 0.5))[-(steps + 1) :]
        return _from(world, z * world.model.scale, noise, sigmas)

    yield Case("second pass on a larger latent", large, second_pass)


def _custom(noise: list[Any], sigmas: list[Any], latent: list[Any]) -> dict[str, Any]:
    return node(
        "SamplerCustomAdvanced",
        noise=noise,
        guider=["guider", 0],
        sampler=["select", 0],
        sigmas=sigmas,
        latent_image=latent,
    )


# --- batches --------------------------------------------------------------------------------------


def _batches(world: World) -> Iterator[Case]:
    def with_noises(*numbers: int) -> Tensor:
        generator = torch.Generator().manual_seed(SEED)
        drawn = [torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=generator) for _ in range(4)]
        x = world.placed(torch.cat([drawn[number] for number in numbers]))
        x = x * (1 + world.sigmas()[0] ** 2).sqrt()
        return plain_euler(world.denoise(), x, world.sigmas()) / world.model.scale

    chosen = {
        "latent.batch_size": 4,
        "part": node("LatentFromBatch", samples=["latent", 0], batch_index=2, length=2),
        "sampler.latent_image": ["part", 0],
    }
    yield Case("two of a batch of four", chosen, lambda: with_noises(2, 3))
    again = {
        "part": node("LatentFromBatch", samples=["latent", 0], batch_index=1, length=1),
        "again": node("RepeatLatentBatch", samples=["part", 0], amount=2),
        "sampler.latent_image": ["again", 0],
    }
    yield Case("one of a batch, repeated", chosen | again, lambda: with_noises(1, 2))


# --- guidance -------------------------------------------------------------------------------------


def _guidance(world: World) -> Iterator[Case]:
    def predicted(x: Tensor, sigma: Tensor, *prompts: Words) -> list[Tensor]:
        return [world.plain.side(x, sigma, [words], Options()) for words in prompts]

    @torch.no_grad()
    def cfg_pp() -> Tensor:
        x = world.start()
        for sigma, after in pairwise(world.sigmas()):
            cond, uncond = predicted(x, sigma, world.cond, world.uncond)
            x = uncond + (cond - uncond) * 1.5 + (x - uncond) / sigma * after
        return x / world.model.scale

    changes = {"sampler.sampler_name": "euler_cfg_pp", "sampler.cfg": 1.5}
    # Its last step, to level 0, leaves the guided prediction.
    yield Case("CFG++", changes, cfg_pp)

    @torch.no_grad()
    def rescaled(x: Tensor, sigma: Tensor) -> Tensor:
        root = (sigma**2 + 1).sqrt()
        cond, uncond = (
            (x / root**2 - denoised) * root / sigma
            for denoised in predicted(x, sigma, world.cond, world.uncond)
        )
        v = uncond + (cond - uncond) * CFG
        spreads = [each.std((1, 2, 3), keepdim=True) for each in (cond, v)]
        v = 0.7 * v * spreads[0] / spreads[1] + 0.3 * v
        return x / root**2 - v * sigma / root

    rescale = {
        "rescale": node("RescaleCFG", model=["model", 0], multiplier=0.7),
        "sampler.model": ["rescale", 0],
    }
    yield Case("RescaleCFG", rescale, lambda: world.euler(rescaled))
    models = {"model": ["model", 0]}
    dual = node(
        "DualCFGGuider",
        **models,
        cond1=["cond", 0],
        cond2=["other", 0],
        negative=["uncond", 0],
        cfg_conds=5.0,
        cfg_cond2_negative=3.0,
        style="regular",
    )
    perp_neg = node(
        "PerpNegGuider",
        **models,
        positive=["cond", 0],
        negative=["other", 0],
        empty_conditioning=["uncond", 0],
        cfg=5.0,
        neg_scale=0.8,
    )

    def three(combine: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Denoise:
        prompts = (world.cond, blue_dog(world), world.uncond)
        return torch.no_grad()(lambda x, sigma: combine(*predicted(x, sigma, *prompts)))

    def perpendicular(cond: Tensor, other: Tensor, empty: Tensor) -> Tensor:
        towards, away = cond - empty, other - empty
        along = (away * towards).sum() / towards.norm() ** 2 * towards
        return empty + 5.0 * (towards - 0.8 * (away - along))

    for name, guider, combine in (
        ("DualCFGGuider", dual, lambda a, b, c: c + (b - c) * 3.0 + (a - b) * 5.0),
        ("PerpNegGuider", perp_neg, perpendicular),
    ):
        nodes = {
            "noise": node("RandomNoise", noise_seed=SEED),
            "guider": guider,
            "select": node("KSamplerSelect", sampler_name="euler"),
            "levels": node(
                "BasicScheduler",
                **models,
                scheduler="normal",
                steps=world.model.steps,
                denoise=1.0,
            ),
            "sampler": _custom(["noise", 0], ["levels", 0], ["latent", 0]),
        }
        yield Case(name, OTHER | nodes, lambda combine=combine: world.euler(three(combine)))


# --- prompts --------------------------------------------------------------------------------------


def _prompts(world: World) -> Iterator[Case]:
    def blended() -> Tensor:
        states = world.cond.states * 0.3 + blue_dog(world).states * 0.7
        states = torch.cat([states, blue_dog(world).states], dim=1)
        uncond = replace(world.uncond, states=world.uncond.states.repeat(1, 2, 1))
        return world.euler_of([replace(world.cond, states=states)], [uncond])

    blend = {
        "blend": node(
            "ConditioningAverage",
            conditioning_to=["cond", 0],
            conditioning_from=["other", 0],
            conditioning_to_strength=0.3,
        ),
        "joined": node(
            "ConditioningConcat", conditioning_to=["blend", 0], conditioning_from=["other", 0]
        ),
        "sampler.positive": ["joined", 0],
    }
    yield Case("prompts blended and joined", OTHER | blend, blended)
    both = OTHER | BOTH

    def placed(box: tuple[int, int, int, int], weight: Tensor) -> Tensor:
        words, there = (
            replace(each, box=box, weight=world.placed(weight))
            for each in (blue_dog(world), world.uncond)
        )
        return world.euler_of([world.cond, words], [world.uncond, there])

    def by_fractions() -> Tensor:
        # Of 16 × 16: 8 rows from the 5th, 6 columns from the 4th; they fade over a quarter.
        rows = torch.tensor([0.5, 1, 1, 1, 1, 1, 1, 0.5])
        return placed((5, 13, 4, 10), rows[:, None] * torch.ones(6) * 1.2)

    area = node(
        "ConditioningSetAreaPercentage",
        conditioning=["other", 0],
        width=0.4,
        height=0.5,
        x=0.25,
        y=0.3,
        strength=1.2,
    )
    yield Case("an area by fractions", both | {"placed": area}, by_fractions)

    def in_bounds() -> Tensor:
        small = interpolate(world.mask, size=(SIDE // 8, SIDE // 8), mode="bilinear")
        width = int((small > 0).any(dim=2).sum())
        return placed((0, SIDE // 8, 0, width), small[..., :width] * 0.7)

    bounds = {
        "mask": node("LoadImageMask", image="mask.png", channel="red"),
        "placed": node(
            "ConditioningSetMask",
            conditioning=["other", 0],
            mask=["mask", 0],
            strength=0.7,
            set_cond_area="mask bounds",
        ),
    }
    yield Case("the bounds of a mask", both | bounds, in_bounds)


# --- networks changed and steered -----------------------------------------------------------------


def _networks(world: World) -> Iterator[Case]:
    places = lora_places(world.model)
    path = world.folder / "models" / "loras" / "style.safetensors"
    lora = write_lora(path, places, world.plain.tensors)
    stacked = {
        "one": node(
            "LoraLoader",
            model=["model", 0],
            clip=["model", 1],
            lora_name="style.safetensors",
            strength_model=0.7,
            strength_clip=0.3,
        ),
        "two": node(
            "LoraLoaderModelOnly",
            model=["one", 0],
            lora_name="style.safetensors",
            strength_model=-0.4,
        ),
        "cond.clip": ["one", 1],
        "uncond.clip": ["one", 1],
        "sampler.model": ["two", 0],
    }

    def changed() -> Tensor:
        tensors: Mapping[str, Tensor] = world.plain.tensors
        for kind, strength in (("lora_unet", 0.7), ("lora_unet", -0.4), ("lora_te", 0.3)):
            part = {name: place for name, place in places.items() if name.startswith(kind)}
            tensors = with_lora(tensors, part, lora, strength)
        other = World(world.model, world.folder, replace(world.plain, tensors=tensors))
        return other.euler(other.denoise())

    yield Case("two LoRAs", stacked, changed)
    yield _two_controlnets(world)


def _two_controlnets(world: World) -> Case:
    path = world.folder / "models" / "controlnet" / "control.safetensors"
    tensors = write_controlnet(path, world.model)
    pixels = np.random.default_rng(6).integers(0, 256, (100, 230, 3), np.uint8)
    hints = [world.picture, _squared(pixels)]
    Image.fromarray(pixels).save(world.folder / "input" / "wide.png")
    applied = {
        name: node(
            "ControlNetApplyAdvanced",
            positive=[before[0], 0],
            negative=[before[1], before[2]],
            control_net=["control", 0],
            image=[picture, 0],
            strength=strength,
            start_percent=start,
            end_percent=end,
        )
        for name, before, picture, strength, start, end in (
            ("early", ("cond", "uncond", 0), "picture", 0.8, 0.0, 0.5),
            ("late", ("early", "early", 1), "wide", 0.5, 0.3, 1.0),
        )
    }
    changes = {
        "picture": node("LoadImage", image="picture.png"),
        "wide": node("LoadImage", image="wide.png"),
        "control": node("ControlNetLoader", control_net_name="control.safetensors"),
        **applied,
        "sampler.positive": ["late", 0],
        "sampler.negative": ["late", 1],
    }

    def steered() -> Tensor:
        network = plain_controlnet(tensors, world)
        ends = [(float(sigma_at(0.5)), torch.inf, 0.8), (0.0, float(sigma_at(0.3)), 0.5)]

        def call(
            x: Tensor, t: Tensor, sigma: Tensor, context: Tensor, told: dict[str, Any]
        ) -> tuple[Any, Tensor] | None:
            sums: tuple[Any, Tensor] | None = None
            for hint, (low, high, strength) in zip(hints, ends, strict=True):
                if not low <= float(sigma) <= high:
                    continue
                down, middle = network(
                    x,
                    t,
                    encoder_hidden_states=context,
                    controlnet_cond=world.placed(hint),
                    return_dict=False,
                    **told,
                )
                down, middle = [strength * part for part in down], strength * middle
                if sums is not None:
                    down = [a + b for a, b in zip(sums[0], down, strict=True)]
                    middle = sums[1] + middle
                sums = down, middle
            return sums

        return world.euler(world.denoise(Options(controlnet=call)))

    return Case("two ControlNets in turns", changes, steered)


def _squared(pixels: np.ndarray[Any, Any]) -> Tensor:
    """The middle of a picture of 100 × 230 at the sampling's size, by nearest pixels."""
    hint = torch.from_numpy(pixels[:, 65:165].astype(np.float32) / 255).movedim(-1, 0)[None]
    return interpolate(hint, size=(SIDE, SIDE), mode="nearest-exact")


# --- SDXL -----------------------------------------------------------------------------------------


def _of_sdxl(world: World) -> Iterator[Case]:
    def texts(**segments: tuple[tuple[str, float], ...]) -> Words:
        """Each encoder's own words, the fewer filled up with empty chunks."""
        states: list[Tensor] = []
        most = max(
            world.plain.encode_by(kind, words)[0].shape[1] for kind, words in segments.items()
        )
        for kind, words in segments.items():
            found, pooled = world.plain.encode_by(kind, words)
            empty, _ = world.plain.encode_by(kind, ())
            states.append(torch.cat([found, *[empty] * ((most - found.shape[1]) // 77)], dim=1))
        return replace(world.cond, states=torch.cat(states, dim=-1), pooled=pooled)

    encode = node(
        "CLIPTextEncodeSDXL",
        clip=["model", 1],
        width=SIDE,
        height=SIDE,
        crop_w=0,
        crop_h=0,
        target_width=SIDE,
        target_height=SIDE,
        text_g=LONG,
        text_l="a (red:1.3) cat on a mat",
    )

    def of_two_lengths() -> Tensor:
        cond = texts(clip_l=SEGMENTS, clip_g=((LONG, 1.0),))
        repeats = cond.states.shape[1] // 77
        uncond = replace(world.uncond, states=world.uncond.states.repeat(1, repeats, 1))
        return world.euler_of([cond], [uncond])

    yield Case("texts of two lengths", {"cond": encode}, of_two_lengths)


COMBINATIONS: Mapping[str, Callable[[World], Iterator[Case]]] = {"sd1": _of_sd1, "sdxl": _of_sdxl}
