"""All that a node author imports.

A node is a typed function in a file of ``nodes/`` or of a plugin folder::

    from typing import Annotated

    from graphengine.api import Clip, Conditioning, Context, Prompt, node

    @node("CLIPTextEncode", title="Text encode", category="conditioning")
    def encode_text(
        clip: Clip,
        text: Annotated[str, Prompt(help="What the picture should show.")],
        context: Context,
    ) -> Conditioning:
        \"\"\"Turn a prompt into the conditioning that steers the sampler.\"\"\"
        from graphengine.diffusion.clip import encode

        return encode(context.models, clip, text)

Inputs are the parameters in their order; a default makes one optional; ``T | None`` may be left
out altogether. Several outputs are a NamedTuple. A body that returns `Artifacts` is a sink.
Bodies do not change what they are given, and give the same result for the same inputs.
"""

from graphengine.context import Context
from graphengine.errors import Cancelled, GraphEngineError, InputError
from graphengine.events import Artifacts, SavedFile
from graphengine.folders import Folders
from graphengine.methods import SamplerName, SchedulerName
from graphengine.node import node
from graphengine.parameters import (
    Bool,
    Choice,
    Float,
    Help,
    ImageFile,
    Int,
    ModelFile,
    Prompt,
    Seed,
    Text,
)
from graphengine.results import Block, Expand, Items, Lazy
from graphengine.sockets import (
    Clip,
    ClipVision,
    ClipVisionOutput,
    Conditioning,
    ControlNet,
    Gligen,
    Guider,
    Image,
    Latent,
    Mask,
    Model,
    Noise,
    Sampler,
    Sigmas,
    StyleModel,
    UnionKind,
    UpscaleModel,
    Vae,
    socket,
)

__all__ = [
    "Artifacts",
    "Block",
    "Bool",
    "Cancelled",
    "Choice",
    "Clip",
    "ClipVision",
    "ClipVisionOutput",
    "Conditioning",
    "Context",
    "ControlNet",
    "Expand",
    "Float",
    "Folders",
    "Gligen",
    "GraphEngineError",
    "Guider",
    "Help",
    "Image",
    "ImageFile",
    "InputError",
    "Int",
    "Items",
    "Latent",
    "Lazy",
    "Mask",
    "Model",
    "ModelFile",
    "Noise",
    "Prompt",
    "Sampler",
    "SamplerName",
    "SavedFile",
    "SchedulerName",
    "Seed",
    "Sigmas",
    "StyleModel",
    "Text",
    "UnionKind",
    "UpscaleModel",
    "Vae",
    "node",
    "socket",
]
