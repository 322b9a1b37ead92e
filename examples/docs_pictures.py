"""Draws the pictures of docs/ that explain: the start page, the journey of a picture, the score, the three maps.

    python examples/docs_pictures.py docs/images

The photos are in the wheels of scikit-image and scikit-learn; README.md names their licences.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from demo import bundled_photos, caption
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from eyefirst.drawing import BOX_COLOURS, Tile, contact_sheet, draw_boxes, draw_view
from eyefirst.framing import WEIGHTS, Framer, Spans
from eyefirst.framing.score import grid_terms
from eyefirst.framing.search import fits_of
from eyefirst.geometry import AspectRatio
from eyefirst.handler import ImageRequestHandler, all_pixels
from eyefirst.requests import FaceRectanglesRequest
from eyefirst.tools.crop import crops_of
from eyefirst.tools.planning import framer_of, plan_from

RATIOS = ("16:9", "1:1", "9:16", "2:1")
QUALITY = 80


def maps_of(handler: ImageRequestHandler) -> list[Tile]:
    """The three maps over the photo, with their boxes."""
    seen, picture = handler.look(), handler.picture().picture
    faces = handler.perform([FaceRectanglesRequest()])[0]
    return [
        Tile(draw_view(picture, seen.attention.heat_map, seen.attention.salient_objects), "attention"),
        Tile(draw_view(picture, seen.objects.heat_map, seen.objects.salient_objects, colormap="viridis"), "objectness"),
        Tile(draw_view(picture, faces.heat_map, faces.faces, colormap="viridis"), "faces"),
    ]


def crops(handler: ImageRequestHandler) -> list[Tile]:
    """The crops of all ratios, with what they keep."""
    plan = plan_from(handler, RATIOS)
    return [Tile(made.picture, f"{made.ratio}  {caption(made.frame)}") for made in crops_of(plan, handler)]


def start(handler: ImageRequestHandler) -> Image.Image:
    """One photo and its three maps; below, its crops."""
    first = [Tile(handler.picture().picture, "photo.jpg"), *maps_of(handler)]
    return contact_sheet([first, crops(handler)], tile_height=190)


def places(handler: ImageRequestHandler, ratio: AspectRatio) -> tuple[Framer, Spans]:
    """Every place of the largest frame that slides from left to right."""
    framer = framer_of(handler, handler.look())
    share = ratio.largest_in(framer.size).width / framer.size.width
    starts = np.linspace(0, 1 - share, 400)
    return framer, Spans(starts, starts + share)


def score_chart(handler: ImageRequestHandler, ratio: AspectRatio) -> Image.Image:
    """The photo with the frame that wins; below, what each term adds to the score of a frame whose middle is there."""
    framer, spans = places(handler, ratio)
    fits = fits_of(framer.content, framer.size, ratio.largest_in(framer.size))
    terms = grid_terms(framer.content, spans, Spans.whole(), fits)
    lines = {"score": framer.score(0, spans)}
    for name, values in terms.items():
        lines[name] = getattr(WEIGHTS, name) * np.broadcast_to(np.asarray(values), (1, 400))[0]
    lines = {name: values for name, values in lines.items() if np.ptp(values) > 2e-3}
    photo = handler.picture().picture.convert("RGB")
    photo = photo.resize((520, round(520 * photo.height / photo.width)), Image.Resampling.LANCZOS)
    left, row = 140, 46
    sheet = Image.new("RGB", (left + photo.width + 70, photo.height + row * len(lines) + 34), "#f6f6f4")
    sheet.paste(photo, (left, 8))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    best = int(lines["score"].argmax())
    middles = left + photo.width * (spans.starts + spans.stops) / 2
    x0, x1 = (left + photo.width * float(v[best]) for v in (spans.starts, spans.stops))
    draw.rectangle((x0, 8, x1, 8 + photo.height - 1), outline=BOX_COLOURS[0], width=4)
    draw.line((middles[best], 8, middles[best], sheet.height - 26), fill="#b08900", width=1)
    for i, (name, values) in enumerate(lines.items()):
        top = 8 + photo.height + row * i + 10
        low, high = float(values.min()), float(values.max())
        points = [
            (float(x), top + 30 - 28 * (float(v) - low) / (high - low)) for x, v in zip(middles, values, strict=True)
        ]
        draw.line(points, fill="#d1495b" if name == "score" else "#30638e", width=3)
        draw.text((8, top + 8), name, fill="#222", font=font)
        draw.text((left + photo.width + 8, top - 2), f"{high:+.3f}", fill="#555", font=font)
        draw.text((left + photo.width + 8, top + 18), f"{low:+.3f}", fill="#555", font=font)
    draw.text((left, sheet.height - 22), "where the middle of the frame lies", fill="#222", font=font)
    return sheet


def stages(handler: ImageRequestHandler, out: Path) -> None:
    """A picture for each stage of the journey."""
    upright = handler.picture().picture.convert("RGB")
    stored = upright.rotate(90, expand=True)
    save(
        contact_sheet([[Tile(stored, "as stored, EXIF 6"), Tile(upright, "upright, sRGB")]]), out / "journey_source.jpg"
    )
    squashed = upright.resize((272, 272))
    save(contact_sheet([[Tile(upright, "450 x 300"), Tile(squashed, "272 x 272")]]), out / "journey_network.jpg")
    save(contact_sheet([maps_of(handler)[:2]]), out / "journey_maps.jpg")
    seen = handler.look()
    boxes = [
        Tile(draw_boxes(upright, seen.attention.salient_objects), "attention: one box"),
        Tile(draw_boxes(upright, seen.objects.salient_objects), "objectness: up to three"),
    ]
    save(contact_sheet([boxes]), out / "journey_boxes.jpg")
    save(contact_sheet([crops(handler)]), out / "journey_crops.jpg")


def saw(photos: list[Path]) -> Image.Image:
    """Photos beside their maps."""
    rows = []
    for photo in photos:
        handler = ImageRequestHandler(photo, expects=all_pixels)
        rows.append([Tile(handler.picture().picture, photo.name), *maps_of(handler)])
    return contact_sheet(rows, tile_height=120)


def save(picture: Image.Image, path: Path) -> None:
    """Write one picture and say so."""
    picture.convert("RGB").save(path, quality=QUALITY, optimize=True)
    print(f"{path}: {path.stat().st_size // 1000} kB, {picture.width} x {picture.height}")


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    person = ImageRequestHandler(data.astronaut(), expects=all_pixels)
    save(start(person), out / "start.jpg")
    cat = ImageRequestHandler(data.chelsea(), expects=all_pixels)
    stages(cat, out)
    save(score_chart(person, AspectRatio.parse("9:16")), out / "score.jpg")
    named = {photo.stem: photo for photo in bundled_photos()}
    save(saw([named[n] for n in ("astronaut", "coffee", "flower", "china")]), out / "saw.jpg")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/docs_pictures.py FOLDER")
    main(Path(sys.argv[1]))
