"""The documentation site builds, and its page of measurements is current."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REMAKE = "run: python tools/docs/measurements.py"


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


def test_the_page_of_measurements_is_made_from_the_kept_measurements() -> None:
    spec = spec_from_file_location("measurements", ROOT / "tools/docs/measurements.py")
    assert spec is not None
    assert spec.loader is not None
    measurements = module_from_spec(spec)
    spec.loader.exec_module(measurements)

    assert measurements.PAGE.read_text(encoding="utf-8") == measurements.page(), REMAKE
