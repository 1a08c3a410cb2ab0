"""Batches of pictures saved as animations."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from graphengine.api import (
    Artifacts,
    Bool,
    Choice,
    Context,
    Float,
    Help,
    Image,
    Int,
    SavedFile,
    Text,
    node,
)

_IMAGES = Help("The frames, in order.")
_PREFIX = Text(help="Begin of the file name; may name a sub-folder and hold %width%, %year%, ….")
_FPS = Float(ge=0.01, le=1000.0, step=0.01, help="Pictures a second.")


@node(
    "SaveAnimatedWEBP",
    title="SaveAnimatedWEBP",
    category="image/animation",
    search=("video", "webp"),
)
def save_webp(
    *,
    images: Annotated[Image, _IMAGES],
    filename_prefix: Annotated[str, _PREFIX] = "ComfyUI",
    fps: Annotated[float, _FPS] = 6.0,
    lossless: Annotated[bool, Bool(help="Keep every pixel; larger files.")] = True,
    quality: Annotated[
        int, Int(ge=0, le=100, help="Of the picture if not lossless, else effort to save space.")
    ] = 80,
    method: Annotated[
        Literal["default", "fastest", "slowest"], Choice(help="Slower makes smaller files.")
    ],
    context: Context,
) -> Artifacts:
    """Save pictures as one animated WebP file that carries its workflow."""
    from graphengine.diffusion.animations import WEBP_EFFORT, save_animation, webp

    write = partial(webp, fps=fps, lossless=lossless, quality=quality, effort=WEBP_EFFORT[method])
    return _shown(
        save_animation(
            images,
            context.folders.output,
            filename_prefix,
            extension="webp",
            write=write,
            metadata=context.metadata,
        )
    )


@node(
    "SaveAnimatedPNG", title="SaveAnimatedPNG", category="image/animation", search=("video", "apng")
)
def save_png(
    *,
    images: Annotated[Image, _IMAGES],
    filename_prefix: Annotated[str, _PREFIX] = "ComfyUI",
    fps: Annotated[float, _FPS] = 6.0,
    compress_level: Annotated[
        int, Int(ge=0, le=9, help="0 is fast and large, 9 slow and small; quality is the same.")
    ] = 4,
    context: Context,
) -> Artifacts:
    """Save pictures as one animated PNG file that carries its workflow."""
    from graphengine.diffusion.animations import apng, save_animation

    return _shown(
        save_animation(
            images,
            context.folders.output,
            filename_prefix,
            extension="png",
            write=partial(apng, fps=fps, compress_level=compress_level),
            metadata=context.metadata,
        )
    )


def _shown(saved: tuple[str, str]) -> Artifacts:
    return Artifacts(images=(SavedFile(*saved),), more={"animated": (True,)})
