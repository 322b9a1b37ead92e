"""`eyefirst sidecar`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Annotated

import typer

from eyefirst.cli.batch import STDIN, Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, say
from eyefirst.cli.options import AsJson, Revision, Workers
from eyefirst.errors import InvalidValueError, OutputError


@guarded
def write_sidecars(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURES", help="Files, folders, quoted globs such as 'a/**/*.jpg'.")
    ],
    *,
    ratios: Annotated[
        list[str] | None,
        typer.Option(
            "--ratio",
            "-a",
            "--aspect",
            metavar="W:H",
            help="Ratio of a recommended crop. Repeat for more. [1:1, 16:9, 9:16]",
        ),
    ] = None,
    short_name: Annotated[
        bool, typer.Option("--short-name", help="photo.xmp, as Adobe names it, instead of photo.jpg.xmp.")
    ] = False,
    workers: Workers = 0,
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """Write XMP sidecars: regions for photo libraries. Photos stay as they are, and so does all else in a sidecar.

    A second run replaces its own regions alone, and looks only at photos that changed.

    \b
    Examples:
      eyefirst sidecar photo.jpg
      eyefirst sidecar album --ratio 4:5 --ratio 1:1
      eyefirst sidecar photo.jpg --short-name --json
    """
    from eyefirst.geometry import AspectRatio
    from eyefirst.integrations.xmp_paths import place_of
    from eyefirst.integrations.xmp_sidecar import DEFAULT_RATIOS, write_sidecar
    from eyefirst.network import check_revision

    wanted = [AspectRatio.parse(r) for r in ratios or DEFAULT_RATIOS]
    check_revision(revision or None)
    if STDIN in pictures:
        raise InvalidValueError("standard input has no place for a sidecar", remedy="name files or folders")
    taken: dict[str, str] = {}
    lock = threading.Lock()

    def write(picture: Picture) -> Iterable[str]:
        source = picture.source()
        assert isinstance(source, str)
        path = str(place_of(source, short_name=short_name).path)
        with lock:
            first = taken.setdefault(os.path.abspath(path).casefold(), os.path.abspath(source))
        if first != os.path.abspath(source):
            raise OutputError(f"is the sidecar of {first} already", remedy="leave out --short-name", source=path)
        made = write_sidecar(source, wanted, short_name=short_name, revision=revision or None)
        if made.warning:
            say(f"{source}: {made.warning}")
        return [as_line(made.to_dict()) if as_json else str(made.path)]

    for_each(expand(pictures), write, as_json=as_json, workers=workers or os.cpu_count() or 1)
