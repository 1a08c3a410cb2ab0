"""Prompts to conditioning for SDXL, which is also told about the picture's size."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Clip, Conditioning, Context, Float, Help, Int, Prompt, node


@node("CLIPTextEncodeSDXL", category="advanced/conditioning")
def encode_text_sdxl(
    *,
    clip: Annotated[Clip, Help("SDXL's pair of text encoders.")],
    width: Annotated[
        int,
        Int(ge=0, le=16384, help="Width of the pictures to imitate: larger means more detailed."),
    ] = 1024,
    height: Annotated[int, Int(ge=0, le=16384, help="Height of the pictures to imitate.")] = 1024,
    crop_w: Annotated[
        int, Int(ge=0, le=16384, help="Pixels cut off at the left; 0 keeps the subject in view.")
    ] = 0,
    crop_h: Annotated[
        int, Int(ge=0, le=16384, help="Pixels cut off at the top; 0 keeps the subject in view.")
    ] = 0,
    target_width: Annotated[int, Int(ge=0, le=16384, help="Width of the picture to make.")] = 1024,
    target_height: Annotated[
        int, Int(ge=0, le=16384, help="Height of the picture to make.")
    ] = 1024,
    text_g: Annotated[str, Prompt(help="The prompt for the large encoder: the whole scene.")],
    text_l: Annotated[
        str, Prompt(help="The prompt for the small encoder: often the same, or style words.")
    ],
    context: Context,
) -> Conditioning:
    """Turn one prompt for each of SDXL's text encoders into conditioning, with picture sizes."""
    from graphengine.diffusion.clip import encode_sdxl

    size = {
        "width": width,
        "height": height,
        "crop_w": crop_w,
        "crop_h": crop_h,
        "target_width": target_width,
        "target_height": target_height,
    }
    return encode_sdxl(
        context.models,
        clip,
        text_g,
        text_l=text_l,
        size=size,
        resolve_embedding=context.embedding,
        warn=context.warn,
    )


@node("CLIPTextEncodeSDXLRefiner", category="advanced/conditioning")
def encode_text_sdxl_refiner(
    *,
    ascore: Annotated[
        float,
        Float(
            ge=0.0,
            le=1000.0,
            step=0.01,
            help="How beautiful the pictures to imitate were rated: about 6 for the positive "
            "prompt, 2.5 for the negative one.",
        ),
    ] = 6.0,
    width: Annotated[int, Int(ge=0, le=16384, help="Width of the pictures to imitate.")] = 1024,
    height: Annotated[int, Int(ge=0, le=16384, help="Height of the pictures to imitate.")] = 1024,
    text: Annotated[str, Prompt(help="What the picture should show.")],
    clip: Annotated[Clip, Help("The refiner's text encoder.")],
    context: Context,
) -> Conditioning:
    """Turn a prompt into conditioning for SDXL's refiner, with picture size and rating."""
    from graphengine.diffusion.clip import encode_refiner

    return encode_refiner(
        context.models,
        clip,
        text,
        size={"aesthetic_score": ascore, "width": width, "height": height},
        resolve_embedding=context.embedding,
        warn=context.warn,
    )
