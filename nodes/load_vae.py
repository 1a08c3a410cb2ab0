"""Load a VAE from a file of its own."""

from typing import Annotated

from graphengine.api import Context, ModelFile, Vae, node

PIXEL_SPACE = "pixel_space"


@node("VAELoader", title="Load VAE", category="loaders", search=("autoencoder",))
def load_vae(
    vae_name: Annotated[
        str,
        ModelFile(
            kind="vae",
            extra=(PIXEL_SPACE,),
            help="Decides how vivid and how sharp pictures become when they are decoded. "
            "“pixel_space” is for models that work on pixels.",
        ),
    ],
    context: Context,
) -> Vae:
    """Load a VAE to use instead of the checkpoint's own."""
    from graphengine.diffusion.checkpoint import load_vae_file, pixel_space_vae

    if vae_name == PIXEL_SPACE:
        return pixel_space_vae()
    return load_vae_file(context.folders.path("vae", vae_name))
