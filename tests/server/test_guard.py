"""The door: no path leaves the root, and only those who may come in do."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from eyefirst.errors import InvalidValueError
from eyefirst.server.settings import Settings
from eyefirst.server.signing import signature, signed_address
from tests.server.conftest import KEY, Serving, code_of, connected

API_KEY = "an-api-key-for-the-tests"


# --- paths


@pytest.mark.parametrize(
    "path",
    [
        "../secret.jpg",
        "album/../../secret.jpg",
        "..%2fsecret.jpg",
        "%2e%2e/secret.jpg",
        "%2e%2e%2fsecret.jpg",
        "..%5csecret.jpg",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "//etc/passwd",
        "album//photo.jpg",
        "./album/photo.jpg",
        "album/./photo.jpg",
        "album/photo.jpg/",
        "album/photo.jpg%00.png",
        "album",
        "link.jpg",
        "inside.jpg",
        "up/secret.jpg",
        "up/root/album/photo.jpg",
        ".hidden.jpg",
        "C:%5cWindows%5cwin.ini",
        "album/photo.jpg:stream",
        "nothing.jpg",
        "%ff%fe.jpg",
        "x" * 5000,
        "a/" * 2000,
        "file:%2f%2f%2fetc%2fpasswd",
        "ftp:%2f%2fexample.com/x.jpg",
        "http:%2f%2f127.0.0.1/x.jpg",
    ],
)
def test_no_path_leaves_the_root(client: httpx.Client, path: str) -> None:
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 0, timeout=30)
    connection.putrequest("GET", f"/v1/image/unsigned/ratio=1:1/{path}", skip_accept_encoding=True)  # sent as it is
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status in (403, 404), text
    assert b"secret" not in text.replace(b"secret.jpg", b"")


def test_a_pipe_in_the_root_is_not_waited_for(client: httpx.Client, root: Path) -> None:
    import os

    os.mkfifo(root / "pipe.jpg")
    assert client.get("/v1/image/unsigned/ratio=1:1/pipe.jpg", timeout=5).status_code == 404


def test_what_is_no_picture_in_the_root_names_no_place_of_the_machine(client: httpx.Client, root: Path) -> None:
    answer = client.get("/v1/image/unsigned/ratio=1:1/album/notes.txt")
    assert code_of(answer) == "not_a_picture"
    assert answer.json()["source"] == "album/notes.txt"
    assert str(root) not in answer.text


@pytest.mark.parametrize(
    "data",
    [
        b"the-secret-of-a-file",
        b"the-secret-of-a-file" * 10_000,
        b"\x89PNG\r\n\x1a\n\0\0\0\x06secretsecret" + bytes(100),
        b"P6 secret secret 255 " + bytes(100),
        b"GIF89asecretsecret",
        b"II*\0secretsecret" + bytes(100),
        b"\xff\xd8\xff\xe1secretsecret",
        b"RIFF\x40\0\0\0WEBPsecretsecret",
        b"BMsecret-secret-secret-secret" + bytes(100),
        b"\0\0\0\x18ftypsecretsecretsecret",
        b"<?xml version='1.0'?><secret/>",
        b"%PDF-secret",
        b"#!/bin/sh\nsecret",
        b"qoifsecret-secret-secret",
    ],
)
def test_no_error_quotes_a_file(client: httpx.Client, root: Path, data: bytes) -> None:
    (root / "album" / "odd.jpg").write_bytes(data)
    for answer in (
        client.get("/v1/image/unsigned/ratio=1:1/album/odd.jpg"),
        client.post("/v1/plan?ratio=1:1", content=data),
    ):
        assert answer.status_code in (413, 415, 422)
        assert "secr" not in answer.text and "b'" not in answer.text


# --- signatures and keys


def test_only_what_was_signed_is_cut(signing: httpx.Client) -> None:
    good = signed_address("album/photo.jpg", key=KEY, ratio="16:9", size="160x90", must_keep=["0.1,0.1,0.3,0.3"])
    assert signing.get(good).status_code == 200
    assert "public" in signing.get(good).headers["cache-control"]
    signed = good.split("/")[3]
    last = "A" if signed[-1] != "A" else "Q"
    forged = [
        good.replace("160x90", "1600x900"),
        good.replace("photo.jpg", "notes.txt"),
        good.replace(signed, signed[:-1] + last),
        good.replace(signed, signed.lower()),
        good.replace(signed, "unsigned"),
        good.replace(signed, signature("another-key-of-a-stranger", *good.split("/", 5)[4:])),
        good.replace(signed, quote("é" * 43)),
        good.replace(signed, "A" * 5000),
    ]
    for address in forged:
        answer = signing.get(address)
        assert (answer.status_code, code_of(answer)) == (403, "bad_signature"), address


def test_an_address_ends_when_it_was_said_to(signing: httpx.Client) -> None:
    now = int(time.time())
    alive = signing.get(signed_address("album/photo.jpg", key=KEY, ratio="1:1", expires=now + 60))
    assert alive.status_code == 200
    assert 50 <= int(alive.headers["cache-control"].rpartition("=")[2]) <= 60
    dead = signed_address("album/photo.jpg", key=KEY, ratio="1:1", expires=now - 1)
    answer = signing.get(dead)
    assert (answer.status_code, code_of(answer)) == (403, "expired_signature")
    later = signing.get(dead.replace(f"expires={now - 1}", f"expires={now + 60}"))
    assert code_of(later) == "bad_signature"


def test_old_keys_are_still_accepted_while_they_are_listed(root: Path, serving: Serving) -> None:
    old = "the-key-of-last-year"
    address = signed_address("album/photo.jpg", key=old, ratio="1:1")
    with connected(serving, Settings(root=root, signing_keys=(KEY, old))) as client:
        assert client.get(address).status_code == 200
    with connected(serving, Settings(root=root, signing_keys=(KEY,))) as client:
        assert client.get(address).status_code == 403


def test_an_api_key_is_asked_for(root: Path, serving: Serving, photo_path: Path) -> None:
    data = photo_path.read_bytes()
    with connected(serving, Settings(root=root, api_keys=("an-older-key-of-the-tests", API_KEY))) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {API_KEY}"}):
            answer = client.post("/v1/plan?ratio=1:1", content=data, headers=headers)
            assert (answer.status_code, code_of(answer)) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert client.get("/metrics", headers=headers).status_code == 401
            assert client.get("/v1/image/unsigned/ratio=1:1/album/photo.jpg", headers=headers).status_code == 401
        headers = {"Authorization": f"Bearer {API_KEY}"}
        assert client.post("/v1/plan?ratio=1:1", content=data, headers=headers).status_code == 200
        assert client.get("/v1/image/unsigned/ratio=1:1/album/photo.jpg", headers=headers).status_code == 200
        assert client.get("/").status_code == client.get("/healthz").status_code == 200


def test_beyond_loopback_nothing_starts_without_a_key(root: Path) -> None:
    for settings in ({"host": "0.0.0.0"}, {"host": "::"}, {"host": "192.168.1.2"}, {"hostnames": ("img.example.com",)}):
        with pytest.raises(InvalidValueError, match="no key"):
            Settings(root=root, **settings)
        assert Settings(api_keys=(API_KEY,), **settings).is_public
    for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"):
        assert not Settings(host=host).is_public
    with pytest.raises(InvalidValueError, match="16 bytes"):
        Settings(api_keys=("short",))


def test_a_hostname_is_a_plain_name() -> None:
    for name in (
        *("img.example.com:8443", "https://img.example.com", "*", "*.example.com", "", "img.example.com.", " img"),
        *("img.example.com\n", "a/b", "-a.example", "[img]", "bücher.example"),
    ):
        with pytest.raises(InvalidValueError, match="plain name"):
            Settings(api_keys=(API_KEY,), hostnames=(name,))
    for name in (
        "img.example.com",
        "IMG_1.Example",
        "xn--bcher-kva.example",
        "192.0.2.1",
        "::1",
        "[2001:db8::1]",
        "web",
    ):
        assert Settings(api_keys=(API_KEY,), hostnames=(name,)).answers_to(
            f"{name}:8443" if name[0] != ":" else "[::1]"
        )


def test_with_a_signing_key_alone_pictures_of_others_are_not_taken(serving: Serving, root: Path) -> None:
    with connected(serving, Settings(root=root, signing_keys=(KEY,), hostnames=("img.example.com",))) as client:
        assert client.post("/v1/plan?ratio=1:1", content=b"x").status_code == 401
        assert client.get(signed_address("album/photo.jpg", key=KEY, ratio="1:1")).status_code == 200


def test_a_rebound_name_does_not_reach_a_service_on_loopback(client: httpx.Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:8000", "", "[", "localhost@evil.example"):
        answer = client.get("/", headers={"Host": host})
        assert answer.status_code in (400, 421), host
    for host in ("localhost", "LOCALHOST:9", "[::1]:8000"):
        assert client.get("/", headers={"Host": host}).status_code == 200


def test_a_page_of_another_site_cannot_make_it_work(client: httpx.Client, photo_path: Path) -> None:
    data = photo_path.read_bytes()
    for site, status in (("cross-site", 421), ("same-origin", 200), ("none", 200)):
        answer = client.post("/v1/plan?ratio=1:1", content=data, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == status
