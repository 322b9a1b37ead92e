"""`eyefirst watch`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

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
from eyefirst.cli.guard import guarded, readable, say, words
from eyefirst.cli.options import Revision
from eyefirst.errors import OutputError


@guarded
def watch_stream(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="A film, a stream's address, a camera (/dev/video0), or - for input."),
    ],
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="OUT.mkv", help="Film to write; - for standard output.")],
    ratio: FilmRatio = "9:16",
    codec: CodecName = "auto",
    quality: CodecQuality = None,
    preset: CodecPreset = "veryfast",
    hardware: Hardware = False,
    revision: Revision = "",
) -> None:
    """Cut a stream to another ratio while it comes, two seconds behind it.

    \b
    Examples:
      eyefirst watch talk.mp4 --ratio 9:16 -o tall.mkv
    """
    from rich.progress import Progress

    from eyefirst.films.live import watch_live
    from eyefirst.films.reader import VideoReader
    from eyefirst.films.shots import need_video
    from eyefirst.films.writer import check_name
    from eyefirst.network import load_network

    need_video()
    check_name(out)
    if os.path.exists(out) and os.path.exists(source) and os.path.samefile(out, source):
        raise OutputError("would replace the film that is read", remedy="choose another name", source=out)
    encode = encode_options(codec, quality, preset, hardware=hardware)
    network = load_network(revision or None)
    with Progress(console=words(), disable=not sys.stderr.isatty(), transient=True) as progress, stopped_by_signals():
        reader = VideoReader(source, live=True)
        task = progress.add_task("watching", total=reader.info.expected_frames)
        warnings = watch_live(
            reader, out, ratio, network=network, encode=encode, progress=lambda: progress.advance(task)
        )
    for warning in warnings:
        say(f"{source}: {warning}")
    if out != "-":
        print(readable(out))
