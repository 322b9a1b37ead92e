"""Signed addresses: what they say survives the journey, and they are the same everywhere."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from eyefirst.cli import app
from eyefirst.errors import ExpiredSignatureError, InvalidValueError, SignatureError
from eyefirst.server.addresses import ImageOptions
from eyefirst.server.signing import check_expiry, check_signature, expiry_after, signature, signed_address
from eyefirst.tools.planning import CropOrder

KEY = "a-signing-key-for-the-tests"


def test_a_signature_never_changes() -> None:
    # also: printf 'ratio=16:9/a.jpg' | openssl dgst -sha256 -hmac KEY -binary | basenc --base64url
    assert signature(KEY, "ratio=16:9", "a.jpg") == "z5MIVGC4gf2p8bX7wkbGEmi2O4sawyUZCEfEV1DyYao"


def test_an_address_says_what_was_asked() -> None:
    address = signed_address(
        "holiday photos/näh #1.jpg", key=KEY, ratio="4:5", must_keep=["0,0,0.5,0.5", "text"], pad="#fff", quality=70
    )
    _, version, route, signed, options, path = unquote(address).split("/", 5)
    assert (version, route, path) == ("v1", "image", "holiday photos/näh #1.jpg")
    assert address.isascii() and " " not in address and "#" not in address
    found = ImageOptions.parse(options)
    assert found.order == CropOrder.parse(ratios=["4:5"], must_keep=["0,0,0.5,0.5", "text"], pad="#fff")
    assert (found.encoding.quality["JPEG"], found.format, found.expires) == (70, None, None)
    check_signature([KEY], signed, options, path)


def test_older_names_are_read_and_never_written() -> None:
    assert ImageOptions.parse("aspect=16:9,width=64") == ImageOptions.parse("ratio=16:9,w=64")
    assert "/ratio=16:9," in signed_address("a.jpg", key=KEY, ratio="16:9", w=64)


def test_an_address_elsewhere_is_one_segment() -> None:
    address = signed_address("https://img.example.com/a/b.jpg?x=1", key=KEY, size="10x10")
    assert address.count("/") == 5
    assert unquote(address.rpartition("/")[2]) == "https://img.example.com/a/b.jpg?x=1"


@pytest.mark.parametrize("keys", [[KEY], ["an-older-key-of-the-tests", KEY]])
def test_only_the_right_signature_is_good(keys: list[str]) -> None:
    good = signature(KEY, "ratio=1:1", "a.jpg")
    check_signature(keys, good, "ratio=1:1", "a.jpg")
    for wrong in (
        (good, "ratio=1:2", "a.jpg"),
        (good, "ratio=1:1", "b.jpg"),
        (good[:-1], "ratio=1:1", "a.jpg"),
        ("", "ratio=1:1", "a.jpg"),
        ("unsigned", "ratio=1:1", "a.jpg"),
        ("é", "ratio=1:1", "a.jpg"),
    ):
        with pytest.raises(SignatureError):
            check_signature(keys, *wrong)


def test_without_keys_only_the_word_is_good() -> None:
    check_signature([], "unsigned", "ratio=1:1", "a.jpg")
    with pytest.raises(SignatureError):
        check_signature([], signature(KEY, "ratio=1:1", "a.jpg"), "ratio=1:1", "a.jpg")


def test_an_expiry_is_a_moment() -> None:
    check_expiry(None)
    check_expiry(100, now=99.9)
    with pytest.raises(ExpiredSignatureError):
        check_expiry(100, now=100)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ratio": "4/5"}, "ratio=4:5"),
        ({"ratio": "1.5"}, "ratio=3:2"),
        ({"size": " 1200x630 "}, "size=1200x630"),
        ({"ratio": "1:1", "pad": "rgb(1,2,3)"}, "ratio=1:1,pad=#010203"),
        ({"ratio": "1:1", "background": "hsl(120, 100%, 50%)"}, "ratio=1:1,background=#00ff00"),
        ({"ratio": "1:1", "pad": "blur"}, "ratio=1:1,pad=blur"),
        ({"ratio": "1:1", "must_keep": ["0, 0, 0.5, 0.5"]}, "ratio=1:1,must_keep=0_0_0.5_0.5"),
        ({"w": 640, "dpr": 2}, "w=640,dpr=2"),
        ({"w": 640, "h": 360, "enlarge": False, "focus": "0.5,0.3"}, "w=640,h=360,enlarge=0,focus=0.5_0.3"),
        ({"preset": "card"}, "preset=card"),
        ({"preset": "card", "dpr": 2}, "preset=card,dpr=2"),
    ],
)
def test_options_are_written_in_one_way(options: dict[str, Any], expected: str) -> None:
    assert unquote(signed_address("a.jpg", key=KEY, **options)).split("/")[4] == expected


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("a.jpg", {"ratio": "banana"}),
        ("a.jpg", {}),
        ("a.jpg", {"ratio": "1:1", "format": "jxl"}),
        ("a.jpg", {"ratio": "1:1", "pad": "nocolour"}),
        ("a.jpg", {"ratio": "1:1", "quality": 101}),
        ("a.jpg", {"ratio": "1:1", "must_keep": ["0,0,2,2"]}),
        ("a.jpg", {"ratio": "1:1", "must_keep": ["noses"]}),
        ("a.jpg", {"ratio": "1:1", "revision": "saliency_v0"}),
        ("a.jpg", {"ratio": "1:1", "colour": "red"}),
        ("a.jpg", {"ratio": "1:1", "preset": "a,b"}),
        ("a.jpg", {"size": "70000x70000"}),
        ("a.jpg", {"ratio": "1:1", "dpr": 2}),
        ("a.jpg", {"ratio": "1:1", "dpr": "auto"}),
        ("a.jpg", {"mode": "contain", "enlarge": 0}),
        ("a.jpg", {"w": 40_000, "dpr": 2, "h": 40_000}),
        ("", {"ratio": "1:1"}),
        ("/a.jpg", {"ratio": "1:1"}),
        ("../a.jpg", {"ratio": "1:1"}),
        ("b/../a.jpg", {"ratio": "1:1"}),
        (".hidden/a.jpg", {"ratio": "1:1"}),
        ("b//a.jpg", {"ratio": "1:1"}),
        ("b/", {"ratio": "1:1"}),
        ("C:\\a.jpg", {"ratio": "1:1"}),
        ("file:///etc/passwd", {"ratio": "1:1"}),
        ("https://", {"ratio": "1:1"}),
    ],
)
def test_what_cannot_be_served_is_not_signed(path: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        signed_address(path, key=KEY, **options)


@pytest.mark.parametrize(
    "words",
    [
        ["--ratio", "banana"],
        ["--ratio", "1:1", "--expires", "0s"],
        ["--ratio", "1:1", "--option", "w"],
        ["--ratio", "1:1", "--option", "colour=red"],
        [],
    ],
)
def test_the_command_ends_with_2(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEFIRST_SIGNING_KEY", KEY)
    ran = CliRunner().invoke(app, ["sign", "a.jpg", *words])
    assert (ran.exit_code, ran.stdout) == (2, "")


def test_an_address_without_options_is_told_so() -> None:
    with pytest.raises(InvalidValueError, match=r"no option was given; for example ratio=16:9"):
        signed_address("a.jpg", key=KEY)


@pytest.mark.parametrize(
    ("seconds", "step"), [(90, 10), (900, 60), (43_200, 3600), (86_400, 3600), (2_592_000, 86_400)]
)
def test_an_expiry_stays_the_same_for_a_while(seconds: int, step: int) -> None:
    moments = {expiry_after(seconds, now=1_700_000_000 - 1_700_000_000 % 86_400 + i + 1) for i in range(step)}
    assert len(moments) == 1
    assert next(iter(moments)) >= 1_700_000_000 - 1_700_000_000 % 86_400 + step + seconds
    assert expiry_after(1, now=5.5) == 6


def test_the_command_takes_other_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEFIRST_SIGNING_KEY", KEY)
    ran = CliRunner().invoke(
        app, ["sign", "a.jpg", "--ratio", "1:1", "--option", "w=640", "--option", "focus=faces", "--expires", "30d"]
    )
    assert ran.exit_code == 0, ran.stderr
    assert ran.stdout.split("/")[4].startswith("ratio=1:1,w=640,focus=faces,expires=")


@pytest.mark.parametrize(
    "text", ["", "ratio", "ratio=1:1,ratio=2:1", "shape=1:1", "quality=0", "quality=x", "expires=" + "9" * 5000, ","]
)
def test_options_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        ImageOptions.parse(text)


def test_the_command_signs_as_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEFIRST_SIGNING_KEY", KEY)
    ran = CliRunner().invoke(app, ["sign", "a.jpg", "b.jpg", "--ratio", "16:9", "--base", "https://img.example.com/"])
    expected = [f"https://img.example.com{signed_address(p, key=KEY, ratio='16:9')}" for p in ("a.jpg", "b.jpg")]
    assert ran.stdout.split() == expected
    monkeypatch.delenv("EYEFIRST_SIGNING_KEY")
    assert CliRunner().invoke(app, ["sign", "a.jpg", "--ratio", "16:9"]).exit_code == 2
