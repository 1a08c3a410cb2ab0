"""Enlarge pictures with a network."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Context, Help, Image, ModelFile, UpscaleModel, node


@node(
    "UpscaleModelLoader",
    title="Load Upscale Model",
    category="loaders",
    search=("esrgan", "super resolution"),
)
def load_upscale_model(
    *,
    model_name: Annotated[
        str, ModelFile(kind="upscale_models", help="The upscale model: ESRGAN, Real-ESRGAN, …")
    ],
    context: Context,
) -> UpscaleModel:
    """Load a network that makes pictures larger and draws the missing details."""
    from graphengine.diffusion.upscaling import load_upscale_file

    return load_upscale_file(context.folders.path("upscale_models", model_name))


@node(
    "ImageUpscaleWithModel",
    title="Upscale Image (using Model)",
    category="image/upscaling",
    search=("esrgan", "super resolution", "enlarge"),
)
def upscale_with_model(
    *,
    upscale_model: Annotated[UpscaleModel, Help("Decides the factor: 1, 2, 4 or 8.")],
    image: Annotated[Image, Help("The pictures to enlarge; transparency is dropped.")],
    context: Context,
) -> Image:
    """Enlarge pictures with a network, tile by tile."""
    from graphengine.diffusion.upscaling import upscale

    return upscale(context.models, upscale_model, image, context.progress)
