"""From a network's revision to a verified file on this machine.

`weights/index.json` names every revision that ships, with its size and SHA-256. A file is checked
against its hash before it is used, once per process. `fetch_weights` reaches for the internet, and nothing
in the package calls it. Beside it, only a service with allowed origins fetches anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from eyefirst.errors import UnknownRevisionError, WeightsError, reason_of

FETCH_LIMIT_BYTES = 1 << 30
"""No longer file is fetched."""
FETCH_TIMEOUT_SECONDS = 30.0
"""For every single answer of the server, not for the whole file."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class WeightsEntry:
    """One revision of the index: its file inside the package, length in bytes, and SHA-256 in hex."""

    revision: str
    file: str
    bytes: int
    sha256: str


@cache
def known_weights() -> tuple[WeightsEntry, ...]:
    """Every revision that ships, oldest first."""
    index = json.loads(resources.files("eyefirst").joinpath("weights/index.json").read_text("utf-8"))
    return tuple(WeightsEntry(**entry) for entry in index["weights"])


@cache
def find_weights(revision: str) -> Path:
    """The verified file of a revision.

    Raises UnknownRevisionError for a revision that does not ship, WeightsError when its file is
    missing or is not the one that the index promises.
    """
    for entry in known_weights():
        if entry.revision == revision:
            path = Path(str(resources.files("eyefirst").joinpath("weights", entry.file)))
            return verified(path, entry.sha256)
    known = ", ".join(entry.revision for entry in known_weights())
    raise UnknownRevisionError(
        f"expected a revision among {known}; got {revision!r}", remedy="leave it out for the newest"
    )


def verified(path: Path, sha256: str, *, remedy: str = "reinstall eyefirst") -> Path:
    """The path itself, once its content is shown to have that SHA-256 (hex)."""
    expected = _checked_hash(sha256)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"cannot read the weights: {reason_of(error)}", remedy=remedy, source=str(path)) from error
    if found != expected:
        raise WeightsError(
            f"expected weights with SHA-256 {expected[:12]}..., got {found[:12]}...",
            remedy=f"the file was changed or damaged: {remedy}",
            source=str(path),
        )
    return path


def fetch_weights(
    url: str, sha256: str, *, into: str | os.PathLike[str] | None = None, most_bytes: int = FETCH_LIMIT_BYTES
) -> Path:
    """Fetches other people's weights, because the caller asks for them; the verified file, named by its hash.

    url: https, also after redirects. into: a folder, made where missing; by default `cache_folder()`.
    A file that is there already is checked and not fetched again. A broken-off or wrong download
    leaves nothing behind. Raises WeightsError.
    """
    expected = _checked_hash(sha256)
    folder = Path(into) if into is not None else cache_folder()
    path = folder / f"{expected}.onnx"
    remedy = "remove the file to fetch it again"
    if path.exists():
        return verified(path, expected, remedy=remedy)
    _check_address(url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".fetching-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file, _open_url(url) as answer:
                found = _copy(answer, file, most_bytes, url)
            if found != expected:
                raise WeightsError(
                    f"expected weights with SHA-256 {expected[:12]}..., got {found[:12]}...",
                    remedy="try again; if it stays so, the file there is another one",
                    source=url,
                )
            os.replace(name, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WeightsError(
            f"cannot fetch the weights: {error}", remedy="check the address and the connection", source=url
        ) from error
    return path


def cache_folder() -> Path:
    """Where fetched weights are kept, by the platform's convention; it need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "eyefirst" / "weights"


def _checked_hash(sha256: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise WeightsError(f"expected a SHA-256 of 64 hex digits, got {sha256!r}", remedy="sha256sum FILE prints one")
    return sha256.lower()


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise WeightsError(f"not an address: {error}", remedy="give an https:// address", source=url) from error
    if parts.scheme != "https" or not parts.hostname:
        raise WeightsError("weights are fetched over https only", remedy="give an https:// address", source=url)


class _StaySecure(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https addresses only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open_url(url: str) -> Any:
    return urllib.request.build_opener(_StaySecure()).open(url, timeout=FETCH_TIMEOUT_SECONDS)


def _copy(answer: IO[bytes], file: IO[bytes], most_bytes: int, url: str) -> str:
    """Copies chunk by chunk, stops as soon as there are too many bytes; the SHA-256 of what was copied."""
    count, digest = 0, hashlib.sha256()
    while chunk := answer.read(_CHUNK_BYTES):
        count += len(chunk)
        if count > most_bytes:
            raise WeightsError(
                f"expected at most {most_bytes:,} bytes, got more", remedy="raise most_bytes", source=url
            )
        digest.update(chunk)
        file.write(chunk)
    return digest.hexdigest()
