"""Load a denoising network from a file of its own."""

from typing import Annotated, Literal

from graphengine.api import Choice, Context, Model, ModelFile, node


@node(
    "UNETLoader",
    title="Load Diffusion Model",
    category="advanced/loaders",
    search=("unet", "diffusion model"),
)
def load_diffusion_model(
    unet_name: Annotated[
        str,
        ModelFile(kind="diffusion_models", help="A UNet without text encoder and VAE."),
    ],
    context: Context,
    weight_dtype: Annotated[  # noqa: ARG001
        Literal["default"],
        Choice(advanced=True, help="How the weights are kept; the device decides."),
    ] = "default",
) -> Model:
    """Load a denoising network alone; its text encoder and VAE come from other loaders."""
    from graphengine.diffusion.checkpoint import load_unet_file

    return load_unet_file(context.folders.path("diffusion_models", unet_name))
