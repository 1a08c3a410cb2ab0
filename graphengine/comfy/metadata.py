"""The workflow that a picture or a tensor file carries, found without decoding the picture.

A file that is cut off still gives what stands before the cut; ComfyUI writes it at the beginning.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graphengine.comfy.exif import exif_texts

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
LONGEST_TEXT = 64 * 2**20
_KEYS = ("workflow", "prompt", "parameters")

Texts = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Carried:
    """What a file carries: JSON texts of the editor and of the API, and A1111's settings."""

    workflow: str | None = None
    prompt: str | None = None
    parameters: str | None = None


def carrier(content: bytes) -> str | None:
    """What kind of file that can carry a workflow it is; None for any other."""
    if content.startswith(PNG):
        return "PNG"
    if content.startswith(JPEG):
        return "JPEG"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    if content[4:8] == b"ftyp" and content[8:12] in (b"avif", b"avis", b"mif1", b"heic"):
        return "AVIF"
    return "safetensors" if _is_safetensors(content) else None


def carried(content: bytes) -> Carried:
    """What a file carries; the first of each kind counts."""
    kind = carrier(content)
    found: dict[str, str] = {}
    for key, text in _READERS[kind](content) if kind is not None else ():
        if key in _KEYS:
            found.setdefault(key, text)
    return Carried(**found)


# --- PNG ------------------------------------------------------------------------------------------


def _png_texts(content: bytes) -> Texts:
    """Text chunks, those of animations (``comf``), and EXIF."""
    for kind, data in _png_chunks(content):
        if kind in (b"tEXt", b"comf"):
            key, _, text = data.partition(b"\0")
            yield key.decode("latin-1"), _text(text)
        elif kind == b"zTXt":
            key, _, packed = data.partition(b"\0")
            yield key.decode("latin-1"), _text(_unpacked(packed[1:]))
        elif kind == b"iTXt":
            yield from _international(data)
        elif kind == b"eXIf":
            yield from _exif(data)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks that are whole."""
    at = len(PNG)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if at + 8 + length > len(content):
            return
        if kind != b"IDAT":
            yield kind, content[at + 8 : at + 8 + length]
        at += 12 + length


def _international(data: bytes) -> Texts:
    """An iTXt chunk: key, packed or not, language, translated key, text."""
    key, _, rest = data.partition(b"\0")
    packed, rest = rest[:1] == b"\x01", rest[2:]
    _, _, rest = rest.partition(b"\0")
    _, _, text = rest.partition(b"\0")
    yield key.decode("latin-1"), _text(_unpacked(text) if packed else text)


def _unpacked(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, LONGEST_TEXT)
    except zlib.error:
        return b""


def _text(raw: bytes) -> str:
    """UTF-8, as many write it, or Latin-1, as PNG has it."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


# --- EXIF in WebP, AVIF and JPEG ------------------------------------------------------------------


def _webp_texts(content: bytes) -> Texts:
    at = 12
    while at + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, at)
        if kind == b"EXIF":
            yield from _exif(content[at + 8 : at + 8 + length])
        at += 8 + length + length % 2


def _jpeg_texts(content: bytes) -> Texts:
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", content, at + 2)
        segment = content[at + 4 : at + 2 + length]
        if content[at + 1] == 0xE1 and segment.startswith(b"Exif\0\0"):
            yield from _exif(segment)
        at += 2 + max(length, 2)


def _avif_texts(content: bytes) -> Texts:
    """The EXIF item wherever it lies: the boxes that point at it are not read."""
    for mark in (b"II*\0", b"MM\0*"):
        at = content.find(mark)
        while at >= 0:
            found = list(_exif(content[at:]))
            yield from found
            at = -1 if found else content.find(mark, at + 4)


def _exif(block: bytes) -> Texts:
    """``workflow:{…}`` and ``prompt:{…}`` of ComfyUI; any text with steps is A1111's."""
    for text in exif_texts(block):
        key, colon, value = text.partition(":")
        if colon and key.strip().lower() in _KEYS[:2]:
            yield key.strip().lower(), value
        elif "Steps: " in text:
            yield "parameters", text


# --- safetensors and latents ----------------------------------------------------------------------


def _is_safetensors(content: bytes) -> bool:
    if len(content) < 10:
        return False
    (length,) = struct.unpack_from("<Q", content)
    return bool(2 <= length <= LONGEST_TEXT) and content[8:9] == b"{"


def _safetensors_texts(content: bytes) -> Texts:
    (length,) = struct.unpack_from("<Q", content)
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        return
    notes = header.get("__metadata__") if isinstance(header, dict) else None
    for key, text in notes.items() if isinstance(notes, dict) else ():
        if isinstance(text, str):
            yield key, text


_READERS: dict[str, Callable[[bytes], Texts]] = {
    "PNG": _png_texts,
    "JPEG": _jpeg_texts,
    "WebP": _webp_texts,
    "AVIF": _avif_texts,
    "safetensors": _safetensors_texts,
}
