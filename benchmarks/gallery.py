"""Crops of free photos beside other croppers, to look at: `python -m benchmarks.gallery docs/images/gallery`.

One picture for each photo: a row for each method, a column for each ratio. Methods that are not installed are left out
and said: `pip install pyvips pyvips-binary smartcrop` brings them. All get the same photo and are asked for the largest
window of the ratio, with their own defaults.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from tests.golden.make import PHOTOS, photo

from eyefirst.drawing import Tile, contact_sheet
from eyefirst.geometry import AspectRatio, PixelBox, Size
from eyefirst.tools.planning import plan_crops

RATIOS = ("1:1", "16:9", "9:16", "3:1")
HEIGHT = 104
Cropper = Callable[[PillowImage.Image, str], PixelBox]


def ours(picture: PillowImage.Image, ratio: str) -> PixelBox:
    """The first frame of `plan_crops` that is as large as a window of the ratio can be."""
    return plan_crops(picture, ratio, fit="largest").frames[ratio][0].box


def centre(picture: PillowImage.Image, ratio: str) -> PixelBox:
    """Equal parts cut off both ends."""
    window = largest(picture, ratio)
    return at((picture.width - window.width) // 2, (picture.height - window.height) // 2, window)


def libvips(picture: PillowImage.Image, ratio: str) -> PixelBox:
    """`smartcrop` with `attention`, which sharp uses too."""
    window = largest(picture, ratio)
    image = importlib.import_module("pyvips").Image.new_from_array(np.asarray(picture))
    cut: Any = image.smartcrop(window.width, window.height, interesting="attention")
    return at(-cut.xoffset, -cut.yoffset, window)


def smartcrop(picture: PillowImage.Image, ratio: str) -> PixelBox:
    """smartcrop.py, whose windows may be smaller; its own choice of the largest."""
    window = largest(picture, ratio)
    found: Any = importlib.import_module("smartcrop").SmartCrop().crop(picture, window.width, window.height)
    top = found["top_crop"]
    return PixelBox(top["x"], top["y"], top["x"] + top["width"], top["y"] + top["height"])


METHODS: dict[str, tuple[Cropper, str]] = {
    "eyefirst": (ours, "eyefirst"),
    "centre": (centre, "eyefirst"),
    "libvips attention": (libvips, "pyvips"),
    "smartcrop.py": (smartcrop, "smartcrop"),
}


def largest(picture: PillowImage.Image, ratio: str) -> Size:
    """The largest window of a ratio."""
    return AspectRatio.parse(ratio).largest_in(Size(*picture.size))


def at(left: int, top: int, window: Size) -> PixelBox:
    """A window at a place."""
    return PixelBox(left, top, left + window.width, top + window.height)


def installed() -> Iterator[tuple[str, Cropper]]:
    """The methods that can run here; the others are said."""
    for title, (cropper, module) in METHODS.items():
        try:
            importlib.import_module(module)
        except (ImportError, OSError):  # OSError: a binding without its library
            print(f"{title} is not installed: left out")
        else:
            yield title, cropper


def label(title: str) -> Tile:
    """The name of a row."""
    tile = PillowImage.new("RGB", (120, HEIGHT), "#f6f6f4")
    ImageDraw.Draw(tile).text((0, HEIGHT / 2), title, fill="#222", font=ImageFont.load_default(14), anchor="lm")
    return Tile(tile, "")


def main(arguments: list[str] | None = None) -> None:
    """Draw and write one picture for each photo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    methods = list(installed())
    for name in PHOTOS:
        picture = photo(name).convert("RGB")
        rows = []
        for title, cropper in methods:
            boxes = {ratio: cropper(picture, ratio) for ratio in RATIOS}
            rows.append([label(title), *(Tile(picture.crop(tuple(box)), ratio) for ratio, box in boxes.items())])
        path = out / f"{name}.jpg"
        contact_sheet(rows, tile_height=HEIGHT, gap=8).save(path, quality=72, optimize=True)
        print(f"{path}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
