"""Where a sampling's noise comes from."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Help, Latent, Model, Noise, Seed, Sigmas, node


@node("RandomNoise", title="RandomNoise", category="sampling/custom_sampling/noise")
def random_noise(
    noise_seed: Annotated[
        int, Seed(help="Decides the noise: same seed, same picture. -1 draws a new one.")
    ] = 0,
) -> Noise:
    """Noise that a seed decides."""
    return Noise(noise_seed)


@node("DisableNoise", title="DisableNoise", category="sampling/custom_sampling/noise")
def disable_noise() -> Noise:
    """No noise: the latent already holds what another sampler left."""
    return Noise(None)


@node("AddNoise", title="AddNoise", category="_for_testing/custom_sampling/noise")
def add_noise(
    *,
    model: Annotated[Model, Help("The model whose noise levels are meant.")],
    noise: Annotated[Noise, Help("Where the noise comes from.")],
    sigmas: Annotated[Sigmas, Help("Noise of the first level, less the last one, is added.")],
    latent_image: Annotated[Latent, Help("The latent to put noise on.")],
) -> Latent:
    """Put noise on a latent without sampling it."""
    from graphengine.diffusion.sampling import add_noise

    return add_noise(model, noise, sigmas, latent_image)
