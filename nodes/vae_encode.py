"""Pictures to latents."""

from typing import Annotated

from graphengine.api import Context, Help, Image, Int, Latent, Vae, node

_PIXELS = Help("The picture to encode; sides are cropped to multiples of 8.")
_VAE = Help("The VAE of the model that will work on the latent.")
_VIDEO = "For video models only."


@node("VAEEncode", title="VAE Encode", category="latent", search=("img2img",))
def encode(
    pixels: Annotated[Image, _PIXELS],
    vae: Annotated[Vae, _VAE],
    context: Context,
) -> Latent:
    """Turn a picture into a latent, to start sampling from it."""
    from graphengine.diffusion.vae import encode

    return encode(context.models, vae, pixels)


@node("VAEEncodeTiled", title="VAE Encode (Tiled)", category="_for_testing", search=("memory",))
def encode_tiled(
    pixels: Annotated[Image, _PIXELS],
    vae: Annotated[Vae, _VAE],
    context: Context,
    tile_size: Annotated[
        int, Int(ge=64, le=4096, step=64, help="Side of a tile in pixels of the picture.")
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
) -> Latent:
    """Turn a picture into a latent tile by tile, which needs little memory."""
    from graphengine.diffusion.tiles import Tiling
    from graphengine.diffusion.vae import encode

    return encode(context.models, vae, pixels, tiling=Tiling(tile_size, overlap))
