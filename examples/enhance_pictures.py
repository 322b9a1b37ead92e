"""Draws the picture of docs/enhance.md from a free photo: `python examples/enhance_pictures.py OUT.jpg`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from PIL import Image
from skimage import data

from eyefirst.tools.enhance import blur_background, desaturate_background


def main() -> None:
    photos = [Image.fromarray(photo) for photo in (data.coffee(), data.chelsea())]
    makers: Sequence[Callable[[Image.Image], Image.Image]] = (Image.Image.copy, blur_background, desaturate_background)
    sheet = Image.new("RGB", (3 * 300, 2 * 200), "white")
    for row, photo in enumerate(photos):
        for column, make in enumerate(makers):
            sheet.paste(make(photo).resize((294, 194), Image.Resampling.LANCZOS), (column * 300 + 3, row * 200 + 3))
    sheet.save(sys.argv[1], quality=82)


if __name__ == "__main__":
    main()
