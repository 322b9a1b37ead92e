"""`eyefirst pan`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyefirst.cli.film_options import (
    CodecName,
    CodecPreset,
    CodecQuality,
    Hardware,
    encode_options,
    stopped_by_signals,
)
from eyefirst.cli.guard import FAILED, as_line, film_plan, given, guarded, readable, refuse, say, words
from eyefirst.errors import InvalidValueError, OutputError

if TYPE_CHECKING:
    from eyefirst.films.pan_plan import PanPlan


@guarded
def pan_album(
    context: typer.Context,
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCES", help="Folders, files, quoted globs; or one saved plan (.json).")
    ],
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILM.mp4", help="The film.")] = "",
    size: Annotated[str, typer.Option("--size", "-s", metavar="WxH", help="Size of the film.")] = "1280x720",
    fps: Annotated[str, typer.Option(metavar="RATE", help="Frames a second, such as 30, 29.97 or 30000/1001.")] = "30",
    seconds: Annotated[float, typer.Option(min=0.5, help="Shortest time in seconds that a picture is shown.")] = 4.0,
    fade: Annotated[float, typer.Option(min=0, help="Length of cross-fades in seconds.")] = 0.6,
    order: Annotated[
        str, typer.Option(metavar="given|time", help="Order of the pictures: as given, or by the time they were taken.")
    ] = "given",
    best: Annotated[int, typer.Option(min=0, help="Number of pictures to show, the best ones; 0 shows all.")] = 0,
    pan_speed: Annotated[float, typer.Option(min=0.01, help="Highest speed, in frame widths a second.")] = 0.25,
    zoom_speed: Annotated[float, typer.Option(min=0.01, help="Highest zoom, in doublings a second.")] = 0.35,
    sound: Annotated[str, typer.Option(metavar="FILE", help="File whose sound becomes the sound track.")] = "",
    codec: CodecName = "auto",
    quality: CodecQuality = None,
    preset: CodecPreset = "medium",
    hardware: Hardware = False,
    preview: Annotated[str, typer.Option(metavar="STRIP.jpg", help="Write a strip of stills.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the film's plan.")] = False,
) -> None:
    """Make a film from an album: a camera moves between what people look at.

    \b
    Examples:
      eyefirst pan album --json > film.json
      eyefirst pan album --preview strip.jpg
      eyefirst pan album -o film.mp4 --size 320x180 --fps 10 --seconds 1
    """
    from rich.progress import Progress

    from eyefirst.files.outputs import write_picture
    from eyefirst.films.pan import frame_count, order_by_time, plan_pan, render_pan
    from eyefirst.films.pan import preview as strip_of
    from eyefirst.films.pan_plan import PanPlan
    from eyefirst.films.path import SpeedLimits
    from eyefirst.geometry import Size

    if not (out or preview or as_json):
        raise InvalidValueError("there is nowhere to write to", remedy="add -o FILM.mp4, --preview or --json")
    if order not in ("given", "time"):
        raise InvalidValueError(f"expected the order given or time, got {order!r}", remedy="choose one")
    is_saved = len(sources) == 1 and sources[0].endswith(".json")
    _refuse_without_effect(context, is_saved=is_saved, is_filmed=bool(out))
    encode = encode_options(codec, quality, preset, hardware=hardware)
    with Progress(console=words(), disable=not sys.stderr.isatty(), transient=True) as progress, stopped_by_signals():
        failed = False
        if is_saved:
            plan = PanPlan.from_dict(film_plan(sources[0]))
            for one in plan.left_out:
                say(str(one))
        else:
            paths, failed = _paths(sources)
            if order == "time":
                paths = order_by_time(paths)
            looking = progress.add_task("looking", total=len(paths))
            plan = plan_pan(
                paths,
                Size.parse(size),
                frames_per_second=fps,
                seconds=seconds,
                fade_seconds=fade,
                limits=SpeedLimits(pan=pan_speed, zoom=zoom_speed),
                best=best or None,
                progress=lambda: progress.advance(looking),
                say=say,
            )
            failed |= any(one.code for one in plan.left_out)
        _refuse_to_replace(plan, (out, preview))
        if as_json:
            print(as_line(plan.to_dict()), flush=True)
        if preview:
            write_picture(strip_of(plan), Path(preview))
            print(preview)
        warnings = plan.warnings
        if out:
            filming = progress.add_task("filming", total=frame_count(plan))
            warnings = render_pan(
                plan, out, sound=sound or None, encode=encode, progress=lambda: progress.advance(filming)
            )
            print(readable(out))
        for warning in warnings:
            say(warning)
    if failed:
        raise typer.Exit(FAILED)


def _refuse_without_effect(context: typer.Context, *, is_saved: bool, is_filmed: bool) -> None:
    """Raise InvalidValueError for options of planning with a saved plan, and of coding where no film is written."""
    if is_saved:
        planning = ("size", "fps", "seconds", "fade", "order", "best", "pan_speed", "zoom_speed")
        refuse("a saved plan is filmed as it is", given(context, *planning))
    if not is_filmed:
        refuse("no film is written without -o", given(context, "sound", "codec", "quality", "preset", "hardware"))


def _refuse_to_replace(plan: PanPlan, written: Sequence[str]) -> None:
    """Raise OutputError where a file that is written is a picture of the film."""
    for path in filter(None, written):
        if any(os.path.exists(path) and os.path.samefile(path, m.picture) for m in plan.moves):
            raise OutputError("would replace a picture of the album", remedy="choose another name", source=path)


def _paths(sources: Sequence[str]) -> tuple[list[str], bool]:
    """The pictures of an album, and whether a source has none, which is said."""
    from eyefirst.albums.walk import find_pictures
    from eyefirst.cli.batch import expand

    named = expand(sources, walk=False)
    missing = [p.error for p in named if p.error]
    for error in missing:
        say(str(error))
    found = find_pictures([p.name for p in named if not p.error], say=say)
    return [task.source for task in found], bool(missing)
