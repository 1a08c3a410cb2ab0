"""Load a whole model from one file."""

from pathlib import Path
from typing import Annotated, NamedTuple

from graphengine.api import Clip, Context, GraphEngineError, Model, ModelFile, Vae, node

KNOWN_CONFIGS = (
    "anything_v3.yaml",
    "v1-inference.yaml",
    "v1-inference_clip_skip_2.yaml",
    "v1-inference_clip_skip_2_fp16.yaml",
    "v1-inference_fp16.yaml",
    "v1-inpainting-inference.yaml",
    "v2-inference-v.yaml",
    "v2-inference-v_fp32.yaml",
    "v2-inference.yaml",
    "v2-inference_fp32.yaml",
    "v2-inpainting-inference.yaml",
)


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

    path = context.folders.path("checkpoints", ckpt_name)
    return _told(Checkpoint(*load_checkpoint(path)), path, context)


@node(
    "CheckpointLoader",
    title="Load Checkpoint With Config (DEPRECATED)",
    category="advanced/loaders",
    deprecated=True,
    search=("yaml", "v prediction"),
)
def load_checkpoint_with_config(
    config_name: Annotated[
        str,
        ModelFile(
            kind="configs",
            extra=KNOWN_CONFIGS,
            help="The .yaml file that came with the model, or one of the usual ones: it says "
            "whether the model predicts v and which layer of the text encoder it was trained with.",
        ),
    ],
    ckpt_name: Annotated[
        str,
        ModelFile(kind="checkpoints", help="The model file: it decides style and subjects."),
    ],
    context: Context,
) -> Checkpoint:
    """Load an old model by its configuration file; newer ones need none."""
    from graphengine.diffusion.checkpoint import load_checkpoint
    from graphengine.diffusion.model_config import configured, model_config

    config = model_config(config_name, context.folders.find("configs", config_name))
    path = context.folders.path("checkpoints", ckpt_name)
    model, clip, vae = load_checkpoint(path)
    return _told(Checkpoint(*configured(model, clip, config), vae), path, context)


def _told(checkpoint: Checkpoint, path: Path, context: Context) -> Checkpoint:
    """The checkpoint; what it lacks is told now, and not only once a picture is to be decoded."""
    for part, wanted in ((checkpoint.clip, "CLIP"), (checkpoint.vae, "VAE")):
        if part is None:
            warning = "model_is_checkpoint_without"
            context.warn(GraphEngineError(warning, path=str(path), wanted=wanted))
    return checkpoint
