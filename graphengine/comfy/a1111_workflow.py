"""A workflow from the settings of the Stable Diffusion web UI, and what could not be taken over."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

from graphengine.comfy.a1111 import Network, Settings, networks
from graphengine.comfy.a1111_prompt import chunks, subjects, translated
from graphengine.errors import Problem
from graphengine.workflow import Link, Workflow, WorkflowBuilder

SAMPLERS = {
    "euler": "euler",
    "euler a": "euler_ancestral",
    "lms": "lms",
    "heun": "heun",
    "dpm2": "dpm_2",
    "dpm2 a": "dpm_2_ancestral",
    "dpm++ 2s a": "dpmpp_2s_ancestral",
    "dpm++ 2m": "dpmpp_2m",
    "dpm++ sde": "dpmpp_sde",
    "dpm++ 2m sde": "dpmpp_2m_sde",
    "dpm++ 2m sde heun": "dpmpp_2m_sde_heun",
    "dpm++ 3m sde": "dpmpp_3m_sde",
    "dpm fast": "dpm_fast",
    "dpm adaptive": "dpm_adaptive",
    "ddim": "ddim",
    "ddpm": "ddpm",
    "deis": "deis",
    "ipndm": "ipndm",
    "ipndm_v": "ipndm_v",
    "plms": "ipndm",
    "unipc": "uni_pc",
    "lcm": "lcm",
}
SCHEDULES = {
    "uniform": "normal",
    "normal": "normal",
    "karras": "karras",
    "exponential": "exponential",
    "polyexponential": "exponential",
    "sgm uniform": "sgm_uniform",
    "kl optimal": "kl_optimal",
    "simple": "simple",
    "ddim": "ddim_uniform",
    "beta": "beta",
}
OWN_SCHEDULES = {
    "dpm2": "karras",
    "dpm2 a": "karras",
    "dpm++ 2s a": "karras",
    "dpm++ 2m": "karras",
    "dpm++ sde": "karras",
    "dpm++ 2m sde": "exponential",
    "dpm++ 2m sde heun": "exponential",
    "dpm++ 3m sde": "exponential",
    "ddim": "ddim_uniform",
    "plms": "ddim_uniform",
}
"""What "Automatic" means for a sampler (web UI 1.9); "normal" for those that are not here."""

LATENT_METHODS = {
    "latent": "bilinear",
    "latent (antialiased)": "bilinear",
    "latent (bicubic)": "bicubic",
    "latent (bicubic antialiased)": "bicubic",
    "latent (nearest)": "nearest-exact",
    "latent (nearest-exact)": "nearest-exact",
}
PIXEL_METHODS = {"lanczos": "lanczos", "nearest": "nearest-exact", "none": "bilinear"}
NOT_TAKEN = (
    "ENSD", "Variation seed", "Variation seed strength", "Face restoration", "Tiling",
    "Conditional mask weight", "Eta", "Mask blur", "Refiner", "Style Selector Enabled",
    "Sigma churn", "Sigma tmin", "Sigma noise", "Token merging ratio", "CFG Rescale φ",
    "Seed resize from", "Hires checkpoint", "NGMS", "ControlNet 0",
)  # fmt: skip
JOINED = {
    "ConditioningCombine": ("conditioning_1", "conditioning_2"),
    "ConditioningConcat": ("conditioning_to", "conditioning_from"),
}
DEFAULT_MODEL = "model.safetensors"


def workflow_of(settings: Settings) -> tuple[Workflow, tuple[Problem, ...]]:
    """The workflow that makes the picture anew, and what of the settings it leaves out."""
    making = _Making(settings)
    making.build()
    return making.nodes.workflow(), tuple(making.problems)


def model_references(settings: Settings) -> tuple[dict[str, str], ...]:
    """Name, directory and hash (the beginning of a SHA-256) of the checkpoint and the VAE."""
    named = (("Model", "Model hash", "checkpoints"), ("VAE", "VAE hash", "vae"))
    return tuple(
        {
            "name": _with_extension(settings.values.get(name) or settings.values[digest]),
            "directory": directory,
            "hash": settings.values[digest],
            "hash_type": "SHA256",
        }
        for name, digest, directory in named
        if digest in settings.values
    )


def sampler_of(settings: Settings) -> tuple[str | None, str]:
    """The sampler (None if it is unknown) and the schedule; old names end in the schedule."""
    name = " ".join(settings.values.get("Sampler", "Euler").lower().split())
    schedule = settings.values.get("Schedule type", "").lower().strip()
    for ending in ("karras", "exponential", "polyexponential", "sgm uniform"):
        if name.endswith(f" {ending}"):
            name, schedule = name.removesuffix(ending).strip(), schedule or ending
    own = OWN_SCHEDULES.get(name, "normal") if "Version" in settings.values else None
    default = "ddim_uniform" if name in ("ddim", "plms") else "normal"
    return SAMPLERS.get(name), SCHEDULES.get(schedule, own or default)


@dataclass
class _Making:
    """Adds node after node; ``problems`` grows with what is left out."""

    settings: Settings
    nodes: WorkflowBuilder = field(default_factory=WorkflowBuilder)
    problems: list[Problem] = field(default_factory=list)

    def build(self) -> None:
        plain, found = networks(self.settings.positive)
        checkpoint = self.nodes.add("CheckpointLoaderSimple", ckpt_name=self.model_name())
        vae = self.vae(checkpoint[2])
        model, clip = self.patched(checkpoint[0], checkpoint[1], found)
        positive = self.conditioning(clip, plain, "Positive")
        negative = self.conditioning(clip, networks(self.settings.negative)[0], "Negative")
        latent = self.nodes.add("EmptyLatentImage", **self.sizes())[0]
        sampled = self.sample(model, positive, negative, latent, denoise=1.0)
        if "Hires upscale" in self.settings.values or "Hires resize" in self.settings.values:
            positive, negative = self.hires_prompts(clip, positive, negative)
            larger = self.enlarged(sampled, vae)
            sampled = self.sample(
                model,
                positive,
                negative,
                larger,
                denoise=self.settings.number("Denoising strength", 0.7),
                steps=self.settings.whole("Hires steps", 0) or None,
            )
        elif "Denoising strength" in self.settings.values:
            self.tell("a1111_from_picture")
        picture = self.nodes.add("VAEDecode", samples=sampled, vae=vae)
        self.nodes.add("SaveImage", images=picture, filename_prefix="graphengine")
        self.tell_the_rest()

    # --- models ---

    def model_name(self) -> str:
        name = self.settings.values.get("Model", "")
        digest = self.settings.values.get("Model hash", "")
        if not name:
            self.tell("a1111_no_model", got=digest or "–")
            return f"{digest}.safetensors" if digest else DEFAULT_MODEL
        return _with_extension(name)

    def vae(self, own: Link) -> Link:
        name = self.settings.values.get("VAE", "")
        if name.lower() in ("", "none", "automatic", "built in"):
            return own
        return self.nodes.add("VAELoader", vae_name=_with_extension(name))[0]

    def patched(self, model: Link, clip: Link, found: tuple[Network, ...]) -> tuple[Link, Link]:
        for network in found:
            name = _with_extension(network.name)
            if network.kind == "hypernetworks":
                model = self.nodes.add(
                    "HypernetworkLoader",
                    model=model,
                    hypernetwork_name=name,
                    strength=network.model_strength,
                )[0]
                continue
            lora = self.nodes.add(
                "LoraLoader",
                model=model,
                clip=clip,
                lora_name=name,
                strength_model=network.model_strength,
                strength_clip=network.text_strength,
            )
            model, clip = lora[0], lora[1]
        skip = self.settings.whole("Clip skip", 1)
        if skip > 1:
            clip = self.nodes.add("CLIPSetLastLayer", clip=clip, stop_at_clip_layer=-skip)[0]
        return model, clip

    # --- prompts ---

    def conditioning(self, clip: Link, prompt: str, title: str) -> Link:
        """One encoded prompt: pieces between BREAKs put together, those joined by AND combined."""
        text, simplified = translated(prompt, self.settings.hashes("TI hashes"))
        for piece in simplified:
            self.tell("a1111_simplified", got=piece)
        parts = subjects(text)
        for _, weight in parts:
            if weight != 1.0:
                self.tell("a1111_subject_weight", got=f"{weight:g}")
        encoded = [self.encoded(clip, subject, title) for subject, _ in parts]
        return reduce(partial(self.joined, "ConditioningCombine"), encoded)

    def encoded(self, clip: Link, text: str, title: str) -> Link:
        encoded = [
            self.nodes.add("CLIPTextEncode", _title=title, clip=clip, text=piece)[0]
            for piece in chunks(text)
        ]
        return reduce(partial(self.joined, "ConditioningConcat"), encoded)

    def joined(self, node_type: str, first: Link, second: Link) -> Link:
        to, other = JOINED[node_type]
        inputs: dict[str, Any] = {to: first, other: second}
        return self.nodes.add(node_type, **inputs)[0]

    def hires_prompts(self, clip: Link, positive: Link, negative: Link) -> tuple[Link, Link]:
        values = self.settings.values
        if "Hires prompt" in values:
            positive = self.conditioning(clip, networks(values["Hires prompt"])[0], "Positive")
        if "Hires negative prompt" in values:
            text = networks(values["Hires negative prompt"])[0]
            negative = self.conditioning(clip, text, "Negative")
        return positive, negative

    # --- sampling ---

    def sizes(self) -> dict[str, Any]:
        width, height = self.settings.size("Size", (512, 512))
        return {
            "width": width,
            "height": height,
            "batch_size": max(1, self.settings.whole("Batch size", 1)),
        }

    def sample(
        self,
        model: Link,
        positive: Link,
        negative: Link,
        latent: Link,
        *,
        denoise: float,
        steps: int | None = None,
    ) -> Link:
        sampler, schedule = sampler_of(self.settings)
        if sampler is None and denoise == 1.0:
            self.tell("a1111_sampler", got=self.settings.values.get("Sampler", ""))
        return self.nodes.add(
            "KSampler",
            model=model,
            seed=self.settings.whole("Seed", 0),
            steps=steps or self.settings.whole("Steps", 20),
            cfg=self.settings.number("CFG scale", 7.0),
            sampler_name=sampler or "euler",
            scheduler=schedule,
            positive=positive,
            negative=negative,
            latent_image=latent,
            denoise=denoise,
        )[0]

    def enlarged(self, latent: Link, vae: Link) -> Link:
        width, height = self.larger_size()
        upscaler = self.settings.values.get("Hires upscaler", "Latent")
        method = LATENT_METHODS.get(upscaler.lower())
        if method is not None:
            return self.nodes.add(
                "LatentUpscale",
                samples=latent,
                upscale_method=method,
                width=width,
                height=height,
                crop="disabled",
            )[0]
        picture = self.nodes.add("VAEDecode", samples=latent, vae=vae)[0]
        if upscaler.lower() not in PIXEL_METHODS:
            model = self.nodes.add(
                "UpscaleModelLoader", model_name=_with_extension(upscaler, ".pth")
            )
            picture = self.nodes.add("ImageUpscaleWithModel", upscale_model=model, image=picture)[0]
        picture = self.nodes.add(
            "ImageScale",
            image=picture,
            upscale_method=PIXEL_METHODS.get(upscaler.lower(), "lanczos"),
            width=width,
            height=height,
            crop="disabled",
        )[0]
        return self.nodes.add("VAEEncode", pixels=picture, vae=vae)[0]

    def larger_size(self) -> tuple[int, int]:
        width, height = self.settings.size("Size", (512, 512))
        factor = self.settings.number("Hires upscale", 2.0)
        grown = int(width * factor), int(height * factor)
        width, height = self.settings.size("Hires resize", grown)
        width, height = (width or grown[0]), (height or grown[1])
        return width // 8 * 8, height // 8 * 8

    # --- what is left out ---

    def tell_the_rest(self) -> None:
        for name in NOT_TAKEN:
            if name in self.settings.values:
                self.tell("a1111_not_taken", got=f"{name}: {self.settings.values[name]}")
        if self.settings.values.get("RNG", "GPU") != "CPU":
            self.tell("a1111_noise")

    def tell(self, code: str, *, got: str | None = None) -> None:
        self.problems.append(Problem(code, got=got, severity="warning"))


def _with_extension(name: str, extension: str = ".safetensors") -> str:
    known = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
    return name if name.lower().endswith(known) else name + extension
