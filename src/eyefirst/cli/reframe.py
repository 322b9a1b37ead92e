"""`eyefirst reframe`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyefirst.cli.batch import for_each
from eyefirst.cli.film_options import (
    CodecName,
    CodecPreset,
    CodecQuality,
    Hardware,
    encode_options,
    stopped_by_signals,
)
from eyefirst.cli.guard import as_line, film_plan, film_text, given, guarded, readable, refuse, say, words
from eyefirst.cli.options import Name, Overwrite, Ratios, Revision
from eyefirst.errors import InvalidValueError, OutputError

if TYPE_CHECKING:
    from rich.progress import Progress

    from eyefirst.files.outputs import Targets
    from eyefirst.films.encoding import EncodeOptions
    from eyefirst.films.frames import VideoInfo
    from eyefirst.films.reader import VideoReader
    from eyefirst.films.reframe import Reframed
    from eyefirst.films.reframe_plan import ReframePlan

TIMELINES = (".otio", ".fcpxml")
PLANS = (".json", *TIMELINES)
PLANNING = (
    "ratios", "size", "tightness", "must_keep", "pad", "layout", "safe_area", "shot", "rate", "speed", "acceleration",
    "revision",
)  # fmt: skip
"""Parameters that say how a film is planned."""
WRITING = ("name", "format", "overwrite", "codec", "quality", "preset", "hardware", "chroma")
"""Parameters that say how a film is written."""


@guarded
def reframe_films(
    context: typer.Context,
    sources: Annotated[
        list[str], typer.Argument(metavar="FILMS", help="Films; or saved plans of them (.json, .otio or .fcpxml).")
    ],
    *,
    ratios: Ratios = None,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="OUT", help="Film to write, .mp4, .mov or .mkv; a folder for several results."
        ),
    ] = "",
    name: Name = "",
    format: Annotated[
        str, typer.Option(metavar="EXT", help="Kind of films that are written into a folder: mp4, mov or mkv. [mp4]")
    ] = "",
    overwrite: Overwrite = False,
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
    rate: Annotated[
        float, typer.Option(min=0.1, max=30, help="Frames a second that are analysed; twice as many in quick scenes.")
    ] = 3.0,
    speed: Annotated[float, typer.Option(min=0.01, help="Highest speed, in window widths a second.")] = 1.2,
    acceleration: Annotated[
        float, typer.Option(min=0.01, help="Highest acceleration, in window widths a second squared.")
    ] = 5.0,
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
        str,
        typer.Option(metavar="FILE", help="Write the plan for editing programs, as .otio or .fcpxml."),
    ] = "",
    strip: Annotated[str, typer.Option(metavar="STRIP.png", help="Write stills with the window drawn on them.")] = "",
    preview: Annotated[
        str, typer.Option(metavar="SMALL.mp4", help="Write a small, silent film of it all with the window drawn on it.")
    ] = "",
    revision: Revision = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan.")] = False,
) -> None:
    """Cut films to other ratios with a calm camera that follows what people look at.

    \b
    Examples:
      eyefirst reframe talk.mp4 --ratio 9:16 --preview small.mp4 -o talk-vertical.mp4
      eyefirst reframe talk.mp4 --ratio 1:1 --strip strip.png --json > talk.json
      eyefirst reframe talk.json -o square.mp4
      eyefirst reframe talk.mp4 -a 9:16 -a 4:5 --safe-area tiktok --shot 1=centre -o social
      eyefirst reframe talk.mp4 --must-keep 0,0.8,0.3,1@0:00-0:01 --pad blur --path-only talk.cmd --json
    """
    from rich.progress import Progress

    from eyefirst.films.order import ReframeOrder
    from eyefirst.films.path import TrackLimits
    from eyefirst.films.reader import VideoReader
    from eyefirst.films.shots import need_video, watch

    need_video()
    films = [Film(source) for source in dict.fromkeys(sources)]
    beside = Beside(path_only, timeline, preview, strip)
    order = ReframeOrder.parse(
        ratios or ("9:16",),
        size=size or None,
        tightness=tightness,
        must_keep=must_keep or (),
        pad=pad or None,
        layout=layout,  # type: ignore[arg-type]  # checked there
        safe_area=safe_area,
        shots=shot or (),
        limits=TrackLimits(speed=speed, acceleration=acceleration),
    )
    single = len(films) == len(order.ratios) == 1
    if len(films) > 1:
        refuse("shots are numbered film by film", {"--shot": shot})
    beside.check(out, single=single, as_json=as_json)
    _refuse_without_effect(context, films, is_written=bool(out))
    encode = encode_options(codec, quality, preset, hardware=hardware, chroma=chroma)
    results = _results(out, films, single=single, name=name, format=format, overwrite=overwrite)

    with Progress(console=words(), disable=not sys.stderr.isatty(), transient=True) as progress, stopped_by_signals():

        def work(film: Film) -> Iterable[str]:
            saved = film.plan() if film.is_plan else None
            reader = VideoReader(saved.video if saved else film.name)  # closed by whoever reads it to the end
            info = reader.info
            _refuse_to_replace(info.name, (out, *beside.options.values()))
            plans: tuple[ReframePlan, ...] = (saved,) if saved else ()
            if not saved:
                with _counting(progress, "watching", info) as count:
                    plans = order.plans(watch(reader, rate=rate, revision=revision or None, progress=count))
            said: set[str] = set()
            for plan in plans:
                if as_json:
                    yield as_line(plan.to_dict())
                beside.write(plan, info)
                of_shots = dict.fromkeys(warning for s in plan.shots for warning in s.warnings)
                warnings: Iterable[str] = (*plan.warnings, *of_shots)
                written = [*beside.options.values()]
                if results:
                    with _counting(progress, "filming", info) as count:
                        made = results.write(film, plan, encode, count, source=reader if saved else None)
                    warnings = made.warnings
                    written.append(made.path)
                for warning in warnings:
                    text = f"{plan.ratio}: {warning}" if len(plans) > 1 and warning in of_shots else warning
                    if text not in said:
                        say(f"{plan.video}: {text}")
                        said.add(text)
                if not as_json:
                    yield from map(readable, filter(None, written))

        if len(films) > 1:
            for_each(films, work, as_json=as_json, what="video", bar=False)
            return
        for line in work(films[0]):
            print(line, flush=True)


@dataclass(frozen=True, slots=True)
class Film:
    """A film, or a saved plan of one. name: as the user wrote it."""

    name: str

    @property
    def is_plan(self) -> bool:
        """Whether it is a saved plan."""
        return self.name.endswith(PLANS)

    def plan(self) -> ReframePlan:
        """Return the plan that was saved. Raises InvalidPlanError."""
        from eyefirst.films.fcpxml import plan_of_fcpxml
        from eyefirst.films.reframe_plan import ReframePlan
        from eyefirst.films.timeline import plan_of

        if self.name.endswith(".json"):
            return ReframePlan.from_dict(film_plan(self.name))
        read = plan_of_fcpxml if self.name.endswith(".fcpxml") else plan_of
        return read(film_text(self.name))


@dataclass(frozen=True, slots=True)
class Beside:
    """What is written beside a film, or instead of it: paths, or nothing."""

    path_only: str
    timeline: str
    preview: str
    strip: str

    @property
    def options(self) -> dict[str, str]:
        """What was given, by option."""
        return {
            "--path-only": self.path_only,
            "--timeline": self.timeline,
            "--strip": self.strip,
            "--preview": self.preview,
        }

    def check(self, out: str, *, single: bool, as_json: bool) -> None:
        """Refuse what cannot be written before any work is done. out: of the film itself."""
        from eyefirst.files.formats import format_of
        from eyefirst.films.writer import check_name

        if not single:
            refuse("these files are for one film in one ratio", self.options)
        if not (out or as_json or any(self.options.values())):
            raise InvalidValueError(
                "there is nowhere to write to", remedy="add -o OUT.mp4, --strip, --path-only or --json"
            )
        if self.preview:
            check_name(self.preview)
        if self.strip:
            format_of(Path(self.strip))
        if self.timeline and not self.timeline.endswith(TIMELINES):
            raise InvalidValueError(
                "a timeline is written as .otio or .fcpxml", remedy="let its name end so", source=self.timeline
            )

    def write(self, plan: ReframePlan, info: VideoInfo) -> None:
        """Write what was asked for."""
        from eyefirst.files.outputs import write_picture
        from eyefirst.files.whole import written_whole
        from eyefirst.films.fcpxml import fcpxml_of
        from eyefirst.films.reframe import draft, strip
        from eyefirst.films.reframe_plan import ffmpeg_commands, ffmpeg_filter
        from eyefirst.films.timeline import timeline_of

        if self.path_only:
            with written_whole(Path(self.path_only)) as file:
                file.write(ffmpeg_commands(plan).encode())
            words = ["ffmpeg", "-i", plan.video, "-vf", ffmpeg_filter(plan, self.path_only)]
            say(f"follow it with {shlex.join(words)}")
        if self.timeline:
            is_fcpxml = self.timeline.endswith(".fcpxml")
            text = fcpxml_of(plan, info) if is_fcpxml else timeline_of(plan, info.frames_per_second)
            with written_whole(Path(self.timeline)) as file:
                file.write(text.encode())
        if self.preview:
            draft(plan, self.preview)
        if self.strip:
            write_picture(strip(plan), Path(self.strip))


class Results:
    """The films that are written: one that the user named, or some in a folder."""

    def __init__(self, targets: Targets, films: Sequence[Film], extension: str) -> None:
        self._targets, self._extension = targets, extension
        stems = targets.names([(film.name, Path(film.name).stem) for film in films])
        self._stems = dict(zip(films, stems, strict=True))

    def write(
        self,
        film: Film,
        plan: ReframePlan,
        encode: EncodeOptions,
        progress: Callable[[], object],
        *,
        source: VideoReader | None,
    ) -> Reframed:
        """Write one film. Raises OutputError."""
        from eyefirst.films.reframe import render_reframe

        path = self._targets.path_for(
            stem=self._stems[film],
            label=str(plan.ratio).replace(":", "x"),
            size=plan.size,
            ext=self._extension,
            source_ext=Path(plan.video).suffix.lstrip("."),
        )
        self._targets.check_free(path)
        return render_reframe(plan, path, source=source, encode=encode, rename=self._targets.rename, progress=progress)


def _results(
    out: str, films: Sequence[Film], *, single: bool, name: str, format: str, overwrite: bool
) -> Results | None:
    """Where films go; None where none are asked for."""
    from eyefirst.files.outputs import Targets
    from eyefirst.films.writer import CONTAINERS, check_name

    if not out:
        return None
    endings = [ending.removeprefix(".") for ending in CONTAINERS]
    extension = format.lower().removeprefix(".") or "mp4"
    check_name(f"film.{extension}")
    inputs = [film.name for film in films]
    targets = Targets(out, single=single, name=name, overwrite=overwrite, inputs=inputs, endings=endings, kind="film")
    if targets.file:
        refuse("the film's name says its kind", {"--format": format})
    return Results(targets, films, extension)


def _refuse_without_effect(context: typer.Context, films: Sequence[Film], *, is_written: bool) -> None:
    """Raise InvalidValueError for options of planning with a saved plan, and of coding where no film is written."""
    if any(film.is_plan for film in films):
        refuse("a saved plan is written as it is", given(context, *PLANNING))
    if not is_written:
        refuse("no film is written without -o", given(context, *WRITING))


def _refuse_to_replace(film: str, written: Iterable[str]) -> None:
    """Raise OutputError where a file that is written is the film that is read."""
    for path in filter(None, written):
        if os.path.exists(path) and os.path.samefile(path, film):
            raise OutputError("would replace the film that is read", remedy="choose another name", source=path)


@contextmanager
def _counting(progress: Progress, what: str, info: VideoInfo) -> Iterator[Callable[[], None]]:
    """A bar that counts frames."""
    task = progress.add_task(what, total=info.expected_frames)
    try:
        yield lambda: progress.advance(task)
    finally:
        progress.remove_task(task)
