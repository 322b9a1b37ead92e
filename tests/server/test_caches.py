"""What was made before: kept within limits, found after a restart, and right."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import httpx
import pytest

from eyefirst.errors import CancelledError, InvalidValueError, PictureNotFoundError
from eyefirst.handler import ImageRequestHandler
from eyefirst.server.caches import DiskCache, Plans, Sent
from eyefirst.server.settings import Settings
from eyefirst.tools.planning import CropOrder
from tests.counts import counting
from tests.server.conftest import Serving, connected


def digest(i: int) -> str:
    return hashlib.sha256(str(i).encode()).hexdigest()


def size_of(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and len(f.name) == 64)


def test_the_folder_stays_within_its_limit_and_what_was_read_lately_stays(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "kept", 10_000)
    (tmp_path / "kept" / digest(0)[:2]).mkdir()
    others = [tmp_path / "kept" / "notes.txt", tmp_path / "kept" / digest(0)[:2] / "photo.jpg"]
    for other in others:
        other.write_bytes(bytes(50_000))
    for i in range(40):
        cache.put(digest(i), "image/webp", bytes([i]) * 900)
        os.utime(cache._path(digest(i)), (i, i))
        if i:
            assert cache.get(digest(0)) is not None  # read each time, and so the newest
        assert size_of(tmp_path / "kept") <= 10_000
    assert cache.get(digest(39)) == ("image/webp", bytes([39]) * 900)
    assert cache.get(digest(1)) is None
    assert all(other.stat().st_size == 50_000 for other in others)
    cache.put(digest(99), "image/webp", bytes(10_000))  # would take the place of all others
    assert cache.get(digest(99)) is None


def test_a_folder_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidValueError, match="cannot be made"):
        DiskCache(tmp_path / "file", 1000)
    with pytest.raises(InvalidValueError, match="among the pictures"):
        Settings(root=tmp_path, result_cache=tmp_path / "results")


def test_a_disk_that_is_full_costs_nothing_but_the_result(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = DiskCache(tmp_path, 1000)
    (tmp_path / digest(0)[:2]).write_text("in the way")
    cache.put(digest(0), "image/webp", b"x")
    assert cache.get(digest(0)) is None
    assert "is not kept" in caplog.text


def test_plans_are_found_in_the_folder_and_made_anew_where_they_are_damaged(tmp_path: Path, photo_path: Path) -> None:
    found: list[int] = []

    def plans() -> Plans:
        return Plans(10, DiskCache(tmp_path, 1 << 20), lambda: found.append(1))

    order = CropOrder.parse(ratios=["16:9", "1:1"], must_keep=["0.1,0.1,0.2,0.2"])
    made = plans().of(order, ImageRequestHandler(photo_path.read_bytes()))
    again = plans()
    assert again.of(order, ImageRequestHandler(photo_path.read_bytes())) == made
    assert again.of(order, ImageRequestHandler(photo_path.read_bytes())) == made
    assert len(found) == 2
    other = CropOrder.parse(ratios=["16:9", "1:1"], must_keep=["0.1,0.1,0.2,0.3"])
    assert plans().of(other, ImageRequestHandler(photo_path.read_bytes())) != made
    for file in tmp_path.rglob("*"):
        if file.is_file():
            file.write_bytes(b"application/json\n{")
    assert plans().of(order, ImageRequestHandler(photo_path.read_bytes())) == made
    assert len(found) == 2


def test_a_result_outlives_the_service_and_not_the_picture(serving: Serving, root: Path, tmp_path: Path) -> None:
    settings = Settings(root=root, result_cache=tmp_path / "kept")
    address = "/v1/image/unsigned/ratio=16:9,w=64/album/photo.jpg"
    webp = {"Accept": "image/webp"}

    def counted(client: httpx.Client, name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith(name))

    with connected(serving, settings) as client:
        first = client.get(address, headers=webp)
        assert (first.status_code, counted(client, "eyefirst_pictures_total")) == (200, 1)
    with connected(serving, settings) as client:
        again = client.get(address, headers=webp)
        assert (again.content, again.headers["content-type"]) == (first.content, "image/webp")
        assert again.headers["etag"] == first.headers["etag"]
        assert counted(client, "eyefirst_pictures_total") == 0
        assert counted(client, 'eyefirst_found_total{what="result"}') == 1
        for file in (path for path in (tmp_path / "kept").rglob("*") if path.is_file()):
            file.write_bytes(b"\xff\xfe")  # somebody garbled it
        assert client.get(address, headers=webp).content == first.content
        assert counted(client, "eyefirst_pictures_total") == 1
        assert client.get(address).headers["content-type"] == "image/jpeg"
        (root / "album" / "photo.jpg").write_bytes((root / "album" / "photo.jpg").read_bytes() + b"\0")
        assert client.get(address, headers=webp).headers["etag"] != first.headers["etag"]
        assert counted(client, "eyefirst_pictures_total") == 3


def test_a_picture_is_sent_once_and_looked_at_once(client: httpx.Client, photo_path: Path) -> None:
    data = photo_path.read_bytes()
    with counting() as counts:
        plan = client.post("/v1/plan?ratio=16:9", content=data).json()
        sha256 = plan["picture"]["sha256"]
        again = client.post(f"/v1/plan?ratio=16:9&ratio=1:1&sha256={sha256}").json()
        saliency = client.post(f"/v1/saliency?sha256={sha256}").json()
        assert (counts.hashed, counts.decoded, counts.run) == (1, 1, 1)
    assert again["frames"]["16:9"] == plan["frames"]["16:9"]
    assert saliency == client.post("/v1/saliency", content=data).json()
    crop = client.post(f"/v1/crop?ratio=2:1&format=png&sha256={sha256}")
    assert crop.content == client.post("/v1/crop?ratio=2:1&format=png", content=data).content
    for wrong, status in (("0" * 64, 404), ("f" * 63, 422), (sha256.upper(), 422)):
        assert client.post(f"/v1/plan?ratio=1:1&sha256={wrong}").status_code == status, wrong
    assert client.post(f"/v1/plan?ratio=1:1&sha256={'0' * 64}", content=data).status_code == 200


def test_a_picture_that_is_held_is_cancelled_for_one_request_alone(photo_path: Path) -> None:
    sent = Sent(4 << 20)
    handler = ImageRequestHandler(photo_path.read_bytes())
    seen = handler.look().attention.heat_map
    sent.keep(handler)
    other = sent.get(handler.opened.sha256)
    other.cancel()
    with pytest.raises(CancelledError):
        other.look()
    assert sent.get(handler.opened.sha256).look().attention.heat_map == seen


def test_pictures_that_are_held_stay_within_their_limit(photo_path: Path) -> None:
    handlers = [ImageRequestHandler(photo_path.read_bytes() + bytes([i])) for i in range(4)]
    sent = Sent(int(2.5 * handlers[0].held_bytes))
    for handler in handlers[:3]:
        sent.keep(handler)
        sent.keep(handler)
    with pytest.raises(PictureNotFoundError):
        sent.get(handlers[0].opened.sha256)
    sent.get(handlers[1].opened.sha256)
    sent.keep(handlers[3])
    assert sent.get(handlers[1].opened.sha256).opened.data == handlers[1].opened.data
    with pytest.raises(PictureNotFoundError):
        sent.get(handlers[2].opened.sha256)
    none = Sent(0)
    none.keep(handlers[0])
    with pytest.raises(PictureNotFoundError):
        none.get(handlers[0].opened.sha256)
