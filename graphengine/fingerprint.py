"""Keys of results: sha256 over what decides a result, links standing for their source's key.

A Merkle tree: a node's key holds its sources' keys, not their ancestors, so all keys of a graph
cost O(nodes + links). Node ids do not enter: equal pieces of graph have equal keys.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from graphengine.folders import Folders
from graphengine.parameters import Widget
from graphengine.spec import NodeSpec

Key = bytes
LinkKeys = tuple[tuple[str, Key, int], ...]
"""Per link: the input's name, the source's key, the output's index."""

_SCALARS = (str, int, float, bool, type(None))
_counter = itertools.count()
_process = os.urandom(8).hex()


def base_key(
    spec: NodeSpec, node_id: str, values: Mapping[str, Any], links: LinkKeys, outside: str
) -> Key:
    """The key of a node's results from its literal values and evaluated links.

    ``outside`` is what `outside_state` said. A value that cannot be written down, or a node that
    is never cached, gives a key that nothing equals.
    """
    if spec.cache == "never":
        return unique_key()
    parts = [spec.key, node_id if spec.per_node else "", outside]
    try:
        parts += [f"{name}={_written(values[name])}" for name in sorted(values)]
    except TypeError:
        return unique_key()
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass"))
    for name, key, output in links:
        digest.update(f"\0{name}:{output}:".encode())
        digest.update(key)
    return digest.digest()


def pulled_key(base: Key, pulled: LinkKeys) -> Key:
    """The key of a lazy node's results: its base and the links that its body asked for."""
    digest = hashlib.sha256(base)
    for name, key, output in pulled:
        digest.update(f"\0{name}:{output}:".encode())
        digest.update(key)
    return digest.digest()


def unique_key() -> Key:
    """A key that no other call and no other process gets."""
    return f"{_process}:{next(_counter)}".encode()


def is_unique(key: Key) -> bool:
    """Whether a result of this key can never be asked for again."""
    return len(key) != hashlib.sha256().digest_size


def outside_state(spec: NodeSpec, values: Mapping[str, Any], folders: Folders) -> str:
    """What beside the inputs decides the result: files named by widgets, the node's fingerprint.

    A fingerprint that raises never equals another, so the node runs.
    """
    states: list[str] = []
    for name, widget in _watched(spec):
        states.append(widget.fingerprint(values.get(name), folders))
    if spec.fingerprint is not None:
        try:
            states.append(_written(spec.fingerprint(values, folders)))
        except Exception:
            states.append(unique_key().decode())
    return "|".join(states)


def _watched(spec: NodeSpec) -> Iterable[tuple[str, Widget]]:
    return (
        (entry.name, entry.widget)
        for entry in spec.inputs
        if entry.widget is not None and type(entry.widget).fingerprint is not Widget.fingerprint
    )


def _written(value: Any) -> str:
    """A text that differs for different values; TypeError for what has none (tensors, …)."""
    if type(value) in _SCALARS:
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_written(item) for item in value)}]"
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    raise TypeError(type(value).__name__)
