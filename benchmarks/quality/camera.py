"""Are soft subjects, soft backgrounds and colour casts told apart? `python -m benchmarks.quality.camera`.

From scikit-image's and scikit-learn's photos, four versions each: as it is, subject blurred, background
blurred, all blurred (by the picture's objectness, with a hard edge); and each under known casts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFilter
from rich.console import Console
from rich.table import Table

from eyefirst.geometry import Size
from eyefirst.image.colour_spaces import linear, srgb_encoded
from eyefirst.tools.camera_guidance import guide
from eyefirst.tools.crop import objects

CASTS = ((1.3, 1.0, 0.75), (0.8, 1.0, 1.25), (1.1, 1.0, 0.6))
BLUR_SHARE = 0.005
"""Radius of the added blur as a share of the longer side: 5 pixels at 1024."""

Pixels = NDArray[np.uint8]


def photos() -> dict[str, Pixels]:
    """Free photos that come with the test dependencies."""
    from skimage import data  # noqa: PLC0415
    from sklearn.datasets import load_sample_image  # noqa: PLC0415

    bundled: dict[str, Pixels] = {name: getattr(data, name)() for name in ("astronaut", "coffee", "chelsea")}
    return bundled | {name: load_sample_image(f"{name}.jpg") for name in ("flower", "china")}


def versions(pixels: Pixels) -> Iterator[tuple[str, Pixels, tuple[str, ...]]]:
    """Name, picture and the verdicts that are right."""
    picture = PillowImage.fromarray(pixels)
    size = Size(picture.width, picture.height)
    subject = objects(picture).heat_map.resized(size)[..., None] > 0.3
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(BLUR_SHARE * max(picture.size))))
    yield "as it is", pixels, ("subject sharp",)
    yield "subject soft", np.where(subject, soft, pixels), ("subject soft, background sharp", "all soft")
    yield "background soft", np.where(subject, pixels, soft), ("subject sharp",)
    yield "all soft", soft, ("all soft",)


def cast(pixels: Pixels, gains: tuple[float, float, float]) -> Pixels:
    """The picture under light of another colour; dimmed, so that nothing clips that did not before."""
    light = linear(pixels / 255) * gains / max(gains)
    return np.asarray((srgb_encoded(light) * 255).round().astype(np.uint8))


def main() -> None:
    """Prints both tables."""
    console = Console(width=120)
    table = Table("photo", "version", "verdict", "subject's blur", "background's blur", "right")
    for name, pixels in photos().items():
        for version, picture, right in versions(pixels):
            seen = guide(picture)
            blurs = (f"{part.blur:.2f}" if part.is_known else "-" for part in (seen.subject, seen.background))
            table.add_row(name, version, seen.verdict, *blurs, "yes" if seen.verdict in right else "NO")
    console.print(table)
    table = Table("photo", "cast", "red's gain, of what was put in", "blue's", "kelvin before", "after")
    for name, pixels in photos().items():
        before = guide(pixels).white_balance
        for gains in CASTS:
            after = guide(cast(pixels, gains)).white_balance
            found = [b / a for a, b in zip(after.gains_rgb, before.gains_rgb, strict=True)]
            red, blue = found[0] / gains[0], found[2] / gains[2]
            table.add_row(
                name, str(gains), f"{red:.2f}", f"{blue:.2f}", f"{before.temperature:.0f}", f"{after.temperature:.0f}"
            )
    console.print(table)


if __name__ == "__main__":
    main()
