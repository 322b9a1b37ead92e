"""A page that shows, side by side, what was seen in a folder of pictures, with filters.

A small report is one HTML file that needs nothing else. A larger one has its pictures and maps as files in a folder
beside it, and shows them as one scrolls, so that it opens at once. It asks no server for anything. The maps lie over
the pictures as layers of their own, so that the page itself can switch view modes and opacity.
"""

from __future__ import annotations

import base64
import html
import io
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image as PillowImage

from eyefirst.colours import apply_colormap
from eyefirst.errors import EyefirstError
from eyefirst.files.ledger import LEDGER, Ledger
from eyefirst.files.whole import written_whole
from eyefirst.framing import FramingOptions
from eyefirst.geometry import Box, RatioLike
from eyefirst.handler import ImageRequestHandler, handler_of
from eyefirst.heat_map import HeatMap
from eyefirst.image import Source
from eyefirst.plan import CropPlan
from eyefirst.tools.planning import plan_from

INLINE = 40
"""Up to so many pictures, a report is one file."""
SHOWN_SIDE = 360
"""The longer side of the pictures on the page, in pixels."""
DEFAULT_RATIOS = ("1:1", "16:9", "9:16")


@dataclass(frozen=True, eq=False)
class ReportRow:
    """One picture of the page: small, with both maps and a plan; or the error that came instead."""

    name: str
    plan: CropPlan | None = None
    picture: PillowImage.Image | None = None
    attention: HeatMap | None = None
    objectness: HeatMap | None = None
    error: EyefirstError | None = None

    def to_dict(self) -> dict[str, object]:
        """For JSON: the plan, or the error; without pictures."""
        if self.plan is None:
            return {"picture": self.name, "error": self.error.to_dict() if self.error else None}
        return self.plan.to_dict()


def report_row(
    source: Source | ImageRequestHandler,
    name: str,
    ratios: Sequence[RatioLike] = DEFAULT_RATIOS,
    *,
    options: FramingOptions | None = None,
    revision: str | None = None,
) -> ReportRow:
    """Look at one picture. Raises PictureError."""
    handler = handler_of(source)
    seen = handler.look(revision)
    plan = plan_from(handler, ratios, options=options, revision=revision)
    picture = PillowImage.fromarray(handler.image.pixels)
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE), PillowImage.Resampling.LANCZOS)
    return ReportRow(name, plan, picture, seen.attention.heat_map, seen.objects.heat_map)


def _page(rows: Sequence[dict[str, Any]], title: str, colormap: str) -> str:
    page = files("eyefirst.albums").joinpath("report.html").read_text(encoding="utf-8")
    shown = json.dumps(rows).replace("<", "\\u003c")
    legend = ", ".join(f"#{bytes(colour).hex()}" for colour in apply_colormap(np.linspace(0, 1, 9)[None], colormap)[0])
    page = page.replace("%TITLE%", html.escape(title)).replace("%LEGEND%", legend)
    return page.replace("%ROWS%", shown)  # last: nothing inside of it is replaced


def write_report(rows: Iterable[ReportRow], path: Path, *, title: str, colormap: str = "inferno") -> None:
    """Write the page, whole or not at all. Raises OutputError."""
    writer = ReportWriter(path, colormap=colormap)
    for row in rows:
        writer.add(row)
    writer.close(title=title)


class ReportWriter:
    """A report that grows row by row; only the figures of a row stay in memory once there are many.

    Up to INLINE rows everything is inside the page. With more, pictures and maps are files in the folder
    `<name>_files` beside it; those of an earlier report that this one does not show are removed. Raises OutputError.
    """

    def __init__(self, path: Path, *, colormap: str = "inferno") -> None:
        self._path, self._colormap = path, colormap
        self._rows: list[dict[str, Any]] = []
        self._inside: list[dict[str, bytes]] = []
        self._files = path.with_name(f"{path.stem}_files")
        self._ledger: Ledger | None = None
        self._written: set[Path] = set()

    def add(self, row: ReportRow) -> None:
        """Add a row."""
        self._rows.append(_shown(row))
        self._inside.append(_pictures_of(row, self._colormap))
        if len(self._rows) > INLINE:
            self._ledger = self._ledger or Ledger(self._files)
            for number, pictures in enumerate(self._inside, len(self._rows) - len(self._inside) + 1):
                self._move_out(self._ledger, number, pictures)
            self._inside.clear()

    def _move_out(self, ledger: Ledger, number: int, pictures: dict[str, bytes]) -> None:
        """Write the pictures of a row as files, and let the row name them."""
        folder = quote(os.fsencode(self._files.name))
        addresses = {}
        for what, data in pictures.items():
            name = f"{number:06}.jpg" if what == "picture" else f"{number:06}_{what}.png"
            ledger.write(self._files / name, data)
            self._written.add(self._files / name)
            addresses[what] = f"{folder}/{name}"
        self._rows[number - 1] |= addresses

    def close(self, *, title: str) -> None:
        """Write the page."""
        for row, pictures in zip(self._rows, self._inside, strict=False):
            row |= {what: _as_url(data, "jpeg" if what == "picture" else "png") for what, data in pictures.items()}
        with written_whole(self._path) as out:
            out.write(_page(self._rows, title, self._colormap).encode("utf-8", "replace"))
        if self._ledger is None and (self._files / LEDGER).is_file():
            self._ledger = Ledger(self._files)
        if self._ledger:
            with closing(self._ledger) as ledger:
                for (key,) in ledger.run("SELECT DISTINCT path FROM written"):
                    if ledger.path_of(key) not in self._written:
                        ledger.remove(ledger.path_of(key))


def _pictures_of(row: ReportRow, colormap: str) -> dict[str, bytes]:
    """The files that the page shows of a row: the picture as JPEG, and its maps as PNG; none for an error."""
    if row.picture is None or row.attention is None or row.objectness is None:
        return {}
    return {
        "picture": _encoded(row.picture.convert("RGB"), "JPEG"),
        "attention": _encoded(_coloured(row.attention, colormap), "PNG"),
        "objectness": _encoded(_coloured(row.objectness, colormap), "PNG"),
    }


def _shown(row: ReportRow) -> dict[str, Any]:
    """What the page's script reads of a row, without pictures. Boxes are left, top, width, height in shares."""
    if row.plan is None or row.picture is None or row.objectness is None:
        return {"name": row.name, "error": str(row.error), "warnings": []}
    plan, size = row.plan, row.plan.size
    frames = {ratio: ranked[0] for ratio, ranked in plan.frames.items() if ranked}
    return {
        "name": row.name,
        "size": str(size),
        "aspect": row.picture.width / row.picture.height,
        "peak": float(row.objectness.values.max()),
        "focal": [plan.focal_point.x, plan.focal_point.y],
        "boxes": {
            "attention": [[*_spans(plan.attention_box), None]],
            "objectness": [[*_spans(o.box), o.confidence] for o in plan.objects],
        },
        "frames": {
            ratio: {"box": _spans(frame.box.normalized(size)), "kept": frame.kept, "severity": frame.severity}
            for ratio, frame in frames.items()
        },
        "warnings": [f"{ratio}: {text}" for ratio, frame in frames.items() for text in frame.warnings],
    }


def _spans(box: Box) -> list[float]:
    return [round(v, 5) for v in (box.left, box.top, box.width, box.height)]


def _coloured(heat_map: HeatMap, colormap: str) -> PillowImage.Image:
    """The map's own colours; dull places are transparent. Small: the browser enlarges it smoothly."""
    heat = heat_map.values / max(float(heat_map.values.max()), 1e-6)
    cover = (heat**0.5 * 255).astype(np.uint8)
    return PillowImage.fromarray(np.dstack([apply_colormap(heat, colormap), cover]))


def _encoded(picture: PillowImage.Image, kind: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, quality=82, optimize=True)
    return out.getvalue()


def _as_url(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
