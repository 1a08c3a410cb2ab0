"""Keys of results: sha256 over what decides a result, links standing for their source's key.

A Merkle tree: a node's key holds its sources' keys, not their ancestors, so all keys of a graph
cost O(nodes + links). Node ids do not enter: equal pieces of graph have equal keys.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from graphengine.folders import Folders
from graphengine.spec import NodeSpec

Key = bytes
LinkKeys = tuple[tuple[str, Key, int], ...]
"""Per link: the input's name, the source's key, the output's index."""

_SCALARS = frozenset((str, int, float, bool, type(None)))
_KEY_BYTES = hashlib.sha256().digest_size
_counter = itertools.count()
_process = os.urandom(8).hex()


def base_key(
    spec: NodeSpec, node_id: str, values: Mapping[str, Any], links: LinkKeys, outside: str
) -> Key:
    """The key of a node's results from its literal values and evaluated links.

    ``outside`` is what `outside_state` said. A value that cannot be written down, a node that is
    never cached, and a source of either kind give a key that nothing equals.
    """
    if spec.cache == "never":
        return unique_key()
    parts = [spec.key, node_id if spec.per_node else "", outside]
    sources: list[Key] = []
    try:
        for name, value in values.items():
            text = repr(value) if type(value) in _SCALARS else written(value)
            parts.append(f"{name}={text}")
    except (TypeError, RecursionError):
        return unique_key()
    for name, key, output in links:
        if len(key) != _KEY_BYTES:
            return unique_key()
        parts.append(f"{name}:{output}")
        sources.append(key)
    own = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(b"\0".join((own, *sources))).digest()


def pulled_key(base: Key, pulled: LinkKeys) -> Key:
    """The key of a lazy node's results: its base and the links that its body asked for."""
    if any(is_unique(key) for _, key, _ in pulled) or is_unique(base):
        return unique_key()
    text = "\0".join(f"{name}:{output}" for name, _, output in pulled).encode()
    return hashlib.sha256(b"\0".join((base, text, *(key for _, key, _ in pulled)))).digest()


def unique_key() -> Key:
    """A key that no other call and no other process gets."""
    return f"{_process}:{next(_counter)}".encode()


def is_unique(key: Key) -> bool:
    """Whether a result of this key can never be asked for again."""
    return len(key) != _KEY_BYTES


def outside_state(spec: NodeSpec, values: Mapping[str, Any], folders: Folders) -> str:
    """What beside the inputs decides the result: files named by widgets, the node's fingerprint.

    A fingerprint that raises, cannot be written down or is not equal to itself (NaN) never equals
    another, so the node runs.
    """
    states = [
        entry.widget.fingerprint(values.get(entry.name), folders)
        for entry in spec.watched
        if entry.widget is not None
    ]
    if spec.fingerprint is not None:
        try:
            state = spec.fingerprint(values, folders)
            states.append(written(state) if state == state else unique_key().decode())
        except Exception:  # it is a plugin's code, and what it says is not needed to run the node
            states.append(unique_key().decode())
    return "|".join(states)


def written(value: Any) -> str:
    """A text that differs for different values; TypeError for what has none (tensors, …)."""
    if value is None or isinstance(value, str | int | float | bytes | PurePath):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(written(item) for item in value)}]"
    if isinstance(value, set | frozenset):
        return f"{{{','.join(sorted(written(item) for item in value))}}}"
    if isinstance(value, Mapping):
        items = (f"{written(name)}:{written(item)}" for name, item in value.items())
        return f"{{{','.join(sorted(items))}}}"
    raise TypeError(type(value).__name__)
