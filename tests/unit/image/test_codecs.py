"""The faster decoders of the extra `[codecs]` give what Pillow gives, colours, metadata and errors included."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import PngImagePlugin
from skimage import data

from eyefirst.errors import TruncatedPictureError
from eyefirst.image import codecs, decode, decoding, read_metadata

pytest.importorskip("imagecodecs", reason="imagecodecs comes with the extra 'codecs'")


def written(format: str, mode: str = "RGB", **options: Any) -> bytes:
    picture = PillowImage.fromarray(data.chelsea()).convert(mode)
    if mode == "RGBA":
        picture.putalpha(PillowImage.linear_gradient("L").resize(picture.size))
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def turned() -> PillowImage.Exif:
    exif = PillowImage.Exif()
    exif[0x0112], exif[0x8298] = 6, "Ann"
    return exif


FILES: dict[str, tuple[Callable[[], bytes], bool]] = {
    "png": (lambda: written("PNG"), True),
    "png, transparent": (lambda: written("PNG", "RGBA"), True),
    "png, turned": (lambda: written("PNG", exif=turned()), True),
    "png, palette": (lambda: written("PNG", "P"), False),
    "png, grey": (lambda: written("PNG", "L"), False),
    "png, one colour transparent": (lambda: written("PNG", transparency=(0, 0, 0)), False),
    "png, animated": (lambda: written("PNG", save_all=True, append_images=[PillowImage.new("RGB", (451, 300))]), False),
    "webp": (lambda: written("WEBP"), True),
    "webp, transparent, turned": (lambda: written("WEBP", "RGBA", exif=turned()), True),
    "webp, lossless": (lambda: written("WEBP", lossless=True), True),
    "webp, animated": (
        lambda: written("WEBP", save_all=True, append_images=[PillowImage.new("RGB", (451, 300))]),
        False,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_equal_pixels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, is_faster = FILES[name][0](), FILES[name][1]
    used = []
    real = codecs.decoded_faster

    def watched(*args: Any) -> Any:
        used.append(real(*args))
        return used[-1]

    monkeypatch.setattr(decoding, "decoded_faster", watched)
    found = decode(file)
    assert [u is not None for u in used] == [is_faster]
    monkeypatch.setattr(decoding, "decoded_faster", lambda *_: None)
    plain = decode(file)
    assert found.picture.mode == plain.picture.mode
    assert (found.size, found.frame_count) == (plain.size, plain.frame_count)
    np.testing.assert_array_equal(np.asarray(found.picture), np.asarray(plain.picture))
    if "turned" in name:
        assert found.size.as_tuple == (300, 451)
        assert read_metadata(file).copyright == "Ann"


def test_colours_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gamma that no profile states is followed either way."""
    extra = PngImagePlugin.PngInfo()
    extra.add(b"gAMA", (100_000).to_bytes(4, "big"))
    file = written("PNG", pnginfo=extra)
    found = np.asarray(decode(file).picture)
    monkeypatch.setattr(decoding, "decoded_faster", lambda *_: None)
    np.testing.assert_array_equal(found, np.asarray(decode(file).picture))
    assert np.abs(found.astype(int) - data.chelsea()).mean() > 5


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_a_damaged_file_is_pillow_s(format: str) -> None:
    with pytest.raises(TruncatedPictureError):
        decode(written(format)[:-2000])


def test_without_the_extra_pillow_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    codecs._decoder_of.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "imagecodecs", None)
    assert codecs._decoder_of("PNG") is None
    np.testing.assert_array_equal(np.asarray(decode(written("PNG")).picture), data.chelsea())
    codecs._decoder_of.cache_clear()
