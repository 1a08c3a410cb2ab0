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

"""
ROWS = """
| setting 設定 | value 値 | n | right 正解 | 95 % | more その他 |
|---|---|---|---|---|---|
"""
METHODS = """
## Sampling methods · サンプリング方法

CFG 3, {count} captions each, the schedule after the name. First the share that is right in %, with
its interval, then the distance to the exact solution (200 steps of DPM++ 2M Karras) in standard
deviations.

CFG 3、各 {count} 文。名前の後はスケジューラーです。左は正解の割合（%）とその区間、右は厳密解
（DPM++ 2M Karras の 200 ステップ）との距離（標準偏差の倍数）です。

"""


def measured() -> list[dict[str, Any]]:
    """The rows that `evaluate.py --all` kept."""
    rows: list[dict[str, Any]] = json.loads(SETTINGS.read_text(encoding="utf-8"))
    return rows


def page() -> str:
    """The whole page in Markdown."""
    rows = sorted(measured(), key=lambda row: row["about"])
    settings = [_line(row) for row in rows if row["about"] != "samplers"]
    return HEAD + ROWS + "".join(settings) + _methods([r for r in rows if r["about"] == "samplers"])


def _methods(rows: list[dict[str, Any]]) -> str:
    """A line for each method; its columns are the numbers of steps."""
    methods: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        name = row["setting"].partition(",")[0]
        methods.setdefault(name, {})[int(row["more"]["steps"])] = row
    steps = sorted({int(row["more"]["steps"]) for row in rows})
    columns = [*(f"right, {n}" for n in steps), *(f"distance, {n}" for n in steps)]
    head = f"| method | {' | '.join(columns)} |\n{'|---' * (1 + len(columns))}|\n"
    return (
        METHODS.format(count=rows[0]["count"])
        + head
        + "".join(
            f"| {name} | {' | '.join(_cells([own.get(n) for n in steps]))} |\n"
            for name, own in methods.items()
        )
    )


def _cells(rows: list[dict[str, Any] | None]) -> list[str]:
    """What is right and the distances; empty where nothing was measured."""
    return [
        *("" if row is None else _share(row) for row in rows),
        *("" if row is None else f"{row['more']['distance to 200 steps']:.2g}" for row in rows),
    ]


def _share(row: dict[str, Any]) -> str:
    return f"{100 * row['right']:.3g} ({100 * row['low']:.0f}-{100 * row['high']:.0f})"


def _line(row: dict[str, Any]) -> str:
    more = ", ".join(f"{name} {value:.3g}" for name, value in row["more"].items())
    share = f"{row['right']:.1%} | {row['low']:.1%}-{row['high']:.1%}"
    return f"| {row['about']} | {row['setting']} | {row['count']} | {share} | {more} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
