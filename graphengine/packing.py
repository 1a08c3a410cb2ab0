"""Results as a JSON description and tensors, and back: what a file can hold of what links carry.

Numbers, texts, lists, mappings, tensors and the sockets of `graphengine.sockets` can be packed;
anything else (a plugin's own classes, patches, functions) cannot, and is said so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from graphengine import sockets
from graphengine.cache import Entry
from graphengine.events import Artifacts, SavedFile
from graphengine.results import Items

_PLAIN = frozenset((type(None), bool, int, float, str))
_SEQUENCES: dict[str, type] = {"list": list, "tuple": tuple, "items": Items}
_NAMES = {kind: name for name, kind in _SEQUENCES.items()}
_SOCKETS: dict[str, Any] = {
    name: kind
    for name, kind in vars(sockets).items()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}


class NotPackable(TypeError):
    """A value that no file can hold."""


def pack_entry(entry: Entry) -> tuple[dict[str, Any], list[Any]]:
    """The JSON description of results, and the tensors that it names by number.

    Raises `NotPackable`.
    """
    tensors: list[Any] = []
    shown = entry.artifacts
    described = {
        "outputs": [_pack(value, tensors) for value in entry.outputs],
        "seconds": entry.seconds,
        "artifacts": None if shown is None else _pack_artifacts(shown, tensors),
    }
    return described, tensors


def unpack_entry(described: Mapping[str, Any], tensors: Mapping[int, Any]) -> Entry:
    """The results again."""
    shown = described["artifacts"]
    return Entry(
        outputs=tuple(_unpack(value, tensors) for value in described["outputs"]),
        artifacts=None if shown is None else _unpack_artifacts(shown, tensors),
        seconds=described["seconds"],
    )


def _pack(value: Any, tensors: list[Any]) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if hasattr(value, "untyped_storage"):  # a tensor, told by what it can do: torch stays out
        tensors.append(value)
        return {"tensor": len(tensors) - 1}
    if kind in _NAMES:
        return {_NAMES[kind]: [_pack(item, tensors) for item in value]}
    if isinstance(value, Mapping):
        return {"mapping": [[_pack(k, tensors), _pack(v, tensors)] for k, v in value.items()]}
    if _SOCKETS.get(kind.__name__) is kind:
        names = (entry.name for entry in dataclasses.fields(value))
        fields = {name: _pack(getattr(value, name), tensors) for name in names}
        return {"socket": kind.__name__, "fields": fields}
    raise NotPackable(kind.__name__)


def _unpack(packed: Any, tensors: Mapping[int, Any]) -> Any:
    if not isinstance(packed, dict):
        return packed
    if "tensor" in packed:
        return tensors[packed["tensor"]]
    if "mapping" in packed:
        pairs = packed["mapping"]
        return {_unpack(name, tensors): _unpack(value, tensors) for name, value in pairs}
    if "socket" in packed:
        fields = {name: _unpack(value, tensors) for name, value in packed["fields"].items()}
        return _SOCKETS[packed["socket"]](**fields)
    ((name, items),) = packed.items()
    return _SEQUENCES[name](_unpack(item, tensors) for item in items)


def _pack_artifacts(shown: Artifacts, tensors: list[Any]) -> dict[str, Any]:
    return {
        "images": [[file.filename, file.subfolder, file.kind] for file in shown.images],
        "texts": list(shown.texts),
        "more": _pack(dict(shown.more), tensors),
    }


def _unpack_artifacts(packed: Mapping[str, Any], tensors: Mapping[int, Any]) -> Artifacts:
    return Artifacts(
        images=tuple(SavedFile(*parts) for parts in packed["images"]),
        texts=tuple(packed["texts"]),
        more=_unpack(packed["more"], tensors),
    )
