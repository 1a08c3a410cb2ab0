"""The documentation site builds, and its figures are those of the measurements beside them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs/figures"
REMAKE = "run: python tools/docs/figures.py"


@pytest.mark.skipif(find_spec("material") is None, reason="needs mkdocs-material")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode == 0, built.stderr
    assert "KSampler" in (tmp_path / "reference/index.html").read_text(encoding="utf-8")


def test_figures_are_made_from_the_kept_measurements() -> None:
    kept = json.loads((FIGURES / "digests.json").read_text())
    files = [path for path in FIGURES.iterdir() if path.suffix in (".svg", ".webp")]
    now = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [FIGURES / "settings.json", *files]
    }

    assert now == kept, REMAKE


def test_the_page_of_measurements_is_made_from_the_kept_measurements() -> None:
    spec = spec_from_file_location("measurements", ROOT / "tools/docs/measurements.py")
    assert spec is not None
    assert spec.loader is not None
    measurements = module_from_spec(spec)
    spec.loader.exec_module(measurements)

    assert measurements.PAGE.read_text(encoding="utf-8") == measurements.page(), REMAKE


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_figure_is_shown_in_the_guide(language: str) -> None:
    guide = (ROOT / "docs" / language / "eight-settings.md").read_text(encoding="utf-8")
    other = {"en": ".ja.svg", "ja": ".en.svg"}[language]
    figures = [path.name for path in FIGURES.iterdir() if path.suffix in (".svg", ".webp")]

    assert [n for n in figures if not n.endswith(other) and f"../figures/{n}" not in guide] == []
