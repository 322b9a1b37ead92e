"""Addresses as Thumbor writes them: /SIGNATURE/300x200/smart/filters:quality(80)/path.jpg."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any
from urllib.parse import quote

from eyefirst.errors import InvalidValueError, SignatureError

SIGNATURE = re.compile(r"[\w-]{27}=|unsafe", re.ASCII)
SAFE = "/:?%=&()~\",'"
"""Characters that Thumbor leaves as they are in what it signs."""
HORIZONTAL = {"left": 0.0, "center": 0.5, "right": 1.0}
VERTICAL = {"top": 0.0, "middle": 0.5, "bottom": 1.0}
FILTERS = (
    *("quality", "format", "no_upscale", "upscale", "fill", "background_color", "max_bytes", "strip_exif"),
    *("strip_icc", "autojpg"),
)


def thumbor_signature(key: str, address: str) -> str:
    """Return the signature of an address: HMAC-SHA1 in base64. address: what follows the signature and its slash."""
    digest = hmac.new(key.encode(), quote(address, safe=SAFE).encode(), hashlib.sha1).digest()
    return base64.urlsafe_b64encode(digest).decode()


def read_thumbor(address: str) -> tuple[str, dict[str, Any]]:
    """Return the picture's path and options of our own for what follows the signature, decoded.

    Without `smart` a crop lies where Thumbor puts it: in the middle, or where the alignment says. Raises
    InvalidValueError for what has no equal here, such as flips and manual crops.
    """
    match = re.match(
        r"(?P<fit>fit-in/)?(?:(?P<w>\d{1,6})?x(?P<h>\d{1,6})?/)?(?:(?P<halign>left|center|right)/)?"
        r"(?:(?P<valign>top|middle|bottom)/)?(?P<smart>smart/)?(?:filters:(?P<filters>.*?\))/)?(?P<path>.+)",
        address,
        re.DOTALL,
    )
    if match is None or re.match(
        r"(debug|meta|trim(:[^/]*)?|\d+x\d+:\d+x\d+|(adaptive-)?(full-)?fit-in|-?\w*x-?\w*)/", match["path"]
    ):
        raise InvalidValueError(
            f"this kind of Thumbor address is not answered here: {address[:100]!r}",
            remedy="use sizes, fit-in, alignment, smart and filters",
        )
    width, height = int(match["w"] or 0), int(match["h"] or 0)
    options: dict[str, Any] = {"w": width or None, "h": height or None}
    if match["fit"] or not (width and height):
        options |= {"mode": "contain", "enlarge": 1 if not match["fit"] and (width or height) else 0}
    elif not match["smart"]:
        x, y = HORIZONTAL[match["halign"] or "center"], VERTICAL[match["valign"] or "middle"]
        options["focus"] = f"{x}_{y}"
    for name, value in re.findall(r"(\w+)\((.*?)\)(?::|$)", match["filters"] or "", re.DOTALL):
        options |= _filtered(name, value, options)
    return match["path"], options


def check_encoding(raw: str, asked: str, address: str) -> None:
    """Refuse further percent-encodings of a signed address, each of them fresh work. Raises SignatureError.

    raw: the address without its query, as it came; address: the same, decoded. asked: what stands before the
    picture's path, which needs no encoding. In the path a character is encoded everywhere or nowhere.
    """
    start = quote(asked, safe=SAFE)
    plain = re.sub("%|[^!-~]", "", raw[len(start) :])
    if raw != start + quote(address[len(asked) :], safe=plain):
        raise SignatureError("the address is percent-encoded in another way", remedy="use the address as it was signed")


def _filtered(name: str, value: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options of our own for one filter."""
    if name not in FILTERS:
        raise InvalidValueError(f"the filter {name[:40]!r} is not answered here", remedy=f"use {', '.join(FILTERS)}")
    if name == "format":
        return {"format": value.replace("jpeg", "jpg")}
    if name in ("quality", "max_bytes"):
        return {name: value}
    if name in ("upscale", "no_upscale"):
        return {"enlarge": int(name == "upscale")}
    if name == "background_color":
        return {"background": _colour(value)}
    if name == "fill" and options.get("mode") == "contain" and options["w"] and options["h"]:
        return {"mode": "pad", "pad": _colour(value.split(",", maxsplit=1)[0])}
    return {"metadata": "none"} if name == "strip_exif" else {}


def _colour(text: str) -> str:
    return f"#{text}" if re.fullmatch(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}", text) else text
