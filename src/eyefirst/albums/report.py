"""A page that shows, side by side, what was seen in a folder of pictures, with filters.

One HTML file that needs nothing else: pictures, maps and figures are inside it, and it asks no server for
anything. The maps lie over the pictures as layers of their own, so that the page itself can switch view
modes and opacity.
"""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from eyefirst.colours import apply_colormap
from eyefirst.errors import EyefirstError
from eyefirst.files.whole import written_whole
from eyefirst.framing import FramingOptions
from eyefirst.geometry import Box, RatioLike
from eyefirst.handler import ImageRequestHandler, handler_of
from eyefirst.heat_map import HeatMap
from eyefirst.image import Source
from eyefirst.plan import CropPlan
from eyefirst.tools.planning import plan_from

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
    """Looks at one picture. Raises PictureError."""
    handler = handler_of(source)
    seen = handler.look(revision)
    plan = plan_from(handler, ratios, options=options, revision=revision)
    picture = PillowImage.fromarray(handler.image.pixels)
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE), PillowImage.Resampling.LANCZOS)
    return ReportRow(name, plan, picture, seen.attention.heat_map, seen.objects.heat_map)


def report_page(rows: Sequence[ReportRow], *, title: str, colormap: str = "inferno") -> str:
    """The page as HTML."""
    page = files("eyefirst.albums").joinpath("report.html").read_text(encoding="utf-8")
    shown = json.dumps([_shown(row, colormap) for row in rows]).replace("<", "\\u003c")
    legend = ", ".join(f"#{bytes(colour).hex()}" for colour in apply_colormap(np.linspace(0, 1, 9)[None], colormap)[0])
    page = page.replace("%TITLE%", html.escape(title)).replace("%LEGEND%", legend)
    return page.replace("%ROWS%", shown)  # last: nothing inside of it is replaced


def write_report(rows: Sequence[ReportRow], path: Path, *, title: str, colormap: str = "inferno") -> None:
    """Writes the page, whole or not at all. Raises OutputError."""
    page = report_page(rows, title=title, colormap=colormap)
    with written_whole(path) as out:
        out.write(page.encode())


def _shown(row: ReportRow, colormap: str) -> dict[str, object]:
    """What the page's script reads of a row. Boxes are left, top, width, height in shares of the picture."""
    if row.plan is None or row.picture is None or row.attention is None or row.objectness is None:
        return {"name": row.name, "error": str(row.error), "warnings": []}
    plan, size = row.plan, row.plan.size
    frames = {ratio: ranked[0] for ratio, ranked in plan.frames.items() if ranked}
    return {
        "name": row.name,
        "size": str(size),
        "aspect": row.picture.width / row.picture.height,
        "picture": _as_url(row.picture, "JPEG"),
        "maps": {
            "attention": _as_url(_coloured(row.attention, colormap), "PNG"),
            "objectness": _as_url(_coloured(row.objectness, colormap), "PNG"),
        },
        "peak": float(row.objectness.values.max()),
        "focal": [plan.focal_point.x, plan.focal_point.y],
        "boxes": {
            "attention": [[*_spans(plan.attention_box), None]],
            "objectness": [[*_spans(o.box), o.confidence] for o in plan.objects],
        },
        "frames": {
            ratio: {"box": _spans(frame.box.normalized(size)), "kept": frame.kept} for ratio, frame in frames.items()
        },
        "warnings": [f"{ratio}: {text}" for ratio, frame in frames.items() for text in frame.warnings],
    }


def _spans(box: Box) -> list[float]:
    return [round(v, 5) for v in (box.left, box.top, box.width, box.height)]


def _coloured(heat_map: HeatMap, colormap: str) -> PillowImage.Image:
    """The map's own colours; dull places are transparent. Small: the browser enlarges it smoothly."""
    heat = heat_map.values / max(float(heat_map.values.max()), 1e-6)
    cover = (heat**0.5 * 255).astype(np.uint8)
    return PillowImage.fromarray(np.dstack([apply_colormap(heat, colormap), cover]), "RGBA")


def _as_url(picture: PillowImage.Image, kind: str) -> str:
    out = io.BytesIO()
    picture.convert("RGB" if kind == "JPEG" else "RGBA").save(out, kind, quality=82, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"
