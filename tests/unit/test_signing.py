"""Signed addresses: what they say survives the journey, and they are the same everywhere."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from eyefirst.cli import app
from eyefirst.errors import ExpiredSignatureError, InvalidValueError, SignatureError
from eyefirst.server.signing import ImageOptions, check_expiry, check_signature, signature, signed_address
from eyefirst.tools.planning import CropOrder

KEY = "a-signing-key-for-the-tests"


def test_a_signature_never_changes() -> None:
    # also: printf 'aspect=16:9/a.jpg' | openssl dgst -sha256 -hmac KEY -binary | basenc --base64url
    assert signature(KEY, "aspect=16:9", "a.jpg") == "eOyD9ETvXLxALMAK7JfAKknnvgAh0hF5uuJAEaWJW6o"


def test_an_address_says_what_was_asked() -> None:
    address = signed_address(
        "holiday photos/näh #1.jpg", key=KEY, aspect="4:5", must_keep=["0,0,0.5,0.5", "text"], pad="#fff", quality=70
    )
    _, version, route, signed, options, path = unquote(address).split("/", 5)
    assert (version, route, path) == ("v1", "image", "holiday photos/näh #1.jpg")
    assert address.isascii() and " " not in address and "#" not in address
    found = ImageOptions.parse(options)
    assert found.order == CropOrder.parse(ratios=["4:5"], must_keep=["0,0,0.5,0.5", "text"], pad="#fff")
    assert (found.encoding.quality["JPEG"], found.format, found.expires) == (70, "", None)
    check_signature([KEY], signed, options, path)


def test_an_address_elsewhere_is_one_segment() -> None:
    address = signed_address("https://img.example.com/a/b.jpg?x=1", key=KEY, size="10x10")
    assert address.count("/") == 5
    assert unquote(address.rpartition("/")[2]) == "https://img.example.com/a/b.jpg?x=1"


@pytest.mark.parametrize("keys", [[KEY], ["an-older-key-of-the-tests", KEY]])
def test_only_the_right_signature_is_good(keys: list[str]) -> None:
    good = signature(KEY, "aspect=1:1", "a.jpg")
    check_signature(keys, good, "aspect=1:1", "a.jpg")
    for wrong in (
        (good, "aspect=1:2", "a.jpg"),
        (good, "aspect=1:1", "b.jpg"),
        (good[:-1], "aspect=1:1", "a.jpg"),
        ("", "aspect=1:1", "a.jpg"),
        ("unsigned", "aspect=1:1", "a.jpg"),
        ("é", "aspect=1:1", "a.jpg"),
    ):
        with pytest.raises(SignatureError):
            check_signature(keys, *wrong)


def test_without_keys_only_the_word_is_good() -> None:
    check_signature([], "unsigned", "aspect=1:1", "a.jpg")
    with pytest.raises(SignatureError):
        check_signature([], signature(KEY, "aspect=1:1", "a.jpg"), "aspect=1:1", "a.jpg")


def test_an_expiry_is_a_moment() -> None:
    check_expiry(None)
    check_expiry(100, now=99.9)
    with pytest.raises(ExpiredSignatureError):
        check_expiry(100, now=100)


@pytest.mark.parametrize(
    "text", ["", "aspect", "aspect=1:1,aspect=2:1", "shape=1:1", "quality=0", "quality=x", "expires=" + "9" * 5000, ","]
)
def test_options_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        ImageOptions.parse(text)


def test_the_command_signs_as_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEFIRST_SIGNING_KEY", KEY)
    ran = CliRunner().invoke(app, ["sign", "a.jpg", "b.jpg", "--aspect", "16:9", "--base", "https://img.example.com/"])
    expected = [f"https://img.example.com{signed_address(p, key=KEY, aspect='16:9')}" for p in ("a.jpg", "b.jpg")]
    assert ran.stdout.split() == expected
    monkeypatch.delenv("EYEFIRST_SIGNING_KEY")
    assert CliRunner().invoke(app, ["sign", "a.jpg", "--aspect", "16:9"]).exit_code == 2
