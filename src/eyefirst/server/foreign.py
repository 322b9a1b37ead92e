"""Addresses of other services: checked, and then answered as if they were addresses of our own."""

from __future__ import annotations

import hmac
import re
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from eyefirst.errors import EyefirstError, InvalidValueError, SignatureError
from eyefirst.server import imgproxy, thumbor
from eyefirst.server.settings import Settings
from eyefirst.server.signing import ROUTE, signed_address

OWN = re.compile(r"/(v1|page)/|/(healthz|readyz|metrics|openapi\.json)?$")
UNSIGNED = ("unsafe", "insecure", "_")
ERROR = "eyefirst.error"
"""Where the error of an address lies in a request, until somebody answers with it."""


class Foreign:
    """The layer before all others. It turns an address of Thumbor or imgproxy into one of ours, signed by our key.

    So limits, formats, caches and errors are those of every other address.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with another address where it has a foreign one."""
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD", "OPTIONS") and not OWN.match(scope["path"]):
            raw = scope.get("raw_path", b"").decode("latin-1")
            try:
                address = own_address(raw, scope["query_string"].decode("latin-1"), self._settings)
            except EyefirstError as error:
                address = f"{ROUTE}/foreign/w=1/refused"
                scope[ERROR] = error
            if address:
                scope = {**scope, "path": unquote(address), "raw_path": address.encode(), "query_string": b""}
        await self._app(scope, receive, send)


def own_address(raw: str, query: str, settings: Settings) -> str | None:
    """Return the address of ours for a foreign one; None where it has no such form.

    raw: the path, percent-encoded as it came. Raises SignatureError, InvalidValueError.
    """
    _, signature, *rest = raw.split("/")
    signature, after = unquote(signature), "/".join(rest)
    is_imgproxy = "imgproxy" in settings.also and imgproxy.SIGNATURE.fullmatch(signature)
    is_thumbor = "thumbor" in settings.also and thumbor.SIGNATURE.fullmatch(signature)
    if not after or not (is_imgproxy or is_thumbor):
        return None
    if is_imgproxy and is_thumbor:  # both say "unsafe"
        is_imgproxy = re.match(r"(?!filters)[a-z_]+:|plain/|[\w-]{20,}", after)
    if is_imgproxy:
        expected = [imgproxy.imgproxy_signature(key, salt, f"/{after}") for key, salt in settings.imgproxy_keys]
        _check(expected, signature)
        if query:
            raise InvalidValueError("expected an address without '?'", remedy="percent-encode the picture's address")
        path, options = imgproxy.read_imgproxy(after)
    else:
        decoded = unquote(after) + (f"?{query}" if query else "")
        _check([thumbor.thumbor_signature(key, decoded) for key in settings.thumbor_keys], signature)
        path, options = thumbor.read_thumbor(decoded)
        if settings.thumbor_keys:
            thumbor.check_encoding(after, decoded.removesuffix(path), unquote(after))
        path = _with_scheme(path, settings)
    return signed_address(path, key=settings.signing_keys[0] if settings.signing_keys else None, **_plain(options))


def _check(keyed: list[str], given: str) -> None:
    """Refuse a signature by none of the keys. Without keys, a word stands in its place. Raises SignatureError."""
    expected = keyed or [word for word in UNSIGNED if word == given]
    if not sum(hmac.compare_digest(e.encode(), given.encode()) for e in expected):
        raise SignatureError(
            "the address is not signed by a key of this service",
            remedy="sign it with the key that the service has of the former one",
        )


def _with_scheme(path: str, settings: Settings) -> str:
    """Thumbor takes "img.example.com/a.jpg" for an address; here it is one where that origin is allowed."""
    path = re.sub(r"^(https?):/+", r"\1://", path)
    if "://" in path:
        return path
    host = path.partition("/")[0]
    return next((f"{s}://{path}" for s in ("https", "http") if f"{s}://{host}" in settings.origins), path)


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options without those that have no effect: a filling would mean something else in a crop of ours."""
    useless = [] if options.get("mode") == "pad" else ["pad"]
    if not any(options.get(name) for name in ("w", "h", "preset")):
        useless += ["dpr", "enlarge"]
    return {name: value for name, value in options.items() if name not in useless}
