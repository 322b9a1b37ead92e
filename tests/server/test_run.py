"""The command `eyefirst serve` as real processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from eyefirst.cli import app
from eyefirst.cli.serve import keys_of

SOURCE = Path(__file__).parents[2] / "src"
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service of its own, and its address."""
    command = [sys.executable, "-m", "eyefirst", "serve", "--port", "0", *words]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            match = re.search(r"http://\S+", line)
            assert match, line + process.stderr.read()
            yield process, match[0]
        finally:
            if process.poll() is None:
                process.kill()


def wait_until_ready(address: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if httpx.get(f"{address}readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("the service is not ready")


@linux
def test_it_restarts_and_stops_without_a_lost_request(photo_path: Path, tmp_path: Path) -> None:
    data, keys = photo_path.read_bytes(), tmp_path / "keys"
    keys.write_text("an-old-key-of-the-tests\n")
    answers: list[int | str] = []
    with started("--workers", "1", "--api-key-file", str(keys)) as (process, address):
        wait_until_ready(address)

        def ask(keeps: bool) -> None:
            """Ask until the service takes no connection any more."""
            headers = {"Authorization": "Bearer an-old-key-of-the-tests"}
            with suppress(httpx.ConnectError):
                while True:
                    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
                        for _ in range(1000 if keeps else 1):
                            answers.append(client.post("v1/plan?ratio=1:1", content=data).status_code)

        with ThreadPoolExecutor(3) as clients:
            asking = [clients.submit(ask, keeps) for keeps in (True, False, True)]
            (before,) = children(process.pid)
            keys.write_text("an-old-key-of-the-tests\na-new-key-of-the-tests\n")
            process.send_signal(signal.SIGHUP)
            until = time.monotonic() + 60
            while before in children(process.pid) and time.monotonic() < until:
                time.sleep(0.02)
            new = {"Authorization": "Bearer a-new-key-of-the-tests"}
            assert httpx.post(f"{address}v1/plan?ratio=1:1", content=data, headers=new).status_code == 200
            assert before not in children(process.pid)
            asked = len(answers)
            process.send_signal(signal.SIGTERM)
            for one in asking:
                one.result(60)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
    assert set(answers) == {200}
    assert len(answers) >= asked > 3


def test_it_starts_says_where_and_stops_without_a_traceback() -> None:
    with started("--workers", "1") as (process, address):
        wait_until_ready(address)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert "Traceback" not in err
        assert process.returncode in (0, 130)


def children(pid: int) -> set[int]:
    """Processes that serve."""
    found = set()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):  # one may end meanwhile
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(int(child))
    return found


def sockets(pid: int) -> int:
    return sum(str(link.readlink()).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())


@linux
def test_connections_that_come_at_once_fall_on_all_processes() -> None:
    with started("--processes", "2", "--workers", "1") as (process, address):
        wait_until_ready(address)
        time.sleep(1)  # for the other process
        before = {pid: sockets(pid) for pid in children(process.pid)}
        where = ("127.0.0.1", int(address.rpartition(":")[2].strip("/")))
        lines = [socket.create_connection(where) for _ in range(40)]
        time.sleep(0.5)
        taken = [sockets(pid) - count for pid, count in before.items()]
        for line in lines:
            line.close()
        assert sum(taken) == 40
        assert min(taken) >= 4  # odds of 1 in 10 million against it, were each dealt out by a coin
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def is_running(pid: int) -> bool:
    """Whether a process is there, and not only its number, which stays until somebody asks how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pids: set[int]) -> bool:
    """Whether processes end within 30 seconds."""
    until = time.monotonic() + 30
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(is_running, pids))


@linux
def test_an_address_that_another_service_has_is_refused_and_nothing_outlives_its_parent() -> None:
    with started("--processes", "2", "--workers", "1") as (process, address):
        wait_until_ready(address)
        port = address.rpartition(":")[2].strip("/")
        ran = CliRunner().invoke(app, ["serve", "--port", port, "--processes", "2"], prog_name="eyefirst")
        assert ran.exit_code == 2
        assert "Address already in use" in ran.stderr
        orphans = children(process.pid)
        process.kill()
        assert ended(orphans)


@linux
@pytest.mark.parametrize("seconds", [0, 1])
def test_nothing_outlives_a_parent_that_dies_while_its_processes_start(seconds: float) -> None:
    with started("--processes", "2", "--workers", "1") as (process, _):
        until = time.monotonic() + 30
        while len(children(process.pid)) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(seconds)
        orphans = children(process.pid)
        assert len(orphans) == 2
        process.kill()
        assert ended(orphans)


@linux
def test_a_process_that_dies_is_replaced_and_numbers_go_on(photo_path: Path) -> None:
    data = photo_path.read_bytes()
    with started("--processes", "2", "--workers", "1") as (process, address):
        wait_until_ready(address)
        with httpx.Client(base_url=address) as client:
            for _ in range(3):
                assert client.post("/v1/plan?ratio=1:1", content=data).status_code == 200
        before = children(process.pid)
        assert len(before) == 2
        victim = before.pop()
        os.kill(victim, signal.SIGKILL)
        until = time.monotonic() + 20
        while len(children(process.pid) - {victim}) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        wait_until_ready(address)
        assert httpx.post(f"{address}v1/plan?ratio=1:1", content=data).status_code == 200
        text = httpx.get(f"{address}metrics").text
        assert 'eyefirst_requests_total{route="/v1/plan",status="200"} 4.0' in text
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_it_does_not_start_open_to_the_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EYEFIRST_API_KEY", raising=False)
    monkeypatch.delenv("EYEFIRST_SIGNING_KEY", raising=False)
    (tmp_path / "keys").write_text("short\n")
    (tmp_path / "none").write_text("\n")
    for words, reason in (
        (["--host", "0.0.0.0"], "there is no key"),
        (["--hostname", "img.example.com"], "there is no key"),
        (["--host", "0.0.0.0", "--api-key-file", str(tmp_path / "keys")], "at least 16 bytes"),
        (["--api-key-file", str(tmp_path / "none")], "holds no key"),
        (["--api-key-file", str(tmp_path / "missing")], "cannot read keys"),
        (["--root", str(tmp_path / "missing")], "not a folder"),
        (["--origin", "img.example.com"], "expected an origin"),
        (["--megapixels", "inf"], "expected a limit as a number, got inf"),
        (["--sent-mb", "inf"], "expected a limit as a number, got inf"),
        (["--seconds", "inf"], "expected work_seconds above 0"),
        (["--host", "203.0.113.7", "--api-key-file", str(tmp_path / "good")], "cannot listen"),
    ):
        (tmp_path / "good").write_text("a-key-of-at-least-16-bytes\n")
        ran = CliRunner().invoke(app, ["serve", "--port", "0", *words], prog_name="eyefirst")
        assert ran.exit_code == 2, words
        assert reason in ran.stderr
        assert len(ran.stderr.splitlines()) == 1


def test_a_mark_before_the_first_key_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"\xef\xbb\xbfa-key-of-at-least-16-bytes\r\nan-older-key-of-the-tests\r\n")
    assert keys_of(tmp_path / "keys", "NONE") == ("a-key-of-at-least-16-bytes", "an-older-key-of-the-tests")


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "prometheus_client", "python_multipart"])
def test_without_the_extra_the_command_that_installs_it_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [m for m in sys.modules if m.startswith("eyefirst.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    ran = CliRunner().invoke(app, ["serve", "--port", "0"], prog_name="eyefirst")
    assert ran.exit_code == 1
    assert "pip install '.[server]'" in ran.stderr
