"""`eyefirst faces`."""

from __future__ import annotations

from collections.abc import Iterable

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, readable
from eyefirst.cli.options import AsJson, Format, Name, Out, Overwrite, Pictures, Quality, Revision


@guarded
def find_faces(
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
    """List the faces in pictures, the most confident first.

    \b
    Examples:
      eyefirst faces photo.jpg
      eyefirst faces 'album/*.jpg' -o annotated
      eyefirst faces photo.jpg --json
    """
    from eyefirst.cli.outputs import drawings
    from eyefirst.drawing import draw_boxes
    from eyefirst.handler import ImageRequestHandler, all_pixels
    from eyefirst.requests import FaceRectanglesRequest

    request = FaceRectanglesRequest(revision=revision or None)
    batch = expand(pictures, outside=out or None)
    results = drawings(out, batch, format=format, name=name, quality=quality, overwrite=overwrite)

    def find(picture: Picture) -> Iterable[str]:
        handler = ImageRequestHandler(picture.source(), expects=all_pixels if results else None)
        seen = handler.perform([request])[0]
        written = []
        if results:
            written = [results.write(draw_boxes(handler.picture().picture, seen.faces), handler, picture, "faces")]
        if as_json:
            return [as_line({"picture": picture.name, **seen.to_dict()})]
        size = handler.image.size
        lines = [f"{readable(picture.name)} ({size}): {len(seen.faces)} found; left top right bottom, confidence"]
        for face in seen.faces:
            edges = " ".join(f"{edge:5d}" for edge in face.box.to_pixels(size))
            lines.append(f"  {edges}  {face.confidence:.2f}")
        return [*lines, *written]

    for_each(batch, find, as_json=as_json)
