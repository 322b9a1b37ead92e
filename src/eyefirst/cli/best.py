"""`eyefirst best`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from eyefirst.cli.guard import FAILED, as_line, guarded, readable, refuse, say, words
from eyefirst.cli.options import AsJson, AsTable, Revision, Sources, Workers

if TYPE_CHECKING:
    from eyefirst.albums.best import Group, Looked

COLUMNS = ("group", "rank", "picture", "width", "height", "sharpness", "faces", "cut_faces")


@guarded
def find_best(
    sources: Sources,
    *,
    distance: Annotated[int, typer.Option(min=0, max=64, help="Bits of 128 by which near-duplicates may differ.")] = 24,
    workers: Workers = 0,
    revision: Revision = "",
    as_json: AsJson = False,
    csv: AsTable = False,
    paths: Annotated[
        bool,
        typer.Option(
            "--paths", help="Print only paths: the best of each group, and each picture that is like no other."
        ),
    ] = False,
) -> None:
    """List groups of nearly alike pictures, such as bursts, the best of each group first. No file is changed.

    The best has no face cut off at its edge and the sharpest subject. Pictures that are like no other are listed with
    --paths only.

    \b
    Examples:
      eyefirst best album
      eyefirst best album --csv > groups.csv
      eyefirst best album --paths | eyefirst thumbnails - -o prints --size 1200x1500
    """
    import csv as tables

    from rich.progress import track

    from eyefirst.albums.best import groups_of, look_at_each
    from eyefirst.cli.batch import album_tasks

    if csv or paths:
        refuse("one kind of rows is printed", {"--json": as_json, "--csv": csv and paths})
    tasks = album_tasks(sources)
    rows = look_at_each(tasks, workers=workers or None, revision=revision or None)
    shown = track(
        rows,
        "pictures",
        len(tasks),
        console=words(),
        transient=True,
        disable=not sys.stderr.isatty(),
        auto_refresh=False,
    )
    looked = list(shown)
    for one in looked:
        if one.error:
            one.error.source = one.picture
            say(str(one.error))
        for warning in one.warnings:
            say(f"{one.picture}: {warning}")
    groups = groups_of(looked, distance=distance)
    table = tables.writer(sys.stdout) if csv else None
    if table:
        table.writerow(COLUMNS)
    for picture in _kept(looked, groups) if paths else ():
        print(picture)
    for number, group in enumerate(() if paths else groups, 1):
        if as_json:
            print(as_line({"group": number, **group.to_dict()}))
            continue
        if not table:
            print(f"group {number}: {len(group.shots)} pictures")
        for rank, shot in enumerate(group.shots, 1):
            values = shot.to_dict()
            if table:
                cells = (*shot.size, values["sharpness"], shot.faces, shot.cut_faces)
                table.writerow((number, rank, shot.picture, *cells))
                continue
            cut = f" ({shot.cut_faces} cut off)" if shot.cut_faces else ""
            faces = f", faces {shot.faces}{cut}" if shot.faces else ""
            print(
                f"  {'best' if rank == 1 else '    '} {readable(shot.picture)}: sharpness {shot.sharpness:.0f}{faces}"
            )
    alone = sum(1 for one in looked if one.shot) - sum(len(g.shots) for g in groups)
    say(f"groups: {len(groups)}; pictures that are like no other: {alone}")
    if not tasks or any(one.error for one in looked):
        raise typer.Exit(FAILED)


def _kept(looked: Sequence[Looked], groups: Sequence[Group]) -> list[str]:
    worse = {shot.picture for group in groups for shot in group.shots[1:]}
    return [one.picture for one in looked if one.shot and one.picture not in worse]
