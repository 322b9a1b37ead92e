"""Addresses as imgproxy writes them: /SIGNATURE/rs:fill:300:400/g:sm/plain/https://img.example.com/a.jpg@webp."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from eyefirst.errors import InvalidValueError

SIGNATURE = re.compile(r"[\w-]{43}|unsafe|insecure|_", re.ASCII)
GRAVITY = {
    **{"ce": (0.5, 0.5), "no": (0.5, 0.0), "so": (0.5, 1.0), "ea": (1.0, 0.5), "we": (0.0, 0.5)},
    **{"noea": (1.0, 0.0), "nowe": (0.0, 0.0), "soea": (1.0, 1.0), "sowe": (0.0, 1.0)},
}
YES = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False, "": False}


def imgproxy_signature(key: bytes, salt: bytes, path: str) -> str:
    """Return the signature of a path: HMAC-SHA256 over salt and path, in base64. path: from the slash after it on."""
    digest = hmac.new(key, salt + path.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def read_imgproxy(path: str) -> tuple[str, dict[str, Any]]:
    """Return the picture's path and options of our own for what follows the signature, percent-encoded as it came.

    Raises InvalidValueError for what has no equal here, such as the resizing type `force`.
    """
    parts = path.strip("/").split("/")
    count = next((i for i, part in enumerate(parts) if ":" not in part or part == "plain"), len(parts))
    picture, extension = _source(parts[count:])
    state: dict[str, Any] = {}
    options: dict[str, Any] = {"format": extension}
    for part in parts[:count]:
        name, *values = unquote(part).split(":")
        if name not in READERS:
            raise InvalidValueError(
                f"the option {name[:40]!r} is not answered here", remedy=f"use {', '.join(READERS)}"
            )
        READERS[name](values, state, options)
    if "preset" in options and state.keys() <= {"w", "h"}:
        return picture, options | {side: value for side, value in state.items() if value}  # the rest is the preset's
    return picture, options | _sized(
        {"type": "fit", "w": 0, "h": 0, "enlarge": False, "extend": False, "g": ["ce"]} | state
    )


def _source(parts: list[str]) -> tuple[str, str]:
    """Path of the picture and the extension of the result."""
    if parts[:1] == ["plain"]:
        text, _, extension = "/".join(parts[1:]).partition("@")
        address = unquote(text)
        address = re.sub(r"^(https?:)/+", r"\1//", address)  # a proxy may have made one slash of two
    else:
        text, _, extension = "".join(parts).partition(".")
        try:
            address = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        except ValueError:
            address = ""
    if not address:
        raise InvalidValueError("the address names no picture", remedy="after the options comes plain/URL, or base64")
    return re.sub(r"^local://+", "", address), extension.replace("jpeg", "jpg")


def _sized(state: dict[str, Any]) -> dict[str, Any]:
    """Options of our own for type, width, height, gravity and the switches."""
    width, height = state["w"], state["h"]
    found: dict[str, Any] = {"w": width or None, "h": height or None, "enlarge": int(state["enlarge"])}
    if state["type"] in ("fill", "fill-down") and width and height:
        if state["type"] == "fill-down":
            found["enlarge"] = 0
        gravity, *rest = state["g"]
        if gravity == "fp" and len(rest) == 2:
            found["focus"] = "_".join(rest)
        elif gravity in GRAVITY:
            found["focus"] = "{}_{}".format(*GRAVITY[gravity])
        elif gravity != "sm":
            raise InvalidValueError(
                f"the gravity {gravity[:20]!r} is not answered here",
                remedy=f"use sm, fp, {', '.join(GRAVITY)}",
            )
    elif state["type"] in ("fit", "fill", "fill-down"):
        found["mode"] = "pad" if state["extend"] and width and height else "contain"
    else:
        raise InvalidValueError(
            f"the resizing type {state['type'][:20]!r} is not answered here", remedy="use fit, fill or fill-down"
        )
    return found


Reader = Callable[[list[str], dict[str, Any], dict[str, Any]], None]


def _resize(values: list[str], state: dict[str, Any], options: dict[str, Any]) -> None:
    if values and values[0]:
        state["type"] = values[0]
    _size(values[1:], state, options)


def _size(values: list[str], state: dict[str, Any], _: dict[str, Any]) -> None:
    for name, value in zip(("w", "h"), values, strict=False):
        if value:
            state[name] = _whole(name, value)
    for name, value in zip(("enlarge", "extend"), values[2:], strict=False):
        if value:
            state[name] = _yes(value)


def _state(name: str, read: Callable[[str], Any]) -> Reader:
    def reader(values: list[str], state: dict[str, Any], _: dict[str, Any]) -> None:
        state[name] = read(values[0] if values else "")

    return reader


def _option(name: str) -> Reader:
    def reader(values: list[str], _: dict[str, Any], options: dict[str, Any]) -> None:
        if values and values[0] not in ("", "0"):
            options[name] = values[0].replace("jpeg", "jpg")

    return reader


def _gravity(values: list[str], state: dict[str, Any], _: dict[str, Any]) -> None:
    if any(v not in ("", "0") for v in values[1:]) and values[0] in ("sm", *GRAVITY):
        raise InvalidValueError("an offset of gravity is not answered here", remedy="leave the offsets out")
    state["g"] = values or ["ce"]


def _background(values: list[str], _: dict[str, Any], options: dict[str, Any]) -> None:
    if len(values) == 3:
        options["background"] = f"rgb({','.join(values)})"
    elif values and values[0]:
        options["background"] = f"#{values[0]}"
    if "background" in options:
        options["pad"] = options["background"]


def _qualities(values: list[str], _: dict[str, Any], options: dict[str, Any]) -> None:
    pairs = zip(values[::2], values[1::2], strict=False)
    options["quality"] = "_".join(f"{name.replace('jpeg', 'jpg')}:{value}" for name, value in pairs)


def _preset(values: list[str], _: dict[str, Any], options: dict[str, Any]) -> None:
    options["preset"] = ":".join(values)


def _metadata(values: list[str], _: dict[str, Any], options: dict[str, Any]) -> None:
    options["metadata"] = "copyright" if not _yes(values[0] if values else "") else options.get("metadata", "none")


def _nothing(*_: object) -> None:
    """What the service does anyway, or what changes no pixel."""


def _whole(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise InvalidValueError(
            f"expected {name} as whole pixels, got {text[:20]!r}", remedy="for example rs:fill:300:400"
        )
    return int(text)


def _yes(text: str) -> bool:
    if text not in YES:
        raise InvalidValueError(f"expected 1 or 0, got {text[:20]!r}", remedy="for example el:1")
    return YES[text]


READERS: dict[str, Reader] = {
    **dict.fromkeys(("rs", "resize"), _resize),
    **dict.fromkeys(("s", "size"), _size),
    **dict.fromkeys(("rt", "resizing_type"), _state("type", str)),
    **dict.fromkeys(("w", "width"), _state("w", lambda text: _whole("w", text or "0"))),
    **dict.fromkeys(("h", "height"), _state("h", lambda text: _whole("h", text or "0"))),
    **dict.fromkeys(("el", "enlarge"), _state("enlarge", _yes)),
    **dict.fromkeys(("ex", "extend"), _state("extend", _yes)),
    **dict.fromkeys(("g", "gravity"), _gravity),
    **dict.fromkeys(("q", "quality"), _option("quality")),
    **dict.fromkeys(("fq", "format_quality"), _qualities),
    **dict.fromkeys(("mb", "max_bytes"), _option("max_bytes")),
    **dict.fromkeys(("f", "format", "ext"), _option("format")),
    **dict.fromkeys(("exp", "expires"), _option("expires")),
    **dict.fromkeys(("dpr",), _option("dpr")),
    **dict.fromkeys(("bg", "background"), _background),
    **dict.fromkeys(("pr", "preset"), _preset),
    **dict.fromkeys(("sm", "strip_metadata"), _metadata),
    **dict.fromkeys(("ar", "auto_rotate", "cb", "cachebuster", "scp", "strip_color_profile", "kcr"), _nothing),
}
