"""`eyefirst faces`."""

from __future__ import annotations

from eyefirst.cli.guard import guarded
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
    from eyefirst.cli.boxes import list_boxes
    from eyefirst.requests import FaceRectanglesRequest

    list_boxes(
        pictures,
        FaceRectanglesRequest(revision=revision or None),
        lambda seen: seen.faces,
        label="faces",
        nothing="no face is found",
        out=out,
        name=name,
        quality=quality,
        format=format,
        overwrite=overwrite,
        as_json=as_json,
    )
