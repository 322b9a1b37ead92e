"""Plans of many pictures, kept as JSON lines: analyse once, cut any size later.

eyefirst plan album -a 1:1 -a 16:9 -o plans.jsonl
eyefirst render plans.jsonl --size 640x640 -o crops
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from eyefirst.albums.journal import AlbumRow, Journal, Made, settings_hash, work_through
from eyefirst.albums.walk import Task
from eyefirst.detectors import load_detectors
from eyefirst.errors import InvalidValueError, OutputError
from eyefirst.handler import ImageRequestHandler
from eyefirst.tools.planning import PlanOrder

PLAN_LIMIT_BYTES = 16 << 20
"""No line of a plan is longer than this."""


@dataclass(frozen=True, slots=True)
class DoubtfulCrop:
    """A crop that wants a human eye. severity: how bad an editor would find it, 0..1; warnings: why."""

    picture: str
    ratio: str
    severity: float
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.severity:.2f}  {self.picture}  {self.ratio}  {'; '.join(self.warnings)}"


def doubtful_crops(row: AlbumRow) -> list[DoubtfulCrop]:
    """The first frames of a planned picture that an editor would stop at."""
    first = {ratio: frames[0] for ratio, frames in (row.plan or {}).get("frames", {}).items() if frames}
    return [
        DoubtfulCrop(row.picture, ratio, frame["severity"], tuple(frame["warnings"]))
        for ratio, frame in first.items()
        if frame["warnings"]
    ]


def plan_album(
    tasks: Iterable[Task],
    out: str | os.PathLike[str],
    order: PlanOrder,
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Generator[AlbumRow, None, None]:
    """Plan every picture; `out` then holds one line of JSON per picture, in order: its plan, or its error.

    Lines are written to a temporary name, renamed when all are there; what is planned stands in the folder's
    journal, so that a second run plans only what is missing or changed. For the rest see `work_through`.
    Raises InvalidValueError where `out` does not end in .jsonl or .json, OutputError where it cannot be written, or
    holds something else than plans and `overwrite` is not set.
    """
    path = Path(out)
    check_plan_file(path, overwrite=overwrite)
    load_detectors(order.detectors)
    journal = Journal(path.parent, settings_hash(order), of=path.name)
    return _planned(tasks, path, journal, order, workers)


def _planned(
    tasks: Iterable[Task], path: Path, journal: Journal, order: PlanOrder, workers: int | None
) -> Generator[AlbumRow, None, None]:
    rows = work_through(tasks, journal, lambda task: _made(task.source, order), workers=workers)
    with closing(journal), journal.ledger.writing(path, overwrite=True) as file, closing(rows):
        for row in rows:
            line = json.dumps(row.plan or {"error": row.error, "picture": row.picture})
            file.write(f"{line}\n".encode())
            yield row


def check_plan_file(path: Path, *, overwrite: bool = False) -> None:
    """Raise where plans must not be written to a file: by its name, or by what it holds."""
    if path.suffix.lower() not in (".jsonl", ".json") or path.is_dir():
        raise InvalidValueError(
            "plans are written as JSON lines", remedy="let the name end in .jsonl or .json", source=str(path)
        )
    if overwrite or not os.path.lexists(path) or holds_plans(path):
        return
    raise OutputError(
        "is there already, and holds something else than plans",
        remedy="choose another name, or add --overwrite",
        source=str(path),
    )


def holds_plans(path: Path) -> bool:
    """Whether a file is empty or begins with a plan, or with the error that came instead of one."""
    try:
        with path.open("rb") as file:
            start = file.readline(PLAN_LIMIT_BYTES)
        values = json.loads(start) if start.strip() else {"picture": "", "error": ""}
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and "picture" in values and bool({"frames", "error"} & set(values))


def _made(source: str, order: PlanOrder) -> Made:
    handler = ImageRequestHandler(source)
    return Made((), order.plan(handler), handler.file_remarks())
