"""Writing pictures as plugins do it through ComfyUI's classes."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphengine.comfy.host.running import running_context


def save_pictures(
    images: Any,
    prefix: str,
    root: str,
    kind: str,
    *,
    prompt: Any = None,
    extra_pnginfo: Mapping[str, Any] | None = None,
    compress_level: int = 4,
) -> list[dict[str, str]]:
    """Write [B, H, W, C] with values 0..1 below ``root``; where the files lie, as clients know it.

    They carry ``prompt`` and ``extra_pnginfo`` unless this installation writes no metadata.
    """
    from graphengine.comfy.modules import folder_paths
    from graphengine.diffusion.images import to_pil

    height, width = images[0].shape[0], images[0].shape[1]
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
        prefix, root, width, height
    )
    info = _text_chunks(prompt, extra_pnginfo)
    saved = []
    for index, image in enumerate(images):
        file = f"{name.replace('%batch_num%', str(index))}_{number + index:05}_.png"
        to_pil(image.detach()).save(
            Path(folder) / file, pnginfo=info, compress_level=compress_level
        )
        saved.append({"filename": file, "subfolder": subfolder, "type": kind})
    return saved


def temporary_suffix() -> str:
    """The end of a preview's name that nothing else has."""
    return f"_temp_{''.join(secrets.choice(string.ascii_lowercase) for _ in range(5))}"


def save_sounds(
    audio: Mapping[str, Any], prefix: str, root: str, kind: str
) -> list[dict[str, str]]:
    """Write ``waveform`` [B, C, N], -1..1, as WAV files of 16 bits; where the files lie."""
    import wave

    from graphengine.comfy.modules import folder_paths

    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(prefix, root)
    saved = []
    for index, sound in enumerate(audio["waveform"]):
        file = f"{name}_{number + index:05}_.wav"
        samples = (sound.detach().cpu().float().clamp(-1, 1) * 32767).short().T.contiguous()
        with wave.open(str(Path(folder) / file), "wb") as out:
            out.setparams((samples.shape[1], 2, int(audio["sample_rate"]), 0, "NONE", ""))
            out.writeframes(samples.numpy().tobytes())
        saved.append({"filename": file, "subfolder": subfolder, "type": kind})
    return saved


def _text_chunks(prompt: Any, extra_pnginfo: Mapping[str, Any] | None) -> Any:
    """What a picture tells of how it was made."""
    from PIL.PngImagePlugin import PngInfo

    context = running_context()
    if context is not None and not context.run.embed_metadata:
        return None
    info = PngInfo()
    if prompt is not None:
        info.add_text("prompt", json.dumps(prompt))
    for name, value in (extra_pnginfo or {}).items():
        info.add_text(name, json.dumps(value))
    return info
