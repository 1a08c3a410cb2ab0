"""Prompts to conditioning."""

from __future__ import annotations

from typing import Annotated

from graphengine.api import Clip, Conditioning, Context, Help, Prompt, node


@node("CLIPTextEncode", title="CLIP Text Encode (Prompt)", category="conditioning")
def encode_text(
    text: Annotated[
        str,
        Prompt(
            help="What the picture should show, or in a negative prompt what it should not. "
            "(word:1.2) weighs more, (word:0.8) less, embedding:name calls an embedding."
        ),
    ],
    clip: Annotated[Clip, Help("The text encoder that reads the prompt.")],
    context: Context,
) -> Conditioning:
    """Turn a prompt into the conditioning that steers the sampler."""
    from graphengine.diffusion.clip import encode

    return encode(
        context.models, clip, text, resolve_embedding=context.embedding, warn=context.warn
    )
