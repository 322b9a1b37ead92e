"""`eyefirst enhance`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, readable, refuse, say_of_file
from eyefirst.cli.options import (
    AsJson,
    EnhancedQuality,
    MetadataChoice,
    MetadataOption,
    Name,
    Out,
    Overwrite,
    Pictures,
    Revision,
)
from eyefirst.files.formats import ENHANCED_QUALITY


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
        float | None,
        typer.Option(min=0, max=3, help="Sharpen the subject: 0 not, 1 strongly. [1 if it is soft, else 0]"),
    ] = None,
    light: Annotated[
        float | None,
        typer.Option(min=0, max=3, help="Light the subject: 0 not, 1 strongly. [0.6 if it is dark, else 0]"),
    ] = None,
    background: Annotated[Beside, typer.Option(help="Blur or grey all but the subject, and do nothing else.")] = (
        Beside.KEEP
    ),
    strength: Annotated[float, typer.Option(min=0, max=1, help="Strength of the background's blur or grey.")] = 1.0,
    name: Name = "",
    quality: EnhancedQuality = None,
    format: Annotated[
        str, typer.Option(metavar="EXT", help="jpg, png, webp, avif, gif, tif or bmp. By default the source's own.")
    ] = "",
    overwrite: Overwrite = False,
    metadata: MetadataOption = MetadataChoice.COPYRIGHT,
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """Sharpen and light the subject where it needs it. Without -o, print what would help, and why.

    \b
    Examples:
      eyefirst enhance photo.jpg
      eyefirst enhance photo.jpg -o better.jpg
      eyefirst enhance photo.jpg --background grey -o grey.jpg
      eyefirst enhance 'album/*.jpg' --sharpen 0.8 --light 0.3 -o better
    """
    from eyefirst.cli.outputs import Results
    from eyefirst.handler import ImageRequestHandler, all_pixels
    from eyefirst.tools.enhance import candidates, enhance_all

    if not out:
        changes: dict[str, object] = {
            "--sharpen": sharpen,
            "--light": light,
            "--background": background is not Beside.KEEP,
        }
        changes |= {"--quality": quality, "--metadata": metadata is not MetadataChoice.COPYRIGHT}
        changes |= {"--name": name, "--format": format, "--overwrite": overwrite, "--strength": strength != 1}
        refuse("nothing is changed without -o", changes, remedy="add -o FILE or -o FOLDER, or leave out these options")
    if background is Beside.KEEP:
        refuse("the background is kept", {"--strength": strength != 1})
    batch = expand(pictures, outside=out or None)
    results = (
        Results(
            out,
            batch,
            single=len(batch) == 1,
            format=format,
            name=name,
            quality=quality,
            usual_quality=ENHANCED_QUALITY,
            overwrite=overwrite,
            keep_format=True,
            keep=metadata.value,
        )
        if out
        else None
    )

    def improve(picture: Picture) -> Iterable[str]:
        handler = ImageRequestHandler(picture.source(), expects=all_pixels)
        written: list[str] = []
        if results:
            better = enhance_all(
                handler,
                sharpen=sharpen,
                light=light,
                background=background.value,
                strength=strength,
                revision=revision or None,
                animated=results.is_animated(handler),
            )
            written = [results.write(better, handler, picture, "enhanced")]
            if not as_json:
                return written
        found = candidates(handler, revision=revision or None)
        say_of_file(handler)
        if as_json:
            row = {"picture": picture.name, "candidates": [c.to_dict() for c in found], "files": written}
            return [as_line(row)]
        shown = readable(picture.name)
        return [f"{shown}: {c.kind}: {c.reason}" for c in found] or [f"{shown}: nothing to improve"]

    for_each(batch, improve, as_json=as_json)
