"""Draws the pictures of docs/camera.md and docs/text.md: `python -m examples.camera_pictures FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.quality.camera import versions
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from sklearn.datasets import load_sample_image

from eyefirst import ImageRequestHandler, TextRecognitionRequest
from eyefirst.drawing import Tile, contact_sheet
from eyefirst.geometry import Size
from eyefirst.tools.camera_guidance import guide


def soft_and_sharp() -> Image.Image:
    """One photo blurred in parts, with the focus point and the verdict."""
    tiles = []
    for name, pixels, _ in versions(data.coffee()):
        seen, picture = guide(pixels), Image.fromarray(pixels)
        x, y = seen.focus.x * picture.width, seen.focus.y * picture.height
        ImageDraw.Draw(picture).ellipse((x - 22, y - 22, x + 22, y + 22), outline="#ffd23f", width=5)
        tiles.append(Tile(picture, f"{name}: {seen.verdict}"))
    return contact_sheet([tiles], tile_height=180)


def words() -> Image.Image:
    """A photo with a signboard drawn into it: what was read, and the regions that were."""
    photo = Image.fromarray(load_sample_image("china.jpg"))
    picture = photo.resize((1280, 854), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((860, 520, 1200, 680), fill="#7a1f1f", outline="#e8c874", width=8)
    draw.text((900, 540), "Teahouse", fill="#f6e7c1", font=ImageFont.load_default(60))
    draw.text((900, 612), "open until 6", fill="#f6e7c1", font=ImageFont.load_default(36))
    seen = ImageRequestHandler(picture).perform([TextRecognitionRequest()])[0]
    for box, colour in [*((r, "#4cc9f0") for r in seen.regions), *((t.box, "#ffd23f") for t in seen.texts)]:
        pixels = box.to_pixels(Size(*picture.size))
        draw.rectangle((pixels.left, pixels.top, pixels.right, pixels.bottom), outline=colour, width=5)
    caption = ", ".join(f"{t.text} ({t.saliency:.1f})" for t in seen.texts)
    return contact_sheet([[Tile(picture, caption)]], tile_height=360)


def main() -> None:
    folder = Path(sys.argv[1])
    soft_and_sharp().save(folder / "camera.jpg", quality=82)
    words().save(folder / "text.jpg", quality=82)


if __name__ == "__main__":
    main()
