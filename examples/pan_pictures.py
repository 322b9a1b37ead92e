"""Draws the strip of docs/pan.md from free photos: `python examples/pan_pictures.py OUT.jpg`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from eyefirst.films.pan import plan_pan, preview
from eyefirst.geometry import Size


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        photos = {"astronaut": data.astronaut(), "coffee": data.coffee(), "china": load_sample_image("china.jpg")}
        for name, photo in photos.items():
            Image.fromarray(photo).save(Path(folder, f"{name}.png"))
        plan = plan_pan([str(Path(folder, f"{name}.png")) for name in photos], Size(320, 180))
        preview(plan, width=200).save(sys.argv[1], quality=82)


if __name__ == "__main__":
    main()
