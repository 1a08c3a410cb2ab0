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
    weight_dtype: Annotated[
        Literal["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"],
        Choice(
            advanced=True,
            help="default = as they are; fp8 rounds the weights to 8 bits, to repeat a picture "
            "that was made so. It saves no memory here.",
        ),
    ] = "default",
) -> Model:
    """Load a denoising network alone; its text encoder and VAE come from other loaders."""
    from graphengine.diffusion.checkpoint import load_unet_file
    from graphengine.diffusion.rounding import round_weights

    model = load_unet_file(context.folders.path("diffusion_models", unet_name))
    return round_weights(model, weight_dtype)
