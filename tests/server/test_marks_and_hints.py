"""The operator's mark, what browsers say of their screens, and previews in plans."""

from __future__ import annotations

import io
import json
from pathlib import Path

import httpx
import jsonschema
import numpy as np
import pytest
from PIL import Image as PillowImage

import eyefirst
from eyefirst.image import Animation, thumbhash
from eyefirst.server.settings import Settings
from eyefirst.server.watermark import PLACES, Placement, Watermark
from tests.server.conftest import Serving, connected

BLUE = (0, 0, 255)


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blue square with transparent edges."""
    picture = PillowImage.new("RGBA", (40, 40), (0, 0, 0, 0))
    picture.paste((*BLUE, 255), (4, 4, 36, 36))
    path = tmp_path_factory.mktemp("mark") / "mark.png"
    picture.save(path)
    return path


@pytest.mark.parametrize("place", PLACES)
def test_a_mark_lies_where_it_was_asked_for(mark: Path, place: str) -> None:
    made = Watermark(mark).on(PillowImage.new("RGB", (200, 100), "white"), Placement.parse(f"{place}_0.1"))
    assert (made.mode, made.size) == ("RGB", (200, 100))
    rows, columns = np.nonzero(np.asarray(made)[..., 0] < 128)
    across, down = PLACES[place]
    assert columns.mean() == pytest.approx(3 + 10 + across * 174 - 0.5, abs=1)
    assert rows.mean() == pytest.approx(3 + 10 + down * 74 - 0.5, abs=1)
    assert np.ptp(columns) + 1 == pytest.approx(16, abs=1)


def test_a_mark_fits_and_keeps_transparency_and_frames(mark: Path) -> None:
    frames = tuple(PillowImage.new("RGBA", (30, 10), (255, 0, 0, 0)) for _ in range(2))
    made = Watermark(mark).on(Animation(frames, (10, 10), 0), Placement("center", 1.0))
    assert len(made.frames) == 2
    for frame in made.frames:
        assert frame.getpixel((0, 0)) == (255, 0, 0, 0)
        assert frame.getpixel((15, 5)) == (*BLUE, 255)
    tiny = Watermark(mark).on(PillowImage.new("RGB", (1, 1), "white"), Placement("top-left"))
    assert tiny.size == (1, 1)


def test_an_address_asks_for_the_mark(serving: Serving, root: Path, mark: Path) -> None:
    def corner(answer: httpx.Response) -> tuple[int, ...]:
        pixel = PillowImage.open(io.BytesIO(answer.content)).convert("RGB").getpixel((90, 90))
        assert isinstance(pixel, tuple)
        return pixel

    base = "/v1/image/unsigned/ratio=1:1,w=100,format=png"
    with connected(serving, Settings(root=root, watermark=mark)) as client:
        plain, marked = (client.get(f"{base}{more}/album/photo.jpg") for more in ("", ",watermark=bottom-right"))
        assert corner(marked) == BLUE != corner(plain)
        assert marked.headers["etag"] != plain.headers["etag"]
        whole = client.get("/v1/image/unsigned/w=100,format=png,watermark=bottom-right/album/photo.jpg")
        assert corner(whole) == BLUE
        for wrong in ("nowhere", "center_0", "center_2", "center_x", ""):
            assert client.get(f"{base},watermark={wrong}/album/photo.jpg").status_code == 422, wrong
    with connected(serving, Settings(root=root)) as client:
        assert client.get(f"{base},watermark=center/album/photo.jpg").status_code == 422


def test_the_density_comes_from_the_browser(client: httpx.Client) -> None:
    address = "/v1/image/unsigned/ratio=1:1,w=20,dpr=auto,format=png/album/photo.jpg"
    for headers, expected in (
        ({}, "1"),
        ({"Sec-CH-DPR": "2.0"}, "2"),
        ({"DPR": "1.3"}, "1.5"),
        ({"Sec-CH-DPR": "3", "DPR": "1"}, "3"),
        ({"DPR": "99"}, "4"),
        ({"DPR": "0.5"}, "1"),
        ({"DPR": "nan"}, "1"),
    ):
        answer = client.get(address, headers=headers)
        side = PillowImage.open(io.BytesIO(answer.content)).width
        assert (answer.headers["content-dpr"], side) == (expected, 20 * float(expected)), headers
        assert "Sec-CH-DPR" in answer.headers["vary"]
        tag = answer.headers["etag"]
        assert client.get(address, headers={**headers, "If-None-Match": tag}).status_code == 304
    fixed = client.get(address.replace("auto", "2"), headers={"DPR": "1"})
    assert PillowImage.open(io.BytesIO(fixed.content)).width == 40
    assert "content-dpr" not in fixed.headers


def pattern(mode: str, size: tuple[int, int]) -> PillowImage.Image:
    y, x = np.mgrid[: size[1], : size[0]]
    waves = [(3 * x * x + 5 * x * y + 11 * y * y + 70 * i * x) // (90 + i) % 256 for i in range(len(mode))]
    return PillowImage.fromarray(np.stack(waves, -1).astype(np.uint8))


@pytest.mark.parametrize(
    ("mode", "size", "expected"),
    [
        ("RGB", (60, 40), "m+cJFYRhdocQmYilWnhIeJiQkwhq"),
        ("RGB", (9, 90), "2vcNAQCHcCeHhIiaeqCnBok="),
        ("RGBA", (50, 50), "YOeFDQAXqHhAeKScfY+S9Ag6YHgUZ0R7bA=="),
    ],
)
def test_previews_are_those_of_the_method_s_author(mode: str, size: tuple[int, int], expected: str) -> None:
    # written by rgbaToThumbHash of the package thumbhash 0.1.1 from npm
    assert thumbhash(pattern(mode, size)) == expected


def test_a_plan_holds_a_preview_where_it_was_asked_for(client: httpx.Client, photo_path: Path) -> None:
    data = photo_path.read_bytes()
    plain = client.post("/v1/plan?ratio=1:1", content=data).json()
    found = client.post("/v1/plan?ratio=1:1&thumbhash=true", content=data).json()
    preview = found["thumbhash"]
    assert 24 <= len(preview) <= 40
    assert {n: v for n, v in found.items() if n != "thumbhash"} == plain
    plan = eyefirst.CropPlan.from_dict(found)
    assert (plan.thumbhash, plan.to_dict()) == (preview, found)
    document = client.get("/openapi.json").json()
    assert "thumbhash" in document["components"]["schemas"]["CropPlan"]["properties"]
    schema = Path(eyefirst.__file__).with_name("plan.schema.json")
    jsonschema.validate(found, json.loads(schema.read_text()))
