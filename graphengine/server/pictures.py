"""Pictures as clients send and ask for them: checked, converted, joined with a mask."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from graphengine.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

MOST_PIXELS = 1 << 27
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
PREVIEW_FORMATS = ("webp", "jpeg")
PREVIEW_QUALITY = 90


def check_picture(content: bytes, name: str) -> None:
    """Raise InputError unless all of it decodes as a picture of a size that can be used."""
    _opened(content, name).load()


def recoded(path: Path, wanted: str, channel: str) -> tuple[bytes, str]:
    """A picture as ``format;quality``, and its media type.

    JPEG and channel "rgb" lose the alpha; WEBP keeps it where a channel with "a" is asked for.
    """
    form, _, quality = wanted.partition(";")
    if form not in PREVIEW_FORMATS or "a" in channel:
        form = "webp"
    picture = _opened(path.read_bytes(), path.name)
    if form == "jpeg" or channel == "rgb":
        picture = picture.convert("RGB")
    level = min(max(int(quality), 1), 100) if quality.isdecimal() else PREVIEW_QUALITY
    return encoded(picture, form.upper(), quality=level)


def colours_only(path: Path) -> tuple[bytes, str]:
    """A picture without its alpha, as PNG."""
    return encoded(_opened(path.read_bytes(), path.name).convert("RGB"), "PNG")


def thumbnail(path: Path, side: int) -> tuple[bytes, str]:
    """A picture that fits into a square, as WEBP."""
    picture = _opened(path.read_bytes(), path.name).convert("RGB")
    picture.thumbnail((side, side))
    return encoded(picture, "WEBP", quality=PREVIEW_QUALITY)


def small_jpeg(picture: Image, side: int, *, quality: int) -> bytes:
    """A picture without its alpha that fits into a square, as JPEG."""
    small = picture.convert("RGB")
    small.thumbnail((side, side))
    return encoded(small, "JPEG", quality=quality)[0]


def alpha_only(path: Path) -> tuple[bytes, str]:
    """A black picture with the alpha of another, opaque if it has none, as PNG."""
    import PIL.Image

    picture = _opened(path.read_bytes(), path.name)
    alpha = picture.convert("RGBA").getchannel("A")
    shown = PIL.Image.new("RGBA", picture.size)
    shown.putalpha(alpha)
    return encoded(shown, "PNG")


def masked(original: bytes, mask: bytes, name: str) -> bytes:
    """A picture with the alpha of another, as PNG; texts that it carries are kept."""
    picture = _opened(original, name)
    alpha = _opened(mask, name).convert("RGBA").getchannel("A")
    texts = _png_texts(picture)
    if alpha.size != picture.size:
        alpha = alpha.resize(picture.size)
    joined = picture.convert("RGBA")
    joined.putalpha(alpha)
    written = io.BytesIO()
    joined.save(written, "PNG", compress_level=4, pnginfo=texts)
    return written.getvalue()


def _opened(content: bytes, name: str) -> Image:
    import PIL.Image

    try:
        picture = PIL.Image.open(io.BytesIO(content))
        if picture.width * picture.height > MOST_PIXELS:
            raise InputError("image_too_large", path=name, expected=MOST_PIXELS)
        picture.load()
    except PIL.Image.DecompressionBombError as error:
        raise InputError("image_too_large", path=name, expected=MOST_PIXELS) from error
    except PIL.UnidentifiedImageError as error:
        raise InputError("image_unknown", path=name) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError("image_unreadable", path=name, cause=error) from error
    return picture


def _png_texts(picture: Image) -> PngInfo:
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    for name, text in getattr(picture, "text", {}).items():
        texts.add_text(name, text)
    return texts


def encoded(picture: Image, form: str, **options: int) -> tuple[bytes, str]:
    """A picture as PNG, JPEG or WEBP, and its media type."""
    written = io.BytesIO()
    if form == "WEBP" and picture.mode not in ("RGB", "RGBA"):
        picture = picture.convert("RGBA")
    picture.save(written, form, **options)
    return written.getvalue(), MEDIA_TYPES[form]
