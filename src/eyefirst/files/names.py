"""Names of results, made from a template such as "{stem}_{ratio}_{width}.{ext}"."""

from __future__ import annotations

import itertools
import os
import re
import string
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Size

FIELDS = ("stem", "label", "ratio", "rank", "width", "height", "ext", "source_ext")
DEFAULT = "{stem}_{label}.{ext}"
LONGEST_STEM = 200
"""Bytes of a picture's name that the names of its results repeat: file systems take 255, with label and extension."""


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
            f"cannot name results by {self.pattern!r}: {why}",
            remedy=f"use a template such as '{DEFAULT}'; the fields are {known}",
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


def name_key(name: str) -> str:
    """Return what two names share that some file system takes for one: case and Unicode's normalisation set aside."""
    plain = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", plain).casefold())


def shortened(stem: str) -> str:
    """Return a stem, which may have folders, so that names which begin with it are not too long for a file system."""
    folder, base = os.path.split(stem)
    data = os.fsencode(base)
    if len(data) <= LONGEST_STEM:
        return stem
    end = LONGEST_STEM
    while data[end] & 0xC0 == 0x80:  # inside a character
        end -= 1
    return os.path.join(folder, os.fsdecode(data[:end]))


def variants(name: str, source: str) -> Iterator[str]:
    """Return names for a picture's results, best first: the name, with the picture's extension, and with a number."""
    yield name
    extension = os.path.splitext(source)[1].lstrip(".")
    if extension and not name.endswith(f"-{extension}"):
        yield f"{name}-{extension}"
    yield from (f"{name}-{number}" for number in itertools.count(2))


def is_variant(name: str, *, of: str, source: str) -> bool:
    """Whether a name is one that a picture's results could have been given where another name was wished for."""
    stem, extension = os.path.splitext(os.path.basename(source))
    folder, base = os.path.split(name)
    pattern = rf"{re.escape(shortened(stem))}(-{re.escape(extension.lstrip('.'))})?(-[0-9]+)?"
    return folder == os.path.dirname(of) and re.fullmatch(pattern, base, re.DOTALL) is not None
