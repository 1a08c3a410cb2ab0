"""The page of all figures, from `docs/figures/settings.json`: `python tools/docs/measurements.py`.

`figures.py` writes it too; it is apart because it needs no more than Python.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
SETTINGS = DOCS / "figures/settings.json"
PAGE = DOCS / "figures/measurements.md"
HEAD = """# Measurements · 測定値

Made by `python tools/docs/figures.py` from `settings.json`; do not edit.
“Right”: share of pictures in which a program finds everything that an unseen caption asks for, with
its 95 % interval (Wilson).

「正解」は、学習していない文が求めるものすべてを、プログラムが見つけた画像の割合です。
「95 %」はその信頼区間（Wilson）を表します。

| setting 設定 | value 値 | n | right 正解 | 95 % | more その他 |
|---|---|---|---|---|---|
"""


def measured() -> list[dict[str, Any]]:
    """The rows that `evaluate.py --all` kept."""
    rows: list[dict[str, Any]] = json.loads(SETTINGS.read_text(encoding="utf-8"))
    return rows


def page() -> str:
    """The whole page in Markdown."""
    return HEAD + "".join(_line(row) for row in sorted(measured(), key=lambda row: row["about"]))


def _line(row: dict[str, Any]) -> str:
    more = ", ".join(f"{name} {value:.3g}" for name, value in row["more"].items())
    share = f"{row['right']:.1%} | {row['low']:.1%}-{row['high']:.1%}"
    return f"| {row['about']} | {row['setting']} | {row['count']} | {share} | {more} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
