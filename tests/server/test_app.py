"""The routes: the same answers as through Python and the command line."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import httpx
import jsonschema
import numpy as np
import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

import eyefirst
from eyefirst.cli import app as command
from eyefirst.handler import ImageRequestHandler
from eyefirst.plan import CropPlan
from eyefirst.requests import (
    AttentionSaliencyRequest,
    FaceRectanglesRequest,
    ObjectnessSaliencyRequest,
    TextRecognitionRequest,
)
from eyefirst.server.app import create_app
from eyefirst.server.openapi import PLAN_EXAMPLE
from eyefirst.server.settings import Settings
from eyefirst.server.upkeep import PAGE
from eyefirst.tools.crop import render_plan
from eyefirst.tools.planning import plan_crops
from tests.golden.make import PHOTOS, RATIOS, photo
from tests.golden.test_golden import assert_same_plan, golden
from tests.server.conftest import Serving, connected


def png(name: str) -> bytes:
    out = io.BytesIO()
    photo(name).save(out, "PNG")
    return out.getvalue()


def by_command(data: bytes, *words: str) -> Any:
    result = CliRunner().invoke(command, [*words], input=data, prog_name="eyefirst")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert (found["status"], found["code"]) == (status, code)
    assert found["reason"] and found["remedy"] and "Traceback" not in answer.text
    return found


@pytest.mark.parametrize("name", PHOTOS)
def test_one_plan_through_python_the_command_and_http(name: str, client: httpx.Client) -> None:
    data = png(name)
    raw = client.post("/v1/plan", params={"ratio": RATIOS}, content=data).json()
    form = client.post("/v1/plan", params={"ratio": RATIOS}, files={"picture": ("a name.png", data)}).json()
    assert raw == form == plan_crops(data, RATIOS).to_dict()
    words = [word for ratio in RATIOS for word in ("--ratio", ratio)]
    assert raw == by_command(data, "crop", "-", *words, "--json")
    assert_same_plan(CropPlan.from_dict(raw), golden(name))


def test_one_saliency_through_python_the_command_and_http(client: httpx.Client) -> None:
    data = png("rocket")
    found = client.post("/v1/saliency", content=data).json()
    seen = ImageRequestHandler(data).perform([AttentionSaliencyRequest(), ObjectnessSaliencyRequest()])
    assert found == {o.to_dict()["kind"]: o.to_dict() for o in seen}
    told = by_command(data, "objects", "-", "--json")
    assert told == {"picture": told["picture"], **found["objectness"]}
    part = client.post("/v1/saliency", params={"kind": "attention", "region": "0,0,0.5,1"}, content=data).json()
    assert list(part) == ["attention"]
    assert part["attention"]["region_of_interest"]["right"] == 0.5


def test_one_answer_about_faces_through_python_the_command_and_http(client: httpx.Client) -> None:
    data = png("astronaut")
    found = client.post("/v1/faces", files={"picture": ("a name.png", data)}).json()
    seen = ImageRequestHandler(data).perform([FaceRectanglesRequest()])[0].to_dict()
    assert len(seen["faces"]) == 1
    assert found == {"picture": found["picture"], "sha256": hashlib.sha256(data).hexdigest(), **seen}
    assert by_command(data, "faces", "-", "--json") == {"picture": "-", **seen}
    assert client.post("/v1/saliency", params={"kind": "faces"}, content=data).json() == {"faces": seen}
    again = client.post("/v1/faces", params={"sha256": found["sha256"], "region": "0,0.5,1,1"}).json()
    assert (again["faces"], again["region_of_interest"]["top"]) == ([], 0.5)
    jsonschema.validate(found, {"$ref": "#/components/schemas/Faces", **client.get("/openapi.json").json()})
    assert client.post("/v1/faces?kind=text", content=data).status_code == 422


def test_one_text_through_python_and_http(client: httpx.Client) -> None:
    pytest.importorskip("rapidocr", reason="rapidocr comes with the extra 'text'")
    from PIL import ImageDraw, ImageFont

    sign = PillowImage.new("RGB", (500, 200), "navy")
    ImageDraw.Draw(sign).text((40, 60), "BAKERY", fill="white", font=ImageFont.load_default(72))
    out = io.BytesIO()
    sign.save(out, "PNG")
    found = client.post("/v1/text", content=out.getvalue()).json()
    assert found == ImageRequestHandler(out.getvalue()).perform([TextRecognitionRequest()])[0].to_dict()
    assert found["texts"][0]["text"] == "BAKERY"


@pytest.mark.parametrize("size", [(12000, 3), (1, 5000), (5000, 1), (3, 300)])
def test_a_strip_holds_no_text(client: httpx.Client, size: tuple[int, int]) -> None:
    pytest.importorskip("rapidocr", reason="rapidocr comes with the extra 'text'")
    out = io.BytesIO()
    PillowImage.effect_noise(size, 80).save(out, "PNG")
    answer = client.post("/v1/text?rest=true", content=out.getvalue())
    assert (answer.status_code, answer.json()["texts"]) == (200, [])
    assert client.post("/v1/plan?ratio=1:1&must_keep=text", content=out.getvalue()).status_code == 200


def test_every_option_of_a_plan_arrives(client: httpx.Client) -> None:
    data = png("coffee")
    options: dict[str, Any] = {"tightness": 0.4, "margin": 0.1, "pad": "blur"}
    boxes: dict[str, Any] = {"must_keep": ["0.1,0.1,0.3,0.3"], "avoid": ["0.8,0.8,1,1"]}
    found = client.post("/v1/plan", params={"ratio": "4:5", "alternatives": 2, **options, **boxes}, content=data).json()
    keep, avoid = eyefirst.Box(0.1, 0.1, 0.3, 0.3), eyefirst.Box(0.8, 0.8, 1, 1)
    expected = plan_crops(data, "4:5", 2, must_keep=[keep], avoid=[avoid], tightness=0.4, margin=0.1, pad="blur")
    assert found == expected.to_dict()


def test_a_crop_is_what_python_cuts(client: httpx.Client) -> None:
    data = png("chelsea")
    answer = client.post("/v1/crop", params={"ratio": "1:1", "format": "png"}, content=data)
    assert answer.headers["content-type"] == "image/png"
    with PillowImage.open(io.BytesIO(answer.content)) as found:
        expected = render_plan(plan_crops(data, "1:1"), data)["1:1"][0]
        assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_several_crops_come_as_a_zip_with_the_plan(client: httpx.Client) -> None:
    data = png("chelsea")
    answer = client.post("/v1/crop", params={"ratio": ["1:1", "3:1"], "size": "200x200"}, content=data)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["1x1.jpg", "3x1.jpg", "plan.json"]
        assert json.loads(archive.read("plan.json")) == plan_crops(data, ["1:1", "3:1"]).to_dict()
        sizes = [PillowImage.open(io.BytesIO(archive.read(n))).size for n in archive.namelist()[:2]]
    assert sizes == [(200, 200), (200, 67)]


def test_transparency_is_not_lost_to_jpeg(client: httpx.Client) -> None:
    out = io.BytesIO()
    PillowImage.new("RGBA", (80, 60), (255, 0, 0, 100)).save(out, "PNG")
    answer = client.post("/v1/crop", params={"ratio": "1:1"}, content=out.getvalue())
    assert answer.headers["content-type"] == "image/png"


def test_a_changed_file_has_another_tag(client: httpx.Client, root: Path) -> None:
    address = "/v1/image/unsigned/ratio=1:1,format=jpg/album/photo.jpg"
    before = client.get(address)
    assert "vary" not in before.headers
    PillowImage.open(root / "album" / "photo.jpg").rotate(90).save(root / "album" / "photo.jpg")
    assert client.get(address, headers={"If-None-Match": before.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("/v1/plan?ratio=1:1", b"", 415, "not_a_picture"),
        ("/v1/plan?ratio=1:1", b"hello, this is a text", 415, "not_a_picture"),
        ("/v1/plan?ratio=1:1", b"\xff\xd8\xff\xe0 and no more", 422, "truncated_picture"),
        ("/v1/plan?ratio=1:1", b"%PDF-1.7", 415, "unsupported_picture"),
        ("/v1/plan", b"x", 422, "invalid_value"),
        ("/v1/plan?ratio=1", b"GIF89a", 422, "truncated_picture"),
        ("/v1/plan?ratio=0:1", b"x", 422, "invalid_aspect_ratio"),
        ("/v1/plan?ratio=1:1&must_keep=1,2,3", b"x", 422, "invalid_box"),
        ("/v1/plan?ratio=1:1&tightness=2", b"x", 422, "invalid_value"),
        ("/v1/plan?ratio=1:1&revision=saliency_v0", b"x", 422, "unknown_revision"),
        ("/v1/plan?" + "&".join(["ratio=1:1"] * 101), b"x", 422, "invalid_value"),
        ("/v1/crop?ratio=1:1&format=exe", b"x", 422, "invalid_value"),
        ("/v1/crop?ratio=1:1&format=png&quality=50", b"x", 422, "invalid_value"),
        ("/v1/cutout?format=gif&quality=50", b"x", 422, "invalid_value"),
        ("/v1/saliency?kind=taste", b"x", 422, "invalid_value"),
        ("/v1/crop?ratio=1:1&size=9x9&size=8x8", b"x", 422, "invalid_value"),
        ("/v1/saliency?region=0,0,2,2", b"x", 422, "invalid_box"),
        ("/v1/nothing", b"x", 404, "http_404"),
    ],
)
def test_bad_requests_are_told_what_to_do(
    client: httpx.Client, path: str, content: bytes, status: int, code: str
) -> None:
    problem(client.post(path, content=content), status, code)


def test_an_option_that_is_wrong_is_named_with_what_it_should_be(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    for query, reason in (
        ("margin=nan_", "margin should be a valid number; got 'nan_'"),
        ("alternatives=11", "alternatives should be less than or equal to 10; got '11'"),
        ("fit=tight", "fit should be 'breathe' or 'largest'; got 'tight'"),
        ("colour=red", "there is no option 'colour' here"),
    ):
        assert (
            problem(client.post(f"/v1/plan?ratio=1:1&{query}", content=b"x"), 422, "invalid_value")["reason"] == reason
        )
    odd = {"Content-Type": "multipart/form-data; boundary=x"}
    problem(client.post("/v1/plan?ratio=1:1", content=b"\xff\xd8\xff", headers=odd), 422, "invalid_value")
    assert not caplog.records


def test_a_form_may_hold_the_options(client: httpx.Client) -> None:
    data = png("chelsea")
    expected = client.post("/v1/plan?ratio=1:1&ratio=2:1&tightness=0.5", content=data).json()
    for name in ("picture", "file", "image"):
        fields: dict[str, Any] = {"ratio": ["1:1", "2:1"], "tightness": "0.5"}
        assert client.post("/v1/plan", data=fields, files={name: data}).json() == expected
    mixed = client.post("/v1/plan?ratio=1:1&ratio=2:1", data={"tightness": "0.5"}, files={"file": data}).json()
    assert mixed == expected
    older = client.post("/v1/plan", data={"aspect": ["1:1", "2:1"], "tightness": "0.5"}, files={"file": data}).json()
    assert older == expected
    both = client.post("/v1/plan?ratio=1:1&tightness=0.5", data={"ratio": "2:1"}, files={"file": data}).json()
    assert both == expected
    twice = client.post("/v1/plan?ratio=1:1&tightness=0.5", data={"tightness": "0.2"}, files={"file": data})
    assert "tightness is given 2 times" in problem(twice, 422, "invalid_value")["reason"]
    for wrong in ({}, {"ratio": "banana"}, {"ratio": "1:1", "colour": "red"}, {"ratio": "1:1", "margin": "x"}):
        problem(client.post("/v1/plan", data=wrong, files={"file": data}), 422, ANY)


def test_bad_forms_are_told_what_to_do(client: httpx.Client) -> None:
    path = "/v1/plan?ratio=1:1"
    problem(client.post(path, files={"other": b"x"}), 422, "invalid_value")
    problem(client.post(path, files=[("picture", b"x"), ("picture", b"y")]), 422, "invalid_value")
    for more in (b"x", b"\xff", b"x" * 1024 * 1025):
        problem(client.post(path, files=[("picture", png("chelsea")), ("other", more)]), 422, "invalid_value")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x\r\nnonsense", b"--x\r\nContent-Disposition: form-data; name=picture\r\n\r\nhello\r\n--x--"):
        problem(client.post(path, content=body, headers=broken), 422, "invalid_value")
    problem(client.post(path, content=b"x", headers={"Content-Type": "multipart/form-data"}), 422, "invalid_value")
    problem(client.get(path), 405, "http_405")


def test_a_method_that_a_route_lacks_is_told_which_it_has(client: httpx.Client) -> None:
    routes = client.get("/openapi.json").json()["paths"]
    for path, methods in routes.items():
        known = {"POST"} if "post" in methods else {"GET", "HEAD"}
        for method in {"GET", "HEAD", "POST", "PUT", "DELETE"} - known:
            answer = client.request(method, path)
            assert answer.status_code == 405, (method, path)
            assert set(answer.headers["allow"].split(", ")) == known | {"OPTIONS"}
    assert "/v1/plan" in routes and "/healthz" in routes


def test_results_are_bounded_too(photo_path: Path, serving: Serving) -> None:
    with connected(serving, Settings(pixels=300_000)) as client:
        data = photo_path.read_bytes()  # 512 x 512
        assert client.post("/v1/crop?ratio=1:1", content=data).status_code == 200
        for query in ("ratio=1:1&size=9000x9000", "ratio=1:1&ratio=4:5", "ratio=1000:1&pad=blur"):
            problem(client.post(f"/v1/crop?{query}", content=data), 422, "invalid_value")
        out = io.BytesIO()
        PillowImage.new("RGB", (800, 800)).save(out, "PNG")
        problem(client.post("/v1/plan?ratio=1:1", content=out.getvalue()), 413, "picture_too_large")


def test_health_metrics_and_page(client: httpx.Client, photo_path: Path) -> None:
    assert client.get("/healthz").json()["status"] == "alive"
    assert client.get("/readyz").json()["ready"] is True
    client.post("/v1/plan?ratio=1:1", content=photo_path.read_bytes())
    client.get("/v1/image/unsigned/ratio=1:1/" + "x" * 50)
    text = client.get("/metrics").text
    assert 'eyefirst_requests_total{route="/v1/plan",status="200"} 1.0' in text
    assert "xxx" not in text
    for name in ("", *(f"page/{name}" for name in PAGE)):
        answer = client.get(f"/{name}")
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert client.get(f"/{name}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        plain = client.get(f"/{name}", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers and plain.content == answer.content
    assert client.get("/page/..%2fapp.py").status_code == 404


def test_a_service_that_is_not_ready_says_so() -> None:
    async def ask() -> list[int]:
        transport = httpx.ASGITransport(create_app(Settings()))  # which runs no lifespan, so that nothing is opened
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [(await client.get(path)).status_code for path in ("/readyz", "/healthz")]

    assert asyncio.run(ask()) == [503, 200]


def test_the_openapi_document_is_whole(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    names = set(document["components"]["schemas"])
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in names
    plan = json.loads((Path(eyefirst.__file__).parent / "plan.schema.json").read_text())
    jsonschema.validate(PLAN_EXAMPLE, plan)
    assert {"/v1/saliency", "/v1/plan", "/v1/crop", "/v1/text", "/v1/faces"} <= set(document["paths"])


def test_faults_of_ours_are_not_told_in_detail(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("eyefirst.server.app.to_json", fail)
    answer = client.post("/v1/plan?ratio=1:1", content=png("coffee"))
    problem(answer, 500, "error")
    assert "secret" not in answer.text
    assert "nosniff" in answer.headers["x-content-type-options"]
