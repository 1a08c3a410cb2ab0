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
from collections.abc import Mapping
from pathlib import Path

from graphengine.errors import LANGUAGES
from graphengine.spec import NodeTexts


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
