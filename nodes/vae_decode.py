"""Latents to pictures."""

from typing import Annotated

from graphengine.api import Context, Help, Image, Int, Latent, Vae, node

_SAMPLES = Help("The latent to decode.")
_VAE = Help("The VAE of the model that made the latent, or one that fits it.")
_VIDEO = "For video models only."


@node("VAEDecode", title="VAE Decode", category="latent")
def decode(
    samples: Annotated[Latent, _SAMPLES],
    vae: Annotated[Vae, _VAE],
    context: Context,
) -> Image:
    """Turn a latent into a picture; in tiles by itself if memory does not suffice."""
    from graphengine.diffusion.vae import decode

    return decode(context.models, vae, samples)


@node("VAEDecodeTiled", title="VAE Decode (Tiled)", category="_for_testing", search=("memory",))
def decode_tiled(
    samples: Annotated[Latent, _SAMPLES],
    vae: Annotated[Vae, _VAE],
    context: Context,
    tile_size: Annotated[
        int, Int(ge=64, le=4096, step=32, help="Side of a tile in pixels of the picture.")
    ] = 512,
    overlap: Annotated[
        int, Int(ge=0, le=4096, step=32, help="Pixels over which neighbouring tiles are blended.")
    ] = 64,
    temporal_size: Annotated[  # noqa: ARG001
        int, Int(ge=8, le=4096, step=4, help=_VIDEO, advanced=True)
    ] = 64,
    temporal_overlap: Annotated[  # noqa: ARG001
        int, Int(ge=4, le=4096, step=4, help=_VIDEO, advanced=True)
    ] = 8,
) -> Image:
    """Turn a latent into a picture tile by tile, which needs little memory."""
    from graphengine.diffusion.tiles import Tiling
    from graphengine.diffusion.vae import decode

    return decode(context.models, vae, samples, tiling=Tiling(tile_size, overlap))
