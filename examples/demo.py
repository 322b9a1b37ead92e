"""Crops a few real photos to several ratios and lays everything out on one contact sheet.

    python examples/demo.py OUT [PHOTO ...]

Without photos of your own it takes those that scikit-image and scikit-learn carry.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from eyefirst.drawing import Tile, contact_sheet, draw_view
from eyefirst.files.outputs import write_picture
from eyefirst.framing import Frame
from eyefirst.handler import ImageRequestHandler, all_pixels
from eyefirst.tools.crop import crops_of
from eyefirst.tools.planning import plan_from

RATIOS = ("1:1", "16:9", "9:16", "3:1")
BUNDLED = {
    "skimage": ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"),
    "sklearn": ("china.jpg", "flower.jpg"),
}
FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


def bundled_photos() -> list[Path]:
    """Photos that lie in the installed wheels of scikit-image and scikit-learn."""
    photos = []
    for package, names in BUNDLED.items():
        spec = find_spec(package)
        if spec and spec.origin:
            folder = Path(spec.origin).parent / FOLDERS[package]
            photos += [folder / name for name in names if (folder / name).exists()]
    return photos


def row(photo: Path, out: Path) -> list[Tile]:
    """The photo, both maps with their boxes, and its crops, which are written to `out` as well."""
    handler = ImageRequestHandler(photo, expects=all_pixels)
    seen = handler.look()
    attention, objects = seen.attention, seen.objects
    plan = plan_from(handler, RATIOS)
    picture = handler.picture().picture
    tiles = [
        Tile(picture, photo.name),
        Tile(draw_view(picture, attention.heat_map, attention.salient_objects), "attention"),
        Tile(draw_view(picture, objects.heat_map, objects.salient_objects, colormap="viridis"), "objectness"),
    ]
    for made in crops_of(plan, handler):
        write_picture(made.picture, out / f"{photo.stem}_{made.label}.jpg")
        tiles.append(Tile(made.picture, f"{made.ratio}  {caption(made.frame)}"))
    return tiles


def caption(frame: Frame) -> str:
    """Share of the attention and, in brackets, of every subject that a frame keeps, in per cent."""
    subjects = " ".join(f"{100 * kept:.0f}" for kept in frame.kept_objects)
    return f"{100 * frame.kept:.0f} %" + (f" ({subjects})" if subjects else "")


def main(out: Path, photos: list[Path]) -> None:
    rows = []
    for photo in photos:
        print(f"cropping {photo.name}")
        rows.append(row(photo, out))
    sheet = out / "contact_sheet.jpg"
    write_picture(contact_sheet(rows), sheet)
    print(f"contact sheet: {sheet.resolve()}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python examples/demo.py OUT [PHOTO ...]")
    main(Path(sys.argv[1]), [Path(p) for p in sys.argv[2:]] or bundled_photos())
