"""Contact sheets: the crops of several ways side by side, for looking.

    python -m benchmarks.quality.editor sheets FOLDER --out DIR

Each picture has one line for each way (ours, the plain centre). A red bar stands over crops that carry a warning.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from benchmarks.quality.editor.looks import Map, look_at, open_picture
from eyefirst.boxes import subject_boxes
from eyefirst.errors import EyefirstError
from eyefirst.face_maps import DetectedFace
from eyefirst.framing import Frame, Framer, FramingOptions
from eyefirst.geometry import AspectRatio, Box, PixelBox, Size
from eyefirst.heat_map import HeatMap
from eyefirst.network import load_network

RATIOS = ("1:1", "4:5", "16:9", "9:16", "3:1")
CELL_HIGH, CELL_WIDE, WORDS_HIGH = 230, 420, 16
SMALL = 700
"""Photos are kept at this many pixels a side for drawing."""
PICTURES_A_SHEET = 5
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif")

Way = Callable[[Framer, AspectRatio], Frame]


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo with what the framing needs.

    size: upright, in pixels. small: RGB, at most `SMALL` pixels a side. The rest is from `look_at`.
    """

    name: str
    size: Size
    small: Image.Image
    attention: Map
    objectness: Map
    faces: tuple[DetectedFace, ...]
    brightness: Map
    text: tuple[Box, ...]

    def framer(self, options: FramingOptions | None = None) -> Framer:
        """Finds frames for this photo."""
        seen = HeatMap(self.objectness)
        found = subject_boxes(seen)
        tones = HeatMap(self.brightness)
        attention, faces, words = HeatMap(self.attention), self.faces, self.text
        return Framer(self.size, attention, seen, found, options, faces=faces, words=words, brightness=tones)


def ours(framer: Framer, ratio: AspectRatio) -> Frame:
    """The best frame."""
    return framer.frames(ratio)[0]


def centre(framer: Framer, ratio: AspectRatio) -> Frame:
    """The largest frame in the middle."""
    size = ratio.largest_in(framer.size)
    left, top = (framer.size.width - size.width) // 2, (framer.size.height - size.height) // 2
    return framer.frame(PixelBox(left, top, left + size.width, top + size.height))


WAYS: dict[str, Way] = {"ours": ours, "centre": centre}


def photos_in(folders: Sequence[Path], cache: Path | None = None) -> list[Photo]:
    """Every photo that can be read; networks run once where there is a cache."""
    kept = cache / f"photos-{load_network().revision}-{'-'.join(f.name for f in folders)}.pickle" if cache else None
    if kept and kept.exists():
        found: list[Photo] = pickle.loads(kept.read_bytes())
        return found
    photos = list(_read(folders))
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(photos))
    return photos


def _read(folders: Sequence[Path]) -> Iterator[Photo]:
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        try:
            picture = open_picture(path)
            seen = look_at(picture)
        except (EyefirstError, OSError):
            continue
        size = Size(*picture.size)
        picture.thumbnail((SMALL, SMALL))
        yield Photo(path.name, size, picture, *seen)


def draw_sheets(photos: Sequence[Photo], out: Path, ways: Sequence[str] = tuple(WAYS)) -> list[Path]:
    """Writes sheets of a few photos each, as PNG; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for start in range(0, len(photos), PICTURES_A_SHEET):
        lines = [_line(p, way) for p in photos[start : start + PICTURES_A_SHEET] for way in ways]
        sheet = Image.new("RGB", (max(x.width for x in lines), sum(x.height for x in lines)), "white")
        y = 0
        for line in lines:
            sheet.paste(line, (0, y))
            y += line.height
        written.append(out / f"sheet_{start // PICTURES_A_SHEET:02d}.png")
        sheet.save(written[-1])
    return written


def _line(photo: Photo, way: str) -> Image.Image:
    cells = [_cell(photo.small, photo.name, "black")]
    framer = photo.framer()
    for text in RATIOS:
        frame = WAYS[way](framer, AspectRatio.parse(text))
        box = frame.box.normalized(photo.size).to_pixels(Size(*photo.small.size))
        words = f"{text} {way} {frame.severity:.2f} " + "; ".join(frame.warnings)
        colour = "red" if frame.warnings else "black"
        cells.append(_cell(photo.small.crop((box.left, box.top, box.right, box.bottom)), words, colour))
    line = Image.new("RGB", (sum(c.width for c in cells) + 6 * len(cells), CELL_HIGH + WORDS_HIGH + 4), "white")
    x = 0
    for cell in cells:
        line.paste(cell, (x, 0))
        x += cell.width + 6
    return line


def _cell(picture: Image.Image, words: str, colour: str) -> Image.Image:
    scale = min(CELL_HIGH / picture.height, CELL_WIDE / picture.width)
    small = picture.resize((max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)))
    cell = Image.new("RGB", (max(small.width, 120), CELL_HIGH + WORDS_HIGH), "white")
    cell.paste(small, (0, WORDS_HIGH))
    ImageDraw.Draw(cell).text((0, 2), words[: max(cell.width // 6, 1)], fill=colour)
    return cell
