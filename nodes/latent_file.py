"""Latents kept in files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from graphengine.api import Artifacts, Choice, Context, Folders, Help, Latent, Text, node


def _saved_latents(folders: Folders) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folders.input.glob("*.latent") if path.is_file()))


def _file_state(values: Mapping[str, Any], folders: Folders) -> str:
    return folders.fingerprint("input", values.get("latent", ""))


@node("SaveLatent", title="SaveLatent", category="_for_testing", search=("keep", "export"))
def save_latent(
    samples: Annotated[Latent, Help("The latents to save.")],
    context: Context,
    filename_prefix: Annotated[
        str, Text(help="Begin of the file name; may name a sub-folder.")
    ] = "latents/ComfyUI",
) -> Artifacts:
    """Save latents with their workflow; put the file into the input folder to load it again."""
    from graphengine.diffusion.latent_files import save_latent

    metadata = context.metadata
    name, folder = save_latent(samples, context.folders.output, filename_prefix, metadata=metadata)
    shown = {"filename": name, "subfolder": folder, "type": "output"}
    return Artifacts(more={"latents": (shown,)})


@node("LoadLatent", title="LoadLatent", category="_for_testing", fingerprint=_file_state)
def load_latent(
    latent: Annotated[str, Choice(find=_saved_latents, help="A .latent file in the input folder.")],
    context: Context,
) -> Latent:
    """Read latents that were saved before."""
    from graphengine.diffusion.latent_files import load_latent

    return load_latent(context.folders.path("input", latent))
