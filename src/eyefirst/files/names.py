"""Names of results, made from a template such as "{stem}_{ratio}_{width}.{ext}"."""

from __future__ import annotations

import string
from dataclasses import dataclass

from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Size

FIELDS = ("stem", "label", "ratio", "rank", "width", "height", "ext", "source_ext")
DEFAULT = "{stem}_{label}.{ext}"


@dataclass(frozen=True, slots=True)
class NameTemplate:
    """A pattern for the names of results, with fields in braces; "/" makes folders.

    stem: the source's name without its extension. label: what was made, such as 16x9, or 16x9_2 for the second
    alternative. ratio: such as 16x9. rank: 1 for the best frame. width, height: of the result in pixels.
    ext: the result's extension. source_ext: the source's.
    """

    pattern: str = DEFAULT

    def __post_init__(self) -> None:
        try:
            parts = list(string.Formatter().parse(self.pattern))
        except ValueError as error:
            raise self._refusal(str(error)) from None
        fields = [field for _, field, _, _ in parts if field is not None]
        unknown = [f for f in fields if f not in FIELDS]
        if unknown:
            raise self._refusal(f"there is no field {{{unknown[0]}}}")
        if any(spec or conversion for _, _, spec, conversion in parts):
            raise self._refusal("fields take no format of their own")
        if "stem" not in fields:
            raise self._refusal("without {stem} all pictures would get one name")
        steps = self.pattern.split("/")
        if "" in steps or ".." in steps or "." in steps or "\0" in self.pattern or "\\" in self.pattern:
            raise self._refusal("it must stay below the output folder")
        if not self.pattern.endswith(".{ext}"):
            raise self._refusal("it must end in .{ext}")

    def _refusal(self, why: str) -> InvalidValueError:
        known = " ".join(f"{{{f}}}" for f in FIELDS)
        return InvalidValueError(
            f"cannot name results by {self.pattern!r}: {why}", remedy=f"use e.g. '{DEFAULT}'; the fields are {known}"
        )

    def fill(self, *, stem: str, label: str, ratio: str, rank: int, size: Size, ext: str, source_ext: str) -> str:
        """Return the name of one result, relative to the output folder."""
        return self.pattern.format(
            stem=stem,
            label=label,
            ratio=ratio,
            rank=rank,
            width=size.width,
            height=size.height,
            ext=ext,
            source_ext=source_ext,
        )
