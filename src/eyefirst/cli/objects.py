"""`eyefirst objects`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, readable
from eyefirst.cli.options import AsJson, Format, Name, Out, Overwrite, Pictures, Quality, Revision

if TYPE_CHECKING:
    from eyefirst.geometry import Box, Size
    from eyefirst.observations import SaliencyObservation


@guarded
def find_objects(
    pictures: Pictures,
    *,
    out: Out = "",
    name: Name = "",
    quality: Quality = None,
    format: Format = "",
    overwrite: Overwrite = False,
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """List the subjects of pictures: up to three boxes each, and their union.

    \b
    Examples:
      eyefirst objects photo.jpg
      eyefirst objects 'album/*.jpg' -o annotated
      eyefirst objects photo.jpg --json
    """
    from eyefirst.cli.outputs import drawings
    from eyefirst.drawing import draw_boxes
    from eyefirst.handler import ImageRequestHandler, all_pixels
    from eyefirst.requests import ObjectnessSaliencyRequest

    request = ObjectnessSaliencyRequest(revision=revision or None)
    batch = expand(pictures, outside=out or None)
    results = drawings(out, batch, format=format, name=name, quality=quality, overwrite=overwrite)

    def find(picture: Picture) -> Iterable[str]:
        handler = ImageRequestHandler(picture.source(), expects=all_pixels if results else None)
        seen = handler.perform([request])[0]
        written = []
        if results:
            drawn = draw_boxes(handler.picture().picture, seen.salient_objects)
            written = [results.write(drawn, handler, picture, "objects")]
        return (
            [as_line({"picture": picture.name, **seen.to_dict()})]
            if as_json
            else [_table(picture.name, seen, handler.image.size), *written]
        )

    for_each(batch, find, as_json=as_json)


def _table(name: str, seen: SaliencyObservation, size: Size) -> str:
    """The boxes of one picture, in pixels and in shares."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    head = f"{readable(name)} ({size}): "
    if seen.union_box is None:
        return f"{head}no subject stands out\n"
    table = Table("", "pixels l t r b", "shares l t r b", "confidence", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, found in enumerate(seen.salient_objects, 1):
        table.add_row(str(i), *_edges(found.box, size), f"{found.confidence:.2f}")
    table.add_row("union", *_edges(seen.union_box, size), "")
    console = Console()
    with console.capture() as capture:
        console.print(Text(f"{head}{len(seen.salient_objects)} found"), table, sep="\n", soft_wrap=True)
    return capture.get().rstrip() + "\n"


def _edges(place: Box, size: Size) -> tuple[str, str]:
    pixels = place.to_pixels(size)
    return (
        f"{pixels.left} {pixels.top} {pixels.right} {pixels.bottom}",
        f"{place.left:.3f} {place.top:.3f} {place.right:.3f} {place.bottom:.3f}",
    )
