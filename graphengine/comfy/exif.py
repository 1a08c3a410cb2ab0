"""Texts in a picture's EXIF block (TIFF 6.0), read without decoding the picture.

ComfyUI writes ``workflow:{…}`` and ``prompt:{…}`` into camera tags; others write the user comment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_EXIF_FOLDER = 0x8769
_USER_COMMENT = 0x9286
_ASCII = 2
_BYTES = (1, 2, 7)
_MOST_ENTRIES = 1000


def exif_texts(block: bytes) -> Iterator[str]:
    """The texts of an EXIF block, of the first folder and the Exif folder; none if it is broken."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return
    waiting = [struct.unpack_from(f"{order}I", block, 4)[0]]
    for _ in range(2):
        if not waiting:
            return
        for tag, kind, value in _entries(block, waiting.pop(), order):
            if tag == _EXIF_FOLDER and len(value) >= 4:
                waiting.append(struct.unpack(f"{order}I", value[:4])[0])
            elif kind == _ASCII:
                yield value.rstrip(b"\0").decode("utf-8", "replace")
            elif tag == _USER_COMMENT:
                yield _comment(value, order)


def _entries(block: bytes, start: int, order: str) -> Iterator[tuple[int, int, bytes]]:
    """Tag, type and bytes of each entry of a folder that lies inside the block."""
    if start + 2 > len(block):
        return
    (count,) = struct.unpack_from(f"{order}H", block, start)
    for place in range(start + 2, start + 2 + 12 * min(count, _MOST_ENTRIES), 12):
        if place + 12 > len(block):
            return
        tag, kind, items = struct.unpack_from(f"{order}HHI", block, place)
        if kind in _BYTES and items > 4:
            (at,) = struct.unpack_from(f"{order}I", block, place + 8)
            yield tag, kind, block[at : at + items]
        else:
            yield tag, kind, block[place + 8 : place + 12]


def _comment(value: bytes, order: str) -> str:
    """A user comment, whose first eight bytes tell its encoding."""
    marker, text = value[:8], value[8:]
    if marker.startswith(b"UNICODE"):
        # The block's byte order should hold, but most writers use big endian whatever it is.
        zeros_first = text[:200:2].count(0) >= text[1:200:2].count(0)
        big = zeros_first if 0 in text[:200] else order == ">"
        return text.decode("utf-16-be" if big else "utf-16-le", "replace").rstrip("\0")
    return (text if marker.startswith((b"ASCII", b"\0\0\0")) else value).decode("utf-8", "replace")
