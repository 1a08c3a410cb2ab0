"""Writes ``graphengine/workflow.schema.json``: the JSON Schema of our own saved workflows."""

from __future__ import annotations

import json
from pathlib import Path

from graphengine.native import native_schema

TARGET = Path(__file__).parent.parent / "graphengine" / "workflow.schema.json"


def schema_text() -> str:
    """The content of the file."""
    return json.dumps(native_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema_text(), encoding="utf-8")
