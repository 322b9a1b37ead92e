"""`eyefirst plan`."""

from __future__ import annotations

from typing import Annotated

import typer

from eyefirst.cli.guard import FAILED, guarded
from eyefirst.cli.options import Revision


@guarded
def plan_pictures(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCES", help="Folders (walked), files, quoted globs, or - for a list of paths on standard input."
        ),
    ],
    *,
    aspect: Annotated[list[str], typer.Option("--aspect", "-a", metavar="W:H", help="16:9, 4/5, 1.5 ...; repeatable.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="The plans, one line of JSON a picture.")],
    alternatives: Annotated[int, typer.Option(min=1, help="Frames a ratio, at most.")] = 1,
    tightness: Annotated[
        float, typer.Option(min=0, max=1, help="0: the largest frame; 1: just round what is salient.")
    ] = 0.0,
    pad: Annotated[
        str, typer.Option(metavar="STYLE", help="Where subjects cannot fit, add space: blur, extend or a CSS colour.")
    ] = "",
    workers: Annotated[int, typer.Option(min=0, help="Threads; 0 is one per processor.")] = 0,
    revision: Revision = "",
) -> None:
    """Analyse many pictures once, in parallel; `eyefirst render` cuts any size later, without the network.

    A second run plans only what is missing or changed.

    \b
    Examples:
      eyefirst plan album -a 1:1 -a 16:9 -o plans.jsonl
      find /photos -name '*.jpg' | eyefirst plan - -a 4:5 -o plans.jsonl
    """
    from eyefirst.albums.plans import PlanSettings, plan_album
    from eyefirst.cli.batch import album_tasks, show_rows
    from eyefirst.framing import FramingOptions
    from eyefirst.geometry import AspectRatio

    settings = PlanSettings(
        ratios=tuple(AspectRatio.parse(a) for a in aspect),
        alternatives=alternatives,
        options=FramingOptions(tightness=tightness, pad=pad or None),
        revision=revision or None,
    )
    tasks = album_tasks(sources)
    if show_rows(plan_album(tasks, out, settings, workers=workers or None), len(tasks), "plans", jsonl=False)["failed"]:
        raise typer.Exit(FAILED)
