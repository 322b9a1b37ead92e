"""Plans of many pictures, kept as JSON lines: analyse once, cut any size later.

eyefirst plan album -a 1:1 -a 16:9 -o plans.jsonl
eyefirst render plans.jsonl --size 640x640 -o crops
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from eyefirst.albums.journal import AlbumRow, Journal, settings_hash, work_through
from eyefirst.albums.walk import Task
from eyefirst.errors import InvalidValueError
from eyefirst.files.whole import written_whole
from eyefirst.framing import FramingOptions
from eyefirst.geometry import AspectRatio
from eyefirst.handler import ImageRequestHandler
from eyefirst.network import check_revision
from eyefirst.plan import CropPlan
from eyefirst.tools.planning import plan_from


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """What is planned of every picture; see `plan_crops`."""

    ratios: tuple[AspectRatio, ...]
    alternatives: int = 1
    options: FramingOptions = field(default_factory=FramingOptions)
    revision: str | None = None

    def __post_init__(self) -> None:
        if not self.ratios:
            raise InvalidValueError("expected at least one ratio, got none", remedy="e.g. 16:9")
        object.__setattr__(self, "ratios", tuple(dict.fromkeys(AspectRatio.parse(r) for r in self.ratios)))
        object.__setattr__(self, "revision", check_revision(self.revision))


def plan_album(
    tasks: Iterable[Task], out: str | os.PathLike[str], settings: PlanSettings, *, workers: int | None = None
) -> Generator[AlbumRow, None, None]:
    """Plans every picture; `out` then holds one line of JSON per picture, in order: its plan, or its error.

    Lines are written to a temporary name, renamed when all are there; what is planned stands in a journal
    beside it, so that a second run plans only what is missing or changed. For the rest see `work_through`.
    Raises OutputError where `out` cannot be written.
    """
    path = Path(out)
    journal = Journal(path.with_name(f".{path.name}.sqlite"), settings_hash(settings))
    rows = work_through(tasks, journal, lambda task: ([], plan_one(task.source, settings)), workers=workers)
    with closing(rows), written_whole(path) as file:
        for row in rows:
            line = json.dumps(row.plan or {"error": row.error, "picture": row.picture})
            file.write(f"{line}\n".encode())
            yield row


def plan_one(source: str, settings: PlanSettings) -> CropPlan:
    """The plan of one picture."""
    handler = ImageRequestHandler(source)
    return plan_from(
        handler, settings.ratios, settings.alternatives, options=settings.options, revision=settings.revision
    )
