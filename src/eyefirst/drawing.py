"""Drawing: boxes and heat maps on a picture, and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from eyefirst.boxes import SalientObject
from eyefirst.cut import resized
from eyefirst.errors import InvalidValueError
from eyefirst.face_maps import DetectedFace
from eyefirst.geometry import Size
from eyefirst.heat_map import OPACITY, HeatMap
from eyefirst.image import as_seen

VIEWS = ("combined", "boxes", "mask")
BOX_COLOURS = ("#ffd23f", "#3ddc97", "#4cc9f0")


def draw_boxes(picture: PillowImage.Image, objects: Sequence[SalientObject | DetectedFace]) -> PillowImage.Image:
    """A copy with every box and its confidence drawn on it."""
    result = as_seen(picture)
    size = Size(result.width, result.height)
    line = max(2, round(max(result.size) / 250))
    font = ImageFont.load_default(max(11, max(result.size) // 45))
    draw = ImageDraw.Draw(result)
    for i, found in enumerate(objects):
        box, colour = found.box.to_pixels(size), BOX_COLOURS[i % len(BOX_COLOURS)]
        draw.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), outline=colour, width=line)
        text = f"{found.confidence:.2f}"
        left, top, right, bottom = draw.textbbox((box.left + line, box.top + line), text, font=font)
        draw.rectangle((left - 2, top - 2, right + 2, bottom + 2), fill=colour)
        draw.text((box.left + line, box.top + line), text, fill="black", font=font)
    return result


def draw_view(
    picture: PillowImage.Image,
    heat_map: HeatMap,
    objects: Sequence[SalientObject | DetectedFace],
    *,
    view: str = "combined",
    colormap: str = "inferno",
    opacity: float = OPACITY,
) -> PillowImage.Image:
    """The view modes of Apple's sample: "combined" (mask and boxes), "boxes", "mask"."""
    if view not in VIEWS:
        raise InvalidValueError(f"expected a view among {', '.join(VIEWS)}; got {view!r}", remedy="choose one")
    result = as_seen(picture)
    if view != "boxes":
        result = heat_map.overlay(result, colormap=colormap, opacity=opacity)
    return draw_boxes(result, objects) if view != "mask" else result


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a contact sheet, with a line of text below it."""

    picture: PillowImage.Image
    caption: str


def contact_sheet(rows: Sequence[Sequence[Tile]], *, tile_height: int = 220, gap: int = 12) -> PillowImage.Image:
    """Rows of pictures of one height on a light ground, each with its caption."""
    font = ImageFont.load_default(13)
    caption_height = 20
    lines = []
    for row in rows:
        tiles = [Tile(resized(as_seen(t.picture), _of_height(t.picture, tile_height)), t.caption) for t in row]
        lines.append(tiles)
    width = max(sum(t.picture.width + gap for t in line) for line in lines) + gap
    height = len(lines) * (tile_height + caption_height + gap) + gap
    sheet = PillowImage.new("RGB", (width, height), "#f6f6f4")
    draw = ImageDraw.Draw(sheet)
    y = gap
    for line in lines:
        x = gap
        for tile in line:
            sheet.paste(tile.picture, (x, y))
            draw.text((x, y + tile_height + 3), _fitted(tile.caption, tile.picture.width, font), fill="#333", font=font)
            x += tile.picture.width + gap
        y += tile_height + caption_height + gap
    return sheet


def _of_height(picture: PillowImage.Image, height: int) -> Size:
    return Size(max(1, round(picture.width * height / picture.height)), height)


def _fitted(text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
