"""Which format a result has: what clients accept, what keeps transparency and frames, and what is counted for it."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest
from PIL import Image as PillowImage

from eyefirst.server.cuts import negotiated
from eyefirst.server.settings import Settings
from tests.server.conftest import Serving, connected


def test_an_animation_keeps_moving(client: httpx.Client) -> None:
    out = io.BytesIO()
    frames = [PillowImage.new("RGB", (80, 60), c) for c in ("red", "green", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    answer = client.post("/v1/crop", params={"ratio": "1:1", "format": "webp"}, content=out.getvalue())
    with PillowImage.open(io.BytesIO(answer.content)) as found:
        assert getattr(found, "n_frames", 1) == 3


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "JPEG"),
        ("*/*", "JPEG"),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "AVIF"),
        ("image/webp,*/*;q=0.8", "WEBP"),
        ("image/avif;q=0.5,image/webp;q=0.9,image/jpeg;q=0.8", "WEBP"),
        ("image/jpeg,image/avif;q=0.1", "JPEG"),
        ("image/avif;q=0,*/*", "JPEG"),
        ("image/avif;q=nan,image/webp;q=9,image/jpeg;q=0.1", "JPEG"),
        ("image/webp;q=-1,*/*;q=0.5", "JPEG"),
        ("image/avif;q=nonsense,text/html", "JPEG"),
        (";;;,=,q=", "JPEG"),
        ("image/png", "PNG"),
        ("image/png;q=0.9,image/gif", "GIF"),
        ("image/tiff", "TIFF"),
        ("image/bmp", "BMP"),
        ("image/png,image/jpeg;q=0.5", "PNG"),
        ("image/png,image/jpeg", "JPEG"),
        ("image/jpeg;q=0,*/*", "PNG"),
        ("image/jpeg;q=0,image/png;q=0,*/*", "WEBP"),
        ("image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "JPEG"),
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "AVIF"),
    ],
)
def test_browsers_choose(accept: str, kind: str) -> None:
    assert negotiated(accept).name == kind


@pytest.mark.parametrize(
    ("accept", "animated", "transparent"),
    [
        ("*/*", "GIF", "PNG"),
        ("image/avif,image/webp,*/*", "AVIF", "AVIF"),
        ("image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "GIF", "PNG"),
        ("image/jpeg", "JPEG", "PNG"),
        ("image/bmp", "BMP", "PNG"),
        ("image/gif;q=0,*/*", "JPEG", "PNG"),
        ("image/png;q=0,*/*", "GIF", "WEBP"),
    ],
)
def test_animations_and_transparency_are_kept(accept: str, animated: str, transparent: str) -> None:
    assert negotiated(accept, is_animated=True).name == animated
    assert negotiated(accept, has_alpha=True).name == transparent


@pytest.mark.parametrize(("accept", "frames"), [("*/*", 3), ("image/avif,image/webp,*/*", 3), ("image/jpeg", 1)])
def test_an_animation_beyond_the_limit_is_a_still_for_every_client(
    serving: Serving, root: Path, accept: str, frames: int
) -> None:
    shades = [PillowImage.new("RGB", (80, 60), c) for c in ("red", "green", "blue")]
    shades[0].save(root / "moves.gif", save_all=True, append_images=shades[1:])
    for pixels, expected in ((3 * 80 * 60, frames), (2 * 80 * 60, 1)):
        with connected(serving, Settings(root=root, pixels=pixels)) as client:
            answer = client.get("/v1/image/unsigned/ratio=1:1,w=60/moves.gif", headers={"Accept": accept})
            assert answer.status_code == 200, answer.text[:200]
            assert getattr(PillowImage.open(io.BytesIO(answer.content)), "n_frames", 1) == expected


def test_an_image_address_in_the_formats_that_a_browser_takes(client: httpx.Client) -> None:
    address = "/v1/image/unsigned/ratio=16:9,size=320x180/album/photo.jpg"
    tags = set()
    for accept, media_type in {
        "image/avif,*/*": "image/avif",
        "image/webp,*/*": "image/webp",
        "*/*": "image/jpeg",
    }.items():
        answer = client.get(address, headers={"Accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == media_type
        assert answer.headers["vary"] == "Accept"
        assert "max-age=86400" in answer.headers["cache-control"]
        assert PillowImage.open(io.BytesIO(answer.content)).size == (320, 180)
        tags.add(answer.headers["etag"])
        again = client.get(address, headers={"Accept": accept, "If-None-Match": f'"other", W/{answer.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]
    assert len(tags) == 3
    assert client.get(address, headers={"If-None-Match": next(iter(tags)).replace('"', "")}).status_code == 200
    assert client.head(address).status_code == 200
