"""Pages of other sites: refused where no key guards the service, unless the operator lets them in."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from eyefirst.server.settings import Settings
from eyefirst.server.signing import signed_address
from tests.server.conftest import KEY, Serving, connected

API_KEY = "an-api-key-for-the-tests"
IMAGE = "/v1/image/unsigned/w=20/album/photo.jpg"
SITE = "https://site.example"
FROM_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"}


@pytest.mark.parametrize("path", [IMAGE, "/v1/image/unsigned/w=20/nothing.jpg", "/v1/plan"])
def test_another_site_learns_nothing_of_a_local_service(client: httpx.Client, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = client.request(method, path, headers=FROM_SITE)
        assert answer.status_code == 421
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert client.get(IMAGE).status_code == 200
    assert client.get(IMAGE, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
    assert client.get(IMAGE, headers=link).status_code == 200
    assert "access-control-allow-origin" not in client.get(IMAGE, headers={"Origin": SITE}).headers
    assert client.get("/").headers["cross-origin-resource-policy"] == "same-origin"


def test_older_browsers_are_known_by_the_origin_of_their_page(client: httpx.Client, photo_path: Path) -> None:
    own = f"http://{client.base_url.netloc.decode()}"
    data = photo_path.read_bytes()
    for headers, status in (
        ({"Origin": SITE}, 421),
        ({"Origin": "null"}, 421),
        ({"Origin": "http://127.0.0.1:1"}, 421),
        ({"Referer": f"{SITE}/a/page"}, 421),
        ({"Referer": "http://[/"}, 421),
        ({"Origin": own}, 200),
        ({"Referer": f"{own}/"}, 200),
        ({"Origin": SITE, "Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
    ):
        assert client.get(IMAGE, headers=headers).status_code == status, headers
        assert client.post("/v1/plan?ratio=1:1", content=data, headers=headers).status_code == status, headers


def test_signed_pictures_are_for_all_sites(signing: httpx.Client) -> None:
    answer = signing.get(signed_address("album/photo.jpg", key=KEY, w=20), headers=FROM_SITE)
    assert (answer.status_code, answer.headers["cross-origin-resource-policy"]) == (200, "cross-origin")
    assert signing.post("/v1/plan?ratio=1:1", content=b"x", headers=FROM_SITE).status_code == 421


def test_sites_that_the_operator_names_are_let_in(serving: Serving, root: Path, photo_path: Path) -> None:
    with connected(serving, Settings(root=root, cors=(SITE,))) as client:
        for headers in ({"Origin": SITE}, {"Referer": f"{SITE}/a/page"}):
            answer = client.get(IMAGE, headers=FROM_SITE | headers)
            assert (answer.status_code, answer.headers["cross-origin-resource-policy"]) == (200, "cross-origin")
        assert client.get(IMAGE, headers=FROM_SITE | {"Origin": SITE}).headers["access-control-allow-origin"] == SITE
        assert "Origin" in client.get(IMAGE, headers={"Origin": SITE}).headers["vary"]
        for headers in ({}, {"Origin": "https://evil.example"}, {"Referer": f"https://evil.example/{SITE}"}):
            assert client.get(IMAGE, headers=FROM_SITE | headers).status_code == 421
        ask = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Sec-Fetch-Site": "cross-site"}
        before = client.options("/v1/plan?ratio=1:1", headers=ask)
        assert before.status_code == 204
        assert before.headers["access-control-allow-origin"] == SITE
        assert "POST" in before.headers["access-control-allow-methods"]
        assert "Authorization" in before.headers["access-control-allow-headers"]
        answer = client.post(
            "/v1/plan?ratio=1:1", content=photo_path.read_bytes(), headers=FROM_SITE | {"Origin": SITE}
        )
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SITE)
    with connected(serving, Settings(root=root, cors=("*",))) as client:
        answer = client.get(IMAGE, headers=FROM_SITE)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_with_a_key_pages_of_other_sites_need_it(serving: Serving, root: Path) -> None:
    with connected(serving, Settings(root=root, api_keys=(API_KEY,))) as client:
        assert client.get(IMAGE, headers=FROM_SITE).status_code == 401


def test_every_request_is_a_line_of_json(serving: Serving, root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with connected(serving, Settings(root=root, access_log=True)) as client:
        client.get(f"{IMAGE}")
        client.get("/a%0Aline?secret=1")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert [(one["path"], one["status"]) for one in lines] == [(IMAGE, 200), ("/a\nline", 404)]
    assert lines[0]["bytes"] > 100 and lines[0]["method"] == "GET" and lines[0]["seconds"] > 0
