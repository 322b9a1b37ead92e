"""Signed addresses of pictures: /v1/image/{signature}/{options}/{path}.

The signature is HMAC-SHA256 over "options/path" as they read when decoded, in base64 for addresses without
its padding. Options are written "ratio=16:9,size=1200x675"; boxes with underscores: "must_keep=0.1_0.2_0.5_0.9".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from urllib.parse import quote

from eyefirst.errors import ExpiredSignatureError, InvalidValueError, SignatureError, UnknownRevisionError
from eyefirst.image import DEFAULT_PIXEL_LIMIT
from eyefirst.server.addresses import KNOWN, ImageOptions, canonical
from eyefirst.server.settings import origin_of

ROUTE = "/v1/image"
UNSIGNED = "unsigned"
"""Stands for the signature where the service has no signing key."""
STEPS = (1, 10, 60, 600, 3600, 21_600, 86_400)
"""Seconds to whose multiples an expiry is rounded up."""


def signature(key: str, options: str, path: str) -> str:
    """The signature of an address; 43 characters."""
    digest = hmac.new(key.encode(), f"{options}/{path}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def signed_address(
    path: str,
    *,
    key: str | None,
    must_keep: Sequence[str] = (),
    avoid: Sequence[str] = (),
    **options: object,
) -> str:
    """Return the address, from /v1/image on, at which a service cuts a picture.

    path: below the service's root, or a whole https address of an allowed origin. key: one of the service's
    signing keys; None for a service without. options: those of the page docs/http.md, such as ratio="16:9",
    size="1200x675", w=640, dpr=2, focus="faces", quality=70, preset="card", expires=1767225600 in seconds since
    1970. An option that is None or empty is left out. Raises InvalidValueError for what no service would answer.
    """
    unknown = [name for name in options if name not in KNOWN]
    if unknown:
        raise InvalidValueError(f"there is no option {unknown[0]!r}", remedy=f"known are {', '.join(KNOWN)}")
    _check_path(path)
    given = {name: value for name, value in options.items() if value is not None and value != ""}
    given = {name: int(value) if isinstance(value, bool) else value for name, value in given.items()}
    pairs = [(name, canonical(name, given[name])) for name in KNOWN if name in given]
    pairs += [("must_keep", canonical("must_keep", box)) for box in must_keep]
    pairs += [("avoid", canonical("avoid", box)) for box in avoid]
    text = ",".join(f"{name}={value}" for name, value in pairs)
    preset = str(given.get("preset", ""))
    try:
        wanted = ImageOptions.parse(text, {preset: "ratio:1:1"} if preset else None)
    except UnknownRevisionError as error:
        raise InvalidValueError(error.reason, remedy=error.remedy) from None
    useless = [name for name in ("dpr", "enlarge") if name in given and not preset and not any(wanted.room)]
    if useless:
        raise InvalidValueError(f"{useless[0]} has no effect without a size", remedy="leave it out, or give a size")
    if wanted.room[0] * wanted.room[1] > DEFAULT_PIXEL_LIMIT:
        raise InvalidValueError(
            f"a result of {wanted.room[0]}x{wanted.room[1]} pixels is more than a service makes",
            remedy="ask for a smaller one",
        )
    return encoded_address(signature(key, text, path) if key else UNSIGNED, text, path)


def encoded_address(signature: str, options: str, path: str) -> str:
    """Return the address of these parts, percent-encoded in the one way that a signed picture is answered at."""
    place = quote(path, safe="" if is_address(path) else "/")
    return f"{ROUTE}/{signature}/{quote(options, safe='=,:._')}/{place}"


def expiry_after(seconds: int, now: float | None = None) -> int:
    """Return a moment at least this far away, rounded up so that addresses stay the same for a while.

    An address that changed with every second would never be found in a cache.
    """
    step = max((s for s in STEPS if s <= seconds / 5), default=1)
    moment = int(time.time() if now is None else now) + seconds
    return -(-moment // step) * step


def check_signature(keys: Sequence[str], given: str, options: str, path: str) -> None:
    """Raises SignatureError unless one of the keys made the signature; every key is tried, in constant time."""
    expected = [signature(key, options, path) for key in keys] or [UNSIGNED]
    if not sum(hmac.compare_digest(e.encode(), given.encode()) for e in expected):
        raise SignatureError(
            "the address is not signed by a key of this service",
            remedy="sign it with `eyefirst sign`, and change nothing afterwards",
        )


def check_expiry(expires: int | None, now: float | None = None) -> None:
    """Raises ExpiredSignatureError once the time has come."""
    if expires is not None and expires <= (time.time() if now is None else now):
        raise ExpiredSignatureError("the address was good until its expiry", remedy="sign it anew")


def is_address(path: str) -> bool:
    """Whether a path names a picture elsewhere."""
    return "://" in path


def leads_down(path: str) -> bool:
    """Whether a path leads nowhere but down from the root, past no hidden folder, on any system."""
    return not re.search(r"[\\:\x00]", path) and not any(not p or p.startswith(".") for p in path.split("/"))


def _check_path(path: str) -> None:
    """Refuse a path that no service would read, whatever lies there."""
    if is_address(path):
        origin_of(path)
    elif not leads_down(path):
        raise InvalidValueError(
            f"no service reads a picture at {path!r}",
            remedy="give a path below the root, without leading slashes, hidden folders, '..', colons or backslashes",
        )
