"""`eyefirst camera`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, readable, say_of_file
from eyefirst.cli.options import AsJson, Pictures, Revision


@guarded
def guide_camera(
    pictures: Pictures,
    *,
    stream: Annotated[
        float, typer.Option(min=0, metavar="FPS", help="The pictures are frames of a stream: hold the focus steady.")
    ] = 0.0,
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """Print where to focus, whether the subject is sharp, and its white balance.

    \b
    Examples:
      eyefirst camera photo.jpg
      eyefirst camera 'album/*.jpg' --json
      eyefirst camera 'album/*.jpg' --stream 25 --json
    """
    from dataclasses import replace

    from eyefirst.handler import ImageRequestHandler, all_pixels
    from eyefirst.tools.camera_guidance import FocusTracker, guide

    batch = expand(pictures)
    tracker, count = FocusTracker(), 0

    def look(picture: Picture) -> Iterable[str]:
        nonlocal count
        handler = ImageRequestHandler(picture.source(), expects=all_pixels)
        guidance = guide(handler, revision=revision or None)
        say_of_file(handler)
        if stream:
            guidance = replace(guidance, focus=tracker.update(guidance.focus, count / stream))
            count += 1
        if as_json:
            return [as_line({"picture": picture.name, **guidance.to_dict()})]
        red, _, blue = guidance.white_balance.gains_rgb
        return [
            f"{readable(picture.name)}: focus {guidance.focus.x:.3f} {guidance.focus.y:.3f}, {guidance.verdict}, "
            f"white balance red x{red:.2f} blue x{blue:.2f} ({guidance.white_balance.temperature:.0f} K; "
            f"whole picture {guidance.white_balance_of_all.temperature:.0f} K)"
        ]

    for_each(batch, look, as_json=as_json)
