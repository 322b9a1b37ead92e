"""A film from an album: a camera pans and zooms over every picture, between what people look at.

First the film is planned, as data that can be read, changed and previewed; then it is rendered.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.errors import EyefirstError, InvalidPlanError, InvalidValueError, PictureError, PictureNotFoundError
from eyefirst.films.encoding import EncodeOptions
from eyefirst.films.pan_plan import MOST_ENLARGED, LeftOut, Move, PanPlan, frame_rate
from eyefirst.films.path import KeyFrame, SpeedLimits, seconds_needed
from eyefirst.films.writer import VideoWriter, even
from eyefirst.geometry import AspectRatio, Box, Point, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.heat_map import HeatMap
from eyefirst.image import decode
from eyefirst.network import Network
from eyefirst.numeric import as_whole, is_within
from eyefirst.observations import SaliencyObservation
from eyefirst.requests import AttentionSaliencyRequest, ObjectnessSaliencyRequest
from eyefirst.tools.camera_guidance import salient_sharpness
from eyefirst.tools.planning import plan_from

SUBJECT_SPACE = 1.7
"""A close frame is so many times larger than its subject."""
CLOSEST, DRIFT = 0.5, 0.75
"""Width of the closest frame, and of one that ends a slow drift, as shares of the widest frame's."""
REST_SECONDS = 0.4
"""How long the camera rests before and after a move."""
APART = 0.25
"""Subjects whose middles are so far apart, in widths of the wide frame, are worth a move from one to the other."""
NEAR_DUPLICATE_BITS = 38
"""Pictures whose 256-bit difference hashes differ in at most so many bits look alike."""
SOFT_SHARPNESS = 18.0
"""Variance of the Laplacian of the salient part at that side, in squared grey levels, below which it looks soft."""


@dataclass(frozen=True, eq=False)
class Looked:
    """One picture of the album, as the planner sees it."""

    move: Move
    hash: NDArray[np.uint64]
    sharpness: float
    interest: float


def order_by_time(paths: Sequence[str]) -> list[str]:
    """By the time in their EXIF data, else by the file's; pictures of one time by name."""
    return sorted(paths, key=lambda path: (_taken(path), path))


def plan_pan(
    paths: Sequence[str],
    size: Size,
    *,
    frames_per_second: float | str | Fraction = 30,
    seconds: float = 4.0,
    fade_seconds: float = 0.6,
    limits: SpeedLimits | None = None,
    best: int | None = None,
    network: Network | None = None,
    progress: Callable[[], object] = lambda: None,
    say: Callable[[str], object] = lambda _: None,
) -> PanPlan:
    """The film of an album, in the order given.

    size: of the film; odd sides lose a pixel. frames_per_second: 1..120, such as 30, 29.97 or "30000/1001".
    seconds: how long a picture is shown at least; a move that would
    be too fast takes longer. best: show at most so many, without near-duplicates and soft pictures. A
    picture that cannot be used is left out, with the reason. progress is called after each picture. say: is told, in
    words, which pictures are left out and why, what is amiss with the files of the others, and that a side loses a
    pixel.

    Raises InvalidValueError for a bad argument, and PictureError where no picture can be used.
    """
    if not is_within(seconds, 0) or seconds == 0:
        raise InvalidValueError(f"expected more than 0 seconds, got {seconds!r}", remedy="4 is calm")
    if best is not None and not is_within(as_whole(best), 1):
        raise InvalidValueError(f"expected at least 1 picture, got {best!r}", remedy="leave it out for all")
    if not is_within(fade_seconds, 0):
        raise InvalidValueError(f"expected a cross-fade of 0 s or more, got {fade_seconds!r}", remedy="0.6 is usual")
    rate = frame_rate(frames_per_second)
    seconds, fade_seconds = float(seconds), float(fade_seconds)
    film, limits = even(size), limits or SpeedLimits()
    if film != size:
        say(f"{size} becomes {film}: the sides of a film are even")
    looked: list[Looked] = []
    left_out: list[LeftOut] = []
    for path in paths:
        try:
            handler = ImageRequestHandler(path, network=network)
            looked.append(_look(path, handler, film, seconds, limits))
            for warning in handler.warnings:
                say(warning)
        except EyefirstError as error:
            if len(paths) == 1:
                raise
            left_out.append(LeftOut(path, error.reason, error.code))
            say(f"{left_out[-1]}; {error.remedy}")
        progress()
    if not looked:
        nothing = f"none of {len(paths)} pictures can be used" if paths else "there are no pictures to show"
        raise (PictureError if paths else PictureNotFoundError)(nothing, remedy="give other folders or files")
    if best is not None:
        looked, worse = _best(looked, best)
        left_out += worse
        for one in worse:
            say(str(one))
    moves = tuple(one.move for one in looked)
    fade = min([fade_seconds, *(m.seconds / 2 for m in moves)])
    return PanPlan(film, rate, fade, moves, tuple(left_out))


def render_pan(
    plan: PanPlan,
    out: str | os.PathLike[str],
    *,
    sound: str | None = None,
    encode: EncodeOptions | None = None,
    progress: Callable[[], object] = lambda: None,
) -> tuple[str, ...]:
    """Write the film as MP4, MOV or MKV, and return what was odd, in plain words. Progress is called after each frame.

    sound: any file with sound that FFmpeg reads; cut or filled to the film's length, faded out. encode: codec,
    quality and preset. Raises InvalidPlanError where a picture is not the one that was planned.
    """
    writer = VideoWriter(out, plan.size, plan.frames_per_second, encode=encode)
    if sound:
        writer.add_sound(sound, float(frame_count(plan) / plan.frames_per_second))
    with writer:
        for picture in film_frames(plan):
            writer.write(picture)
            progress()
    return (*plan.warnings, *writer.warnings)


def film_frames(plan: PanPlan) -> Iterator[PillowImage.Image]:
    """Every frame of the film, in order; at most two pictures are in memory."""
    starts = plan.starts
    pictures: dict[int, PillowImage.Image] = {}
    for number in range(frame_count(plan)):
        time = float(number / plan.frames_per_second)
        shown = [i for i, m in enumerate(plan.moves) if starts[i] <= time < starts[i] + m.seconds] or [len(starts) - 1]
        for gone in [i for i in pictures if i < shown[0]]:
            del pictures[gone]
        for i in shown:
            if i not in pictures:
                pictures[i] = _picture_for(plan.moves[i], plan.size)
        frames = [_cut(pictures[i], plan.moves[i].box_at(time - starts[i]), plan.size) for i in shown[:2]]
        if len(frames) == 2 and plan.fade_seconds:
            yield PillowImage.blend(frames[0], frames[1], min((time - starts[shown[1]]) / plan.fade_seconds, 1.0))
        else:
            yield frames[0]


def frame_count(plan: PanPlan) -> int:
    """How many frames the film has."""
    return max(1, math.floor(plan.seconds * float(plan.frames_per_second) + 1e-6))


def preview(plan: PanPlan, *, columns: int = 4, width: int = 240) -> PillowImage.Image:
    """Return a strip of stills: a row for each picture, evenly spaced in time.

    columns, width: of a row and of a still in pixels, at least 1.
    """
    if not all(is_within(as_whole(count), 1) for count in (columns, width)):
        raise InvalidValueError(
            f"expected at least 1 column and 1 pixel, got {columns!r} and {width!r}", remedy="4 and 240 are usual"
        )
    small = Size(width, max(1, round(width * plan.size.height / plan.size.width)))
    strip = PillowImage.new("RGB", (columns * (width + 6) + 6, len(plan.moves) * (small.height + 6) + 6), "#f6f6f4")
    for row, move in enumerate(plan.moves):
        picture = _picture_for(move, small)
        for column in range(columns):
            still = _cut(picture, move.box_at(move.seconds * column / max(columns - 1, 1)), small)
            strip.paste(still, (6 + column * (width + 6), 6 + row * (small.height + 6)))
    return strip


# --- planning one picture


def _look(path: str, handler: ImageRequestHandler, film: Size, seconds: float, limits: SpeedLimits) -> Looked:
    attention, objects = handler.perform([AttentionSaliencyRequest(), ObjectnessSaliencyRequest()])
    ratio = AspectRatio.parse(film)
    size, image = handler.image.size, handler.image
    frame = plan_from(handler, ratio).frames[ratio][0].box.normalized(size)
    wide = _framed(frame.center.x, frame.center.y, 1.0, frame, size, film)
    boxes, reason = _stations(wide, attention, objects, size, film)
    grey = _grey(image.pixels)
    move = Move(path, image.sha256, size, _timed(boxes, seconds, limits), reason)
    sharpness = salient_sharpness(grey, attention, objects)
    interest = max([o.confidence for o in objects.salient_objects], default=0.0)
    return Looked(move, _difference_hash(grey), sharpness, interest)


def _stations(
    wide: Box, attention: SaliencyObservation, objects: SaliencyObservation, size: Size, film: Size
) -> tuple[list[Box], str]:
    """The frames that the camera goes through, and why."""
    close = [_close(o.box, attention, wide, size, film) for o in objects.salient_objects[:2]]
    both_fit = all(close[i].contains(o.box) for i, o in enumerate(objects.salient_objects[:2]))
    far_apart = (
        both_fit
        and len(close) == 2
        and (
            math.hypot(
                (close[0].center.x - close[1].center.x) / wide.width,
                (close[0].center.y - close[1].center.y) / wide.height,
            )
            > APART
        )
    )
    if far_apart:
        first, second = sorted(close, key=lambda box: box.center.x)
        return [first, second], "from subject to subject"
    if close:
        return [wide, close[0]], "ends on the subject"
    focal = attention.heat_map.center_in(attention.salient_objects[0].box)
    return [wide, _framed(focal.x, focal.y, DRIFT, wide, size, film)], "nothing stands out: a slow drift"


def _close(subject: Box, attention: SaliencyObservation, wide: Box, size: Size, film: Size) -> Box:
    """A frame with room round a subject; of one that is too large for that, round what people look at on it."""
    share = max(subject.width / wide.width, subject.height / wide.height) * SUBJECT_SPACE
    middle = subject.center if share <= DRIFT else _focus(attention.heat_map, subject)
    return _framed(middle.x, middle.y, min(max(share, CLOSEST), DRIFT), wide, size, film)


def _focus(heat_map: HeatMap, subject: Box) -> Point:
    """The brightest place of a subject, smoothed."""
    rows, columns = heat_map.values.shape
    inside = np.zeros((rows, columns), np.float32)
    part = subject.to_pixels(Size(columns, rows))
    inside[part.top : part.bottom, part.left : part.right] = 1
    on_subject = HeatMap(heat_map.values * inside)
    peak = on_subject.peak()
    near = Box(max(peak.x - 0.08, 0), max(peak.y - 0.08, 0), min(peak.x + 0.08, 1), min(peak.y + 0.08, 1))
    return on_subject.center_in(near)


def _framed(x: float, y: float, share: float, wide: Box, size: Size, film: Size) -> Box:
    """A frame of the film's exact ratio round a place, inside the wide frame's reach and the picture."""
    width = min(wide.width * size.width, wide.height * size.height * film.width / film.height, size.width)
    width = min(width, size.height * film.width / film.height)
    least = min(film.width / MOST_ENLARGED, width)
    width = max(width * share, least)
    across, down = width / size.width, width * film.height / film.width / size.height
    left, top = (min(max(c - s / 2, 0.0), max(1 - s, 0.0)) for c, s in ((x, across), (y, down)))
    return Box(left, top, min(left + across, 1.0), min(top + down, 1.0))


def _timed(boxes: Sequence[Box], seconds: float, limits: SpeedLimits) -> tuple[KeyFrame, ...]:
    """Rest, move, rest; at least so many seconds in all, and never faster than the limits."""
    keys = [KeyFrame(0.0, boxes[0]), KeyFrame(REST_SECONDS, boxes[0])]
    moving = max((seconds - 2 * REST_SECONDS) / (len(boxes) - 1), 0.1)
    for start, end in pairwise(boxes):
        keys.append(KeyFrame(keys[-1].seconds + max(moving, seconds_needed(start, end, limits)), end))
    return (*keys, KeyFrame(keys[-1].seconds + REST_SECONDS, boxes[-1]))


# --- choosing


def _best(looked: Sequence[Looked], count: int) -> tuple[list[Looked], list[LeftOut]]:
    """The best pictures in their order, and the others with the reason."""
    out: list[LeftOut] = []
    kept: list[Looked] = []
    for one in sorted(looked, key=lambda o: o.sharpness, reverse=True):
        twin = next((k for k in kept if _distance(k.hash, one.hash) <= NEAR_DUPLICATE_BITS), None)
        if twin:
            out.append(LeftOut(one.move.picture, f"nearly the same as {os.path.basename(twin.move.picture)}"))
        else:
            kept.append(one)
    sharp = [k for k in kept if k.sharpness >= SOFT_SHARPNESS] or kept
    out += [LeftOut(k.move.picture, "soft where people look") for k in kept if k not in sharp]
    ranked = sorted(sharp, key=lambda o: o.interest, reverse=True)
    out += [LeftOut(k.move.picture, f"not among the best {count}") for k in ranked[count:]]
    chosen = ranked[:count]
    return [one for one in looked if one in chosen], out


def _grey(pixels: NDArray[np.uint8]) -> PillowImage.Image:
    return PillowImage.fromarray(pixels).convert("L")


def _difference_hash(grey: PillowImage.Image) -> NDArray[np.uint64]:
    """256 bits: is each cell of a 16 x 17 thumbnail brighter than its right neighbour."""
    small = np.asarray(grey.resize((17, 16), PillowImage.Resampling.BOX), np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1]).view(np.uint64)


def _distance(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> int:
    return int(np.bitwise_count(one ^ other).sum())


def _taken(path: str) -> float:
    """Seconds since 1970: of EXIF's DateTimeOriginal or DateTime, else of the file; 0 where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PillowImage.DecompressionBombWarning)  # its pixels are not read
            picture = PillowImage.open(path)
        with picture:
            exif = picture.getexif()
            text = exif.get_ifd(0x8769).get(36867) or exif.get(306)
        if text:
            return datetime.strptime(str(text).strip("\x00 "), "%Y:%m:%d %H:%M:%S").timestamp()
    except (OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError):
        pass
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


# --- rendering


def _picture_for(move: Move, film: Size) -> PillowImage.Image:
    """The move's picture with no more pixels than its closest frame needs."""
    closest = min(k.box.width for k in move.keys)
    needed = Size(math.ceil(film.width / closest), math.ceil(film.width / closest * move.size.height / move.size.width))
    decoded = decode(move.picture, at_least=needed)
    if decoded.sha256 != move.sha256 or decoded.size != move.size:
        raise InvalidPlanError(
            "is not the picture that was planned", remedy="plan the film again", source=str(move.picture)
        )
    picture = decoded.picture
    if picture.mode == "RGBA":
        picture = PillowImage.fromarray(decoded.image().pixels)
    if picture.width > 2 * needed.width:
        picture = picture.resize((needed.width, needed.height), PillowImage.Resampling.LANCZOS, reducing_gap=3.0)
    return picture


def _cut(picture: PillowImage.Image, box: Box, size: Size) -> PillowImage.Image:
    """A frame cut at fractions of pixels, so that a slow move does not jitter."""
    edges = (
        box.left * picture.width,
        box.top * picture.height,
        min(box.right * picture.width, picture.width),
        min(box.bottom * picture.height, picture.height),
    )
    return picture.resize((size.width, size.height), PillowImage.Resampling.BICUBIC, edges)
