"""Reference numbers for sampling, computed with ComfyUI 0.3.64 and torchsde 0.2.6."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def sampling_reference() -> dict[str, Any]:
    """Tables, schedules, noise and the end states of all samplers (read-only)."""
    path = Path(__file__).parents[1] / "data" / "sampling.json"
    reference: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return reference
