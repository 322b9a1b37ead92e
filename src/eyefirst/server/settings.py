"""What an operator decides. Every default is the safe one."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from eyefirst.errors import InvalidValueError
from eyefirst.numeric import is_number

KEY_BYTES = 16
"""A shorter key could be guessed."""
FOREIGN = ("thumbor", "imgproxy")
HOST_NAME = re.compile(r"\w[\w-]*(\.\w[\w-]*)*", re.ASCII)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def share_of_processors(processes: int) -> int:
    """Threads for each of so many processes, at least one."""
    return max((os.cpu_count() or 1) // processes, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One service.

    host, port: where it listens. hostnames: names that it answers to beside the loopback's, as behind a proxy.
    workers: threads that work on pictures. queue: requests that may wait for them. processes: of the service.
    uploads: bodies that may be arriving at a time; the slowest gives way to others. body_bytes: of one body;
    buffered_bytes: of all bodies together. pixels: of one picture, and of all results of one request.
    work_seconds: from the complete body to the answer, waiting included. body_seconds: for a body to arrive.
    api_keys: any of them opens the service. signing_keys: the first signs, all are accepted. root: the folder
    that /v1/image cuts from; store: the same in a store of fsspec, such as "s3://bucket/pictures".
    origins: such as "https://pictures.example.com", from which it may fetch;
    private_origins: also from private networks. max_age_seconds: how long others may keep its answers;
    stale_seconds: how long they may show an old one while they ask for the new one. longest: the longer side of a
    picture at an address without a size. plans: how many are kept for pictures that come again.
    sent_bytes: of pictures that were sent and are held for more questions. cors: origins of
    pages that may use the service, or "*" for all. presets: names of options of addresses, as in
    {"card": "ratio:16:9,w:640"}; only_presets: whether addresses may ask for nothing else. fallback: the picture
    that an address answers with, still with its error's status, where its own cannot be had. access_log: whether
    every request is written to stderr, as a line of JSON. watermark: the picture that addresses may ask to be drawn
    on results. result_cache: a folder for results and plans, of at most
    result_cache_bytes. also: services whose addresses are answered too, of FOREIGN; thumbor_keys, imgproxy_keys: what
    those addresses are signed with, the latter as key and salt.

    Raises InvalidValueError, also where the service would be open beyond this machine.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    hostnames: tuple[str, ...] = ()
    workers: int = field(default_factory=lambda: share_of_processors(1))
    queue: int = 16
    processes: int = 1
    uploads: int = 64
    body_bytes: int = 32 << 20
    buffered_bytes: int = 256 << 20
    pixels: int = 50_000_000
    work_seconds: float = 20.0
    body_seconds: float = 30.0
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    signing_keys: tuple[str, ...] = field(default=(), repr=False)
    root: Path | None = None
    store: str = ""
    origins: tuple[str, ...] = ()
    private_origins: bool = False
    max_age_seconds: int = 86_400
    stale_seconds: int = 86_400
    longest: int = 2560
    plans: int = 1024
    sent_bytes: int = 64 << 20
    cors: tuple[str, ...] = ()
    presets: Mapping[str, str] = field(default_factory=dict)
    only_presets: bool = False
    fallback: Path | None = None
    access_log: bool = False
    watermark: Path | None = None
    result_cache: Path | None = None
    result_cache_bytes: int = 1 << 30
    also: tuple[str, ...] = ()
    thumbor_keys: tuple[str, ...] = field(default=(), repr=False)
    imgproxy_keys: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        least = {"workers": 1, "queue": 0, "processes": 1, "uploads": 1, "body_bytes": 1, "pixels": 1, "longest": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise InvalidValueError(
                    f"expected {name} of at least {value}, got {getattr(self, name)}", remedy="leave it out"
                )
        for name in ("work_seconds", "body_seconds"):
            seconds = getattr(self, name)
            if not (is_number(seconds) and seconds > 0):
                raise InvalidValueError(f"expected {name} above 0, got {seconds!r}", remedy="leave it out")
        for key in (*self.api_keys, *self.signing_keys):
            if len(key.encode()) < KEY_BYTES:
                raise InvalidValueError(
                    f"expected a key of at least {KEY_BYTES} bytes, got one of {len(key.encode())}",
                    remedy="make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
                )
        for name in self.hostnames:
            if not (HOST_NAME.fullmatch(name) or _address_of(name)):
                raise InvalidValueError(
                    f"expected the plain name of a host, got {name!r}",
                    remedy="without scheme, port and blanks, for example img.example.com",
                )
        object.__setattr__(self, "origins", tuple(origin_of(o) for o in self.origins))
        object.__setattr__(self, "cors", tuple(o if o == "*" else origin_of(o) for o in self.cors))
        self._check_places()
        self._check_foreign()
        if self.is_public and not (self.api_keys or self.signing_keys):
            raise InvalidValueError(
                f"{', '.join((self.host, *self.hostnames))} can be reached by others, and there is no key",
                remedy="set EYEFIRST_API_KEY or EYEFIRST_SIGNING_KEY, or bind 127.0.0.1",
            )

    def _check_places(self) -> None:
        if self.fallback is not None and not Path(self.fallback).is_file():
            raise InvalidValueError("the fallback is not a file", remedy="name a picture", source=str(self.fallback))
        if self.only_presets and not self.presets:
            raise InvalidValueError("there is no preset", remedy="name one, such as card=ratio:16:9,w:640")
        if self.root is not None and not Path(self.root).is_dir():
            raise InvalidValueError("the root is not a folder", remedy="name a folder", source=str(self.root))
        if self.root and self.store:
            raise InvalidValueError("expected a root folder or a store; got both", remedy="leave one out")
        if self.root and self.result_cache and Path(self.result_cache).resolve().is_relative_to(self.root.resolve()):
            raise InvalidValueError(
                "results would lie among the pictures", remedy="name another folder", source=str(self.result_cache)
            )

    def _check_foreign(self) -> None:
        for name in self.also:
            if name not in FOREIGN:
                raise InvalidValueError(f"addresses of {name!r} are not known", remedy=f"known: {', '.join(FOREIGN)}")
            if bool(self.signing_keys) != bool(self.thumbor_keys if name == "thumbor" else self.imgproxy_keys):
                raise InvalidValueError(
                    f"expected keys for addresses of {name} and for our own, or for neither",
                    remedy="set EYEFIRST_SIGNING_KEY, and THUMBOR_SECURITY_KEY or IMGPROXY_KEY with IMGPROXY_SALT",
                )

    @property
    def is_public(self) -> bool:
        """Whether others than this machine may reach the service."""
        return not is_loopback(self.host) or any(not is_loopback(name) for name in self.hostnames)

    def answers_to(self, host_header: str) -> bool:
        """Whether a Host header names this service; a service on loopback is so kept from rebound names."""
        if not is_loopback(self.host) and not self.hostnames:
            return True
        match = re.fullmatch(r"(\[[^\[\]]+\]|[^:\[\]]+)(:\d*)?", host_header.lower())
        return match is not None and match[1].strip("[]") in (
            h.strip("[]").lower() for h in (*LOOPBACK_NAMES, self.host, *self.hostnames)
        )

    def allows_page(self, origin: str) -> bool:
        """Whether pages of an origin, such as https://example.com, may use the service."""
        return "*" in self.cors or origin in self.cors

    def knows(self, api_key: str) -> bool:
        """Whether it is one of the API keys; takes the same time for every wrong one."""
        given = hashlib.sha256(api_key.encode()).digest()
        return sum(hmac.compare_digest(given, hashlib.sha256(k.encode()).digest()) for k in self.api_keys) > 0


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nobody else's."""
    address = _address_of(host)
    return address.is_loopback if address else host.lower() == "localhost"


def _address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a host is written as, in brackets or without; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def origin_of(address: str) -> str:
    """Scheme, host and port of an address, as text; the port is left out where it is the scheme's own."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise InvalidValueError(
            f"expected an origin with http or https, got {address!r}", remedy="for example https://pictures.example.com"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = 443 if parts.scheme == "https" else 80
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default) else "")
