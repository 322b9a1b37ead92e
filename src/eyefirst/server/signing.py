"""Signed addresses of pictures: /v1/image/{signature}/{options}/{path}.

The signature is HMAC-SHA256 over "options/path" as they read when decoded, in base64 for addresses without
its padding. Options are written "aspect=16:9,size=1200x675"; boxes with underscores: "must_keep=0.1_0.2_0.5_0.9".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from eyefirst.colours import parse_colour
from eyefirst.errors import ExpiredSignatureError, InvalidValueError, SignatureError
from eyefirst.image import KEEP, Keep
from eyefirst.tools.planning import CropOrder

ROUTE = "/v1/image"
UNSIGNED = "unsigned"
"""Stands for the signature where the service has no signing key."""
REPEATABLE = ("must_keep", "avoid")
NUMBERS = {"tightness": float, "margin": float, "quality": int, "expires": int}
KNOWN = (
    "aspect",
    "size",
    "tightness",
    "margin",
    "must_keep",
    "avoid",
    "pad",
    "prefer",
    "portrait",
    "fit",
    "revision",
    "format",
    "quality",
    "background",
    "metadata",
    "expires",
)


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """Options as a signed address carries them.

    order: what is to be cut. format: an extension, or empty to let the browser choose.
    expires: seconds since 1970, or None for never. background: behind transparency in a format that has
    none. metadata: how much of the picture's goes along.
    """

    order: CropOrder
    format: str = ""
    quality: int = 80
    expires: int | None = None
    background: str = "white"
    metadata: Keep = "copyright"

    @classmethod
    def parse(cls, text: str) -> ImageOptions:
        """From "aspect=16:9,size=1200x675". Raises InvalidValueError."""
        found: dict[str, Any] = {}
        for part in text.split(","):
            name, equals, value = part.partition("=")
            if not equals or name not in KNOWN or (name in found and name not in REPEATABLE):
                raise InvalidValueError(
                    f"expected options such as aspect=16:9,size=1200x675, each once; got {part!r}",
                    remedy=f"known are {', '.join(KNOWN)}",
                )
            if name in REPEATABLE:
                found.setdefault(name, []).append(value.replace("_", ","))
            else:
                found[name] = _number(name, value) if name in NUMBERS else value
        quality = found.pop("quality", 80)
        if not 1 <= quality <= 100:
            raise InvalidValueError(f"expected a quality in 1..100, got {quality}", remedy="leave it out for 80")
        expires = found.pop("expires", None)
        background = found.pop("background", "white")
        parse_colour(background)
        metadata = found.pop("metadata", "copyright")
        if metadata not in KEEP:
            raise InvalidValueError(
                f"expected metadata as one of {', '.join(KEEP)}, got {metadata!r}", remedy="leave it out"
            )
        format = found.pop("format", "")
        ratios = [found.pop("aspect")] if "aspect" in found else []
        return cls(CropOrder.parse(ratios=ratios, **found), format, quality, expires, background, metadata)


def _number(name: str, text: str) -> float:
    try:
        if len(text) <= 20:
            return NUMBERS[name](text)
    except ValueError:
        pass
    raise InvalidValueError(f"expected a number as {name}, got {text[:20]!r}", remedy="e.g. quality=80")


def signature(key: str, options: str, path: str) -> str:
    """The signature of an address; 43 characters."""
    digest = hmac.new(key.encode(), f"{options}/{path}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def signed_address(
    path: str,
    *,
    key: str | None,
    aspect: str = "",
    size: str = "",
    must_keep: Sequence[str] = (),
    avoid: Sequence[str] = (),
    tightness: float | None = None,
    margin: float | None = None,
    pad: str = "",
    revision: str = "",
    format: str = "",
    quality: int | None = None,
    background: str = "",
    metadata: str = "",
    expires: int | None = None,
) -> str:
    """The address, from /v1/image on, at which a service cuts a picture.

    path: below the service's root, or a whole https address of an allowed origin. key: one of the service's
    signing keys; None for a service without. expires: seconds since 1970. The rest is as on the command line.
    Raises InvalidValueError for options that the service would refuse to read.
    """
    pairs: list[tuple[str, object]] = [("aspect", aspect), ("size", size), ("tightness", tightness), ("margin", margin)]
    pairs += [("must_keep", box.replace(",", "_")) for box in must_keep]
    pairs += [("avoid", box.replace(",", "_")) for box in avoid]
    pairs += [
        ("pad", pad),
        ("revision", revision),
        ("format", format),
        ("quality", quality),
        ("background", background),
    ]
    pairs += [("metadata", metadata), ("expires", expires)]
    options = ",".join(f"{name}={value}" for name, value in pairs if value not in ("", None))
    ImageOptions.parse(options)
    signed = signature(key, options, path) if key else UNSIGNED
    place = quote(path, safe="" if "://" in path else "/")
    return f"{ROUTE}/{signed}/{quote(options, safe='=,:._')}/{place}"


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
