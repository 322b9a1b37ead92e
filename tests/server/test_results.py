"""Results over HTTP beside crops: frames of plans, and cut-outs by route and by address."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageDraw

import eyefirst
from eyefirst.errors import InvalidValueError
from eyefirst.plan import CropPlan
from eyefirst.server.settings import Settings
from eyefirst.server.signing import signed_address
from tests.server.conftest import KEY, Serving, code_of, connected


def opened(answer: httpx.Response) -> PillowImage.Image:
    assert answer.status_code == 200, answer.text
    return PillowImage.open(io.BytesIO(answer.content))


def disc(background: str = "white") -> bytes:
    """A product on an even backdrop: the middle is red, the corners are not."""
    picture = PillowImage.new("RGB", (200, 160), background)
    ImageDraw.Draw(picture).ellipse((60, 40, 140, 120), fill=(190, 20, 30))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


# --- plans


def test_a_changed_plan_is_cut_as_the_command_cuts_it(client: httpx.Client, photo_path: Path) -> None:
    photo = photo_path.read_bytes()
    plan = eyefirst.plan_crops(photo, ["1:1", "16:9"]).to_dict()
    plan["frames"]["16:9"][0]["box"] = {"left": 10, "top": 20, "right": 330, "bottom": 200}
    form = {"plan": json.dumps(plan), "format": "png"}
    answer = client.post("/v1/render", data=form, files={"picture": photo})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["1x1.png", "16x9.png", "plan.json"]
        assert CropPlan.from_json(archive.read("plan.json")) == CropPlan.from_dict(plan)
        found = PillowImage.open(io.BytesIO(archive.read("16x9.png")))
    with PillowImage.open(photo_path) as whole:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(whole.convert("RGB").crop((10, 20, 330, 200))))
    del plan["frames"]["1:1"]
    form = {"plan": json.dumps(plan), "sha256": plan["picture"]["sha256"], "size": "64x64"}
    assert opened(client.post("/v1/render", files={k: (None, v) for k, v in form.items()})).size == (64, 36)
    files = {
        "plan": ("plan.json", json.dumps(plan).encode()),
        "picture": ("photo.jpg", photo),
    }  # curl -F plan=@plan.json
    assert opened(client.post("/v1/render?size=64x64", files=files)).size == (64, 36)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frames": {}}, "holds no frame"),
        ({"deep": "["}, "expected JSON; maximum recursion"),
        ({"frames": {"1:1": []}}, "holds no frame"),
        ({"frames": "16:9"}, "the frame of 16:9 is 512x512 with its padding"),
        ({"schema": "eyefirst.plan/1"}, "schema"),
        ({"picture": {"name": "<bytes>", "sha256": "0" * 64, "width": 9, "height": 9}}, "a picture of 9x9"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(
    client: httpx.Client, photo_path: Path, change: dict[str, object], words: str
) -> None:
    photo = photo_path.read_bytes()
    plan = eyefirst.plan_crops(photo, "1:1").to_dict()
    if change.get("frames") == "16:9":
        change = {"frames": {"16:9": plan["frames"]["1:1"]}}
    if "picture" in change:
        plan["frames"]["1:1"][0]["box"] = {"left": 0, "top": 0, "right": 9, "bottom": 9}
    text = json.dumps(plan | change).replace('"["', "[" * 100_000)
    answer = client.post("/v1/render", data={"plan": text}, files={"picture": photo})
    assert (answer.status_code, code_of(answer)) == (422, "invalid_plan")
    assert words in answer.json()["reason"]
    assert client.post("/v1/render", content=photo).status_code == 422


# --- cut-outs


def test_a_cutout_is_that_of_the_library(client: httpx.Client, photo_path: Path) -> None:
    out = io.BytesIO()
    with PillowImage.open(photo_path) as picture:
        picture.resize((160, 160)).save(out, "JPEG")
    photo = out.getvalue()
    found = opened(client.post("/v1/cutout", content=photo))
    expected = eyefirst.cutout(photo)
    assert (found.format, found.mode) == ("PNG", "RGBA")
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    assert opened(client.post("/v1/cutout", content=photo, headers={"Accept": "image/webp"})).format == "WEBP"
    assert opened(client.post("/v1/cutout?backdrop=blur", content=photo)).format == "JPEG"


def test_a_backdrop_and_its_shadow(client: httpx.Client) -> None:
    found = opened(client.post("/v1/cutout?backdrop=%23336699&format=png", content=disc()))
    assert (found.getpixel((2, 2)), found.getpixel((100, 80))) == ((0x33, 0x66, 0x99), (190, 20, 30))
    for query in ("format=jpg", "backdrop=banana", "backdrop=blur&shadow=true", "background=red"):
        answer = client.post(f"/v1/cutout?{query}", content=disc())
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), query


def test_nothing_to_cut_out_is_said(client: httpx.Client) -> None:
    out = io.BytesIO()
    PillowImage.new("RGB", (80, 80), "grey").save(out, "PNG")
    answer = client.post("/v1/cutout", content=out.getvalue())
    assert (answer.status_code, code_of(answer)) == (422, "no_subject")


def test_a_cutout_may_have_a_quarter_of_the_pixels(serving: Serving) -> None:
    with connected(serving, Settings(pixels=4 * 200 * 160 - 4)) as client:
        plan = client.post("/v1/plan?ratio=1:1", content=disc()).json()
        for answer in (
            client.post("/v1/cutout", content=disc()),
            client.post(f"/v1/cutout?sha256={plan['picture']['sha256']}"),
        ):
            assert (answer.status_code, code_of(answer)) == (413, "picture_too_large")
            assert "31,999" in answer.json()["reason"]


def test_cutouts_at_addresses(serving: Serving, root: Path) -> None:
    (root / "disc.png").write_bytes(disc())
    presets = {"shop": "cutout:white,ratio:1:1,w:60", "clear": "cutout:transparent"}
    with connected(serving, Settings(root=root, signing_keys=(KEY,), presets=presets)) as client:

        def get(**options: Any) -> PillowImage.Image:
            return opened(client.get(signed_address("disc.png", key=KEY, **options)))

        whole = get(cutout="transparent")
        assert (whole.format, whole.size, whole.getpixel((2, 2))[3]) == ("PNG", (200, 160), 0)  # type: ignore[index]
        assert get(preset="clear").tobytes() == whole.tobytes()
        small = get(cutout="#0000ff", mode="pad", w=90, h=90, pad="rgb(0, 255, 0)", format="png")
        assert (small.size, small.getpixel((45, 1)), small.getpixel((3, 45))) == ((90, 90), (0, 255, 0), (0, 0, 255))
        square = get(preset="shop", format="png")
        assert (square.size, square.mode, square.getpixel((30, 30))) == ((60, 60), "RGB", (190, 20, 30))
    wrong: list[dict[str, Any]] = [{"cutout": "banana"}, {"shadow": 1, "w": 9}, {"cutout": "blur", "shadow": 1, "w": 9}]
    for options in wrong:
        with pytest.raises(InvalidValueError):
            signed_address("disc.png", key=KEY, **options)
    with pytest.raises(InvalidValueError, match="transparency"):
        signed_address("disc.png", key=KEY, cutout="transparent", format="jpg")
