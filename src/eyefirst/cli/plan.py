"""`eyefirst plan`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyefirst.cli.guard import FAILED, guarded, refuse
from eyefirst.cli.options import (
    Alternatives,
    AsJsonLines,
    AsTable,
    Avoid,
    FitChoice,
    FitOption,
    Margin,
    MustKeep,
    Pad,
    PortraitOption,
    PreferOption,
    Ratios,
    Revision,
    Sources,
    Tightness,
    Workers,
)
from eyefirst.errors import InvalidValueError

if TYPE_CHECKING:
    from eyefirst.albums.journal import AlbumRow
    from eyefirst.albums.plans import DoubtfulCrop


@guarded
def plan_pictures(
    sources: Sources,
    *,
    ratios: Ratios = None,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE.jsonl", help="File of the plans, one line of JSON per picture.")
    ],
    alternatives: Alternatives = 1,
    tightness: Tightness = 0.0,
    margin: Margin = None,
    must_keep: MustKeep = None,
    avoid: Avoid = None,
    pad: Pad = "",
    prefer: PreferOption = None,
    portrait: PortraitOption = None,
    fit: FitOption = FitChoice.BREATHE,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that holds no plans.")] = False,
    workers: Workers = 0,
    triage: Annotated[
        bool, typer.Option("--triage", help="At the end, print the crops that want a human eye, worst first.")
    ] = False,
    revision: Revision = "",
    jsonl: AsJsonLines = False,
    csv: AsTable = False,
) -> None:
    """Analyse many pictures once, in parallel; `eyefirst render` cuts any size later, without the network.

    A second run plans only what is missing or changed.

    \b
    Examples:
      eyefirst plan album -a 1:1 -a 16:9 -o plans.jsonl
      eyefirst plan album -a 9:16 -o plans.jsonl --triage
      find /photos -name '*.jpg' | eyefirst plan - -a 4:5 -o plans.jsonl
    """
    from eyefirst.albums.plans import check_plan_file, plan_album
    from eyefirst.cli.batch import album_tasks, check_not_away, show_rows
    from eyefirst.tools.planning import PlanOrder

    if not ratios:
        raise InvalidValueError("no ratio was asked for", remedy="add --ratio 16:9")
    if csv:
        refuse("one kind of rows is printed", {"--jsonl": jsonl})
    if triage:
        refuse("--triage prints its own list", {"--jsonl": jsonl, "--csv": csv})
    order = PlanOrder.parse(
        ratios=ratios,
        alternatives=alternatives,
        tightness=tightness,
        margin=margin,
        must_keep=must_keep or (),
        avoid=avoid or (),
        pad=pad,
        prefer=prefer.value if prefer else None,
        portrait=portrait.value if portrait else None,
        fit=fit.value,
        revision=revision,
    )
    check_plan_file(Path(out), overwrite=overwrite)
    check_not_away(sources, out)
    tasks = album_tasks(sources)
    rows = plan_album(tasks, out, order, workers=workers or None, overwrite=overwrite)
    doubtful: list[DoubtfulCrop] = []
    counts = show_rows(_noting(rows, doubtful) if triage else rows, len(tasks), "plans", jsonl=jsonl, csv=csv)
    for crop in sorted(doubtful, key=lambda c: -c.severity):
        print(crop)
    if counts["failed"] or not tasks:
        raise typer.Exit(FAILED)


def _noting(rows: Generator[AlbumRow, None, None], doubtful: list[DoubtfulCrop]) -> Generator[AlbumRow, None, None]:
    """The same rows; what an editor would stop at is added to the list."""
    from eyefirst.albums.plans import doubtful_crops

    with closing(rows):
        for row in rows:
            doubtful += doubtful_crops(row)
            yield row
