"""`eyefirst render`."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_known, as_line, guarded, refuse
from eyefirst.cli.options import (
    AsJson,
    Background,
    FitSize,
    Format,
    MetadataChoice,
    MetadataOption,
    Name,
    NoEnlarge,
    Overwrite,
    Quality,
    Workers,
)
from eyefirst.errors import EyefirstError, InvalidPlanError

if TYPE_CHECKING:
    from eyefirst.plan import CropPlan

NAMELESS = ("<array>", "<picture>", "<bytes>", "<file>")
"""Names of pictures that are no files."""


@dataclass(frozen=True, slots=True)
class Row:
    """The JSON of a plan, read when its turn comes, and the name of its picture; or the error that came instead."""

    name: str
    text: str = ""
    frames: int = 0
    error: EyefirstError | None = None

    def plan(self) -> CropPlan:
        """Return the plan. Raises the error that came instead."""
        from eyefirst.plan import CropPlan

        if self.error:
            raise self.error
        return CropPlan.from_json(self.text)


@guarded
def render_plans(
    plans: Annotated[
        list[str],
        typer.Argument(
            metavar="PLANS", help="Files of `eyefirst plan` or `crop --json`, JSON or JSON lines; - for standard input."
        ),
    ],
    *,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="OUT", help="A file where there is one frame; otherwise a folder.")
    ],
    picture: Annotated[
        str, typer.Option(metavar="FILE", help="The picture that was planned, if it is not where it was.")
    ] = "",
    size: FitSize = "",
    no_enlarge: NoEnlarge = False,
    name: Name = "",
    quality: Quality = None,
    background: Background = "white",
    format: Format = "",
    overwrite: Overwrite = False,
    metadata: MetadataOption = MetadataChoice.COPYRIGHT,
    workers: Workers = 0,
    as_json: AsJson = False,
) -> None:
    """Cut the frames of saved plans; no network is needed.

    \b
    Examples:
      eyefirst render plan.json -o crops
      eyefirst crop photo.jpg -a 1:1 --json | eyefirst render - -o square.jpg
      eyefirst plan album -a 4:5 -o plans.jsonl
      eyefirst render plans.jsonl --size 640x640 -o crops
      eyefirst render plan.json --picture moved/photo.jpg --size 640x640 -o crops
    """
    from eyefirst.cli.outputs import Results
    from eyefirst.geometry import Size
    from eyefirst.tools.crop import crops_of, planned_handler

    if not size:
        refuse("only --size enlarges", {"--no-enlarge": no_enlarge}, remedy="add --size, or leave it out")
    rows = [row for file in expand(plans) for row in _read(file)]
    single = len(rows) == 1 and rows[0].frames == 1
    room = Size.parse(size) if size else None
    pictures = _pictures(rows, picture)
    results = Results(
        out,
        list(pictures.values()),
        single=single,
        format=format,
        name=name,
        quality=quality,
        background=background,
        overwrite=overwrite,
        keep=metadata.value,
        inputs=[*plans, picture],
    )

    def cut(row: Row) -> Iterable[str]:
        plan = row.plan()
        source = picture or row.name
        if source in NAMELESS:
            raise InvalidPlanError("the plan names no file", remedy="add --picture FILE", source=source)
        handler = planned_handler(plan, source, size=room)
        crops = crops_of(plan, handler, size=room, enlarge=not no_enlarge, animated=results.is_animated(handler))
        written = results.write_crops(crops, handler, pictures[id(row)])
        return [as_line({"picture": row.name, "files": written})] if as_json else written

    for_each(rows, cut, as_json=as_json, workers=workers or os.cpu_count() or 1)


def _pictures(rows: list[Row], picture: str) -> dict[int, Picture]:
    """The picture of each row that is a plan, with the name of its results.

    That is the picture's path below the folder that all share, without extension. picture: stands for all, if given.
    """
    named = [row for row in rows if not row.error and (picture or row.name not in NAMELESS)]
    paths = {os.path.abspath(row.name) for row in named if row.name not in NAMELESS}
    shared = os.path.commonpath([os.path.dirname(p) for p in paths]) if len(paths) > 1 else ""
    counts = Counter[str]()
    found: dict[int, Picture] = {}
    for row in named:
        if row.name in NAMELESS:
            stem = "stdin"
        else:
            path = os.path.relpath(os.path.abspath(row.name), shared) if shared else os.path.basename(row.name)
            stem = os.path.splitext(path)[0].replace(os.sep, "/")
        source = picture or row.name
        counts[os.path.abspath(source)] += 1
        found[id(row)] = Picture(source, stem=stem, number=counts[os.path.abspath(source)])
    return found


def _read(file: Picture) -> list[Row]:
    """The plans of a file: one JSON object, or one a line."""
    try:
        source = file.source()
        text = (source if isinstance(source, bytes) else Path(source).read_bytes()).decode("utf-8-sig")
    except EyefirstError as error:
        return [Row(file.name, error=error)]
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "is not a text"
        return [Row(file.name, error=InvalidPlanError(f"cannot read plans: {words}", remedy="give a file of plans"))]
    rows = []
    for number, part in enumerate(_objects(text), 1):
        name = file.name if part is text else f"{file.name}:{number}"
        try:
            rows.append(_row_of(part, file.name))
        except Exception as error:
            known = as_known(error)
            known.source = name
            rows.append(Row(name, error=known))
    return rows or [
        Row(file.name, error=InvalidPlanError("holds no plan", remedy="write one with eyefirst crop --json"))
    ]


def _row_of(part: str, file: str) -> Row:
    """The row of a plan, or of a picture that could not be planned.

    A relative name may be relative to the plan's file, or to a folder above it: plans may lie below their album.
    """
    from eyefirst.plan import CropPlan

    with contextlib.suppress(ValueError, RecursionError):
        match json.loads(part):
            case {"error": {"reason": str(reason), "remedy": str(remedy)}, "picture": str(name)}:
                return Row(name, error=InvalidPlanError(f"was not planned: {reason}", remedy=remedy))
    plan = CropPlan.from_json(part)
    above = [os.path.dirname(file), *map(str, Path(file).absolute().parents[1:])]
    places = [plan.picture, *(os.path.join(folder, plan.picture) for folder in above)]
    name = next(filter(os.path.exists, places), plan.picture)
    return Row(name, part, sum(map(len, plan.frames.values())))


def _objects(text: str) -> list[str]:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return [line for line in text.split("\n") if line.strip()]
    return [text]
