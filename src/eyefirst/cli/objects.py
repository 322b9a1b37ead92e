"""`eyefirst objects`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, readable
from eyefirst.cli.options import AsJson, Format, Out, Pictures, Quality, Revision

if TYPE_CHECKING:
    from eyefirst.geometry import Box, Size
    from eyefirst.observations import SaliencyObservation


@guarded
def find_objects(
    pictures: Pictures,
    *,
    out: Out = "",
    quality: Quality = 88,
    format: Format = "",
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
    from eyefirst.cli.outputs import Outputs
    from eyefirst.handler import ImageRequestHandler
    from eyefirst.image import load_picture
    from eyefirst.render import draw_boxes
    from eyefirst.requests import ObjectnessSaliencyRequest

    request = ObjectnessSaliencyRequest(revision=revision or None)
    batch = expand(pictures)
    outputs = Outputs(out, batch, single=len(batch) == 1, format=format, quality=quality) if out else None

    def find(picture: Picture) -> Iterable[str]:
        source = picture.source()
        handler = ImageRequestHandler(source)
        seen = handler.perform([request])[0]
        written = []
        if outputs:
            drawn = draw_boxes(load_picture(source), seen.salient_objects)
            written = [outputs.write(drawn, picture, "objects")]
        return [as_line(seen.to_dict())] if as_json else [_table(picture.name, seen, handler.image.size), *written]

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
