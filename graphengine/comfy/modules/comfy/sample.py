"""ComfyUI's ``comfy.sample``."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.stand_ins import missing


def prepare_noise(latent_image: Any, seed: int, noise_inds: Any = None) -> Any:
    """Unit normal noise like a latent, the same on every device."""
    from graphengine.comfy.host import sampling

    return sampling.prepare_noise(latent_image, seed, noise_inds)


def fix_empty_latent_channels(model: Any, latent_image: Any) -> Any:
    """An empty latent with the model's number of channels."""
    from graphengine.diffusion.sampling import checked_latent
    from graphengine.sockets import Latent

    return checked_latent(Latent(latent_image), model.description).samples


def sample(
    model: Any,
    noise: Any,
    steps: int,
    cfg: float,
    sampler_name: Any,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent_image: Any,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
    noise_mask: Any = None,
    sigmas: Any = None,
    callback: Any = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Any:
    """A latent, sampled: [B, C, h, w] float32 on the CPU."""
    from graphengine.comfy.host import sampling

    del disable_pbar
    latent = {"samples": latent_image}
    if noise_mask is not None:
        latent["noise_mask"] = noise_mask
    return sampling.sample(
        model,
        noise,
        steps=steps,
        cfg=cfg,
        sampler=sampler_name,
        scheduler=scheduler,
        positive=positive,
        negative=negative,
        latent=latent,
        denoise=denoise,
        disable_noise=disable_noise,
        start=start_step,
        end=last_step,
        full_denoise=force_full_denoise,
        sigmas=sigmas,
        callback=callback,
        seed=seed or 0,
    )["samples"]


def sample_custom(
    model: Any,
    noise: Any,
    cfg: float,
    sampler: Any,
    sigmas: Any,
    positive: Any,
    negative: Any,
    latent_image: Any,
    noise_mask: Any = None,
    callback: Any = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Any:
    """A latent sampled over given levels: [B, C, h, w] float32 on the CPU."""
    return sample(
        model,
        noise,
        len(sigmas) - 1,
        cfg,
        sampler,
        "simple",
        positive,
        negative,
        latent_image,
        noise_mask=noise_mask,
        sigmas=sigmas,
        callback=callback,
        disable_pbar=disable_pbar,
        seed=seed,
    )


def __getattr__(name: str) -> Any:
    return missing("comfy.sample", name)
