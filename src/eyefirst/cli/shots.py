"""`eyefirst shots`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from eyefirst.cli.film_options import stopped_by_signals
from eyefirst.cli.guard import as_line, given, guarded, readable, refuse, say, words
from eyefirst.cli.options import Revision


@guarded
def rank_shots_of(
    context: typer.Context,
    film: Annotated[str, typer.Argument(metavar="FILM", help="A film.")],
    *,
    cover: Annotated[str, typer.Option(metavar="COVER.jpg", help="Write the best frame.")] = "",
    preview: Annotated[str, typer.Option(metavar="PREVIEW.webp", help="Write an animation of the best shots.")] = "",
    seconds: Annotated[float, typer.Option(min=0.5, max=30, help="Length of --preview in seconds.")] = 4.0,
    width: Annotated[int, typer.Option(min=16, max=1920, help="Width of --preview in pixels.")] = 320,
    detector: Annotated[
        str, typer.Option(metavar="NAME", help="Detector, such as text. Shots where it finds something rank higher.")
    ] = "",
    rate: Annotated[
        float, typer.Option(min=0.1, max=30, help="Frames a second that are analysed; twice as many in quick scenes.")
    ] = 3.0,
    revision: Revision = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the shots as JSON.")] = False,
) -> None:
    """Find a film's shots, and rank them by how much there is to see.

    \b
    Examples:
      eyefirst shots talk.mp4
      eyefirst shots talk.mp4 --json > shots.json
      eyefirst shots talk.mp4 --cover cover.jpg --preview preview.webp --seconds 1
    """
    from rich.progress import Progress

    from eyefirst.files.formats import format_of
    from eyefirst.files.outputs import write_picture
    from eyefirst.films import shots
    from eyefirst.films.reader import VideoReader

    shots.need_video()
    if not preview:
        refuse("no animation is written without --preview", given(context, "seconds", "width"))
    for written in filter(None, (cover, preview)):
        format_of(Path(written))
    with Progress(console=words(), disable=not sys.stderr.isatty(), transient=True) as progress, stopped_by_signals():
        reader = VideoReader(film)
        watching = progress.add_task("watching", total=reader.info.expected_frames)
        footage = shots.watch(reader, rate=rate, revision=revision or None, progress=lambda: progress.advance(watching))
        ranked = shots.rank_shots(footage, detector=detector or None)
        if cover:
            write_picture(shots.cover(footage), Path(cover))
        if preview:
            write_picture(shots.preview(footage, seconds=seconds, width=width), Path(preview))
    for warning in footage.warnings:
        say(f"{film}: {warning}")
    if as_json:
        print(as_line(shots.shots_to_dict(footage, ranked)))
        return
    for one in sorted(ranked, key=lambda r: r.number):
        start, end = shots.timecode(one.shot.start), shots.timecode(one.shot.end)
        best = shots.timecode(one.shot.best.seconds)
        print(f"{readable(film)}: shot {one.number}: {start} - {end}: rank {one.rank}, {one.score:.2f}, best {best}")
    for written in filter(None, (cover, preview)):
        print(readable(written))
