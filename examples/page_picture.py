"""Takes the picture of the service's page that the docs show: `python examples/page_picture.py docs/images/page.jpg`.

It needs Chromium. The photo is one of scikit-image's, free of rights; the frame has been made smaller by hand.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

import PIL.Image
from playwright.sync_api import sync_playwright
from skimage import data

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.speed.server import serving

WIDTH, HEIGHT = 1300, 980
READY = "body:not(.working) #shelf figure:nth-child(6)"


def main(target: Path) -> None:
    """Open the page with a photo, place the frame by hand, and save what is to be seen."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        serving(os.cpu_count() or 1) as service,
    ):
        photo = Path(folder) / "chelsea.jpg"
        PIL.Image.fromarray(data.chelsea()).save(photo, quality=95)
        path = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
        page.goto(f"http://127.0.0.1:{service.port}/")
        page.set_input_files("#file", photo)
        page.wait_for_selector(READY)
        page.check("[value=all]")
        page.check("[value=frame]")
        for _ in range(3):
            page.click("#smaller")
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)
        shown = page.screenshot(full_page=True)
        browser.close()
    PIL.Image.open(io.BytesIO(shown)).convert("RGB").save(target, quality=54, optimize=True, progressive=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
