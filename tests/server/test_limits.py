"""Limits: what comes too late, too large or too often costs little and harms nobody."""

from __future__ import annotations

import contextlib
import csv
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from eyefirst.server import protocol
from eyefirst.server.settings import Settings
from tests.server.conftest import Serving, code_of, connected

HARD = Path(__file__).parents[3] / "shared" / "data" / "hard"
API_KEY = "an-api-key-for-the-tests"


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


# --- sizes


def test_a_body_that_says_it_is_too_large_is_not_read(serving: Serving) -> None:
    with serving(Settings(body_bytes=1000)) as place, socket.create_connection(place, timeout=10) as line:
        line.sendall(b"POST /v1/plan?ratio=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n")
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
            answer = client.post("/v1/plan?ratio=1:1", content=parts(), headers=kind)
            assert (answer.status_code, code_of(answer)) == (413, "body_too_large")
        except (httpx.WriteError, httpx.ReadError):
            pass  # the service hung up while we were still sending
        assert sent < 20_000_000
        assert client.get("/healthz").status_code == 200


def test_all_bodies_together_are_counted(serving: Serving) -> None:
    settings = Settings(body_bytes=1 << 20, buffered_bytes=1 << 20, body_seconds=5)
    with serving(settings) as place:
        lines = [socket.create_connection(place, timeout=10) for _ in range(4)]
        head = b"POST /v1/plan?ratio=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"
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
        text = f"POST /v1/plan?ratio=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
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
        line.sendall(b"POST /v1/plan?ratio=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
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
        line.sendall(b"GET /v1/image/unsigned/ratio=1:1,format=bmp/noise.png HTTP/1.1\r\nHost: localhost\r\n\r\n")
        line.settimeout(5)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            for _ in range(14):  # a trickle is no taking
                got += len(line.recv(2048))
                time.sleep(0.25)
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
        answer = client.post("/v1/plan?ratio=1:1", content=data)
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
        asked = [clients.submit(client.post, "/v1/plan?ratio=1:1", content=data) for _ in range(5)]
        until = time.monotonic() + 10
        while client.get("/readyz").status_code == 200 and time.monotonic() < until:
            time.sleep(0.02)
        begun = time.monotonic()
        for answer in clients.map(lambda _: client.post("/v1/plan?ratio=1:1", content=data), range(15)):
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
    head = f"POST /v1/plan?ratio=1:1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode()
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
                return client.post("/v1/plan?ratio=1:1", content=half).status_code
            case 1:
                return client.post("/v1/crop?ratio=1:1", content=b"\x89PNG\r\n\x1a\n" + bytes(100_000)).status_code
            case 2:
                return client.post("/v1/plan?ratio=nonsense", content=data).status_code
            case 3:
                return client.get(f"/v1/image/unsigned/ratio=1:1/../{i}.jpg").status_code
            case _:
                return client.post("/v1/plan?ratio=1:1", files={"picture": bytes(200_000)}).status_code

    assert {misbehave(i) for i in range(200)} <= {404, 415, 422}
    before = resident_mb()
    statuses = [misbehave(i) for i in range(1000)]
    assert max(statuses) < 500
    assert resident_mb() - before < 30
    assert client.post("/v1/plan?ratio=1:1", content=data).status_code == 200


@pytest.mark.skipif(not (HARD / "manifest.csv").exists(), reason="the folder of hard files is not here")
def test_hostile_files_are_answered_and_nothing_falls(serving: Serving) -> None:
    with (HARD / "manifest.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    faults = []
    with connected(serving, Settings(workers=2)) as client:
        for name in names:
            answer = client.post("/v1/plan?ratio=1:1&ratio=16:9", content=(HARD / name).read_bytes())
            if answer.status_code == 200:
                continue
            if answer.status_code not in (413, 415, 422, 501) or code_of(answer) in ("error", "invalid_value"):
                faults.append(f"{name}: {answer.status_code} {answer.text}")
        assert client.get("/readyz").json()["ready"]
    assert len(names) > 400
    assert not faults, "\n".join(faults)
