"""Writes the goldens: `python -m tests.golden.make`. Look at the difference before you commit it.

Each golden is the plan of one free photo with the shipped network. Every way in has to meet it, with
tolerances: never by which side of a threshold a number falls.
"""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image as PillowImage

from eyefirst.tools.planning import plan_crops

FOLDER = Path(__file__).parent
RATIOS = ["1:1", "16:9", "9:16", "3:1"]
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "china", "flower")


def photo(name: str) -> PillowImage.Image:
    """A photo that scikit-image or scikit-learn carries."""
    from skimage import data
    from sklearn.datasets import load_sample_image

    if name in ("china", "flower"):
        return PillowImage.fromarray(load_sample_image(f"{name}.jpg"))
    return PillowImage.fromarray(getattr(data, name)())


def main() -> None:
    for name in PHOTOS:
        plan = plan_crops(photo(name), RATIOS, alternatives=2)
        (FOLDER / f"{name}.json").write_text(json.dumps(plan.to_dict(), indent=1) + "\n")
        print(f"wrote {name}.json")


if __name__ == "__main__":
    main()
