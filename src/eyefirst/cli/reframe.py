"""`eyefirst reframe`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyefirst.cli.film_options import (
    CodecName,
    CodecPreset,
    CodecQuality,
    FilmRatio,
    Hardware,
    encode_options,
    stopped_by_signals,
)
from eyefirst.cli.guard import as_line, film_plan, film_text, guarded, readable, refuse, say, words
from eyefirst.cli.options import Revision
from eyefirst.errors import InvalidValueError, OutputError

if TYPE_CHECKING:
    from fractions import Fraction

    from eyefirst.films.reframe_plan import ReframePlan


@guarded
def reframe_film(
    source: Annotated[str, typer.Argument(metavar="FILM", help="A film; or a saved plan (.json or .otio).")],
    *,
    ratio: FilmRatio = "",
    out: Annotated[str, typer.Option("--out", "-o", metavar="OUT.mp4", help="Film to write: .mp4, .mov or .mkv.")] = "",
    size: Annotated[
        str, typer.Option("--size", "-s", metavar="WxH", help="Size of the result, of the same ratio. [largest window]")
    ] = "",
    tightness: Annotated[
        float,
        typer.Option(min=0, max=1, help="Size of the window: 0 largest, 1 smallest that holds a shot's subjects."),
    ] = 0.0,
    must_keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="L,T,R,B[@START-END]", help="Region that has to stay inside, for a time. Repeat for more."
        ),
    ] = None,
    pad: Annotated[
        str, typer.Option(metavar="STYLE", help="Padding where subjects cannot fit: blur, extend or a CSS colour.")
    ] = "",
    layout: Annotated[
        str, typer.Option(metavar="NAME", help="Layout where two faces or text cannot fit: crop, pad, stack or auto.")
    ] = "crop",
    safe_area: Annotated[
        str,
        typer.Option(
            "--safe-area",
            metavar="NAME",
            help="Keep faces and text clear of a platform's overlay: tiktok, reels, shorts.",
        ),
    ] = "none",
    shot: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N=PLACE", help="Window of shot N: left, centre, right, 0..1, face or face2. Repeat for more."
        ),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=30, help="Frames a second that are analysed.")] = 3.0,
    speed: Annotated[float, typer.Option(min=0.01, help="Highest speed, in window widths a second.")] = 0.8,
    acceleration: Annotated[
        float, typer.Option(min=0.01, help="Highest acceleration, in window widths a second squared.")
    ] = 1.2,
    codec: CodecName = "auto",
    quality: CodecQuality = None,
    preset: CodecPreset = "medium",
    hardware: Hardware = False,
    chroma: Annotated[
        str, typer.Option(metavar="keep|4:2:0", help="Keep 4:2:2 and 4:4:4, or convert to what every player knows.")
    ] = "keep",
    path_only: Annotated[
        str, typer.Option("--path-only", metavar="FILE", help="Write the path as commands for ffmpeg's sendcmd filter.")
    ] = "",
    timeline: Annotated[
        str, typer.Option(metavar="FILE.otio", help="Write the plan as an OpenTimelineIO timeline.")
    ] = "",
    strip: Annotated[str, typer.Option(metavar="STRIP.png", help="Write stills with the window drawn on them.")] = "",
    preview: Annotated[
        str, typer.Option(metavar="SMALL.mp4", help="Write a small, silent film of it all with the window drawn on it.")
    ] = "",
    revision: Revision = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan.")] = False,
) -> None:
    """Cut a film to another ratio with a calm camera that follows what people look at.

    \b
    Examples:
      eyefirst reframe talk.mp4 --ratio 9:16 -o talk-vertical.mp4
      eyefirst reframe talk.mp4 --ratio 1:1 --strip strip.png --json > talk.json
      eyefirst reframe talk.json -o square.mp4
      eyefirst reframe talk.mp4 --safe-area tiktok --shot 1=centre --preview small.mp4 -o talk-vertical.mp4
      eyefirst reframe talk.mp4 --must-keep 0,0.8,0.3,1@0:00-0:01 --pad blur --path-only talk.cmd --json
    """
    from rich.progress import Progress

    from eyefirst.films.path import TrackLimits
    from eyefirst.films.reader import VideoReader
    from eyefirst.films.reframe import plan_reframe, render_reframe
    from eyefirst.films.shots import need_video

    need_video()
    saved = _saved(source)
    if saved:
        planning = {"--ratio": ratio, "--size": size, "--must-keep": must_keep, "--pad": pad, "--revision": revision}
        refuse("a saved plan is written as it is", {**planning, "--tightness": tightness, "--shot": shot})
    encode = encode_options(codec, quality, preset, hardware=hardware, chroma=chroma)
    film = saved.video if saved else source
    _check_targets(film, out, strip, path_only, preview, timeline, as_json=as_json)
    with Progress(console=words(), disable=not sys.stderr.isatty(), transient=True) as progress, stopped_by_signals():
        reader = VideoReader(film)  # closed by whoever reads it to the end
        frames = reader.info.expected_frames
        if saved:
            plan = saved
        else:
            watching = progress.add_task("watching", total=frames)
            plan = plan_reframe(
                reader,
                ratio or "9:16",
                size=size or None,
                tightness=tightness,
                must_keep=must_keep or (),
                pad=pad or None,
                layout=layout,  # type: ignore[arg-type]  # checked there
                safe_area=safe_area,
                shots=shot or (),
                limits=TrackLimits(speed=speed, acceleration=acceleration),
                rate=rate,
                revision=revision or None,
                progress=lambda: progress.advance(watching),
            )
        if as_json:
            print(as_line(plan.to_dict()), flush=True)
        warnings = [*plan.warnings, *(w for s in plan.shots for w in s.warnings)]
        _write_beside(plan, reader.info.frames_per_second, path_only, timeline, preview, strip)
        if out:
            filming = progress.add_task("filming", total=frames)
            made = render_reframe(
                plan, out, source=reader if saved else None, encode=encode, progress=lambda: progress.advance(filming)
            )
            warnings = list(made.warnings)
    for warning in dict.fromkeys(warnings):
        say(f"{plan.video}: {warning}")
    if not as_json:
        for written in filter(None, (path_only, timeline, strip, preview, out)):
            print(readable(written))


def _saved(source: str) -> ReframePlan | None:
    """The plan that a file holds, or None for a film."""
    from eyefirst.films.reframe_plan import ReframePlan
    from eyefirst.films.timeline import plan_of

    if source.endswith(".json"):
        return ReframePlan.from_dict(film_plan(source))
    return plan_of(film_text(source)) if source.endswith(".otio") else None


def _write_beside(
    plan: ReframePlan, frames_per_second: Fraction, path_only: str, timeline: str, preview: str, strip: str
) -> None:
    """Writes what was asked for, apart from the film itself."""
    from eyefirst.files.outputs import write_picture
    from eyefirst.files.whole import written_whole
    from eyefirst.films.reframe import draft
    from eyefirst.films.reframe import strip as strip_of
    from eyefirst.films.reframe_plan import ffmpeg_commands, ffmpeg_filter
    from eyefirst.films.timeline import timeline_of

    if path_only:
        with written_whole(Path(path_only)) as file:
            file.write(ffmpeg_commands(plan).encode())
        say(f"follow it with ffmpeg -i {plan.video} -vf '{ffmpeg_filter(plan, path_only)}'")
    if timeline:
        text = timeline_of(plan, frames_per_second)
        with written_whole(Path(timeline)) as file:
            file.write(text.encode())
    if preview:
        draft(plan, preview)
    if strip:
        write_picture(strip_of(plan), Path(strip))


def _check_targets(film: str, *targets: str, as_json: bool) -> None:
    """Refuses what cannot be written before any work is done. targets: film, stills, path, small film, timeline."""
    from eyefirst.files.formats import format_of
    from eyefirst.films.writer import check_name

    out, strip, _, preview, timeline = targets
    if not (any(targets) or as_json):
        raise InvalidValueError("there is nowhere to write to", remedy="add -o OUT.mp4, --strip, --path-only or --json")
    for name in filter(None, (out, preview)):
        check_name(name)
    if strip:
        format_of(Path(strip))
    if timeline and not timeline.endswith(".otio"):
        raise InvalidValueError("a timeline is written as .otio", remedy="let its name end in .otio", source=timeline)
    for written in filter(None, targets):
        if os.path.exists(written) and os.path.exists(film) and os.path.samefile(written, film):
            raise OutputError("would replace the film that is read", remedy="choose another name", source=written)
