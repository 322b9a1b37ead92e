"""The heat map: how much interest, or how certainly foreground, each cell of a picture is."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image as PillowImage

from eyefirst.colours import apply_colormap
from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Box, BoxLike, Point, Size, SizeLike
from eyefirst.image import DEFAULT_PIXEL_LIMIT, as_seen
from eyefirst.numeric import is_within

OPACITY = 0.75
"""How much of a picture the brightest cell of a map covers that is drawn over it."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A grid over the whole picture, whatever its aspect ratio.

    values: (rows, columns) float32 in 0..1, 68 x 68 from the networks that ship; row 0 at the top,
    column 0 on the left. Values are never stretched per picture: an unsure map is dim.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        try:
            values = np.asarray(self.values, np.float32)
        except (TypeError, ValueError):
            values = np.empty(0, np.float32)
        if (
            values.ndim != 2
            or values.size == 0
            or not np.isfinite(values).all()
            or values.min() < 0
            or values.max() > 1
        ):
            raise InvalidValueError(
                f"expected a 2-D map of finite values in 0..1, got {_described(self.values)}",
                remedy="divide by a fixed ceiling; do not stretch per picture",
            )
        values = values.copy()
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the values, so that numpy and matplotlib take a heat map as it is."""
        return np.array(self.values, dtype=dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        """Whether the other is a heat map of the same values."""
        return isinstance(other, HeatMap) and np.array_equal(self.values, other.values)

    def __hash__(self) -> int:
        """Return a hash that equal maps share."""
        return hash((self.values.shape, self.values.tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the values alone."""
        return (HeatMap, (self.values,))

    def __repr__(self) -> str:
        """Return the shape and the range of the values."""
        rows, columns = self.values.shape
        return f"HeatMap({rows} x {columns}, {self.values.min():.3f} to {self.values.max():.3f})"

    def _repr_png_(self) -> bytes:
        """Return the map in colour as a PNG, for the end of a notebook's cell."""
        heat = self.resized(Size(*(4 * n for n in self.values.shape[::-1]))) / max(float(self.values.max()), 1e-6)
        out = io.BytesIO()
        PillowImage.fromarray(apply_colormap(np.clip(heat, 0, 1), "inferno")).save(out, "PNG")
        return out.getvalue()

    def to_list(self) -> list[list[float]]:
        """Return the values row by row, for JSON; with the fewest digits that give the same float32 again."""
        return [[float(str(v)) for v in row] for row in self.values]

    def density(self) -> NDArray[np.float64]:
        """The map as a distribution over its cells: (rows, columns) float64 that sums to 1; even where all is zero."""
        values = self.values.astype(np.float64)
        total = values.sum()
        return values / total if total > 0 else np.full(values.shape, 1 / values.size)

    def resized(self, size: SizeLike) -> NDArray[np.float32]:
        """The map up-sampled smoothly (bicubic) to (height, width) float32 in 0..1, of at most 250 million pixels."""
        target = Size.parse(size)
        if target.pixels > DEFAULT_PIXEL_LIMIT:
            raise InvalidValueError(
                f"the map would have {target} pixels, more than the limit of {DEFAULT_PIXEL_LIMIT:,}",
                remedy="ask for a smaller one",
            )
        picture = PillowImage.fromarray(self.values)
        grown = picture.resize((target.width, target.height), PillowImage.Resampling.BICUBIC)
        return np.clip(np.asarray(grown), 0, 1)

    def region(self, box: BoxLike) -> HeatMap:
        """The map of a part of the picture, on a grid of the same shape (bilinear)."""
        rows, columns = self.values.shape
        box = Box.parse(box)
        part = (box.left * columns, box.top * rows, box.right * columns, box.bottom * rows)
        picture = PillowImage.fromarray(self.values)
        return HeatMap(np.asarray(picture.resize((columns, rows), PillowImage.Resampling.BILINEAR, part)).clip(0, 1))

    def overlay(
        self, image: PillowImage.Image, *, colormap: str = "inferno", opacity: float = OPACITY, stretch: bool = True
    ) -> PillowImage.Image:
        """The map in colour over a picture.

        opacity: how much of the picture the brightest cell covers; the rest in proportion, so that
        dull places show the picture. stretch: draw the map's own maximum as full brightness; the
        map itself is never stretched.
        """
        if not isinstance(image, PillowImage.Image):
            raise InvalidValueError(
                f"expected a Pillow picture to draw on, got {type(image).__name__}",
                remedy="open it first, for example with PIL.Image.open('photo.jpg')",
            )
        if not is_within(opacity, 0, 1):
            raise InvalidValueError(
                f"expected an opacity in 0..1, got {opacity!r}", remedy=f"{OPACITY} is a good value"
            )
        picture = as_seen(image)
        heat = self.resized(Size(picture.width, picture.height))
        if stretch:
            heat = heat / max(float(self.values.max()), 1e-6)
        heat = np.clip(heat, 0, 1)
        colours = PillowImage.fromarray(apply_colormap(heat, colormap))
        cover = PillowImage.fromarray((heat**0.5 * float(opacity) * 255).astype(np.uint8))
        return PillowImage.composite(colours, picture, cover)

    def peak(self) -> Point:
        """The middle of the brightest cell; of several, the one nearest to the picture's centre."""
        rows, columns = self.values.shape
        row, column = np.nonzero(self.values == self.values.max())
        x, y = (column + 0.5) / columns, (row + 0.5) / rows
        nearest = int(np.argmin((x - 0.5) ** 2 + (y - 0.5) ** 2))
        return Point(float(x[nearest]), float(y[nearest]))

    def mass_in(self, box: BoxLike) -> float:
        """Share of the map's sum that lies in a box, 0..1; cells at the edge count by the part inside."""
        left, top, right, bottom = Box.parse(box)
        edges = np.array([[left], [right], [top], [bottom]])
        return float(masses_between(self.table, *edges)[0, 0])

    def center_in(self, box: BoxLike) -> Point:
        """The centre of mass of the part of the map that lies in a box; the box's middle where all is zero there."""
        box = Box.parse(box)
        rows, columns = self.values.shape
        x, y = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
        inside = ((y >= box.top) & (y <= box.bottom))[:, None] & ((x >= box.left) & (x <= box.right))[None]
        weights = np.where(inside, self.values, 0).astype(np.float64)
        total = weights.sum()
        if total <= 0:
            return box.center
        return Point(float(weights.sum(0) @ x / total), float(weights.sum(1) @ y / total))

    @cached_property
    def table(self) -> NDArray[np.float64]:
        """Summed-area table of the density, (rows + 1, columns + 1) float64 (Crow, SIGGRAPH 1984)."""
        return summed_area_table(self.density())


def _described(values: object) -> str:
    return f"an array of shape {np.shape(values)}" if isinstance(values, np.ndarray) else repr(values)[:40]


def summed_area_table(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sums over every rectangle that begins in the top left corner, (rows + 1, columns + 1) float64."""
    table = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    table[1:, 1:] = np.asarray(values, np.float64).cumsum(0).cumsum(1)
    return table


def masses_between(
    tables: NDArray[np.float64],
    lefts: NDArray[np.float64],
    rights: NDArray[np.float64],
    tops: NDArray[np.float64],
    bottoms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sums inside boxes of every column with every row, exact for parts of cells.

    tables: (..., rows + 1, columns + 1), summed. lefts, rights: (m,), and tops, bottoms: (n,), edges in 0..1. Returns
    (..., n, m).
    """
    if len(tops) < len(lefts):  # the fewer first, while tables are large
        return _between(_between(tables.swapaxes(-2, -1), tops, bottoms).swapaxes(-2, -1), lefts, rights)
    return _between(_between(tables, lefts, rights).swapaxes(-2, -1), tops, bottoms).swapaxes(-2, -1)


def _between(sums: NDArray[np.float64], starts: NDArray[np.float64], stops: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences along the last axis; linear between entries, because the map is constant within a cell."""
    cells = sums.shape[-1] - 1
    places = np.concatenate([starts, stops]) * cells
    before = np.minimum(places.astype(np.intp), cells - 1)
    past = places - before
    values = sums[..., before] * (1 - past) + sums[..., before + 1] * past
    return np.asarray(values[..., len(starts) :] - values[..., : len(starts)])
