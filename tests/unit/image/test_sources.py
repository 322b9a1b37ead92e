"""What comes in: wrong things get a remedy that works, faults of others stay theirs, one picture is one picture."""

from __future__ import annotations

import io
import re
import struct
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from eyefirst import errors
from eyefirst.geometry import Size
from eyefirst.image import (
    decode,
    fingerprint,
    load_animation,
    load_image,
    load_picture,
    matches,
    open_source,
    stored_orientation,
)
from tests.unit.image.pictures import encoded, noise

VALUES = np.random.default_rng(3).integers(0, 256, (8, 40, 3))


@pytest.mark.parametrize(
    "array",
    [
        VALUES,
        VALUES.astype(np.uint16),
        VALUES.astype(np.uint16) * 257,
        VALUES.astype(np.uint16) * 16,
        VALUES.astype(np.int64) * 1000 - 500,
        VALUES.astype(np.int8),
        VALUES > 100,
        VALUES.astype(np.float32),
        VALUES / 255,
        VALUES / 255 - 0.5,
        np.where(VALUES > 250, np.nan, VALUES),
        np.where(VALUES > 250, np.inf, VALUES / 255),
        np.full((4, 4), -5.0),
        VALUES * 1j,
        VALUES[..., :1].astype(np.uint8),
        VALUES[..., :2].astype(np.uint8),
        VALUES[None].astype(np.uint8),
        np.moveaxis(VALUES, 2, 0).astype(np.uint8),
        np.moveaxis(VALUES, 2, 0) / 255,
        np.zeros((8, 40, 7), np.uint8),
        np.zeros((9, 40, 50), np.uint8),
        np.frombuffer(encoded(noise(), "PNG"), np.uint8),
    ],
    ids=lambda a: f"{a.shape}-{a.dtype}-{a.flat[0]}",
)
def test_the_remedy_for_an_array_works(array: NDArray[Any]) -> None:
    picture: Any = array
    for _ in range(3):
        try:
            image = load_image(picture)
        except errors.UnsupportedPictureError as error:
            code = re.sub(r".*\buse ", "", error.remedy)
            picture = eval(code, {"array": picture, "numpy": np})
        else:
            assert picture is not array
            assert image.size.pixels > 1
            return
    pytest.fail("no remedy led to a picture")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (["a.jpg", "b.jpg"], "one picture at a time"),
        (("a.jpg",), "one picture at a time"),
        ([np.zeros((2, 2, 3), np.uint8)], "one picture at a time"),
        ({"a.jpg"}, "one picture at a time"),
        (None, "cv2.imread"),
        (7, "the path of a file"),
        ({"path": "a.jpg"}, "the path of a file"),
    ],
)
def test_things_that_are_no_picture(source: Any, words: str) -> None:
    for door in (load_image, load_picture, load_animation, fingerprint):
        with pytest.raises(errors.InvalidValueError) as caught:
            door(source)
        assert words in caught.value.remedy


def test_arrays_of_names_are_refused() -> None:
    with pytest.raises(errors.UnsupportedPictureError, match="one picture at a time"):
        load_image(np.array(["a.jpg", "b.jpg"]))
    with pytest.raises(errors.UnsupportedPictureError, match="no pixels"):
        load_image(np.zeros((0, 4, 3), np.uint8))


def test_a_file_object_at_its_end_says_so(tmp_path: Path) -> None:
    data = encoded(noise(), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    with (tmp_path / "a.png").open("rb") as file:
        for given in (io.BytesIO(data), file):
            given.read()
            with pytest.raises(errors.NotAPictureError, match=r"at its end.*seek\(0\)"):
                load_image(given)
            given.seek(0)
            assert load_image(given).size == Size(160, 120)
    with pytest.raises(errors.NotAPictureError, match="0 bytes"):
        load_image(io.BytesIO())


# --- whose fault it is -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("fault", [ValueError("mine"), KeyError("mine"), MemoryError(), OSError("truncated")])
def test_a_fault_inside_a_callers_function_stays_what_it_is(kind: str, fault: Exception) -> None:
    def needed(_: Size) -> Size:
        raise fault

    with pytest.raises(type(fault)) as caught:
        load_image(encoded(noise(), kind), at_least=needed)
    assert caught.value is fault


def test_a_fault_inside_a_callers_file_stays_what_it_is() -> None:
    class Cloud(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise LookupError("no such bucket")

    with pytest.raises(LookupError, match="bucket"):
        load_image(Cloud())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("place", ["PIL.ImageFile.ImageFile.load", "eyefirst.image.decoding.to_srgb", "builtins.open"])
def test_no_memory_is_not_the_files_fault(
    kind: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(encoded(noise(), kind))

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    if kind == "TIFF":
        place = place.replace("PIL.ImageFile.ImageFile", "PIL.TiffImagePlugin.TiffImageFile")
    if kind == "WEBP":
        place = place.replace("PIL.ImageFile.ImageFile", "PIL.WebPImagePlugin.WebPImageFile")
    monkeypatch.setattr(place, fail)
    monkeypatch.setattr("eyefirst.image.codecs._decoder_of", lambda _: None)  # as without the extra [codecs]
    with pytest.raises(errors.NotEnoughMemoryError, match="no memory left") as caught:
        load_image(tmp_path / "a")
    assert isinstance(caught.value, MemoryError)
    assert "again" not in caught.value.remedy


@pytest.mark.parametrize("words", ["out of memory when reading image file", "memory allocation failed"])
def test_a_decoder_without_memory_is_not_the_files_fault(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(words)

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(errors.NotEnoughMemoryError):
        load_image(encoded(noise(), "JPEG"))


# --- one picture, whichever form it came in ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF"])
def test_a_hash_of_any_form_matches_any_form(kind: str, tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[274] = 6
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(encoded(noise(), kind, **({} if kind == "GIF" else {"exif": exif})))
    other.write_bytes(encoded(noise(seed=2), kind))
    with PIL.Image.open(path) as lazy, PIL.Image.open(path) as loaded:
        loaded.load()
        in_memory = PIL.Image.open(io.BytesIO(path.read_bytes()))
        forms: list[Any] = [path, path.read_bytes(), lazy, loaded, in_memory, load_picture(path), load_image(path)]
        hashes = {fingerprint(form) for form in forms}
        assert len(hashes) == 2  # of the file, and of the pixels
        named: list[Any] = [path, path.read_bytes(), lazy, loaded, load_image(path)]
        for whole_hash in (fingerprint(path), fingerprint(lazy)):  # while it is not loaded, and opened before
            held = open_source(PIL.Image.open(io.BytesIO(path.read_bytes())))
            load_image(held)
            assert matches(held, whole_hash)
            assert matches(PIL.Image.open(io.BytesIO(path.read_bytes())), whole_hash)
        for form in named:
            assert all(matches(form, h) for h in hashes)
            assert not any(matches(form, fingerprint(o)) for o in (other, load_picture(other)))
        assert matches(load_picture(path), fingerprint(lazy))
        assert not matches(load_picture(path), fingerprint(path))  # who knows where it came from
        loaded.putpixel((0, 0), 1 if kind == "GIF" else (1, 2, 3))
        assert not matches(loaded, fingerprint(path))
        whole = decode(path)
        assert matches(path, fingerprint(lazy), decoded=whole)
        assert not matches(path, "0" * 64, decoded=decode(path, at_least=Size(4, 4)))


# --- warnings ----------------------------------------------------------------------------------------

BROKEN_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01"


def test_the_filters_of_the_process_stay_untouched() -> None:
    data = encoded(noise(), "JPEG", exif=BROKEN_EXIF)
    with warnings.catch_warnings():
        for _ in range(5):
            warnings.simplefilter("error")
            before = list(warnings.filters)
            load_image(data)
            assert list(warnings.filters) == before


def test_a_warning_about_exif_does_not_cost_the_orientation() -> None:
    exif = PIL.Image.Exif()
    exif[274] = 6
    exif[0x10F] = "Camera of somebody"
    block = bytearray(exif.tobytes())
    place = block.find(struct.pack(">HH", 0x10F, 2)) + 8
    block[place : place + 4] = struct.pack(">I", 60_000)  # the name lies behind the end
    for kind in ("JPEG", "WEBP", "PNG"):
        data = encoded(noise(), kind, exif=bytes(block))
        assert load_image(data).size == Size(120, 160)
        assert stored_orientation(data) == 6


def test_warnings_of_other_threads_and_other_uses_of_pillow_are_heard() -> None:
    data = encoded(noise(), "JPEG", exif=BROKEN_EXIF)
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            load_image(data)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(20):
            with pytest.warns(UserWarning, match="EXIF"), PIL.Image.open(io.BytesIO(data)) as picture:
                picture.getexif()
    finally:
        stop.set()
        thread.join()


# --- what is amiss and does not matter ---------------------------------------------------------------


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("at_least", [None, Size(30, 30)])
def test_a_jpeg_without_its_end_marker_is_read_with_a_warning(progressive: bool, at_least: Size | None) -> None:
    data = encoded(noise(), "JPEG", progressive=progressive, quality=90)
    whole = load_image(data, at_least=at_least)
    assert whole.warnings == ()
    for cut in (data[:-2], data[:-1], data[:-2] + b"\xff"):
        image = load_image(cut, at_least=at_least)
        np.testing.assert_array_equal(image.pixels, whole.pixels)
        assert len(image.warnings) == 1
        assert "end marker" in image.warnings[0]
        assert load_animation(cut).warnings == image.warnings
        held = load_image(PIL.Image.open(io.BytesIO(cut)))  # P18
        np.testing.assert_array_equal(held.pixels, load_image(data).pixels)
        assert [w.partition(": ")[2] for w in held.warnings] == [w.partition(": ")[2] for w in image.warnings]
    with pytest.raises(errors.UnsupportedPictureError, match="cannot be had"):
        load_image(PIL.Image.open(io.BytesIO(data[: len(data) // 2])))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_some_of_its_pixels_is_refused(progressive: bool) -> None:
    data = encoded(noise(), "JPEG", progressive=progressive, quality=90)
    for share in (0.4, 0.6, 0.8, 0.95, 0.98):
        with pytest.raises(errors.TruncatedPictureError, match="pixels is missing"):
            load_image(data[: int(len(data) * share)])
