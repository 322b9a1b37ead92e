"""Fetching: off unless switched on, and then only from where it was allowed, wherever names and redirects lead."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote

import pytest

from eyefirst.errors import (
    AddressRefusedError,
    BodyTooLargeError,
    InvalidValueError,
    MissingExtraError,
    OriginError,
    PictureNotFoundError,
)
from eyefirst.server import sources
from eyefirst.server.caches import DiskCache
from eyefirst.server.settings import Settings, origin_of
from eyefirst.server.sources import fetch, is_public
from eyefirst.server.stores import Store
from tests.server.conftest import Serving, connected


class Origin(BaseHTTPRequestHandler):
    """Answers by path."""

    photo: ClassVar[bytes] = b""
    seen: ClassVar[list[str]] = []
    version: ClassVar[str] = "1"

    def do_GET(self) -> None:
        self.seen.append(f"{self.headers['Host']} {self.path}")
        what, _, rest = self.path[1:].partition("/")
        if what == "to":
            self.send_response(302)
            self.send_header("Location", unquote(rest, "latin-1"))
            self.end_headers()
        elif what == "loop":
            self.send_response(301)
            self.send_header("Location", "/loop")
            self.end_headers()
        elif what == "missing":
            self.send_error(404)
        elif what == "broken":
            self.send_error(500)
        elif what == "endless":
            self.send_response(200)
            self.end_headers()
            self.trickle(bytes(100_000), 0, 10_000)
        elif what == "trickle":
            self.send_response(200)
            self.end_headers()
            self.trickle(b"x", 0.1, 200)
        elif what == "short":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"short")
        elif what == "kept" and self.headers.get("If-None-Match") == f'"{self.version}"':
            self.send_response(304)
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.photo)))
            if what == "kept":
                self.send_header("ETag", f'"{self.version}"')
                self.send_header("Cache-Control", rest)
            self.end_headers()
            self.wfile.write(self.photo)

    def trickle(self, part: bytes, pause: float, times: int) -> None:
        try:
            for _ in range(times):
                self.wfile.write(part)
                time.sleep(pause)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin(photo_path: Path) -> Iterator[str]:
    Origin.photo, Origin.seen = photo_path.read_bytes(), []
    with running() as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def allowing(*origins: str, private: bool = True, **options: float) -> Settings:
    return Settings(origins=origins, private_origins=private, work_seconds=5, **options)  # type: ignore[arg-type]


def no_resolving(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host}:{port} was looked up")


def leading_to(*ips: str) -> Callable[[str, int], list[str]]:
    return lambda host, port: list(ips)


def test_an_allowed_origin_gives_its_picture(origin: str) -> None:
    assert fetch(f"{origin}/a photo.jpg?size=1 2", allowing(origin)) == Origin.photo
    assert Origin.seen[0].endswith(" /a%20photo.jpg?size=1%202")


def test_nothing_is_fetched_unless_it_was_allowed(origin: str) -> None:
    host = origin.partition("//")[2]
    for address in (
        f"{origin}/a.jpg",
        f"https://{host}/a.jpg",
        "http://127.0.0.1/a.jpg",
        f"http://evil.example@{host}/a.jpg",
        f"http://{host}@evil.example/a.jpg",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.jpg",
        "gopher://127.0.0.1:70/_x",
        "http://[::1/a.jpg",
        "http://127.0.0.1:99999/a.jpg",
        "://",
    ):
        with pytest.raises(AddressRefusedError):
            fetch(address, allowing("https://img.example.com", "http://127.0.0.1:1"), resolve=no_resolving)
    assert not Origin.seen


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.8.0.1",
        "10.0.0.1",
        "172.16.5.5",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:0001::",
        "2002:0a00:0001::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2001:db8::1",
        "fec0::1",
        "192.0.0.8",
        "192.0.0.9",
        "192.0.0.170",
        "192.88.99.1",
        "192.0.2.1",
        "203.0.113.7",
        "::127.0.0.1",
        "::ffff:192.0.0.8",
        "64:ff9b:1::1",
        "64:ff9b::c058:6301",
        "2001::1",
        "2001:2::1",
        "2002:0101:0101::",
        "3fff::1",
        "5f00::1",
        "100::1",
        "feff::1",
    ],
)
def test_no_name_leads_into_a_private_network(ip: str) -> None:
    assert not is_public(ip)
    for ips in ([ip], ["93.184.215.14", ip]):
        settings = allowing("https://img.example.com", private=False)
        with pytest.raises(AddressRefusedError, match="private"):
            fetch("https://img.example.com/a.jpg", settings, resolve=leading_to(*ips))


@pytest.mark.parametrize("ip", ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_public(ip: str) -> None:
    assert is_public(ip)


def test_the_connection_goes_to_the_address_that_was_checked(origin: str) -> None:
    port = origin.rpartition(":")[2]
    place = f"http://img.example.com:{port}"  # a name that resolves to nothing here
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    assert fetch(f"{place}/a.jpg", allowing(place), resolve=resolve) == Origin.photo
    assert asked == ["img.example.com"]  # once: nobody can change the answer in between
    assert Origin.seen == [f"img.example.com:{port} /a.jpg"]


def test_each_checked_address_is_tried(origin: str) -> None:
    place = f"http://img.example.com:{origin.rpartition(':')[2]}"
    assert fetch(f"{place}/a.jpg", allowing(place), resolve=leading_to("127.0.0.9", "::1", "127.0.0.1")) == Origin.photo


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "[::1]", "[::ffff:127.0.0.1]", "localhost", "localhost."],
)
def test_no_way_to_write_this_machine_leads_to_it(origin: str, host: str) -> None:
    place = f"http://{host}:{origin.rpartition(':')[2]}"
    with pytest.raises((AddressRefusedError, OriginError), match=r"private|resolve"):
        fetch(f"{place}/a.jpg", allowing(place, private=False))  # with the real resolver
    assert not Origin.seen


@pytest.mark.parametrize(
    "address",
    [
        "http://user:pw@img.example.com/a.jpg",
        "http://img.example.com./a.jpg",
        "http://img.example.com:0/a.jpg",
        "http://img.example.com:81/a.jpg",
        "http://img.example.com@127.0.0.1/a.jpg",
        "http://127.0.0.1\\@img.example.com/a.jpg",
        "http://127.0.0.1#@img.example.com/a.jpg",
        "http://img.example.com%2eevil.example/a.jpg",
        "http://img\u3002example.com/a.jpg",
        "http://\u24d8mg.example.com/a.jpg",
        "http://img.example.com:\u0668\u0660/a.jpg",
    ],
)
def test_only_the_origin_as_it_was_allowed_is_asked(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        fetch(address, allowing("http://img.example.com"), resolve=no_resolving)


def test_a_name_that_leads_elsewhere_at_the_second_hop_is_refused(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"http://img.example.com:{origin.rpartition(':')[2]}"
    monkeypatch.setattr(sources, "is_public", lambda ip: ip == "127.0.0.1")
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    with pytest.raises(AddressRefusedError, match="private"):
        fetch(f"{place}/to//b.jpg", allowing(place, private=False), resolve=lambda *_: next(answers))
    assert len(Origin.seen) == 1


@pytest.mark.parametrize(
    "location",
    [
        "//10.0.0.1/secret",
        "https:secret",
        "http://[::1/secret",
        "http://[zz]/secret",
        "http://user:secret@img.example.com/",
        "data:image/png;base64,secret",
        "http://\xff/secret",
    ],
)
def test_a_redirect_that_is_refused_is_not_told_to_strangers(origin: str, location: str) -> None:
    with pytest.raises(AddressRefusedError) as refused:
        fetch(f"{origin}/to/{location}", allowing(origin, "http://img.example.com"), resolve=leading_to("127.0.0.1"))
    assert "secret" not in f"{refused.value.reason} {refused.value.remedy}"
    assert refused.value.source == f"{origin}/to/{location}"  # what was asked for


def test_a_redirect_beyond_ascii_goes_on_byte_for_byte(origin: str) -> None:
    assert fetch(f"{origin}/to//caf\u00e9.jpg", allowing(origin)) == Origin.photo
    assert Origin.seen[1].endswith(" /caf%C3%A9.jpg")


def test_redirects_pass_the_same_gate(origin: str) -> None:
    with running() as port:
        other = f"http://127.0.0.1:{port}"
        assert fetch(f"{origin}/to/{other}/a.jpg", allowing(origin, other)) == Origin.photo
        assert fetch(f"{origin}/to//b.jpg", allowing(origin)) == Origin.photo
        for target in (f"{other}/a.jpg", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd"):
            with pytest.raises(AddressRefusedError):
                fetch(f"{origin}/to/{target}", allowing(origin))
    with pytest.raises(OriginError, match="redirects"):
        fetch(f"{origin}/loop", allowing(origin))


def test_a_redirect_to_a_name_of_the_private_network_is_refused(origin: str) -> None:
    port = origin.rpartition(":")[2]
    outside, inside = f"http://outside.example.com:{port}", f"http://inside.example.com:{port}"
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with pytest.raises(AddressRefusedError, match="private"):
        fetch(f"{outside}/to/{inside}/a.jpg", allowing(outside, inside, private=False), resolve=resolve)
    assert asked == ["outside.example.com"]
    assert not Origin.seen


def test_an_origin_that_fails_is_told_apart(origin: str) -> None:
    with pytest.raises(PictureNotFoundError):
        fetch(f"{origin}/missing", allowing(origin))
    for what in ("broken", "short"):
        with pytest.raises(OriginError):
            fetch(f"{origin}/{what}", allowing(origin))
    with pytest.raises(OriginError):
        fetch("http://127.0.0.1:1/a.jpg", allowing("http://127.0.0.1:1"))
    with pytest.raises(OriginError, match="resolve"):
        fetch("http://nowhere.invalid/a.jpg", allowing("http://nowhere.invalid"))


def test_an_origin_without_end_is_cut_off(origin: str) -> None:
    with pytest.raises(BodyTooLargeError):
        fetch(f"{origin}/endless", allowing(origin, body_bytes=1_000_000))
    begun = time.monotonic()
    settings = Settings(origins=(origin,), private_origins=True, work_seconds=0.5)
    for way in ("trickle", "to//trickle", "to//to//to//trickle"):  # redirects buy no time
        with pytest.raises(OriginError, match="too long"):
            fetch(f"{origin}/{way}", settings)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("text", ["img.example.com", "ftp://a", "https://", "https://user:pw@a", "http://a:x", ""])
def test_an_origin_is_scheme_and_host(text: str) -> None:
    with pytest.raises(InvalidValueError):
        Settings(origins=(text,))
    assert origin_of("HTTPS://Img.Example.com:443/a?b") == "https://img.example.com"
    assert origin_of("http://[::1]:8080/x") == "http://[::1]:8080"


def test_the_service_cuts_from_an_origin(origin: str, serving: Serving) -> None:
    place = quote(f"{origin}/a.jpg", safe="")
    with connected(serving, allowing(origin)) as client:
        answer = client.get(f"/v1/image/unsigned/ratio=1:1/{place}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        again = client.get(f"/v1/image/unsigned/ratio=1:1/{place}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        elsewhere = client.get(f"/v1/image/unsigned/ratio=1:1/{quote('https://example.com/a.jpg', safe='')}")
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "address_refused")
    with connected(serving, Settings()) as client:
        assert client.get(f"/v1/image/unsigned/ratio=1:1/{place}").status_code == 403


def test_a_picture_that_has_not_changed_is_not_sent_again(origin: str, tmp_path: Path) -> None:
    settings, cache = allowing(origin), DiskCache(tmp_path, 10 << 20)
    first = Origin.photo
    assert fetch(f"{origin}/kept/max-age=5", settings, kept=cache) == first
    Origin.photo = b"not sent: the origin says that it has not changed"
    assert fetch(f"{origin}/kept/max-age=5", settings, kept=cache) == first
    assert (
        fetch(f"{origin}/to/{origin}/kept/max-age=5", settings, kept=cache) == Origin.photo
    )  # kept by another address
    Origin.version = "2"
    assert fetch(f"{origin}/kept/max-age=5", settings, kept=cache) == Origin.photo
    Origin.version = "1"
    for photo in (b"one", b"two"):
        Origin.photo = photo
        assert fetch(f"{origin}/kept/no-store", settings, kept=cache) == photo


@pytest.mark.parametrize("rest", [b"garbled\nrest", b"", b"[]\nrest", b'{"at": 1}\nrest', b'{"ETag": "x"}\nrest'])
def test_a_garbled_file_of_the_cache_is_fetched_anew(origin: str, tmp_path: Path, rest: bytes) -> None:
    settings, cache = allowing(origin), DiskCache(tmp_path, 10 << 20)
    assert fetch(f"{origin}/kept/max-age=5", settings, kept=cache) == Origin.photo
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    kept.write_bytes(rest)
    assert fetch(f"{origin}/kept/max-age=5", settings, kept=cache) == Origin.photo


@pytest.fixture
def store(photo_path: Path) -> Iterator[Any]:
    fsspec = pytest.importorskip("fsspec", reason="fsspec comes with the extra 'fsspec'")
    files = fsspec.filesystem("memory")
    files.pipe("/bucket/pictures/album/photo.jpg", photo_path.read_bytes())
    files.pipe("/bucket/secret.jpg", photo_path.read_bytes())
    yield files
    files.rm("/bucket", recursive=True)


def test_pictures_come_from_a_store(serving: Serving, store: Any, tmp_path: Path) -> None:
    settings = Settings(store="memory://bucket/pictures", result_cache=tmp_path)
    with connected(serving, settings) as client:
        base = "/v1/image/unsigned/w=20"
        first = client.get(f"{base}/album/photo.jpg")
        assert first.status_code == 200
        for path in ("album", "nothing.jpg", "..%2fsecret.jpg", "%2e%2e/secret.jpg", ".hidden", "a//b", "a%5cb"):
            assert client.get(f"{base}/{path}").status_code == 404, path
        store.pipe("/bucket/pictures/album/photo.jpg", b"no picture any more")
        assert client.get(f"{base}/album/photo.jpg").status_code == 415


def test_a_store_is_asked_before_it_is_read(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Store("memory://bucket/pictures", 10 << 20, DiskCache(tmp_path, 10 << 20))
    data = place.read("album/photo.jpg")
    monkeypatch.setattr(type(store), "cat_file", lambda *_, **__: pytest.fail("it was read again"))
    assert place.read("album/photo.jpg") == data
    with pytest.raises(BodyTooLargeError):
        Store("memory://bucket/pictures", 100).read("album/photo.jpg")
    monkeypatch.setattr(type(store), "info", _broken)
    with pytest.raises(OriginError):
        place.read("album/photo.jpg")


def _broken(*_: object, **__: object) -> None:
    raise ConnectionError("a secret of the network")


def test_a_store_that_cannot_be_used_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for address in ("/tmp", "file:///tmp", "nothing://x", "simplecache::memory://x", ""):
        with pytest.raises(InvalidValueError):
            Store(address, 100)
    with pytest.raises(InvalidValueError, match="got both"):
        Settings(root=tmp_path, store="memory://x")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingExtraError, match=r"eyefirst\[fsspec\]"):
        Store("memory://x", 100)
