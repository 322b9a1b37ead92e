"""`eyefirst objects`."""

from __future__ import annotations

from eyefirst.cli.guard import guarded
from eyefirst.cli.options import AsJson, Format, Name, Out, Overwrite, Pictures, Quality, Revision


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
    from eyefirst.cli.boxes import list_boxes
    from eyefirst.requests import ObjectnessSaliencyRequest

    list_boxes(
        pictures,
        ObjectnessSaliencyRequest(revision=revision or None),
        lambda seen: seen.salient_objects,
        label="objects",
        nothing="no subject stands out",
        out=out,
        name=name,
        quality=quality,
        format=format,
        overwrite=overwrite,
        as_json=as_json,
    )
