"""A film cut to another aspect ratio by a calm camera that follows what people look at.

The film is read twice. The first pass watches it (`shots.watch`) and plans: shot by shot the camera takes the path of
rests and even moves that is worth most. It cuts where the film cuts and never zooms within a shot. The plan is data
that can be read, changed and rendered by other programs. The second pass writes. At no time is more than a handful of
frames in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from PIL import Image as PillowImage
from PIL import ImageDraw

from eyefirst.drawing import Tile, contact_sheet
from eyefirst.errors import InvalidPlanError, OutputError
from eyefirst.films.encoding import EncodeOptions
from eyefirst.films.frames import VideoFrame, VideoInfo
from eyefirst.films.order import ReframeOrder
from eyefirst.films.path import TrackLimits
from eyefirst.films.reader import VideoReader
from eyefirst.films.reframe_plan import MustKeep, ReframePlan, ShotPath, stack_cells
from eyefirst.films.shot_camera import Layout
from eyefirst.films.shots import RATE, watch
from eyefirst.films.sights import Footage
from eyefirst.films.wishes import ShotWish
from eyefirst.films.writer import VideoWriter, check_name, even
from eyefirst.framing import Padding
from eyefirst.geometry import Box, BoxLike, RatioLike, Size, SizeLike
from eyefirst.network import Network


@dataclass(frozen=True, slots=True)
class Reframed:
    """A film that was written. warnings: what was lost on the way, in plain words."""

    plan: ReframePlan
    path: str
    frames: int
    warnings: tuple[str, ...]


def plan_reframe(
    source: str | os.PathLike[str] | VideoReader | Footage,
    ratio: RatioLike = "9:16",
    *,
    size: SizeLike | None = None,
    tightness: float = 0.0,
    must_keep: Sequence[MustKeep | BoxLike] = (),
    pad: str | None = None,
    layout: Layout = "crop",
    safe_area: str = "none",
    shots: Sequence[ShotWish | str] = (),
    limits: TrackLimits | None = None,
    rate: float = RATE,
    revision: str | None = None,
    network: Network | None = None,
    progress: Callable[[], object] = lambda: None,
) -> ReframePlan:
    """Plan where the camera goes, for a film or for one that was watched already.

    source: a path, an open reader, or footage. ratio: as for `crop`. size: of the result, of the same ratio; by
    default the largest window of the ratio, in square pixels, odd sides less a pixel. tightness: 0 is the largest
    window, 1 one tight round each shot's subjects; it changes only where the film cuts. must_keep: regions that have
    to stay inside, for a time. pad: None, or how to fill a frame where what belongs together cannot fit: "blur",
    "extend" or a CSS colour. layout: what is done where two faces, or text, do not fit: "crop" keeps the main face
    and says so, "pad" pads, "stack" shows two faces in two windows, "auto" stacks faces and pads text.
    safe_area: "tiktok", "reels" or "shorts" keeps faces and text out of what that platform hides, where there is room,
    and says what stays hidden. shots: where the window of single shots is, such as "2=centre". limits: of speed and
    acceleration. rate: analysed frames a second. progress is called after each frame that is read.

    Raises PictureError for a film that cannot be used, InvalidValueError for a bad argument, MissingExtraError
    without the extra `[video]`.
    """
    order = ReframeOrder.parse(
        (ratio,),
        size=size,
        tightness=tightness,
        must_keep=must_keep,
        pad=pad,
        layout=layout,
        safe_area=safe_area,
        shots=shots,
        limits=limits,
    )
    if not isinstance(source, Footage):
        source = watch(source, rate=rate, network=network, revision=revision, progress=progress)
    (plan,) = order.plans(source)
    return plan


def render_reframe(
    plan: ReframePlan,
    target: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | VideoReader | None = None,
    encode: EncodeOptions | None = None,
    rename: Callable[[Path, Path], object] | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Reframed:
    """Write the film; sound, subtitles and metadata come along. progress is called after each frame.

    source: where the film is, if it is not where it was; or an open reader of it, which is then closed. encode:
    codec, quality and preset. rename: gives the finished film its name. Raises InvalidPlanError where it is another
    film.
    """
    path = source.info.name if isinstance(source, VideoReader) else str(source or plan.video)
    if os.path.exists(target) and os.path.exists(path) and os.path.samefile(path, target):
        raise OutputError("would replace the film that is read", remedy="choose another name", source=str(target))
    count = 0
    with source if isinstance(source, VideoReader) else VideoReader(path) as reader:
        _check_film(plan, reader.info)
        writer = VideoWriter(
            target, plan.size, reader.info.frames_per_second, like=reader, encode=encode, rename=rename
        )
        with writer:
            for found in reader.frames_and_packets(writer.carried):
                if not isinstance(found, VideoFrame):
                    writer.copy(found)
                    continue
                shot = plan.shot_at(found.seconds)
                boxes = shot.boxes_at(float(found.seconds))
                if shot.second is not None:
                    writer.write_stack(found, boxes, stack_cells(plan.size))
                else:
                    writer.write_cut(found, boxes[0], padding=_padding(shot, boxes[0], plan), pad=plan.pad)
                count += 1
                progress()
        warnings = [*plan.warnings, *(w for s in plan.shots for w in s.warnings), *reader.warnings, *writer.warnings]
    return Reframed(plan, str(target), count, tuple(dict.fromkeys(warnings)))


def reframe(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    ratio: RatioLike = "9:16",
    *,
    size: SizeLike | None = None,
    tightness: float = 0.0,
    must_keep: Sequence[MustKeep | BoxLike] = (),
    pad: str | None = None,
    layout: Layout = "crop",
    safe_area: str = "none",
    shots: Sequence[ShotWish | str] = (),
    limits: TrackLimits | None = None,
    rate: float = RATE,
    revision: str | None = None,
    network: Network | None = None,
    encode: EncodeOptions | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Reframed:
    """Reframe a film to another ratio, in one line. The options are those of `plan_reframe` and `render_reframe`.

    The file is opened twice: once to look, once to write. progress is called after each frame that is read.
    """
    check_name(target)
    plan = plan_reframe(
        source,
        ratio,
        size=size,
        tightness=tightness,
        must_keep=must_keep,
        pad=pad,
        layout=layout,
        safe_area=safe_area,
        shots=shots,
        limits=limits,
        rate=rate,
        revision=revision,
        network=network,
        progress=progress,
    )
    return render_reframe(plan, target, encode=encode)


def strip(
    plan: ReframePlan,
    *,
    every_seconds: float = 0.5,
    height: int = 120,
    columns: int = 10,
    most: int = 120,
    source: str | os.PathLike[str] | None = None,
) -> PillowImage.Image:
    """Stills of the film with the window drawn on them, so that the path can be judged at a glance.

    Of long films every n-th still, so that there are no more than `most`.
    """
    step = max(every_seconds, float(plan.seconds) / most)
    tiles: list[Tile] = []
    with VideoReader(source or plan.video) as reader:
        _check_film(plan, reader.info)
        due = 0.0
        shown = reader.info.display_size
        wide = max(1, round(height * shown.width / shown.height))
        for frame in reader.frames():
            if float(frame.seconds) < due:
                continue
            due = max(due + step, float(frame.seconds) + step / 2)
            shot = plan.shot_at(frame.seconds)
            still = PillowImage.fromarray(frame.pixels(Size(wide, height)))
            caption = f"{float(frame.seconds):.1f} {shot.kind} {plan.shots.index(shot) + 1}"
            tiles.append(Tile(_outlined(still, shot.boxes_at(float(frame.seconds))), caption))
    return contact_sheet([tiles[i : i + columns] for i in range(0, len(tiles), columns)], tile_height=height, gap=6)


def draft(
    plan: ReframePlan,
    target: str | os.PathLike[str],
    *,
    height: int = 270,
    source: str | os.PathLike[str] | None = None,
    progress: Callable[[], object] = lambda: None,
) -> str:
    """Write a small film of the whole picture with the window drawn on it, and return its path. It has no sound.

    height: of the small film in pixels. source: where the film is, if it is not where it was. progress is called
    after each frame. Raises InvalidPlanError where it is another film.
    """
    with VideoReader(source or plan.video) as reader:
        _check_film(plan, reader.info)
        shown, rate = reader.info.display_size, reader.info.frames_per_second
        size = even(Size(max(2, round(height * shown.width / shown.height)), height))
        with VideoWriter(target, size, rate, encode=EncodeOptions(preset="veryfast", quality=26)) as writer:
            count = 0
            for frame in reader.frames():
                boxes = plan.shot_at(frame.seconds).boxes_at(float(frame.seconds))
                still = _outlined(PillowImage.fromarray(frame.pixels(size)), boxes)
                while count <= frame.seconds * rate + Fraction(1, 2):  # at even times, as the small film has
                    writer.write(still)
                    count += 1
                progress()
    return str(target)


def _check_film(plan: ReframePlan, info: VideoInfo) -> None:
    if info.size != plan.video_size:
        raise InvalidPlanError(
            f"is not the film that was planned: expected {plan.video_size}, got {info.size}",
            remedy="plan it again",
            source=info.name,
        )


def _padding(shot: ShotPath, box: Box, plan: ReframePlan) -> Padding | None:
    """A shot's padding in pixels of the result."""
    if not shot.padding:
        return None
    pad = shot.padding
    wide = box.width * plan.video_size.width + pad.left + pad.right
    high = box.height * plan.video_size.height + pad.top + pad.bottom
    return pad.scaled(plan.size.width / wide, plan.size.height / high)


def _outlined(still: PillowImage.Image, boxes: Sequence[Box]) -> PillowImage.Image:
    """Dark outside of the windows, and a line round each."""
    result = still.point(lambda v: v * 2 // 5)
    for box in boxes:
        part = box.to_pixels(Size(still.width, still.height))
        edges = (part.left, part.top, part.right, part.bottom)
        result.paste(still.crop(edges), edges[:2])
        ImageDraw.Draw(result).rectangle((*edges[:2], part.right - 1, part.bottom - 1), outline="#ffd23f", width=2)
    return result
