"""From frames and maps to pictures: cut, pad, resize, draw, lay out, write."""

from __future__ import annotations

import contextlib
import io
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFilter, ImageFont

from eyefirst.boxes import SalientObject
from eyefirst.colours import parse_colour
from eyefirst.errors import InvalidValueError, OutputError
from eyefirst.framing import Frame, Padding
from eyefirst.geometry import Size, round_half_up
from eyefirst.heat_map import HeatMap
from eyefirst.image import DEFAULT_PIXEL_LIMIT, Animation

VIEWS = ("combined", "boxes", "mask")
FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
WITHOUT_ALPHA = {"JPEG", "BMP"}
ANIMATED = {"GIF", "WEBP", "PNG", "AVIF"}
BOX_COLOURS = ("#ffd23f", "#3ddc97", "#4cc9f0")
PROGRESSIVE_FROM = 250_000
"""Pixels from which a JPEG is progressive: a smaller one is there at once, and takes twice as long to write."""
BLUR_SHARE = 0.04
"""Radius of a blurred padding's blur, as a share of the frame's longer side."""


def render_frame(
    picture: PillowImage.Image,
    frame: Frame,
    *,
    planned: Size | None = None,
    size: Size | None = None,
    pad: str | None = None,
) -> PillowImage.Image:
    """The frame cut out of an upright picture, padded if the frame says so, and resized to `size` if given.

    planned: the size that the frame's pixels refer to, where the picture was decoded smaller than that.
    """
    across = picture.width / planned.width if planned else 1.0
    down = picture.height / planned.height if planned else 1.0
    box = frame.box
    edges = (box.left * across, box.top * down, box.right * across, box.bottom * down)
    if size and not frame.padding:
        return picture.resize((size.width, size.height), PillowImage.Resampling.BICUBIC, edges, reducing_gap=2.0)
    left, top, right, bottom = (round_half_up(e) for e in edges)
    cut = picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    if frame.padding:
        cut = _padded(cut, frame.padding.scaled(across, down), pad or "blur")
    return resized(cut, size) if size else cut


def resized(picture: PillowImage.Image, size: Size) -> PillowImage.Image:
    """To exactly this size, with a filter that averages when it shrinks."""
    if picture.size == (size.width, size.height):
        return picture
    return picture.resize((size.width, size.height), PillowImage.Resampling.LANCZOS, reducing_gap=3.0)


def _padded(cut: PillowImage.Image, pad: Padding, style: str) -> PillowImage.Image:
    target = Size(cut.width + pad.left + pad.right, cut.height + pad.top + pad.bottom)
    if target.pixels > DEFAULT_PIXEL_LIMIT:
        raise InvalidValueError(
            f"the padded frame would have {target} pixels, more than the limit of {DEFAULT_PIXEL_LIMIT}",
            remedy="choose a less extreme ratio, or plan without padding",
        )
    if style == "blur":
        ground = cut.resize((target.width, target.height), PillowImage.Resampling.BILINEAR)
        ground = ground.filter(ImageFilter.GaussianBlur(BLUR_SHARE * max(ground.size)))
    elif style == "extend":
        edges = ((pad.top, pad.bottom), (pad.left, pad.right), (0, 0))
        return PillowImage.fromarray(np.pad(np.asarray(cut), edges, mode="edge"), cut.mode)
    else:
        ground = PillowImage.new(cut.mode, (target.width, target.height), parse_colour(style))
    ground.paste(cut, (pad.left, pad.top))
    return ground


def draw_boxes(picture: PillowImage.Image, objects: Sequence[SalientObject]) -> PillowImage.Image:
    """A copy with every box and its confidence drawn on it."""
    result = picture.convert("RGB")
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
    objects: Sequence[SalientObject],
    *,
    view: str = "combined",
    colormap: str = "inferno",
    opacity: float = 0.75,
) -> PillowImage.Image:
    """The view modes of Apple's sample: "combined" (mask and boxes), "boxes", "mask"."""
    if view not in VIEWS:
        raise InvalidValueError(f"expected a view among {', '.join(VIEWS)}; got {view!r}", remedy="choose one")
    result = picture.convert("RGB")
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
        tiles = [Tile(resized(t.picture.convert("RGB"), _of_height(t.picture, tile_height)), t.caption) for t in row]
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


def format_of(path: Path, given: str | None = None) -> str:
    """Pillow's name of the format to write: the given one, else that of the file's extension."""
    suffix = f".{given.lower().lstrip('.')}" if given else path.suffix.lower()
    if suffix not in FORMATS:
        what = f"format {given!r}" if given else f"file {path.name!r}"
        raise InvalidValueError(
            f"cannot tell how to write the {what}", remedy=f"use one of {', '.join(s[1:] for s in FORMATS)}"
        )
    return FORMATS[suffix]


def write_picture(
    picture: PillowImage.Image | Animation, path: Path, *, quality: int = 88, format: str | None = None
) -> None:
    """Writes a temporary name beside the target and renames it, so that a kill leaves no half file.

    Pixels are sRGB. A format without transparency gets it laid on white; one without animation gets the
    first frame. Raises OutputError.
    """
    kind = format_of(path, format)
    encoded = io.BytesIO()  # Pillow loses what a full disk does not take, without a word, when it writes JPEGs itself
    try:
        save_picture(picture, encoded, kind, quality=quality)
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{kind} cannot hold the picture: {error}", remedy="choose another size or format", source=str(path)
        ) from error
    with written_whole(path) as out:
        out.write(encoded.getbuffer())


@contextlib.contextmanager
def written_whole(path: Path, rights: int | None = None) -> Iterator[BinaryIO]:
    """A file beside `path` to write into, renamed to it at the end, or gone where anything is raised.

    Missing folders are made. rights: of the file; by default those of any new one. Raises OutputError.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as out:
            yield out
        if rights is not None:
            temporary.chmod(rights)
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise OutputError.of(error, str(path)) from error
        raise


def save_picture(picture: PillowImage.Image | Animation, out: BinaryIO, kind: str, *, quality: int = 88) -> None:
    """Encodes into a binary file; `kind` is Pillow's name of the format, such as "JPEG". See `write_picture`."""
    animation = picture if isinstance(picture, Animation) else Animation((picture,), (0,), 0)
    frames = animation.frames if kind in ANIMATED else animation.frames[:1]
    if kind in WITHOUT_ALPHA:
        frames = tuple(_on_white(frame) for frame in frames)
    options: dict[str, Any] = {"quality": quality} if kind in ("JPEG", "WEBP", "AVIF") else {}
    if kind == "JPEG":
        options |= {"optimize": True, "progressive": frames[0].width * frames[0].height >= PROGRESSIVE_FROM}
    if len(frames) > 1:
        durations = [max(d, 10) for d in animation.durations_ms]
        options |= {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": animation.loops}
        if kind == "GIF":
            options["disposal"] = 2  # every frame is whole: nothing of the one before may shine through
    frames[0].save(out, kind, **options)


def _on_white(picture: PillowImage.Image) -> PillowImage.Image:
    if picture.mode not in ("RGBA", "LA"):
        return picture
    ground = PillowImage.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground
