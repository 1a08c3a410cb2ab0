"""The editor's types are those of the server."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent
TYPES = ROOT / "web" / "src" / "protocol" / "generated.ts"


def generated() -> str:
    path = ROOT / "tools" / "generate_protocol.py"
    spec = importlib.util.spec_from_file_location("generate_protocol", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.protocol_text())


def test_the_editors_types_are_generated_from_what_the_server_says_now() -> None:
    written = TYPES.read_text(encoding="utf-8")

    assert written == generated(), "run: python tools/generate_protocol.py"


def test_what_the_server_sends_is_complete_and_what_it_takes_is_not() -> None:
    text = generated()

    assert "readonly state: " in text
    assert "readonly front?: boolean;" in text
    assert "  readonly document: NativeWorkflow;" in text
    assert "export type SocketMessage = StatusMessage | " in text
