"""Load a whole model from one file."""

from typing import Annotated, NamedTuple

from graphengine.api import Clip, Context, Model, ModelFile, Vae, node


class Checkpoint(NamedTuple):
    model: Model
    clip: Clip | None
    vae: Vae | None


@node(
    "CheckpointLoaderSimple",
    title="Load Checkpoint",
    category="loaders",
    search=("model", "safetensors", "ckpt"),
)
def load_checkpoint(
    ckpt_name: Annotated[
        str,
        ModelFile(kind="checkpoints", help="The model file: it decides style and subjects."),
    ],
    context: Context,
) -> Checkpoint:
    """Load a model with its text encoder and VAE from one file."""
    from graphengine.diffusion.checkpoint import load_checkpoint

    return Checkpoint(*load_checkpoint(context.folders.path("checkpoints", ckpt_name)))
