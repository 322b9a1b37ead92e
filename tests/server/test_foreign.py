"""Addresses of Thumbor and imgproxy: their signatures, what they ask for, and what has no equal here."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image as PillowImage

from eyefirst.errors import EyefirstError, InvalidValueError, SignatureError
from eyefirst.server.addresses import ImageOptions
from eyefirst.server.foreign import own_address
from eyefirst.server.imgproxy import imgproxy_signature, read_imgproxy
from eyefirst.server.settings import Settings
from eyefirst.server.signing import signed_address
from eyefirst.server.thumbor import thumbor_signature
from tests.server.conftest import KEY, Serving, connected

THUMBOR_KEY = "my-security-key"
SECRET, HELLO = bytes.fromhex("736563726574"), bytes.fromhex("68656C6C6F")
BOTH = Settings(
    also=("thumbor", "imgproxy"),
    signing_keys=(KEY,),
    thumbor_keys=(THUMBOR_KEY,),
    imgproxy_keys=((SECRET, HELLO),),
    origins=("https://img.example.com",),
)


@pytest.mark.parametrize(
    ("signature", "address"),
    [  # the scenarios that Thumbor gives to the authors of libraries
        ("8ammJH8D-7tXy6kU3lTvoXlhu4o=", "300x200/my.server.com/some/path/to/image.jpg"),
        ("Ps3ORJDqxlSQ8y00T29GdNAh2CY=", "meta/my.server.com/some/path/to/image.jpg"),
        ("-2NHpejRK2CyPAm61FigfQgJBxw=", "smart/my.server.com/some/path/to/image.jpg"),
        ("uvLnA6TJlF-Cc-L8z9pEtfasO3s=", "fit-in/my.server.com/some/path/to/image.jpg"),
        ("ZZtPCw-BLYN1g42Kh8xTcRs0Qls=", "filters:brightness(10):contrast(20)/my.server.com/some/path/to/image.jpg"),
    ],
)
def test_signatures_of_thumbor(signature: str, address: str) -> None:
    assert thumbor_signature(THUMBOR_KEY, address) == signature


def test_signatures_of_imgproxy() -> None:
    # from imgproxy's page on signing, with the key "secret" and the salt "hello"
    path = "/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png"
    assert imgproxy_signature(SECRET, HELLO, path) == "oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8"
    picture, options = read_imgproxy(path)
    assert picture == "http://example.com/images/curiosity.jpg"
    assert options == {"w": 300, "h": 400, "enlarge": 0, "format": "png"}


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("300x200/smart/a/b.jpg", "w=300,h=200"),
        ("300x200/a/b.jpg", "w=300,h=200,focus=0.5_0.5"),
        ("300x200/right/top/a/b.jpg", "w=300,h=200,focus=1.0_0.0"),
        ("300x/a/b.jpg", "w=300,mode=contain,enlarge=1"),
        ("300x0/a/b.jpg", "w=300,mode=contain,enlarge=1"),
        ("fit-in/300x200/a/b.jpg", "w=300,h=200,mode=contain,enlarge=0"),
        ("fit-in/300x200/filters:fill(00ff00)/a/b.jpg", "w=300,h=200,mode=pad,enlarge=0,pad=#00ff00"),
        ("300x200/smart/filters:format(jpeg):quality(70)/a/b.jpg", "w=300,h=200,format=jpg,quality=70"),
        ("300x200/smart/filters:no_upscale():strip_exif()/a/b.jpg", "w=300,h=200,enlarge=0,metadata=none"),
    ],
)
def test_addresses_of_thumbor_are_ours(address: str, options: str) -> None:
    found = own_address(f"/{thumbor_signature(THUMBOR_KEY, address)}/{address}", "", BOTH)
    assert found is not None
    assert unquote(found).split("/", 4)[4] == f"{options}/a/b.jpg"
    assert found == signed_address("a/b.jpg", key=KEY, **dict(p.split("=") for p in options.split(",")))


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ("rs:fill:300:200/g:sm", "w=300,h=200,enlarge=0"),
        ("rs:fill:300:200:1/g:fp:0.2:0.7", "w=300,h=200,enlarge=1,focus=0.2_0.7"),
        ("resizing_type:fill/width:300/height:200/el:1", "w=300,h=200,enlarge=1,focus=0.5_0.5"),
        ("rt:fill/s:300:200/g:noea", "w=300,h=200,enlarge=0,focus=1.0_0.0"),
        ("s:300:200", "w=300,h=200,mode=contain,enlarge=0"),
        ("rs:fit:300:200:0:1/bg:255:0:10", "w=300,h=200,mode=pad,enlarge=0,pad=#ff000a,background=#ff000a"),
        ("w:300/dpr:2/q:70/mb:9000", "w=300,dpr=2,mode=contain,enlarge=0,quality=70,max_bytes=9000"),
        ("dpr:2/el:1", "mode=contain"),
        ("w:300/fq:jpeg:80:avif:50/cb:7", "w=300,mode=contain,enlarge=0,quality=jpg:80_avif:50"),
    ],
)
def test_addresses_of_imgproxy_are_ours(asked: str, options: str) -> None:
    encoded = base64.urlsafe_b64encode(b"local:///a/b.jpg").decode().rstrip("=")
    for source, extension in (("plain/local:///a/b.jpg", ""), ("plain/local:%2F%2F/a/b.jpg@webp", ",format=webp")):
        path = f"/{asked}/{source}"
        found = own_address(f"/{imgproxy_signature(SECRET, HELLO, path)}{path}", "", BOTH)
        assert found is not None
        text, _, picture = unquote(found).split("/", 4)[4].partition("/")
        assert (set(text.split(",")), picture) == (set((options + extension).split(",")), "a/b.jpg")
    path = f"/{asked}/{encoded[:7]}/{encoded[7:]}.webp"
    other = own_address(f"/{imgproxy_signature(SECRET, HELLO, path)}{path}", "", BOTH)
    assert other == found


@pytest.mark.parametrize(
    ("asked", "options", "size"),
    [
        ("/pr:card", "preset=card", (320, 180)),
        ("/preset:card/dpr:2/f:jpeg", "preset=card,dpr=2,format=jpg", (640, 360)),
        ("/pr:card/w:80", "preset=card,w=80", (80, 45)),
        ("/pr:card/rs:fit:90:90", "preset=card,w=90,h=90,mode=contain,enlarge=0", None),
    ],
)
def test_a_preset_of_imgproxy_keeps_what_the_address_does_not_say(
    asked: str, options: str, size: tuple[int, int] | None
) -> None:
    path, found = read_imgproxy(f"{asked}/plain/a/b.jpg")
    text = unquote(signed_address(path, key=None, **found)).split("/")[4]
    assert text == options
    if size:
        wanted = ImageOptions.parse(text, {"card": "ratio:16:9,w:320"}, only_presets=text == "preset=card")
        assert wanted.order is not None and wanted.room == size


def test_pictures_elsewhere_are_found_where_their_origin_is_allowed() -> None:
    for address in ("img.example.com/a.jpg", "https://img.example.com/a.jpg", "https%3A%2F%2Fimg.example.com%2Fa.jpg"):
        found = own_address(
            f"/{thumbor_signature(THUMBOR_KEY, '9x9/smart/' + unquote(address))}/9x9/smart/{address}", "", BOTH
        )
        assert found == signed_address("https://img.example.com/a.jpg", key=KEY, w=9, h=9)
    asked = "9x9/smart/img.example.com/a.jpg?x=1"
    found = own_address(f"/{thumbor_signature(THUMBOR_KEY, asked)}/{asked[:-4]}", "x=1", BOTH)
    assert found == signed_address("https://img.example.com/a.jpg?x=1", key=KEY, w=9, h=9)


@pytest.mark.parametrize(
    "address",
    [
        *("meta/a.jpg", "debug/9x9/a.jpg", "trim/a.jpg", "1x1:9x9/a.jpg", "-9x9/a.jpg", "full-fit-in/9x9/a.jpg"),
        *("9x9/filters:blur(3)/a.jpg", "9x9/filters:quality(900)/a.jpg", "9x9/smart/../a.jpg", "9x9/smart/.b/a.jpg"),
    ],
)
def test_what_thumbor_knows_and_we_do_not_is_refused(address: str) -> None:
    with pytest.raises(InvalidValueError):
        own_address(f"/{thumbor_signature(THUMBOR_KEY, address)}/{address}", "", BOTH)


@pytest.mark.parametrize(
    "asked",
    [
        *(
            "rs:force:9:9/plain/a.jpg",
            "rs:auto:9:9/plain/a.jpg",
            "blur:3/plain/a.jpg",
            "rs:fill:9:9/g:obj:face/plain/a.jpg",
        ),
        *("w:x/plain/a.jpg", "el:9/plain/a.jpg", "w:9/plain/", "w:9/!!!", "rs:fill:9:9/g:no:3:3/plain/a.jpg", "w:9"),
    ],
)
def test_what_imgproxy_knows_and_we_do_not_is_refused(asked: str) -> None:
    with pytest.raises(InvalidValueError):
        own_address(f"/{imgproxy_signature(SECRET, HELLO, '/' + asked)}/{asked}", "", BOTH)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("/unsafe/10x10:200x200/100x100/smart/cat.jpg", "this kind of Thumbor address"),
        ("/unsafe/10x10:200x200/cat.jpg", "this kind of Thumbor address"),
        ("/insecure/rs:fill:9:9/g:obj:face/plain/a.jpg", "the gravity 'obj'"),
        ("/insecure/rs:fill:9:9/g:sm:3:3/plain/a.jpg", "an offset of gravity"),
        ("/insecure/rs:fill:9:9/g:fp:0.5/plain/a.jpg", "the gravity 'fp'"),
    ],
)
def test_what_is_not_answered_is_named(raw: str, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        own_address(raw, "", Settings(also=("thumbor", "imgproxy")))


def test_only_what_was_signed_is_answered() -> None:
    for raw in (
        "/unsafe/9x9/a.jpg",
        f"/{thumbor_signature('another-key', '9x9/a.jpg')}/9x9/a.jpg",
        f"/{thumbor_signature(THUMBOR_KEY, '9x8/a.jpg')}/9x9/a.jpg",
        "/insecure/w:9/plain/a.jpg",
        f"/{imgproxy_signature(SECRET, b'other', '/w:9/plain/a.jpg')}/w:9/plain/a.jpg",
    ):
        with pytest.raises(SignatureError):
            own_address(raw, "", BOTH)
    for raw in ("/favicon.ico", "/wp-admin/x.php", f"/{'a' * 43}", "/unsafe"):
        assert own_address(raw, "", BOTH) is None


@pytest.mark.parametrize(
    ("good", "others"),
    [
        (
            "9x9/smart/a/b.jpg",
            ["%39x9/smart/a/b.jpg", "9x9%2Fsmart/a/b.jpg", "9x9/smart%2Fa/b.jpg", "9x9/smart/%61/b.jpg"],
        ),
        ("9x9/filters:fill(%23fff)/a%20(1).jpg", ["9x9/filters%3Afill(%23fff)/a%20(1).jpg"]),
        ("9x9/n%C3%A4h@2x+1.jpg", ["9x9/n%c3%a4h@2x+1.jpg", "9x9/n%C3%A4h@2x%2b1.jpg"]),
        ("9x9/https%3A%2F%2Fimg.example.com%2Fa.jpg", ["9x9/https%3A/%2Fimg.example.com%2Fa.jpg"]),
        ("9x9/%22it's%22,(1)!.jpg", ["9x9/%22it's\",(1)!.jpg"]),
    ],
)
def test_a_signed_address_of_thumbor_is_encoded_in_few_ways(good: str, others: list[str]) -> None:
    signature = thumbor_signature(THUMBOR_KEY, unquote(good))
    assert own_address(f"/{signature}/{good}", "", BOTH)
    for other in others:
        assert unquote(other) == unquote(good)
        with pytest.raises(SignatureError):
            own_address(f"/{signature}/{other}", "", BOTH)


def test_without_a_key_of_each_the_service_does_not_start() -> None:
    for wrong in (
        {"also": ("thumbor",), "signing_keys": (KEY,)},
        {"also": ("imgproxy",), "imgproxy_keys": ((SECRET, HELLO),)},
        {"also": ("imagor",)},
    ):
        values: dict[str, Any] = wrong
        with pytest.raises(EyefirstError):
            Settings(**values)


def test_one_service_answers_all_three(serving: Serving, root: Path) -> None:
    crop = "rs:fill:60:30/g:sm/plain/local:///album/photo.jpg"
    with connected(serving, Settings(root=root, also=("thumbor", "imgproxy"))) as client:
        own = client.get("/v1/image/unsigned/w=60,h=30/album/photo.jpg")
        assert client.get("/unsafe/60x30/smart/album/photo.jpg").content == own.content
        assert client.get(f"/insecure/{crop}").content == own.content
        with PillowImage.open(io.BytesIO(own.content)) as picture:
            assert picture.size == (60, 30)
        for path, status in (("/unsafe/60x30/nothing.jpg", 404), ("/unsafe/9x9/filters:blur(1)/a.jpg", 422)):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        for path in ("/unsafe/60x30/smart/album/photo.jpg", f"/insecure/{crop}"):
            options = client.options(path)
            assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
        assert client.options("/unsafe").status_code == 404
        assert client.get("/unsafe/60x30/../secret.jpg").status_code in (404, 422)
        assert client.get("/unsafe/60x30/album/photo.jpg", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 421
        text = client.get("/metrics").text
        assert 'eyefirst_requests_total{route="/v1/image",status="422"}' in text
    with connected(serving, Settings(root=root)) as client:
        assert client.get("/unsafe/60x30/smart/album/photo.jpg").status_code == 404
