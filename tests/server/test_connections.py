"""Connections: what a client sends beside or after its request costs the service nothing."""

from __future__ import annotations

import contextlib
import gzip
import socket
import statistics
import threading
import time
import zlib
from pathlib import Path

import httpx
import pytest

from eyefirst.server import bodies
from eyefirst.server.settings import Settings
from tests.server.conftest import Serving, connected

API_KEY = "an-api-key-for-the-tests"
PLAN = b"POST /v1/plan?ratio=1:1 HTTP/1.1\r\nHost: localhost\r\n"


def everything(line: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := line.recv(1 << 16):
            found += part
    return found


@pytest.mark.parametrize(
    "request_line",
    [PLAN, PLAN.replace(b"POST", b"GET"), b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n", PLAN.replace(b"loc", b"x")],
    ids=["no key", "wrong method", "no route", "wrong host"],
)
def test_an_answer_before_the_end_of_a_body_closes_the_connection(serving: Serving, request_line: bytes) -> None:
    with serving(Settings(api_keys=(API_KEY,))) as place, socket.create_connection(place, timeout=10) as line:
        line.sendall(request_line + b"Content-Length: 1000000\r\n\r\n" + bytes(1000))
        begun = time.monotonic()
        answer = everything(line)
        assert answer.startswith((b"HTTP/1.1 4",))
        assert b"connection: close" in answer.lower()
        assert time.monotonic() - begun < 1


def test_an_answer_before_the_end_of_a_body_can_be_read_by_who_still_sends(serving: Serving) -> None:
    with connected(serving, Settings(api_keys=(API_KEY,))) as client:
        for _ in range(5):
            assert client.post("/v1/plan?ratio=1:1", content=bytes(3_000_000)).status_code == 401


def test_senders_of_tiny_chunks_after_an_answer_do_not_slow_others(serving: Serving) -> None:
    stop = threading.Event()

    def send(place: tuple[str, int]) -> None:
        until = time.monotonic() + 8
        while not stop.is_set() and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(place, timeout=5) as line:
                line.sendall(PLAN + b"Transfer-Encoding: chunked\r\n\r\n")
                for _ in range(200):
                    line.sendall(b"1\r\na\r\n" * 10_000)

    with (
        serving(Settings(api_keys=(API_KEY,))) as place,
        httpx.Client(base_url=f"http://{place[0]}:{place[1]}") as client,
    ):
        senders = [threading.Thread(target=send, args=(place,), daemon=True) for _ in range(4)]
        for sender in senders:
            sender.start()
        waits = []
        for _ in range(40):
            begun = time.monotonic()
            assert client.get("/healthz", timeout=10).status_code == 200
            waits.append(time.monotonic() - begun)
            time.sleep(0.03)
        stop.set()
        for sender in senders:
            sender.join(10)
    assert statistics.median(waits) < 0.2, waits


def test_chunks_of_one_byte_are_refused(serving: Serving, photo_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = photo_path.read_bytes()
    head = PLAN + b"Transfer-Encoding: chunked\r\n\r\n"
    with serving(Settings()) as place:
        with socket.create_connection(place, timeout=10) as line:
            line.sendall(head + b"".join(b"1\r\n%c\r\n" % byte for byte in data[:20_000]))
            assert everything(line).startswith(b"HTTP/1.1 400")
        with socket.create_connection(place, timeout=10) as line:  # small ones at the start or the end do no harm
            few = b"".join(b"1\r\n%c\r\n" % byte for byte in data[:50])
            rest = b"".join(b"%x\r\n%s\r\n" % (len(d), d) for d in (data[50:9000], data[9000:]))
            line.sendall(head + few + rest + b"0\r\n\r\n")
            assert line.recv(1000).startswith(b"HTTP/1.1 200")
        with socket.create_connection(place, timeout=10) as line:  # one that leaves in the middle of its body
            line.sendall(PLAN + b"Content-Length: 1000\r\n\r\n" + bytes(10))
        with httpx.Client(base_url=f"http://{place[0]}:{place[1]}") as client:
            until = time.monotonic() + 5
            while 'status="499"} 2.0' not in client.get("/metrics").text and time.monotonic() < until:
                time.sleep(0.02)
            assert 'route="/v1/plan",status="499"} 2.0' in client.get("/metrics").text
    assert "Traceback" not in capfd.readouterr().err


def test_a_head_has_a_limit(serving: Serving) -> None:
    headers = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000
    for start in (b"GET /" + b"a" * 100_000, headers, PLAN + b"A: " + b"b" * 100_000):
        with serving(Settings()) as place, socket.create_connection(place, timeout=10) as line:
            with contextlib.suppress(ConnectionError):
                line.sendall(start)
            assert everything(line)[:12] in (b"HTTP/1.1 400", b"")


def test_what_follows_the_content_of_a_body_has_a_limit_and_is_no_header(serving: Serving) -> None:
    head = PLAN + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    with serving(Settings(body_seconds=5)) as place:
        for end in (b"0\r\n" + b"A: b\r\n" * 1_000_000, b"0\r\nA: " + b"b" * 6_000_000, b"1;" + b"b" * 6_000_000):
            with socket.create_connection(place, timeout=3) as line:
                with contextlib.suppress(ConnectionError):
                    line.sendall(head + end)
                assert everything(line)[:12] in (b"HTTP/1.1 400", b"")
        with socket.create_connection(place, timeout=10) as line:
            line.sendall(head + b"0\r\nHost: evil.example\r\n\r\n")
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            found = everything(line)
            assert found.startswith(b"HTTP/1.1 415")  # not 400 for two hosts
            assert b"HTTP/1.1 200" in found


def test_http_1_0_needs_no_host_and_http_1_1_does(serving: Serving) -> None:
    with serving(Settings()) as place:
        for words, status in (
            (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
            (b"GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n", b"421"),
            (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
            (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: a\r\nConnection: close\r\n\r\n", b"400"),
        ):
            with socket.create_connection(place, timeout=10) as line:
                line.sendall(words)
                assert everything(line).split()[1] == status, words


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/", "/openapi.json"])
def test_head_and_options_are_answered(client: httpx.Client, path: str) -> None:
    assert client.head(path).status_code == 200
    assert client.head(path).content == b""
    options = client.options(path)
    assert options.status_code == 204
    assert "GET" in options.headers["allow"]


def test_options_of_the_work(client: httpx.Client) -> None:
    for path, method in (("/v1/plan", "POST"), ("/v1/image/x/y/z.jpg", "GET")):
        assert method in client.options(path).headers["allow"]


def test_packed_bodies_are_unpacked_within_the_limit(serving: Serving, photo_path: Path) -> None:
    data = photo_path.read_bytes()
    with connected(serving, Settings(body_bytes=2_000_000)) as client:
        plain = client.post("/v1/plan?ratio=1:1", content=data).json()
        for coding, packed in (
            ("gzip", gzip.compress(data)),
            ("x-gzip", gzip.compress(data)),
            ("gzip", gzip.compress(data[:9]) + gzip.compress(data[9:])),
            ("deflate", zlib.compress(data)),
            ("deflate", zlib.compress(data, wbits=-zlib.MAX_WBITS)),
        ):
            answer = client.post("/v1/plan?ratio=1:1", content=packed, headers={"Content-Encoding": coding})
            assert answer.json() == plain
        for coding, packed, status in (
            ("gzip", gzip.compress(bytes(50_000_000)), 413),
            ("gzip", data, 422),
            ("gzip", gzip.compress(bytes(1_500_000)) * 2, 413),
            ("gzip", gzip.compress(data)[:-20], 422),
            ("gzip", gzip.compress(data) + b"more", 422),
            ("gzip", gzip.compress(b"") * 90_000, 422),
            ("deflate", zlib.compress(data, wbits=-zlib.MAX_WBITS)[:-20], 422),
            ("br", data, 422),
        ):
            answer = client.post("/v1/plan?ratio=1:1", content=packed, headers={"Content-Encoding": coding})
            assert answer.status_code == status


def test_slow_bodies_go_first(serving: Serving, photo_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SLOW_SECONDS", 0.3)
    with connected(serving, Settings(uploads=4)) as client:
        place = (client.base_url.host, client.base_url.port or 0)
        lines = [socket.create_connection(place, timeout=10) for _ in range(4)]
        for line in lines:
            line.sendall(PLAN + b"Content-Length: 100000\r\n\r\nab")
        time.sleep(0.5)
        assert client.post("/v1/plan?ratio=1:1", content=photo_path.read_bytes()).status_code == 200
        ended = 0
        for line in lines:
            line.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                ended += everything(line).startswith(b"HTTP/1.1 408")
            line.close()
        assert ended == 1  # no more than was needed


def test_uploads_that_arrive_are_bounded(serving: Serving, photo_path: Path) -> None:
    with connected(serving, Settings(uploads=2)) as client:
        place = (client.base_url.host, client.base_url.port or 0)
        lines = [socket.create_connection(place, timeout=10) for _ in range(2)]
        for line in lines:
            line.sendall(PLAN + b"Content-Length: 100000\r\n\r\nab")
        time.sleep(0.2)
        answer = client.post("/v1/plan?ratio=1:1", content=photo_path.read_bytes())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        for line in lines:
            line.close()
