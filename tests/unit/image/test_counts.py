"""One `Opened` source: read once, hashed once, and decoded once for each time that pixels are asked for."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from eyefirst import errors
from eyefirst.geometry import Size
from eyefirst.image import (
    Opened,
    decode,
    fingerprint,
    load_animation,
    load_image,
    load_picture,
    open_source,
    stored_orientation,
)


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a file was opened, bytes or pixels hashed, and a frame decoded."""
    found: Counter[str] = Counter()

    def counted(target: str, name: str) -> None:
        module, function = target.rsplit(".", 1)
        original = getattr(__import__(module, fromlist=[function]), function)

        def count(*arguments: Any, **options: Any) -> Any:
            found[name] += 1
            return original(*arguments, **options)

        monkeypatch.setattr(target, count)

    counted("eyefirst.image.source._read_path", "reads")
    counted("eyefirst.image.source._hash", "hashes")
    counted("eyefirst.image.decoding._decode_pixels", "decodes")
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    PIL.Image.effect_noise((640, 480), 60).convert("RGB").save(path, exif=_turned())
    return path


def _turned() -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[274] = 6
    return exif


def test_one_opened_file_answers_everything_from_one_read(path: Path, counts: Counter[str]) -> None:
    opened = open_source(path)
    assert counts == {}  # nothing is read before it is needed
    assert stored_orientation(opened) == 6
    assert counts == {"reads": 1}
    decoded = decode(opened, at_least=Size(100, 100))
    assert decoded.is_reduced
    assert counts == {"reads": 1, "decodes": 1}  # nobody asked for the hash
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert decoded.sha256 == decoded.image().sha256 == fingerprint(opened) == opened.sha256 == expected
    assert load_animation(opened).frames[0].size == load_picture(opened).size == (480, 640)
    assert counts == {"reads": 1, "hashes": 1, "decodes": 3}
    assert not opened.is_in_memory
    assert open_source(opened) is opened


@pytest.mark.parametrize("ask", [load_image, fingerprint, load_picture, load_animation, stored_orientation])
def test_each_question_reads_once(ask: Any, path: Path, counts: Counter[str]) -> None:
    ask(path)
    assert counts["reads"] == 1
    assert counts["hashes"] <= 1
    assert counts["decodes"] <= 1


def test_file_objects_are_read_at_once_and_only_once(path: Path, counts: Counter[str]) -> None:
    file = io.BytesIO(path.read_bytes())
    opened = open_source(file)
    file.close()
    assert decode(opened).size == decode(opened).size == Size(480, 640)
    assert counts == {"decodes": 2}


@pytest.mark.parametrize("orientation", [None, 1, 6])
def test_pictures_in_memory_are_hashed_once_and_their_hash_knows_no_turn(
    orientation: int | None, path: Path, counts: Counter[str]
) -> None:
    with PIL.Image.open(path) as picture:
        opened = open_source(picture)
        assert opened.is_in_memory
        decoded = decode(opened, orientation=orientation)
        assert decoded.sha256 == decoded.sha256 == opened.sha256
        assert counts["hashes"] == 1
        assert decoded.sha256 == load_image(np.asarray(load_picture(path))).sha256
    with pytest.raises(errors.UnsupportedPictureError, match="no bytes"):
        _ = opened.data
    array = np.asarray(load_picture(path))
    assert load_image(array, orientation=orientation).sha256 == decoded.sha256


def test_threads_share_one_read(path: Path, counts: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_source(path)
    gate = threading.Barrier(8)
    seen: list[tuple[Size, str]] = []

    def work(shared: Opened) -> None:
        gate.wait()
        seen.append((decode(shared).size, shared.sha256))

    threads = [threading.Thread(target=work, args=(opened,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert counts["reads"] == counts["hashes"] == 1


def test_a_file_that_cannot_be_read_says_so_each_time(tmp_path: Path) -> None:
    opened = open_source(tmp_path / "later.png")
    with pytest.raises(errors.PictureNotFoundError):
        _ = opened.sha256
    PIL.Image.new("RGB", (4, 3)).save(tmp_path / "later.png")
    assert decode(opened).size == Size(4, 3)
