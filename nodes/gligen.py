"""Named things in given places."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import (
    Clip,
    Conditioning,
    Context,
    Gligen,
    Help,
    Int,
    ModelFile,
    Prompt,
    node,
)


@node("GLIGENLoader", title="Load GLIGEN", category="loaders")
def load_gligen(
    *,
    gligen_name: Annotated[str, ModelFile(kind="gligen", help="The GLIGEN file (text boxes).")],
    context: Context,
) -> Gligen:
    """Load the layers that let a model paint named things in given places."""
    from graphengine.diffusion.gligen import load_gligen_file

    return load_gligen_file(context.folders.path("gligen", gligen_name))


@node(
    "GLIGENTextBoxApply",
    title="Apply GLIGEN Text Box",
    category="conditioning/gligen",
    search=("layout", "box", "place"),
)
def place_text(
    *,
    conditioning_to: Annotated[Conditioning, Help("The prompt of the whole picture.")],
    clip: Annotated[Clip, Help("The text encoder that reads the name.")],
    gligen_textbox_model: Annotated[Gligen, Help("GLIGEN, made for the model's family.")],
    text: Annotated[str, Prompt(help="What lies there.")],
    width: Annotated[int, Int(ge=8, le=16384, step=8, help="Width in pixels.")] = 64,
    height: Annotated[int, Int(ge=8, le=16384, step=8, help="Height in pixels.")] = 64,
    x: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels from the left.")] = 0,
    y: Annotated[int, Int(ge=0, le=16384, step=8, help="Pixels from the top.")] = 0,
    context: Context,
) -> Conditioning:
    """Say what lies in a rectangle of the picture; several add up."""
    from graphengine.diffusion.clip import encode
    from graphengine.diffusion.conditioning import pixel_area
    from graphengine.diffusion.grounding import place_thing

    name = encode(
        context.models, clip, text, resolve_embedding=context.embedding, warn=context.warn
    )
    area = pixel_area(width=width, height=height, x=x, y=y)
    return place_thing(conditioning_to, gligen_textbox_model, name.conditions[0].pooled, area)
