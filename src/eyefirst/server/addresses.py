"""What the address of a picture asks for: "ratio=16:9,size=1200x675" and the options beside these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from eyefirst.colours import parse_colour
from eyefirst.cut import result_size
from eyefirst.detectors import known_detectors
from eyefirst.errors import InvalidValueError
from eyefirst.files.formats import FORMATS, PictureFormat, format_named
from eyefirst.framing import Frame, Padding
from eyefirst.geometry import AspectRatio, Box, PixelBox, Point, Size, round_half_up
from eyefirst.image import KEEP
from eyefirst.server.cuts import Cutout, Encoding
from eyefirst.server.watermark import Placement
from eyefirst.tools.planning import CropOrder

Mode = Literal["crop", "contain", "pad"]
"""`crop` cuts, `contain` shows the whole picture within the size, `pad` fills the size up round the whole picture."""
FOCUS = {"auto": None, "faces": "faces", "subjects": "subjects", "text": "text"}
"""Names of what a crop holds, and the `prefer` that each stands for."""
FRAMING = ("pad", "prefer", "portrait", "fit", "tightness", "margin")
REPEATABLE = ("must_keep", "avoid")
OLDER_NAMES = {"aspect": "ratio", "width": "w", "height": "h"}
"""Still read in addresses, and never written."""
INTEGERS = {
    "w": (1, 100_000),
    "h": (1, 100_000),
    "expires": (0, 10**12),
    "max_age": (0, 10**9),
    "max_bytes": (1, 10**9),
}
NUMBERS = {"tightness": (0.0, 1.0), "margin": (0.0, 1.0), "dpr": (0.1, 8.0)}
KNOWN = (
    *("preset", "ratio", "size", "w", "h", "dpr", "mode", "enlarge", "focus", "portrait", "prefer", "fit"),
    *("tightness", "margin", "must_keep", "avoid", "pad", "background", "cutout", "shadow", "revision"),
    *("watermark", "format", "quality", "max_bytes", "metadata", "max_age", "expires"),
)
ALWAYS = ("preset", "dpr", "expires")
"""Options that an address may carry where only presets are allowed."""


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """Options as an address carries them.

    order: the crop that is to be planned, or None where the whole picture is wanted. room: the size to fit into;
    a side of 0 is free. point: the middle of the crop, instead of a plan. format: of the result, or None to let
    the browser choose. expires: seconds since 1970, or None for never. max_age: seconds that caches may keep the
    answer, or None for the service's own. cutout: the subject alone in place of the picture. watermark: where the
    operator's mark lies. hinted: the density of the screen, where the browser was to say it.
    """

    order: CropOrder | None
    room: tuple[int, int] = (0, 0)
    mode: Mode = "crop"
    point: Point | None = None
    enlarge: bool = True
    pad: str = "white"
    format: PictureFormat | None = None
    encoding: Encoding = field(default_factory=lambda: Encoding({}))
    expires: int | None = None
    max_age: int | None = None
    cutout: Cutout | None = None
    watermark: Placement | None = None
    hinted: float | None = None

    @classmethod
    def parse(
        cls,
        text: str,
        presets: Mapping[str, str] | None = None,
        *,
        only_presets: bool = False,
        density: float = 1.0,
    ) -> ImageOptions:
        """Read "ratio=16:9,size=1200x675". Raises InvalidValueError.

        presets: names and the options that each stands for. only_presets: whether nothing else may be asked for.
        density: of the screen, as the browser says, for dpr=auto.
        """
        found = read_options(text)
        if only_presets and ("preset" not in found or any(name not in ALWAYS for name in found)):
            raise InvalidValueError(
                f"this service takes only presets, beside {', '.join(ALWAYS[1:])}", remedy="for example preset=card"
            )
        if "preset" in found:
            name = found.pop("preset")
            if name not in (presets or {}):
                raise InvalidValueError(
                    f"there is no preset {name[:40]!r}",
                    remedy="name one that the service was started with, as --preset NAME=OPTIONS",
                )
            found = read_options(preset_text((presets or {})[name])) | found
        placement = Placement.parse(found.pop("watermark")) if "watermark" in found else None
        hinted = density if found.get("dpr") == "auto" else None
        if hinted is not None:
            found["dpr"] = str(density)
        return replace(cls._of(found), watermark=placement, hinted=hinted)

    @classmethod
    def _of(cls, found: dict[str, Any]) -> ImageOptions:
        numbers: dict[str, Any] = {n: _number(n, found.pop(n), int) for n in INTEGERS if n in found}
        numbers |= {n: _number(n, found[n], float) for n in NUMBERS if n in found}
        for name in NUMBERS:
            found.pop(name, None)
        mode = _choice("mode", found.pop("mode", "crop"), get_args(Mode))
        ratio = AspectRatio.parse(found.pop("ratio")) if "ratio" in found else None
        room = _room(found, numbers, ratio)
        focus = found.pop("focus", "auto")
        point = _point(focus)
        if point is None and FOCUS[focus]:
            found.setdefault("prefer", FOCUS[focus])
        enlarge = _choice("enlarge", found.pop("enlarge", "1"), ("0", "1")) == "1"
        encoding = _encoding(found, numbers.get("max_bytes", 0))
        name = found.pop("format", "")
        format = format_named(name) if name else None
        cutout = _cutout(found, format)
        pad = found.get("pad") or "white"
        framing = {n: found.pop(n) for n in FRAMING if n in found}
        framing |= {n: numbers[n] for n in ("tightness", "margin") if n in numbers}
        if mode == "crop" and ratio is None and all(room):
            ratio = AspectRatio.parse(Size(*room))
        order = None
        if mode == "crop" and ratio is not None:
            size = str(Size(*room)) if all(room) else ""
            order = CropOrder.parse(ratios=[str(ratio)], size=size, enlarge=enlarge, **found, **framing)
        else:
            if focus != "auto":
                found["focus"] = focus
            _check_whole(mode, room, found, framing, is_cut_out=cutout is not None)
        times = numbers.get("expires"), numbers.get("max_age")
        return cls(order, room, mode, point, enlarge, pad, format, encoding, *times, cutout)

    def frame(self, full: Size) -> tuple[Frame, Size] | None:
        """Return frame and size of the result where no plan is needed; None where the picture has to be looked at."""
        if self.order is not None and self.point is not None:
            frame = Frame(_around(self.point, self.order.ratios[0].largest_in(full), full), 1.0, (), 0.0)
            return frame, result_size(frame, self.order.ratios[0], self.order.size, enlarge=self.enlarge)
        if self.order is not None:
            return None
        whole = Frame(PixelBox(0, 0, full.width, full.height), 1.0, (), 0.0)
        scale = min((side / of for side, of in zip(self.room, full, strict=True) if side), default=1.0)
        if not self.enlarge:
            scale = min(scale, 1.0)
        if self.mode != "pad":
            return whole, Size(*(max(round_half_up(of * scale), 1) for of in full))
        lack = [max(round_half_up(side / scale) - of, 0) for side, of in zip(self.room, full, strict=True)]
        padding = Padding(lack[0] // 2, lack[1] // 2, lack[0] - lack[0] // 2, lack[1] - lack[1] // 2)
        return Frame(whole.box, 1.0, (), 0.0, padding), Size(*self.room)


def read_options(text: str) -> dict[str, Any]:
    """Return names and values of "name=value,name=value", each once. Raises InvalidValueError."""
    if not text:
        raise InvalidValueError("no option was given", remedy="for example ratio=16:9 or w=640")
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        name = OLDER_NAMES.get(name, name)
        if not equals or name not in KNOWN or (name in found and name not in REPEATABLE):
            raise InvalidValueError(
                f"expected options such as ratio=16:9,size=1200x675, each once; got {part[:80]!r}",
                remedy=f"known are {', '.join(KNOWN)}",
            )
        if name in REPEATABLE:
            found.setdefault(name, []).append(value.replace("_", ","))
        else:
            found[name] = value
    return found


def preset_text(text: str) -> str:
    """Return a preset's "ratio:16:9,w:640" as an address says it."""
    return ",".join(re.sub(r"^(\w+):", r"\1=", part.strip()) for part in text.split(","))


def canonical(name: str, value: object) -> str:
    """Return the value of an option as addresses carry it: without commas and slashes. Raises InvalidValueError."""
    text = str(value).strip()
    if name == "ratio":
        text = str(AspectRatio.parse(text))
    elif name == "size":
        text = str(Size.parse(text))
    elif name in REPEATABLE and text not in known_detectors():
        Box.parse(text.replace("_", ","))
        text = re.sub(r"\s", "", text).replace(",", "_")
    elif name in ("pad", "background", "cutout") and re.search(r"[,/()%\s]", text):
        text = "#{:02x}{:02x}{:02x}".format(*parse_colour(text))
    elif name == "focus":
        text = re.sub(r"\s", "", text).replace(",", "_")
    if not text or re.search(r"[,/\\?\x00-\x1f]", text):
        raise InvalidValueError(f"an address cannot carry {name} as {text!r}", remedy="write it in another way")
    return text


def _room(found: dict[str, Any], numbers: Mapping[str, Any], ratio: AspectRatio | None) -> tuple[int, int]:
    """Width and height that are asked for, at the screen's density; 0 for a side that is free."""
    size = found.pop("size", "")
    if size and ("w" in numbers or "h" in numbers):
        raise InvalidValueError("expected either size, or w and h; got both", remedy="leave out size")
    width, height = Size.parse(size) if size else (numbers.get("w", 0), numbers.get("h", 0))
    if ratio and bool(width) != bool(height):
        value = float(ratio)
        width, height = width or max(round_half_up(height * value), 1), height or max(round_half_up(width / value), 1)
    dpr = numbers.get("dpr", 1.0)
    return _dense(width, dpr), _dense(height, dpr)


def _dense(side: int, dpr: float) -> int:
    """Pixels of a side on a screen of this density: at least one where the side is not free."""
    return max(round_half_up(side * dpr), 1) if side else 0


def _check_whole(
    mode: Mode, room: tuple[int, int], found: Mapping[str, Any], framing: Mapping[str, Any], *, is_cut_out: bool
) -> None:
    """Refuse what has no meaning where the whole picture is shown."""
    if mode == "pad" and not all(room):
        raise InvalidValueError("expected a width and a height to pad to", remedy="give w and h, or size")
    if mode == "crop" and not any(room) and not is_cut_out:
        raise InvalidValueError("no ratio was asked for", remedy="give a ratio such as 16:9, or w and h")
    if "pad" in framing and framing["pad"] not in ("blur", "extend"):
        parse_colour(framing["pad"])
    useless = [n for n in (*found, *framing) if n not in {"pad", "revision"}]
    if useless:
        raise InvalidValueError(
            f"{useless[0]} has no effect where the whole picture is shown", remedy="leave it out, or give a ratio"
        )


def _encoding(found: dict[str, Any], most_bytes: int) -> Encoding:
    quality = found.pop("quality", "")
    qualities: dict[str, int] = {}
    for part in quality.split("_") if quality else ():
        name, colon, number = part.rpartition(":")
        formats = [format_named(name)] if colon else [f for f in FORMATS if f.is_lossy]
        qualities |= dict.fromkeys((f.name for f in formats), int(_number("quality", number, int)))
    background = found.pop("background", "white")
    parse_colour(background)
    metadata = _choice("metadata", found.pop("metadata", "copyright"), KEEP)
    return Encoding(qualities, background, metadata, most_bytes)


def _cutout(found: dict[str, Any], format: PictureFormat | None) -> Cutout | None:
    backdrop, shadow = found.pop("cutout", ""), found.pop("shadow", "")
    if not backdrop:
        if shadow:
            raise InvalidValueError("shadow has no effect without cutout", remedy="leave it out, or add cutout=white")
        return None
    cutout = Cutout(backdrop, _choice("shadow", shadow or "0", ("0", "1")) == "1", found.get("revision") or None)
    cutout.check(format)
    return cutout


def _point(focus: str) -> Point | None:
    if focus in FOCUS:
        return None
    parts = re.fullmatch(r"(\d?\.?\d{1,9})_(\d?\.?\d{1,9})", focus)
    if not parts or not all(0 <= float(p) <= 1 for p in parts.groups()):
        raise InvalidValueError(
            f"expected focus as {', '.join(FOCUS)}, or as X_Y in 0..1; got {focus[:40]!r}",
            remedy="for example focus=0.5_0.3",
        )
    return Point(float(parts[1]), float(parts[2]))


def _around(point: Point, size: Size, full: Size) -> PixelBox:
    """The box of this size with the point nearest to its middle."""
    left = min(max(round_half_up(point.x * full.width - size.width / 2), 0), full.width - size.width)
    top = min(max(round_half_up(point.y * full.height - size.height / 2), 0), full.height - size.height)
    return PixelBox(left, top, left + size.width, top + size.height)


def _choice(name: str, value: str, known: tuple[str, ...]) -> Any:
    if value not in known:
        raise InvalidValueError(
            f"expected {name} as one of {', '.join(known)}, got {value[:40]!r}", remedy="or leave it out"
        )
    return value


def _number(name: str, text: str, kind: type[int] | type[float]) -> float:
    low, high = (1, 100) if name == "quality" else INTEGERS.get(name) or NUMBERS[name]
    pattern = r"\d{1,13}" if kind is int else r"\d{0,6}\.?\d{1,17}"
    if re.fullmatch(pattern, text, re.ASCII) and low <= kind(text) <= high:
        return kind(text)
    raise InvalidValueError(
        f"expected {name} as a number in {low}..{high}, got {text[:20]!r}", remedy="or leave it out"
    )
