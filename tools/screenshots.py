"""Take the README's pictures of the editor: `python tools/screenshots.py ADDRESS [FOLDER]`.

A server must answer at ADDRESS, with the starter model. Needs Chromium, or GRAPHENGINE_CHROMIUM.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parent.parent / "docs/screenshots"
VIEWS = (("en", "dark"), ("en", "light"), ("ja", "dark"), ("ja", "light"))
SIZE = {"width": 1440, "height": 860}
RUN_TIMEOUT_MS = 120_000


def main(address: str, folder: Path = FOLDER) -> None:
    browser_path = os.environ.get("GRAPHENGINE_CHROMIUM") or shutil.which("chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for language, theme in VIEWS:
            path = folder / f"editor-{language}-{theme}.webp"
            picture = after_a_run(browser, address, language, theme)
            Image.open(io.BytesIO(picture)).save(path, quality=82, method=6)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
        browser.close()


def after_a_run(browser: Browser, address: str, language: str, theme: str) -> bytes:
    """The editor as PNG once the workflow that it opens with has made its picture."""
    context = browser.new_context(viewport=SIZE, locale=language, color_scheme=theme)
    page = context.new_page()
    page.goto(address)
    page.locator("article.node").first.wait_for()
    page.wait_for_timeout(1500)
    page.keyboard.press("Control+Enter")
    page.locator("article.node img").last.wait_for(timeout=RUN_TIMEOUT_MS)
    page.wait_for_timeout(4000)
    picture = page.screenshot()
    context.close()
    return picture


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:3]))
