"""Pictures that /v1/image cuts from: files below the root folder, and addresses at allow-listed origins.

Files: every folder on the way is opened below the one before and no link is followed, so that no path can
leave the root, however it is written. Addresses: the origin has to be on the list and every address that its
name resolves to has to be a public one; the connection goes to an address that was checked, not to the name
again; redirects pass the same gate.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import json
import os
import socket
import ssl
import stat
import string
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from eyefirst import __version__
from eyefirst.errors import AddressRefusedError, BodyTooLargeError, InvalidValueError, OriginError, PictureNotFoundError
from eyefirst.server.caches import DiskCache
from eyefirst.server.settings import Settings, origin_of
from eyefirst.server.signing import leads_down

REDIRECTS = 3
CHUNK_BYTES = 1 << 16
Resolver = Callable[[str, int], list[str]]


def read_below(root: Path, path: str, most_bytes: int) -> bytes:
    """The bytes of a regular file below the root. Raises PictureNotFoundError alike for whatever may not be read."""
    parts = parts_below(path)
    try:
        file = _open_below(root, parts)
    except (OSError, ValueError):
        raise not_found(path) from None
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        os.close(file)
        raise not_found(path)
    with os.fdopen(file, "rb") as opened:
        if status.st_size > most_bytes:
            raise too_large(path, most_bytes)
        return opened.read(most_bytes)


def parts_below(path: str) -> list[str]:
    """Return the parts of a path that leads nowhere but down. Raises PictureNotFoundError for any other."""
    if not leads_down(path):
        raise not_found(path)
    return path.split("/")


def _open_below(root: Path, parts: Sequence[str]) -> int:
    if os.open not in os.supports_dir_fd:  # Windows: there the links are resolved first
        whole = root.resolve(strict=True)
        found = whole.joinpath(*parts).resolve(strict=True)
        if not found.is_relative_to(whole):
            raise ValueError("leaves the root")
        return os.open(found, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for i, part in enumerate(parts):
        kind = os.O_NONBLOCK if i == len(parts) - 1 else os.O_DIRECTORY  # a pipe must not be waited for
        try:
            below = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def fetch(address: str, settings: Settings, *, resolve: Resolver | None = None, kept: DiskCache | None = None) -> bytes:
    """The body at an address of an allowed origin, within the service's limits of bytes and seconds.

    kept: where pictures are kept with their ETag or date, so that the origin only has to say that one is still right.
    Raises AddressRefusedError, BodyTooLargeError and OriginError.
    """
    asked, digest = address, hashlib.sha256(f"origin|{address}".encode("utf-8", "surrogateescape")).hexdigest()
    former = kept.get(digest) if kept else None
    known = _validators_in(former[0]) if former else {}
    until = time.monotonic() + settings.work_seconds
    for _ in range(REDIRECTS + 1):
        place = _Place.of(address, asked, settings, resolve or _resolve)
        asks = {k: known[v] for k, v in CONDITIONS.items() if known.get(v) and known["at"] == address}
        answer = _get(place, settings, asked, asks, max(until - time.monotonic(), 0.001))
        if isinstance(answer, _Redirect):
            address = _target_of(answer, address, asked)
        elif isinstance(answer, _Fetched):
            if kept and answer.validators:
                kept.put(digest, json.dumps(answer.validators | {"at": address}), answer.body)
            return answer.body
        else:
            assert former is not None
            return former[1]
    raise OriginError(f"redirects more than {REDIRECTS} times", remedy="give the final address", source=asked)


def _validators_in(text: str) -> dict[str, str]:
    """What an origin can be asked by, as it was kept; nothing where somebody garbled the file."""
    with contextlib.suppress(ValueError):
        known = json.loads(text)
        if isinstance(known, dict) and "at" in known and all(isinstance(v, str) for v in known.values()):
            return known
    return {}


CONDITIONS = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
"""Headers that ask whether a picture has changed, and the headers of the former answer that they repeat."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A body, and what its origin can be asked by whether it has changed."""

    body: bytes
    validators: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Redirect:
    """Where an origin says to look instead: its header Location."""

    location: str


def _target_of(redirect: _Redirect, address: str, asked: str) -> str:
    """Where a redirect from an address leads. Bytes beyond ASCII go on as they came, percent-encoded."""
    try:
        return urljoin(address, quote(redirect.location.encode("latin-1"), safe=string.printable))
    except ValueError:
        raise _refused(asked, "redirects to what is no address") from None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an allowed address really leads: IP addresses that were checked, and what to ask for there."""

    scheme: str
    host: str
    port: int
    ips: tuple[str, ...]
    target: str

    @classmethod
    def of(cls, address: str, asked: str, settings: Settings, resolve: Resolver) -> _Place:
        """Check an address. asked: what errors name; a redirect may lead to an address that is a secret."""
        try:
            origin = origin_of(address)
        except InvalidValueError:
            raise _refused(asked, "is not an address of a picture with http or https") from None
        if origin not in settings.origins:
            raise _refused(asked, f"{origin} is not an allowed origin")
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            ips = tuple(resolve(host, port))
        except (OSError, UnicodeError):
            raise OriginError("the name does not resolve", remedy="check the address", source=asked) from None
        if not ips or not (settings.private_origins or all(is_public(ip) for ip in ips)):
            raise _refused(asked, "leads into a private network")
        target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (
            f"?{quote(parts.query, safe='/%:@!$&()*+,;=~?')}" if parts.query else ""
        )
        return cls(parts.scheme, host, port, ips, target)


NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments, of which some count as global
        "192.88.99.0/24",  # relays of 6to4, given up
        "fec0::/10",  # site-local, given up
        "64:ff9b:1::/48",  # translation inside a network
        "100:0:0:1::/64",  # dummy addresses
        "5f00::/16",  # segment routing inside a network
        "2001::/23",  # protocol assignments, with Teredo
        "2002::/16",  # 6to4: leads to an IPv4 address through whatever relay there is
        "3fff::/20",  # documentation
        "::/96",  # IPv4 addresses in the form that was given up
    )
)
"""Networks that are not public though `is_global` may say so."""


def is_public(ip: str) -> bool:
    """Say whether an IP address belongs to the public internet; addresses that carry another are looked into."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if address in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    if any(address.version == network.version and address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


class _Pinned(http.client.HTTPConnection):
    """A connection to an IP address that was checked, whatever the name resolves to by now."""

    def __init__(self, place: _Place, seconds: float) -> None:
        super().__init__(place.host, place.port)
        self._place, self._seconds = place, seconds
        self._line: socket.socket | None = None
        self.is_late = False

    def connect(self) -> None:
        """Opens the connection."""
        self.sock = self._line = self._dial()  # http.client forgets its own once the other side is about to close
        if self._place.scheme == "https":
            secure = ssl.create_default_context().wrap_socket(
                self.sock, server_hostname=self._place.host, do_handshake_on_connect=False
            )
            self.sock = self._line = secure
            secure.do_handshake()  # only now, so that it can be cut off

    def _dial(self) -> socket.socket:
        """A line to the first of the addresses that takes it; each has its share of the time."""
        *others, last = self._place.ips
        for ip in others:
            with contextlib.suppress(OSError):
                return self._dial_one(ip)
        return self._dial_one(last)

    def _dial_one(self, ip: str) -> socket.socket:
        line = socket.create_connection((ip, self._place.port), self._seconds / len(self._place.ips))
        line.settimeout(self._seconds)
        return line

    def cut_off(self) -> None:
        """Ends a connection that trickles: a time limit on each read alone would never be met."""
        self.is_late = True
        if self._line is not None:
            with contextlib.suppress(OSError):  # it has ended by itself
                self._line.shutdown(socket.SHUT_RDWR)


def _get(
    place: _Place, settings: Settings, asked: str, asks: dict[str, str], seconds: float
) -> _Fetched | _Redirect | None:
    """The body; or where to look instead; or None where it has not changed."""
    connection = _Pinned(place, seconds)
    late = threading.Timer(seconds, connection.cut_off)
    late.daemon = True
    late.start()
    try:
        headers = {"User-Agent": f"eyefirst/{__version__}", "Accept": "image/*", "Accept-Encoding": "identity"} | asks
        connection.request("GET", place.target, headers=headers)
        answer = connection.getresponse()
        if answer.status in (301, 302, 303, 307, 308) and answer.headers.get("Location"):
            return _Redirect(str(answer.headers["Location"]))
        if answer.status == 304 and asks:
            return None
        if answer.status == 404:
            raise not_found(asked)
        if answer.status != 200:
            raise OriginError(f"answered {answer.status}", remedy="check the address", source=asked)
        body = bytearray()
        while chunk := answer.read(CHUNK_BYTES):
            body += chunk
            if len(body) > settings.body_bytes:
                raise too_large(asked, settings.body_bytes)
        if answer.length or connection.is_late:
            raise OriginError("the connection ended early, or took too long", remedy="try again", source=asked)
        secret = "no-store" in (answer.headers.get("Cache-Control") or "").lower()
        validators = {n: str(answer.headers[n]) for n in CONDITIONS.values() if answer.headers.get(n)}
        return _Fetched(bytes(body), {} if secret else validators)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise OriginError(
            f"cannot be fetched ({type(error).__name__})", remedy="check the address, or try again", source=asked
        ) from error
    finally:
        late.cancel()
        connection.close()


def not_found(path: str) -> PictureNotFoundError:
    """Return the error of a path at which nothing may be read."""
    return PictureNotFoundError("there is no such picture", remedy="check the path", source=path)


def too_large(path: str, most_bytes: int) -> BodyTooLargeError:
    """Return the error of a picture with too many bytes."""
    return BodyTooLargeError(f"has more than {most_bytes} bytes", remedy="make it smaller first", source=path)


def _refused(address: str, why: str) -> AddressRefusedError:
    return AddressRefusedError(why, remedy="the operator allows origins with --origin", source=address)
