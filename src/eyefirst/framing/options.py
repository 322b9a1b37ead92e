"""What the caller asks of a frame, and what a frame is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from eyefirst.colours import parse_colour
from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Box, PixelBox, Size, round_half_up
from eyefirst.numeric import as_whole, is_within, listed
from eyefirst.written import reads_back

Prefer = Literal["faces", "subjects", "attention", "text"]
"""What counts most where a frame cannot hold everything."""
Portrait = Literal["close-up", "head-and-shoulders", "upper-body"]
"""How much of a person a portrait shows."""
Fit = Literal["breathe", "largest"]
"""`breathe` lets a frame be up to 15 % smaller than the largest one where that avoids a cut; `largest` forbids it."""
PAD_STYLES = ("blur", "extend")
"""Beside any CSS colour."""
DEFAULT_MARGIN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class FramingOptions:
    """What frames have to respect.

    tightness: 0 is the largest frame of the ratio, 1 the smallest that still holds the salient box.
    margin: free space round what is kept whole, as a share of its own width and height.
    must_keep: boxes that have to lie inside; avoid: boxes that should not.
    pad: None, or how to fill what a frame lacks where subjects cannot fit: "blur", "extend", or a
    CSS colour.
    prefer: None for what was learned from people's own crops, or the kind of content that counts most.
    portrait: None, or how much of the main person to show. A picture without faces is framed as usual.
    fit: whether a frame may be a little smaller than the largest one to cut nothing.
    """

    tightness: float = 0.0
    margin: float = DEFAULT_MARGIN
    must_keep: tuple[Box, ...] = ()
    avoid: tuple[Box, ...] = ()
    pad: str | None = None
    prefer: Prefer | None = None
    portrait: Portrait | None = None
    fit: Fit = "breathe"

    def __post_init__(self) -> None:
        for name, most in (("tightness", 1.0), ("margin", 1.0)):
            value = getattr(self, name)
            if not is_within(value, 0, most):
                raise InvalidValueError(f"expected {name} in 0..{most:g}, got {value!r}", remedy="0 is always allowed")
            object.__setattr__(self, name, float(value))
        if self.pad is not None and self.pad not in PAD_STYLES:
            try:
                parse_colour(self.pad)
            except InvalidValueError:
                raise InvalidValueError(
                    f"expected 'blur', 'extend' or a CSS colour as padding, got {self.pad!r}",
                    remedy="for example white or #f4f4f4",
                ) from None
        for name, known in (("prefer", get_args(Prefer)), ("portrait", get_args(Portrait)), ("fit", get_args(Fit))):
            value = getattr(self, name)
            if value not in known and not (value is None and name != "fit"):
                words = ", ".join(repr(k) for k in known)
                raise InvalidValueError(
                    f"expected {name} as one of {words}, got {value!r}", remedy=f"for example {known[0]}"
                )
        for name in ("must_keep", "avoid"):
            object.__setattr__(self, name, tuple(Box.parse(b) for b in listed(getattr(self, name))))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "tightness": self.tightness,
            "margin": self.margin,
            "must_keep": [b.to_dict() for b in self.must_keep],
            "avoid": [b.to_dict() for b in self.avoid],
            "pad": self.pad,
            "prefer": self.prefer,
            "portrait": self.portrait,
            "fit": self.fit,
        }

    @classmethod
    @reads_back()
    def from_dict(cls, options: Mapping[str, Any]) -> FramingOptions:
        """Reads what `to_dict` wrote; what is missing keeps its default."""
        known: dict[str, Any] = {
            n: options[n] for n in ("tightness", "margin", "pad", "prefer", "portrait", "fit") if n in options
        }
        known |= {n: tuple(Box.from_dict(b) for b in options.get(n, ())) for n in ("must_keep", "avoid")}
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Padding:
    """Pixels to be added on each side, at the scale of the upright picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __post_init__(self) -> None:
        sides = {name: as_whole(value) for name, value in self.to_dict().items()}
        if any(v is None or v < 0 for v in sides.values()):
            raise InvalidValueError(
                f"expected whole pixels of at least 0, got {self.to_dict()}", remedy="0 is no padding"
            )
        for name, value in sides.items():
            object.__setattr__(self, name, value)

    def scaled(self, across: float, down: float) -> Padding:
        """For a picture of another size."""
        return Padding(
            round_half_up(self.left * across),
            round_half_up(self.top * down),
            round_half_up(self.right * across),
            round_half_up(self.bottom * down),
        )

    def to_dict(self) -> dict[str, int]:
        """For JSON."""
        return {n: getattr(self, n) for n in ("left", "top", "right", "bottom")}


@dataclass(frozen=True, slots=True)
class Frame:
    """One crop: where it lies, what it keeps, and why it was chosen.

    box: in pixels of the upright picture. padding: None, or what has to be added round the box to
    reach the ratio. kept: share of the attention inside, 0..1. kept_objects: for each subject of the
    plan, in its order, the share of it inside. score: what ranked the frame. warnings: what an editor would stop at, in
    plain words; empty for a frame that an editor would pass. severity: how bad that is, 0..1, to sort pictures by.
    reason: what the frame keeps, in a few words. Numbers are rounded to a millionth, so that JSON keeps them exactly.
    """

    box: PixelBox
    kept: float
    kept_objects: tuple[float, ...]
    score: float
    padding: Padding | None = None
    warnings: tuple[str, ...] = ()
    severity: float = 0.0
    reason: str = ""

    @property
    def size(self) -> Size:
        """Of the result, padding included, before any resizing."""
        pad = self.padding or Padding()
        return Size(self.box.width + pad.left + pad.right, self.box.height + pad.top + pad.bottom)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "box": self.box.to_dict(),
            "padding": self.padding.to_dict() if self.padding else None,
            "kept": self.kept,
            "kept_objects": list(self.kept_objects),
            "score": self.score,
            "warnings": list(self.warnings),
            "severity": self.severity,
            "reason": self.reason,
        }

    @classmethod
    @reads_back()
    def from_dict(cls, frame: Mapping[str, Any]) -> Frame:
        """Reads what `to_dict` wrote."""
        return cls(
            box=PixelBox.from_dict(frame["box"]),
            kept=float(frame["kept"]),
            kept_objects=tuple(float(k) for k in frame["kept_objects"]),
            score=float(frame["score"]),
            padding=Padding(**frame["padding"]) if frame["padding"] else None,
            warnings=tuple(str(w) for w in frame["warnings"]),
            severity=float(frame.get("severity", 0.0)),
            reason=str(frame.get("reason", "")),
        )
