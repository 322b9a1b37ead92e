"""Sizes, points, boxes and aspect ratios.

The origin is the top left corner, x grows to the right, y grows downwards. A box is given by its
edges, never by pixel centres, so that `right - left` is its width. `Box` counts in shares of the
picture (0..1), `PixelBox` in whole pixels; they are two types, so that they cannot be mixed up.

The rounding rule, used everywhere: a real number becomes a whole one by `floor(x + 0.5)`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

from eyefirst.errors import InvalidAspectRatioError, InvalidBoxError, InvalidValueError
from eyefirst.numeric import as_whole, exact, is_number, is_pair, is_two, is_within
from eyefirst.written import WrittenByName

SLACK = 1e-6
"""How far outside 0..1 an edge may lie through rounding before it is an error rather than clipped."""
EDGES = ("left", "top", "right", "bottom")
ORDER = f"give the edges in the order {', '.join(EDGES)}"


def round_half_up(x: float) -> int:
    """The rounding rule: 2.5 becomes 3, -0.5 becomes 0, on every platform."""
    return math.floor(x + 0.5)


class _Edges(WrittenByName):
    """What Box and PixelBox share: four edges, in the order left, top, right, bottom."""

    __slots__ = ()

    left: Any
    top: Any
    right: Any
    bottom: Any

    @property
    def as_tuple(self) -> tuple[Any, Any, Any, Any]:
        """Left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom

    def __iter__(self) -> Iterator[Any]:
        """Yield left, top, right, bottom, so that `tuple(box)` and `picture.crop(tuple(pixel_box))` work."""
        return iter(self.as_tuple)

    def __len__(self) -> int:
        """Return 4."""
        return 4

    def __getitem__(self, index: int) -> Any:
        """Return the edge at 0 (left) to 3 (bottom); Pillow's `crop` and numpy read a box so."""
        return self.as_tuple[index]


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, both at least 1."""

    width: int
    height: int

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            value = as_whole(getattr(self, name))
            if value is None or value < 1:
                reason = f"a size needs a whole {name} of at least 1, got {getattr(self, name)!r}"
                raise InvalidValueError(reason, remedy="use a size such as Size(1200, 630)")
            object.__setattr__(self, name, value)

    @property
    def as_tuple(self) -> tuple[int, int]:
        """Width and height, as Pillow takes them."""
        return self.width, self.height

    def __iter__(self) -> Iterator[int]:
        """Yield width and height, as Pillow's `size` has them."""
        return iter(self.as_tuple)

    @classmethod
    def parse(cls, text: SizeLike) -> Size:
        """Read a Size, a pair of whole numbers, or a text such as "1200x630"."""
        if isinstance(text, Size):
            return text
        if isinstance(text, str):
            match = re.fullmatch(r"\s*(\d{1,9})\s*[xX\u00d7]\s*(\d{1,9})\s*", text)
            if match:
                return cls(int(match[1]), int(match[2]))
        elif is_two(text):
            return cls(*text)
        raise InvalidValueError(f"expected a size such as '1200x630', got {text!r}", remedy="use WIDTHxHEIGHT")

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    def __str__(self) -> str:
        """Such as 1200x630."""
        return f"{self.width}x{self.height}"


SizeLike: TypeAlias = Size | tuple[int, int] | str


@dataclass(frozen=True, slots=True)
class Point(WrittenByName):
    """A place in the picture: x and y in 0..1 from the top left corner."""

    x: float
    y: float

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            value = getattr(self, name)
            if not is_within(value, 0, 1):
                reason = f"a point lies in 0..1 on both axes, got ({self.x!r}, {self.y!r})"
                raise InvalidValueError(reason, remedy="divide pixels by the picture's size")
            object.__setattr__(self, name, float(value))

    def __iter__(self) -> Iterator[float]:
        """Yield x and y."""
        return iter((self.x, self.y))

    def within(self, region: Box) -> Point:
        """Return this point, which counts in shares of `region`, in shares of the whole picture."""
        return Point(region.left + self.x * region.width, region.top + self.y * region.height)


@dataclass(frozen=True, slots=True)
class LowerLeftBox:
    """A box as Apple's Vision writes it: 0..1, origin in the lower left corner, y upwards."""

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        for name in ("x", "y", "width", "height"):
            value = getattr(self, name)
            if not is_number(value):
                remedy = "for example LowerLeftBox(0.1, 0.1, 0.4, 0.7)"
                raise InvalidBoxError(f"expected a number in 0..1 as {name}, got {value!r}", remedy=remedy)
            object.__setattr__(self, name, float(value))

    def to_box(self) -> Box:
        """Return the same place, counted from the top left corner. Raises InvalidBoxError beyond the picture."""
        return Box(self.x, 1 - self.y - self.height, self.x + self.width, 1 - self.y)


@dataclass(frozen=True, slots=True)
class Box(_Edges):
    """A rectangle in shares of the picture: edges in 0..1, top-left origin, left < right, top < bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        for name in EDGES:
            value = getattr(self, name)
            if not is_number(value):
                remedy = "for example Box(0.1, 0.2, 0.5, 0.9)"
                raise InvalidBoxError(f"expected a number in 0..1 as {name}, got {value!r}", remedy=remedy)
            if not -SLACK <= value <= 1 + SLACK:
                raise InvalidBoxError(
                    f"expected {name} in 0..1, got {value!r}", remedy="divide pixels by the picture's width and height"
                )
            object.__setattr__(self, name, min(max(float(value), 0.0), 1.0))
        if self.left >= self.right or self.top >= self.bottom:
            raise InvalidBoxError(f"expected left < right and top < bottom, got {self.as_tuple}", remedy=ORDER)

    @classmethod
    def whole(cls) -> Box:
        """The whole picture."""
        return cls(0, 0, 1, 1)

    @classmethod
    def parse(cls, value: BoxLike) -> Box:
        """From a Box, four numbers, or a text such as "0.1,0.2,0.5,0.9"."""
        if isinstance(value, Box):
            return value
        try:
            parts: Sequence[Any] = value.split(",") if isinstance(value, str) else value
            left, top, right, bottom = (float(v) for v in parts)
        except (TypeError, ValueError):
            reason = f"expected four numbers in 0..1, got {value!r}"
            raise InvalidBoxError(reason, remedy="use LEFT,TOP,RIGHT,BOTTOM such as 0.1,0.2,0.5,0.9") from None
        return cls(left, top, right, bottom)

    @property
    def width(self) -> float:
        """Share of the picture's width."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Share of the picture's height."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Share of the picture's area."""
        return self.width * self.height

    @property
    def center(self) -> Point:
        """The middle."""
        return Point((self.left + self.right) / 2, (self.top + self.bottom) / 2)

    def union(self, other: Box) -> Box:
        """The smallest box round both."""
        top_left = min(self.left, other.left), min(self.top, other.top)
        return Box(*top_left, max(self.right, other.right), max(self.bottom, other.bottom))

    def overlap(self, other: Box) -> float:
        """Area of what the two have in common, as a share of the picture."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        both = self.overlap(other)
        return both / (self.area + other.area - both)

    def contains(self, other: Box) -> bool:
        """Whether the other lies inside, touching edges included."""
        return (
            self.left <= other.left + SLACK
            and self.top <= other.top + SLACK
            and self.right >= other.right - SLACK
            and self.bottom >= other.bottom - SLACK
        )

    def expanded(self, margin: float) -> Box:
        """Grown on every side by `margin` times its own width or height, clipped to the picture."""
        dx, dy = margin * self.width, margin * self.height
        left, top = max(self.left - dx, 0.0), max(self.top - dy, 0.0)
        return Box(left, top, min(self.right + dx, 1.0), min(self.bottom + dy, 1.0))

    def within(self, region: Box) -> Box:
        """Return this box, which counts in shares of `region`, in shares of the whole picture."""
        return Box(
            region.left + self.left * region.width,
            region.top + self.top * region.height,
            region.left + self.right * region.width,
            region.top + self.bottom * region.height,
        )

    def to_pixels(self, size: SizeLike) -> PixelBox:
        """The nearest whole pixels (see the rounding rule); at least one pixel each way."""
        width, height = Size.parse(size)
        left, right = _pixel_edges(self.left, self.right, width)
        top, bottom = _pixel_edges(self.top, self.bottom, height)
        return PixelBox(left, top, right, bottom)

    def lower_left(self) -> LowerLeftBox:
        """Return the same place as Apple's Vision writes it."""
        return LowerLeftBox(self.left, 1 - self.bottom, self.width, self.height)


def _pixel_edges(start: float, end: float, length: int) -> tuple[int, int]:
    """The nearest whole edges; where they would meet, those of the pixel that the middle lies in."""
    first, last = round_half_up(start * length), round_half_up(end * length)
    if first < last:
        return first, last
    middle = min(int((start + end) / 2 * length), length - 1)
    return middle, middle + 1


BoxLike: TypeAlias = Box | tuple[float, float, float, float] | str


@dataclass(frozen=True, slots=True)
class PixelBox(_Edges):
    """A rectangle in whole pixels: edges, top-left origin; `right` and `bottom` are exclusive, as in slices."""

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        for name in EDGES:
            value = as_whole(getattr(self, name))
            if value is None or value < 0:
                reason = f"expected whole pixels of at least 0, got {self.as_tuple}"
                raise InvalidBoxError(reason, remedy="for shares of the picture use Box")
            object.__setattr__(self, name, value)
        if self.left >= self.right or self.top >= self.bottom:
            raise InvalidBoxError(f"expected left < right and top < bottom, got {self.as_tuple}", remedy=ORDER)

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def size(self) -> Size:
        """Width and height."""
        return Size(self.width, self.height)

    def normalized(self, size: SizeLike) -> Box:
        """As shares of a picture of that size; a box that leaves the picture is an error."""
        width, height = Size.parse(size)
        return Box(self.left / width, self.top / height, self.right / width, self.bottom / height)


@dataclass(frozen=True, slots=True)
class AspectRatio:
    """Width over height, exact: 16:9 stays 16:9."""

    value: Fraction

    def __post_init__(self) -> None:
        if type(self.value) is not Fraction:
            object.__setattr__(self, "value", AspectRatio.parse(self.value).value)

    @classmethod
    def parse(cls, ratio: RatioLike) -> AspectRatio:
        """Read "16:9", "4/5", "1.91:1", "1.5", 1.5, a pair such as (1200, 630), "1200x630", or an AspectRatio."""
        if isinstance(ratio, AspectRatio):
            return ratio
        if isinstance(ratio, str):
            match = re.fullmatch(r"\s*(\d*\.?\d+)\s*(?:[:/xX\u00d7]\s*(\d*\.?\d+))?\s*", ratio)
            if match and len(ratio) < 64:
                return cls._of(Fraction(match[1]), Fraction(match[2] or 1), ratio)
        elif isinstance(ratio, Size):
            return cls._of(Fraction(ratio.width), Fraction(ratio.height), str(ratio))
        elif is_number(ratio):
            return cls._of(exact(ratio).limit_denominator(1000), Fraction(1), ratio)
        elif is_pair(ratio):
            width, height = (exact(v).limit_denominator(1_000_000) for v in ratio)
            return cls._of(width, height, ratio)
        raise cls._refusal(ratio)

    @classmethod
    def _of(cls, width: Fraction, height: Fraction, given: object) -> AspectRatio:
        if width <= 0 or height <= 0 or not Fraction(1, 1000) <= width / height <= 1000:
            raise cls._refusal(given)
        return cls(width / height)

    @staticmethod
    def _refusal(given: object) -> InvalidAspectRatioError:
        return InvalidAspectRatioError(
            f"expected an aspect ratio such as '16:9', '4/5', 1.5 or '1200x630', got {given!r}",
            remedy="write width:height, between 1:1000 and 1000:1",
        )

    def __str__(self) -> str:
        """Such as 16:9, in lowest terms."""
        return f"{self.value.numerator}:{self.value.denominator}"

    def __float__(self) -> float:
        """Width / height."""
        return float(self.value)

    def largest_in(self, size: SizeLike) -> Size:
        """The largest frame of this ratio that fits: one side is exact, the other within half a pixel."""
        size = Size.parse(size)
        if self.value * size.height <= size.width:
            return Size(min(max(round_half_up(float(self.value * size.height)), 1), size.width), size.height)
        return Size(size.width, min(max(round_half_up(float(size.width / self.value)), 1), size.height))


RatioLike: TypeAlias = AspectRatio | Size | str | float | Fraction | Decimal | tuple[float, float]
