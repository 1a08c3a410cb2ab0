"""A node file's texts in further languages: ``<file>.<language>.toml`` beside it.

[KSampler]
title = "Kサンプラー"
description = "…"
category = "サンプリング"
search = ["…"]
inputs.steps = "…"
outputs.LATENT = "…"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path

from graphengine.errors import LANGUAGES
from graphengine.spec import NodeTexts


class FileTexts(Mapping[str, NodeTexts]):
    """One node's texts by language, read from beside its file when they are first asked for."""

    def __init__(self, file: Path, node_id: str) -> None:
        self._file = file
        self._node_id = node_id

    def __getitem__(self, language: str) -> NodeTexts:
        return self._texts[language]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    @cached_property
    def _texts(self) -> Mapping[str, NodeTexts]:
        return _texts_of_file(self._file).get(self._node_id, {})


@cache
def _texts_of_file(file: Path) -> Mapping[str, Mapping[str, NodeTexts]]:
    return load_texts(file)


def load_texts(file: Path) -> dict[str, dict[str, NodeTexts]]:
    """Node id → language → texts, from all text files beside a node file.

    Raises tomllib.TOMLDecodeError for a file that is not TOML.
    """
    found: dict[str, dict[str, NodeTexts]] = {}
    for language in LANGUAGES:
        path = file.with_suffix(f".{language}.toml")
        if path.is_file():
            for node_id, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
                found.setdefault(node_id, {})[language] = _texts(table)
    return found


def _texts(table: Mapping[str, object]) -> NodeTexts:
    def words(name: str) -> dict[str, str]:
        value = table.get(name, {})
        return {key: str(text) for key, text in value.items()} if isinstance(value, dict) else {}

    search = table.get("search", [])
    return NodeTexts(
        title=str(table.get("title", "")),
        description=str(table.get("description", "")),
        category=str(table.get("category", "")),
        inputs=words("inputs"),
        outputs=words("outputs"),
        search=tuple(str(word) for word in search) if isinstance(search, list) else (),
    )
