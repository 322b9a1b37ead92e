"""Eight orientations, one picture; a reduced picture is never smaller than asked."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
from hypothesis import given, settings
from hypothesis import strategies as st

from eyefirst.geometry import Size
from eyefirst.image import load_image

SIDES = st.integers(1, 24)
ORIENTATIONS = st.integers(1, 8)
INVERSE = {6: 8, 8: 6}


def noise(width: int, height: int) -> PIL.Image.Image:
    rng = np.random.default_rng(width * 1000 + height)
    return PIL.Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


@settings(deadline=None, max_examples=60)
@given(width=SIDES, height=SIDES, orientation=ORIENTATIONS, kind=st.sampled_from(["PNG", "TIFF"]))
def test_files_arrays_and_pillow_pictures_agree(width: int, height: int, orientation: int, kind: str) -> None:
    stored = noise(width, height)
    exif = PIL.Image.Exif()
    exif[274] = orientation
    file = io.BytesIO()
    stored.save(file, kind, exif=exif)
    turned = load_image(np.asarray(stored), orientation=orientation)
    np.testing.assert_array_equal(load_image(file.getvalue()).pixels, turned.pixels)
    with PIL.Image.open(file) as picture:
        np.testing.assert_array_equal(load_image(picture).pixels, turned.pixels)
    assert turned.size == (Size(height, width) if orientation >= 5 else Size(width, height))


@settings(deadline=None, max_examples=60)
@given(width=SIDES, height=SIDES, orientation=ORIENTATIONS)
def test_turning_back_gives_the_original(width: int, height: int, orientation: int) -> None:
    image = load_image(noise(width, height))
    back = load_image(load_image(image, orientation=orientation), orientation=INVERSE.get(orientation, orientation))
    np.testing.assert_array_equal(back.pixels, image.pixels)


@settings(deadline=None, max_examples=40)
@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    needed=st.builds(Size, st.integers(1, 100), st.integers(1, 100)),
    orientation=ORIENTATIONS,
    kind=st.sampled_from(["JPEG", "PNG"]),
)
def test_reduced_pictures_have_enough_pixels(size: tuple[int, int], needed: Size, orientation: int, kind: str) -> None:
    file = io.BytesIO()
    PIL.Image.new("RGB", size, "teal").save(file, kind)
    image = load_image(file.getvalue(), orientation=orientation, at_least=needed)
    assert image.pixels.shape[1] >= min(needed.width, image.size.width)
    assert image.pixels.shape[0] >= min(needed.height, image.size.height)
    assert image.size.pixels == size[0] * size[1]
