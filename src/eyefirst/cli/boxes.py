"""Boxes of what is found in pictures: listed as a table or as JSON, and drawn where the user asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eyefirst.boxes import SalientObject
from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, readable, say_of_file
from eyefirst.cli.outputs import drawings
from eyefirst.drawing import draw_boxes
from eyefirst.face_maps import DetectedFace
from eyefirst.geometry import Box, Size
from eyefirst.handler import ImageRequestHandler, all_pixels


def list_boxes(
    pictures: Sequence[str],
    request: Any,
    boxes_of: Callable[[Any], Sequence[SalientObject | DetectedFace]],
    *,
    label: str,
    nothing: str,
    out: str,
    name: str,
    quality: int | None,
    format: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Perform a request on each picture, and list the boxes of what it finds.

    label: the part of a drawing's name that says what it is. nothing: the words where there is no box.
    """
    batch = expand(pictures, outside=out or None)
    results = drawings(out, batch, format=format, name=name, quality=quality, overwrite=overwrite)

    def find(picture: Picture) -> Iterable[str]:
        handler = ImageRequestHandler(picture.source(), expects=all_pixels if results else None)
        seen = handler.perform([request])[0]
        say_of_file(handler)
        found = boxes_of(seen)
        written = []
        if results:
            written = [results.write(draw_boxes(handler.picture().picture, found), handler, picture, label)]
        if as_json:
            return [as_line({"picture": picture.name, **seen.to_dict()})]
        head = f"{readable(picture.name)} ({handler.image.size}): "
        if not found:
            return [f"{head}{nothing}\n", *written]
        union = getattr(seen, "union_box", None)
        return [_table(f"{head}{len(found)} found", found, union, handler.image.size), *written]

    for_each(batch, find, as_json=as_json)


def _table(head: str, found: Sequence[SalientObject | DetectedFace], union: Box | None, size: Size) -> str:
    """The boxes of one picture, in pixels and in shares."""
    table = Table("", "pixels l t r b", "shares l t r b", "confidence", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, one in enumerate(found, 1):
        table.add_row(str(i), *_edges(one.box, size), f"{one.confidence:.2f}")
    if union:
        table.add_row("union", *_edges(union, size), "")
    console = Console()
    with console.capture() as capture:
        console.print(Text(head), table, sep="\n", soft_wrap=True)
    return capture.get().rstrip() + "\n"


def _edges(place: Box, size: Size) -> tuple[str, str]:
    pixels = place.to_pixels(size)
    return (
        f"{pixels.left} {pixels.top} {pixels.right} {pixels.bottom}",
        f"{place.left:.3f} {place.top:.3f} {place.right:.3f} {place.bottom:.3f}",
    )
