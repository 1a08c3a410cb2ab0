"""Load a model from a folder as diffusers saves it."""

from typing import Annotated, NamedTuple

from graphengine.api import Clip, Context, Model, ModelFile, Vae, node


class DiffusersModel(NamedTuple):
    model: Model
    clip: Clip | None
    vae: Vae | None


@node(
    "DiffusersLoader",
    title="DiffusersLoader",
    category="advanced/loaders/deprecated",
    search=("folder", "hugging face"),
)
def load_diffusers_folder(
    model_path: Annotated[
        str, ModelFile(kind="diffusers", help="A folder with model_index.json in it.")
    ],
    context: Context,
) -> DiffusersModel:
    """Load a model with its text encoder(s) and VAE from a folder saved by diffusers."""
    from graphengine.diffusion.checkpoint import load_diffusers_folder

    return DiffusersModel(*load_diffusers_folder(context.folders.path("diffusers", model_path)))
