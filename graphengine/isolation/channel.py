"""Messages over a socket between two processes: a length, the bytes, the descriptors."""

from __future__ import annotations

import socket
import struct
from typing import Any

from graphengine.isolation.values import Packed, pack, unpack

_HEAD = struct.Struct(">QI")
_DESCRIPTORS_AT_ONCE = 100


class Channel:
    """One end. ``own_classes``: whether what comes may be of any class; only at the plugin's."""

    def __init__(self, end: socket.socket, *, own_classes: bool) -> None:
        self._end = end
        self._own_classes = own_classes

    def send(self, *message: Any) -> None:
        """Send a message; raises OSError if the other side has gone."""
        import os

        packed = pack(message)
        try:
            self._end.sendall(_HEAD.pack(len(packed.content), len(packed.descriptors)))
            self._end.sendall(packed.content)
            for start in range(0, len(packed.descriptors), _DESCRIPTORS_AT_ONCE):
                some = packed.descriptors[start : start + _DESCRIPTORS_AT_ONCE]
                socket.send_fds(self._end, [b"."], list(some))
        finally:
            for descriptor in packed.descriptors:
                os.close(descriptor)

    def receive(self) -> tuple[Any, ...]:
        """The next message; raises EOFError if the other side has gone."""
        size, count = _HEAD.unpack(self._exactly(_HEAD.size))
        content = self._exactly(size)
        descriptors: list[int] = []
        while len(descriptors) < count:
            _, some, _, _ = socket.recv_fds(self._end, 1, _DESCRIPTORS_AT_ONCE)
            if not some:
                raise EOFError
            descriptors += some
        packed = Packed(content, tuple(descriptors))
        return tuple(unpack(packed, own_classes=self._own_classes))

    def _exactly(self, size: int) -> bytes:
        content = bytearray()
        while len(content) < size:
            some = self._end.recv(min(size - len(content), 1 << 20))
            if not some:
                raise EOFError
            content += some
        return bytes(content)
