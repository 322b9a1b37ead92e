"""Hostile clients: what comes too late, too large, too often or from the wrong place costs little and harms nobody."""

from __future__ import annotations

import contextlib
import csv
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from eyefirst.errors import InvalidValueError
from eyefirst.server import protocol
from eyefirst.server.settings import Settings
from eyefirst.server.signing import signature, signed_address
from tests.server.conftest import KEY, Serving, connected

HARD = Path(__file__).parents[3] / "shared" / "data" / "hard"
API_KEY = "an-api-key-for-the-tests"


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


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
    connection.putrequest("GET", f"/v1/image/unsigned/aspect=1:1/{path}", skip_accept_encoding=True)  # sent as it is
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status in (403, 404), text
    assert b"secret" not in text.replace(b"secret.jpg", b"")


def test_a_pipe_in_the_root_is_not_waited_for(client: httpx.Client, root: Path) -> None:
    import os

    os.mkfifo(root / "pipe.jpg")
    assert client.get("/v1/image/unsigned/aspect=1:1/pipe.jpg", timeout=5).status_code == 404


def test_what_is_no_picture_in_the_root_names_no_place_of_the_machine(client: httpx.Client, root: Path) -> None:
    answer = client.get("/v1/image/unsigned/aspect=1:1/album/notes.txt")
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
        client.get("/v1/image/unsigned/aspect=1:1/album/odd.jpg"),
        client.post("/v1/plan?aspect=1:1", content=data),
    ):
        assert answer.status_code in (413, 415, 422)
        assert "secr" not in answer.text and "b'" not in answer.text


# --- signatures and keys


def test_only_what_was_signed_is_cut(signing: httpx.Client) -> None:
    good = signed_address("album/photo.jpg", key=KEY, aspect="16:9", size="160x90", must_keep=["0.1,0.1,0.3,0.3"])
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
    alive = signing.get(signed_address("album/photo.jpg", key=KEY, aspect="1:1", expires=now + 60))
    assert alive.status_code == 200
    assert 50 <= int(alive.headers["cache-control"].rpartition("=")[2]) <= 60
    dead = signed_address("album/photo.jpg", key=KEY, aspect="1:1", expires=now - 1)
    answer = signing.get(dead)
    assert (answer.status_code, code_of(answer)) == (403, "expired_signature")
    later = signing.get(dead.replace(f"expires={now - 1}", f"expires={now + 60}"))
    assert code_of(later) == "bad_signature"


def test_old_keys_are_still_accepted_while_they_are_listed(root: Path, serving: Serving) -> None:
    old = "the-key-of-last-year"
    address = signed_address("album/photo.jpg", key=old, aspect="1:1")
    with connected(serving, Settings(root=root, signing_keys=(KEY, old))) as client:
        assert client.get(address).status_code == 200
    with connected(serving, Settings(root=root, signing_keys=(KEY,))) as client:
        assert client.get(address).status_code == 403


def test_an_api_key_is_asked_for(root: Path, serving: Serving, photo_path: Path) -> None:
    data = photo_path.read_bytes()
    with connected(serving, Settings(root=root, api_keys=("an-older-key-of-the-tests", API_KEY))) as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {API_KEY}"}):
            answer = client.post("/v1/plan?aspect=1:1", content=data, headers=headers)
            assert (answer.status_code, code_of(answer)) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert client.get("/metrics", headers=headers).status_code == 401
            assert client.get("/v1/image/unsigned/aspect=1:1/album/photo.jpg", headers=headers).status_code == 401
        headers = {"Authorization": f"Bearer {API_KEY}"}
        assert client.post("/v1/plan?aspect=1:1", content=data, headers=headers).status_code == 200
        assert client.get("/v1/image/unsigned/aspect=1:1/album/photo.jpg", headers=headers).status_code == 200
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


def test_with_a_signing_key_alone_pictures_of_others_are_not_taken(serving: Serving, root: Path) -> None:
    with connected(serving, Settings(root=root, signing_keys=(KEY,), hostnames=("img.example.com",))) as client:
        assert client.post("/v1/plan?aspect=1:1", content=b"x").status_code == 401
        assert client.get(signed_address("album/photo.jpg", key=KEY, aspect="1:1")).status_code == 200


def test_a_rebound_name_does_not_reach_a_service_on_loopback(client: httpx.Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:8000", "", "[", "localhost@evil.example"):
        answer = client.get("/", headers={"Host": host})
        assert answer.status_code in (400, 421), host
    for host in ("localhost", "LOCALHOST:9", "[::1]:8000"):
        assert client.get("/", headers={"Host": host}).status_code == 200


def test_a_page_of_another_site_cannot_make_it_work(client: httpx.Client, photo_path: Path) -> None:
    data = photo_path.read_bytes()
    for site, status in (("cross-site", 421), ("same-origin", 200), ("none", 200)):
        answer = client.post("/v1/plan?aspect=1:1", content=data, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == status


# --- sizes


def test_a_body_that_says_it_is_too_large_is_not_read(serving: Serving) -> None:
    with serving(Settings(body_bytes=1000)) as place, socket.create_connection(place, timeout=10) as line:
        line.sendall(b"POST /v1/plan?aspect=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n")
        answer = line.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"body_too_large" in answer + line.recv(65536)
        assert line.recv(10) == b""  # and the line is closed


@pytest.mark.parametrize("form", [False, True])
def test_a_body_that_does_not_say_its_length_is_counted(serving: Serving, form: bool) -> None:
    sent = 0

    def parts() -> Iterator[bytes]:
        nonlocal sent
        if form:
            yield b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
        for _ in range(2000):
            sent += 10_000
            yield bytes(10_000)

    kind = {"Content-Type": "multipart/form-data; boundary=x"} if form else {}
    with connected(serving, Settings(body_bytes=100_000)) as client:
        try:
            answer = client.post("/v1/plan?aspect=1:1", content=parts(), headers=kind)
            assert (answer.status_code, code_of(answer)) == (413, "body_too_large")
        except (httpx.WriteError, httpx.ReadError):
            pass  # the service hung up while we were still sending
        assert sent < 20_000_000
        assert client.get("/healthz").status_code == 200


def test_all_bodies_together_are_counted(serving: Serving) -> None:
    settings = Settings(body_bytes=1 << 20, buffered_bytes=1 << 20, body_seconds=5)
    with serving(settings) as place:
        lines = [socket.create_connection(place, timeout=10) for _ in range(4)]
        head = b"POST /v1/plan?aspect=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"
        for line in lines:
            line.sendall(head + bytes(400_000))
            time.sleep(0.1)
        answers = []
        for line in lines:
            line.settimeout(1)
            try:
                answers.append(line.recv(20))
            except TimeoutError:
                answers.append(b"")
            line.close()
        assert sum(b"503" in a for a in answers) == 2, answers


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999999", "٣", "0x10"])
def test_a_length_that_is_none_is_refused(serving: Serving, length: str) -> None:
    with serving(Settings()) as place, socket.create_connection(place, timeout=10) as line:
        text = f"POST /v1/plan?aspect=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        line.sendall(text.encode())
        assert line.recv(65536).split()[1] in (b"400", b"413")


# --- time


@pytest.mark.parametrize(
    "start",
    [b"", b"GET / HTTP/1.1\r\nHost: local", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT"],
    ids=["silent", "half a head", "half a second head"],
)
def test_a_client_that_trickles_its_head_is_let_go(
    serving: Serving, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.6)
    with serving(Settings()) as place, socket.create_connection(place, timeout=10) as line:
        line.sendall(start)
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 5:
                line.sendall(b"a")
                time.sleep(0.1)
        assert time.monotonic() - begun < 3


def test_a_client_that_trickles_its_body_is_told_so(serving: Serving) -> None:
    with serving(Settings(body_seconds=0.5)) as place, socket.create_connection(place, timeout=10) as line:
        line.sendall(b"POST /v1/plan?aspect=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        begun = time.monotonic()
        for _ in range(4):
            line.sendall(b"a")
            time.sleep(0.05)
        answer = b""
        while part := line.recv(65536):
            answer += part
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"client_too_slow" in answer
        assert time.monotonic() - begun < 3


def test_a_client_that_does_not_take_its_answer_is_let_go(
    serving: Serving, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    noise = np.random.default_rng(0).integers(0, 255, (2500, 2500, 3), np.uint8)
    from PIL import Image as PillowImage

    PillowImage.fromarray(noise).save(root / "noise.png", compress_level=0)
    with serving(Settings(root=root)) as place:
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(place)
        line.sendall(b"GET /v1/image/unsigned/aspect=1:1,format=bmp/noise.png HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(3.5)
        line.settimeout(5)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while part := line.recv(1 << 20):
                got += len(part)
        line.close()
        assert got < 18_000_000


def test_long_work_is_given_up_and_the_service_goes_on(
    serving: Serving, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eyefirst.tools.planning import CropOrder

    release = threading.Event()
    monkeypatch.setattr(CropOrder, "plan", lambda *_: release.wait(20))
    with connected(serving, Settings(work_seconds=0.3, workers=1, queue=1)) as client:
        data = photo_path.read_bytes()
        begun = time.monotonic()
        answer = client.post("/v1/plan?aspect=1:1", content=data)
        assert (answer.status_code, code_of(answer)) == (503, "time_limit")
        assert time.monotonic() - begun < 3
        assert client.get("/readyz").json()["free"] == 1  # a thread that still runs is not counted as free
        release.set()
        time.sleep(0.3)
        assert client.get("/readyz").json()["free"] == 2
        assert client.post("/v1/saliency", content=data).status_code == 200


def test_beyond_its_capacity_the_service_says_so_at_once(
    serving: Serving, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eyefirst.tools.planning import CropOrder

    plan, release = CropOrder.plan, threading.Event()

    def slow(order: CropOrder, handler: object) -> object:
        release.wait(20)
        return plan(order, handler)  # type: ignore[arg-type]

    monkeypatch.setattr(CropOrder, "plan", slow)
    data = photo_path.read_bytes()
    with connected(serving, Settings(workers=2, queue=3)) as client, ThreadPoolExecutor(20) as clients:
        asked = [clients.submit(client.post, "/v1/plan?aspect=1:1", content=data) for _ in range(5)]
        until = time.monotonic() + 10
        while client.get("/readyz").status_code == 200 and time.monotonic() < until:
            time.sleep(0.02)
        begun = time.monotonic()
        for answer in clients.map(lambda _: client.post("/v1/plan?aspect=1:1", content=data), range(15)):
            assert (answer.status_code, code_of(answer)) == (503, "busy")
            assert 1 <= int(answer.headers["retry-after"]) <= 30
        assert time.monotonic() - begun < 3
        release.set()
        assert [future.result().status_code for future in asked] == [200] * 5


def test_work_for_a_client_that_left_is_dropped(
    serving: Serving, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eyefirst.tools.planning import CropOrder

    release, planned = threading.Event(), []
    monkeypatch.setattr(CropOrder, "plan", lambda *_: planned.append(release.wait(20)))
    data = photo_path.read_bytes()
    head = f"POST /v1/plan?aspect=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    with connected(serving, Settings(workers=1, queue=5)) as client:
        place = (client.base_url.host, client.base_url.port or 0)
        lines = [socket.create_connection(place, timeout=10) for _ in range(4)]
        for line in lines:
            line.sendall(head + data)
        until = time.monotonic() + 5
        while client.get("/readyz").json()["free"] > 2 and time.monotonic() < until:
            time.sleep(0.02)
        for line in lines:
            line.close()
        while client.get("/readyz").json()["free"] < 5 and time.monotonic() < until:
            time.sleep(0.02)
        assert client.get("/readyz").json()["free"] == 5  # only the one that runs still holds its place
        release.set()
    assert len(planned) == 1


# --- often


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_thousand_bad_requests_leave_memory_flat(client: httpx.Client, photo_path: Path) -> None:
    data = photo_path.read_bytes()
    half = data[: len(data) // 2]

    def misbehave(i: int) -> int:
        match i % 5:
            case 0:
                return client.post("/v1/plan?aspect=1:1", content=half).status_code
            case 1:
                return client.post("/v1/crop?aspect=1:1", content=b"\x89PNG\r\n\x1a\n" + bytes(100_000)).status_code
            case 2:
                return client.post("/v1/plan?aspect=nonsense", content=data).status_code
            case 3:
                return client.get(f"/v1/image/unsigned/aspect=1:1/../{i}.jpg").status_code
            case _:
                return client.post("/v1/plan?aspect=1:1", files={"picture": bytes(200_000)}).status_code

    assert {misbehave(i) for i in range(200)} <= {404, 415, 422}
    before = resident_mb()
    statuses = [misbehave(i) for i in range(1000)]
    assert max(statuses) < 500
    assert resident_mb() - before < 30
    assert client.post("/v1/plan?aspect=1:1", content=data).status_code == 200


@pytest.mark.skipif(not (HARD / "manifest.csv").exists(), reason="the folder of hard files is not here")
def test_hostile_files_are_answered_and_nothing_falls(serving: Serving) -> None:
    with (HARD / "manifest.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    faults = []
    with connected(serving, Settings(workers=2)) as client:
        for name in names:
            answer = client.post("/v1/plan?aspect=1:1&aspect=16:9", content=(HARD / name).read_bytes())
            if answer.status_code == 200:
                continue
            if answer.status_code not in (413, 415, 422, 501) or code_of(answer) in ("error", "invalid_value"):
                faults.append(f"{name}: {answer.status_code} {answer.text}")
        assert client.get("/readyz").json()["ready"]
    assert len(names) > 400
    assert not faults, "\n".join(faults)
