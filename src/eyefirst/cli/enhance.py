"""`eyefirst enhance`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, readable
from eyefirst.cli.options import AsJson, Format, Out, Pictures, Quality, Revision


class Beside(StrEnum):
    """What becomes of the background."""

    KEEP = "keep"
    BLUR = "blur"
    GREY = "grey"


@guarded
def enhance_pictures(
    pictures: Pictures,
    *,
    out: Out = "",
    sharpen: Annotated[
        float | None, typer.Option(min=0, max=3, help="The subject; by default where it is soft.")
    ] = None,
    light: Annotated[float | None, typer.Option(min=0, max=3, help="The subject; by default where it is dark.")] = None,
    background: Annotated[Beside, typer.Option(help="All that is no subject.")] = Beside.KEEP,
    strength: Annotated[float, typer.Option(min=0, max=1, help="Of the background's change.")] = 1.0,
    quality: Quality = 92,
    format: Format = "",
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """Improve pictures where people look; without -o, say what would profit and why.

    \b
    Examples:
      eyefirst enhance photo.jpg
      eyefirst enhance photo.jpg -o better.jpg
      eyefirst enhance photo.jpg --background grey -o grey.jpg
      eyefirst enhance 'album/*.jpg' --sharpen 0.8 --light 0.3 -o better
    """
    from eyefirst.cli.outputs import Outputs
    from eyefirst.tools.enhance import candidates, enhance

    batch = expand(pictures)
    outputs = Outputs(out, batch, single=len(batch) == 1, format=format, quality=quality) if out else None

    def improve(picture: Picture) -> Iterable[str]:
        source = picture.source()
        written: list[str] = []
        if outputs:
            better = enhance(
                source,
                sharpen=sharpen,
                light=light,
                background=background.value,
                strength=strength,
                revision=revision or None,
            )
            written = [outputs.write(better, picture, "enhanced")]
            if not as_json:
                return written
        found = candidates(source, revision=revision or None)
        if as_json:
            row = {"picture": picture.name, "candidates": [c.to_dict() for c in found], "files": written}
            return [as_line(row)]
        name = readable(picture.name)
        return [f"{name}: {c.kind}: {c.reason}" for c in found] or [f"{name}: nothing to improve"]

    for_each(batch, improve, as_json=as_json)
