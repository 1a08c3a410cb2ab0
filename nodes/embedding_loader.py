"""Embeddings (textual inversion) under a trigger word."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from graphengine.api import Clip, Context, Help, ModelFile, Text, node


@node(
    "EmbeddingLoader",
    title="Load Embedding",
    category="loaders",
    search=("textual inversion", "trigger word"),
)
def load_embedding(
    *,
    clip: Annotated[Clip, Help("The text encoder that is to know the embedding.")],
    embedding_name: Annotated[
        str, ModelFile(kind="embeddings", help="A file from models/embeddings.")
    ],
    trigger_word: Annotated[
        str,
        Text(
            help="The word or words that call the embedding in prompts; empty = the file's name. "
            "Upper and lower case are the same. It must stand apart from other letters."
        ),
    ] = "",
    context: Context,
) -> Clip:
    """Let a word in prompts stand for an embedding: a learned concept such as “low quality”."""
    from graphengine.diffusion.clip import add_embedding

    trigger = trigger_word.strip() or PurePosixPath(embedding_name).stem
    return add_embedding(clip, trigger, context.folders.reference("embeddings", embedding_name))
