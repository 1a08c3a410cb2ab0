"""Change a model's style or subject with a LoRA."""

from dataclasses import replace
from typing import Annotated, NamedTuple

from graphengine.api import Clip, Context, Float, GraphEngineError, Help, Model, ModelFile, node

Strength = Annotated[
    float,
    Float(
        ge=-100.0,
        le=100.0,
        step=0.01,
        help="How strongly it works: 0 not at all, 1 as trained; negative turns it round.",
    ),
]
LoraName = Annotated[str, ModelFile(kind="loras", help="The LoRA file.")]


class Changed(NamedTuple):
    model: Model
    clip: Clip | None


@node("LoraLoader", title="Load LoRA", category="loaders", search=("lycoris", "loha", "lokr"))
def load_lora(
    model: Annotated[Model, Help("The model to change.")],
    clip: Annotated[Clip | None, Help("Its text encoder.")],
    lora_name: LoraName,
    strength_model: Strength = 1.0,
    strength_clip: Strength = 1.0,
    *,
    context: Context,
) -> Changed:
    """Change a model and its text encoder with a LoRA; several add up."""
    from graphengine.diffusion.lora import LoraPatch, match

    if strength_model == 0 and strength_clip == 0:
        return Changed(model, clip)
    file = context.folders.reference("loras", lora_name)
    networks = [("unet", model.weights)]
    networks += [(e.kind, e.weights) for e in (clip.encoders if clip is not None else ())]
    found = match(file, networks)
    if found.unused and clip is not None:
        context.warn(
            GraphEngineError(
                "lora_partly_used",
                path=file.path,
                trained=found.trained,
                unused=len(found.unused),
                key=found.unused[0],
            )
        )
    if strength_model != 0:
        model = replace(model, patches=(*model.patches, LoraPatch(file, strength_model)))
    if strength_clip != 0 and clip is not None:
        clip = replace(clip, patches=(*clip.patches, LoraPatch(file, strength_clip)))
    return Changed(model, clip)


@node("LoraLoaderModelOnly", title="Load LoRA (Model only)", category="loaders")
def load_lora_model_only(
    model: Annotated[Model, Help("The model to change.")],
    lora_name: LoraName,
    strength_model: Strength = 1.0,
    *,
    context: Context,
) -> Model:
    """Change a model with a LoRA, and leave its text encoder as it is."""
    return load_lora(model, None, lora_name, strength_model, 0.0, context=context).model
