"""A film cut to another aspect ratio by a calm camera that follows what people look at.

The film is read twice. The first pass watches it (`shots.watch`) and plans: shot by shot the camera holds, pans or
tracks, whichever is the simplest that keeps about as much as the best can. It cuts where the film cuts and never
zooms within a shot. The plan is data that can be read, changed and rendered by other programs. The second pass
writes. At no time is more than a handful of frames in memory.

Where to look is settled in three steps for each shot. Every analysed frame gives each place of the window a worth:
the attention inside, and a premium for subjects kept whole. Worths are smoothed over time, and dynamic
programming finds the places that add up to most when going from one to another has its price: near-equal
subjects do not make the camera flicker. Then the calmest track that stays where it is about as worthy is solved for.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from eyefirst.errors import InvalidPlanError, InvalidValueError, OutputError, UnsupportedPictureError
from eyefirst.framing import Frame, FramingOptions, Padding
from eyefirst.geometry import AspectRatio, Box, BoxLike, RatioLike, Size, SizeLike
from eyefirst.network import Network
from eyefirst.render import Tile, contact_sheet, render_frame
from eyefirst.tools.camera_path import CameraPath, KeyFrame, TrackLimits, eased, smooth_track
from eyefirst.tools.shots import RATE, Footage, Shot, Sight, watch
from eyefirst.tools.video_io import VideoFrame, VideoInfo, VideoReader, VideoWriter, even

SCHEMA = "eyefirst.reframe/1"
Kind = Literal["hold", "pan", "track", "pad"]
KINDS = ("hold", "pan", "track", "pad")
Places = NDArray[np.float64]

SMOOTHING_SECONDS = 0.35
"""Standard deviation of the smoothing of worths over time."""
SUBJECT_PREMIUM = 1.0
"""What a whole subject adds, as a share of the attention on it times its confidence."""
CENTRING = 0.3
"""How much of that premium a subject loses at the window's edge against its middle."""
MUST_KEEP_WORTH = 100.0
GOING_PRICE = 0.25
"""What the target pays for going one window further: hysteresis against near-equal subjects."""
AS_WORTHY, LEAST_SLACK = 0.03, 0.04
"""Places worth so little less than the target will do; and those so near to it, in windows."""
SIMPLER_LOSS, WORST_LOSS = 0.02, 0.1
"""What a simpler camera may lose against the best, in worth, over a shot; and in the shot's worst tenth."""
LONGEST_PAN_SECONDS = 20.0
LEAST_PAN = 0.1
"""A pan over less than this share of a window is a hold."""
STEPS_A_WINDOW, MOST_STEPS = 60, 240
STEADY_SHARE = 0.5
"""Two subjects count as a pair where they are both seen in this share of a shot's analysed frames."""


@dataclass(frozen=True, slots=True)
class MustKeep:
    """A region that has to stay inside for a time. box: 0..1 of the upright frame. start, end: seconds or None."""

    box: Box
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or (self.end is not None and self.end <= self.start):
            raise InvalidValueError(
                f"expected a time span, got {self.start}..{self.end}", remedy="e.g. 0.1,0.2,0.5,0.9@5-12.5"
            )

    @classmethod
    def parse(cls, value: MustKeep | BoxLike) -> MustKeep:
        """From a box, or a text such as "0.1,0.2,0.5,0.9@5-12.5" or "...@1:05-1:12"; no span is the whole film."""
        if isinstance(value, MustKeep):
            return value
        if not isinstance(value, str):
            return cls(Box.parse(value))
        box, _, span = value.partition("@")
        if not span:
            return cls(Box.parse(box))
        match = re.fullmatch(r"\s*([\d:.]*)\s*-\s*([\d:.]*)\s*", span)
        if not match:
            raise InvalidValueError(
                f"expected a time span such as 5-12.5 or 1:05-1:12, got {span!r}", remedy="leave it out for all"
            )
        return cls(Box.parse(box), _seconds(match[1]) if match[1] else 0.0, _seconds(match[2]) if match[2] else None)

    def holds_at(self, seconds: float) -> bool:
        """Whether the time lies in its span."""
        return self.start <= seconds and (self.end is None or seconds < self.end)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"box": self.box.to_dict(), "start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True)
class ShotPath:
    """How one shot is framed.

    start, end: seconds from the film's start. kind: hold, pan, track or pad. path: key frames in seconds of the film,
    boxes in 0..1 of the upright frame. padding: None, or what is added round the box, in pixels of the film that
    is read. kept, kept_by_centre: the share of the attention inside, and inside of the centre crop; 0..1.
    """

    start: Fraction
    end: Fraction
    kind: Kind
    path: CameraPath
    kept: float
    kept_by_centre: float
    padding: Padding | None = None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "start": str(self.start),
            "end": str(self.end),
            "start_seconds": round(float(self.start), 4),
            "end_seconds": round(float(self.end), 4),
            "kind": self.kind,
            "interpolation": self.path.interpolation,
            "keys": [{"seconds": round(k.seconds, 5), "box": k.box.to_dict()} for k in self.path.keys],
            "padding": self.padding.to_dict() if self.padding else None,
            "kept": round(self.kept, 4),
            "kept_by_centre": round(self.kept_by_centre, 4),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class ReframePlan:
    """A film's camera path as data.

    video: the file. video_size: upright, in stored pixels. seconds: its length. size: of the result. pad: how
    padding is filled. shots: in order, without gaps. warnings: plain words.
    """

    video: str
    video_size: Size
    seconds: float
    aspect: AspectRatio
    size: Size
    pad: str | None
    revision: str
    shots: tuple[ShotPath, ...]
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        starts = [s.start for s in self.shots]
        if not starts or any(b <= a for a, b in pairwise(starts)):
            raise InvalidPlanError("expected shots at rising times", remedy="plan again")
        if self.size != even(self.size):
            raise InvalidPlanError(f"expected even sides, got {self.size}", remedy="H.264 needs them even")

    def shot_at(self, seconds: Fraction | float) -> ShotPath:
        """The shot that a time belongs to."""
        exact = (
            seconds if isinstance(seconds, Fraction) else Fraction(seconds) + Fraction(1, 10**6)
        )  # floats fall short
        return self.shots[max(bisect_right([s.start for s in self.shots], exact) - 1, 0)]

    def box_at(self, seconds: Fraction | float) -> Box:
        """Where the window is at a time."""
        return self.shot_at(seconds).path.box_at(float(seconds))

    @property
    def kept(self) -> float:
        """Share of the attention inside, 0..1, over all of the film."""
        return _over_time(self.shots, [s.kept for s in self.shots])

    @property
    def kept_by_centre(self) -> float:
        """The same of the centre crop."""
        return _over_time(self.shots, [s.kept_by_centre for s in self.shots])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "schema": SCHEMA,
            "video": self.video,
            "video_size": {"width": self.video_size.width, "height": self.video_size.height},
            "seconds": round(self.seconds, 4),
            "aspect": str(self.aspect),
            "size": {"width": self.size.width, "height": self.size.height},
            "pad": self.pad,
            "revision": self.revision,
            "kept": round(self.kept, 4),
            "kept_by_centre": round(self.kept_by_centre, 4),
            "shots": [s.to_dict() for s in self.shots],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ReframePlan:
        """Reads what `to_dict` wrote. Raises InvalidPlanError."""
        try:
            if values["schema"] != SCHEMA:
                raise InvalidPlanError(f"expected the schema {SCHEMA}, got {values['schema']!r}", remedy="plan again")
            return cls(
                video=str(values["video"]),
                video_size=Size(**values["video_size"]),
                seconds=float(values["seconds"]),
                aspect=AspectRatio.parse(values["aspect"]),
                size=Size(**values["size"]),
                pad=FramingOptions(pad=values["pad"]).pad,
                revision=str(values["revision"]),
                shots=tuple(_shot_from(s) for s in values["shots"]),
                warnings=tuple(map(str, values["warnings"])),
            )
        except InvalidPlanError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, ZeroDivisionError) as error:
            raise InvalidPlanError(f"is not the plan of a reframed film: {error!r}", remedy="plan again") from error


@dataclass(frozen=True, slots=True)
class Reframed:
    """A film that was written. warnings: what was lost on the way, in plain words."""

    plan: ReframePlan
    path: str
    frames: int
    warnings: tuple[str, ...]


def plan_reframe(
    source: str | os.PathLike[str] | Footage,
    aspect: RatioLike,
    *,
    size: SizeLike | None = None,
    tightness: float = 0.0,
    must_keep: Sequence[MustKeep | BoxLike] = (),
    pad: str | None = None,
    limits: TrackLimits | None = None,
    rate: float = RATE,
    revision: str | None = None,
    network: Network | None = None,
    progress: Callable[[], object] = lambda: None,
) -> ReframePlan:
    """Where the camera goes, for a film or for one that was watched already.

    aspect: as for `crop`. size: of the result; by default the largest window of the ratio, odd sides less a pixel.
    tightness: 0 is the largest window, 1 one just round each shot's subjects; it changes only where the film
    cuts. must_keep: regions that have to stay inside, for a time. pad: None, or how to fill a frame where two
    subjects, or a region, cannot fit: "blur", "extend" or a CSS colour. limits: of speed and acceleration.
    rate: analysed frames a second. progress is called after each frame that is read.

    Raises PictureError for a film that cannot be used, InvalidValueError for a bad argument, MissingExtraError
    without the extra `[video]`.
    """
    ratio = AspectRatio.parse(aspect)
    FramingOptions(tightness=tightness, pad=pad)  # refuses bad ones
    regions = tuple(MustKeep.parse(m) for m in must_keep)
    exact = Size.parse(size) if size is not None else None
    if isinstance(source, Footage):
        footage = source
    else:
        footage = watch(source, rate=rate, network=network, revision=revision, progress=progress)
    video = footage.video
    window = _window(video, ratio)
    planner = _Planner(video, window, tightness, regions, pad, limits or TrackLimits())
    return ReframePlan(
        video=video.name,
        video_size=video.size,
        seconds=float(footage.seconds),
        aspect=ratio,
        size=even(exact) if exact else window,
        pad=pad,
        revision=footage.revision,
        shots=tuple(planner.plan(shot) for shot in footage.shots),
        warnings=footage.warnings,
    )


def render_reframe(
    plan: ReframePlan,
    target: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Reframed:
    """Writes the film; sound, subtitles and metadata come along untouched. progress is called after each frame.

    source: where the film is, if it is not where it was. Raises InvalidPlanError where it is another film.
    """
    path = str(source or plan.video)
    if os.path.exists(target) and os.path.exists(path) and os.path.samefile(path, target):
        raise OutputError("would replace the film that is read", remedy="choose another name", source=str(target))
    count = 0
    with VideoReader(path) as reader:
        _check_film(plan, reader.info)
        with VideoWriter(target, plan.size, reader.info.frames_per_second, like=reader) as writer:
            for found in reader.frames_and_packets(writer.carried):
                if not isinstance(found, VideoFrame):
                    writer.copy(found)
                    continue
                shot = plan.shot_at(found.seconds)
                if shot.padding:
                    writer.write_picture(_padded(found, shot, plan), found)
                else:
                    writer.write_cut(found, shot.path.box_at(float(found.seconds)))
                count += 1
                progress()
        warnings = [*plan.warnings, *(w for s in plan.shots for w in s.warnings), *writer.warnings]
    return Reframed(plan, str(target), count, tuple(dict.fromkeys(warnings)))


def reframe(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    aspect: RatioLike = "9:16",
    **options: Any,
) -> Reframed:
    """A film cut to another ratio, in one line. The options are those of `plan_reframe`."""
    VideoWriter(target, Size(2, 2), 1)  # refuses a bad name before any work
    return render_reframe(plan_reframe(source, aspect, **options), target)


# --- the path for other programs, and for the eye


def ffmpeg_filter(plan: ReframePlan, commands: str) -> str:
    """The value of ffmpeg's -vf that follows the path; `ffmpeg_commands` gives what the file `commands` has to hold."""
    window, _, _ = _pixel_window(plan, plan.shots[0].path.keys[0].box)
    name = re.sub(r"([\\':,;\[\]])", r"\\\1", commands)
    scale = f",scale={plan.size.width}:{plan.size.height}"
    return f"sendcmd=f={name},crop=w={window.width}:h={window.height}" + (scale if window != plan.size else "")


def ffmpeg_commands(plan: ReframePlan, *, frames_per_second: float = 50.0) -> str:
    """Commands for ffmpeg's sendcmd filter: where its crop filter goes, and when; places are whole pixels.

    Raises InvalidPlanError for what that filter cannot do: windows of several sizes, and padding.
    """
    sizes = {_pixel_window(plan, k.box)[0] for s in plan.shots for k in s.path.keys}
    if len(sizes) > 1 or any(s.padding for s in plan.shots):
        raise InvalidPlanError("ffmpeg's crop filter has one size and no padding", remedy="plan without them")
    lines, last = [], None
    for shot in plan.shots:
        count = 1 if shot.kind == "hold" else max(1, round(float(shot.end - shot.start) * frames_per_second))
        for i in range(count):
            seconds = float(shot.start) + i / frames_per_second
            _, x, y = _pixel_window(plan, plan.box_at(shot.start if i == 0 else seconds))
            if (x, y) != last:
                lines.append(f"{max(seconds - 1e-4, 0):.4f} crop x {x}, crop y {y};")
                last = (x, y)
    return "\n".join(lines) + "\n"


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
    step = max(every_seconds, plan.seconds / most)
    tiles: list[Tile] = []
    with VideoReader(source or plan.video) as reader:
        _check_film(plan, reader.info)
        due = 0.0
        wide = max(1, round(height * plan.video_size.width * reader.info.pixel_aspect / plan.video_size.height))
        for frame in reader.frames():
            if float(frame.seconds) < due:
                continue
            due = max(due + step, float(frame.seconds) + step / 2)
            shot = plan.shot_at(frame.seconds)
            still = PillowImage.fromarray(frame.pixels(Size(wide, height)))
            caption = f"{float(frame.seconds):.1f} {shot.kind} {plan.shots.index(shot) + 1}"
            tiles.append(Tile(_outlined(still, shot.path.box_at(float(frame.seconds))), caption))
    return contact_sheet([tiles[i : i + columns] for i in range(0, len(tiles), columns)], tile_height=height, gap=6)


# --- planning one shot


class _Axis(NamedTuple):
    """One axis of a shot: the window's share of it, and where the window begins at each node, 0..1 of the frame."""

    share: float
    kind: Kind
    places: Places


class _Planner:
    """Plans shots of one film; what does not depend on the shot is kept here."""

    def __init__(
        self,
        video: VideoInfo,
        window: Size,
        tightness: float,
        regions: tuple[MustKeep, ...],
        pad: str | None,
        limits: TrackLimits,
    ) -> None:
        self._video, self._window, self._tightness = video, window, tightness
        self._regions, self._pad, self._limits = regions, pad, limits

    def plan(self, shot: Shot) -> ShotPath:
        size = self._video.size
        pair = self._pair(shot)
        whole = (self._window.width / size.width, self._window.height / size.height)
        fits = pair is None or (pair.width <= whole[0] + 1e-9 and pair.height <= whole[1] + 1e-9)
        if pair is not None and not fits and self._pad:
            return self._with_padding(shot, pair, whole)
        scale = self._scale(shot, whole)
        shares = (min(whole[0] * scale, 1.0), min(whole[1] * scale, 1.0))
        count = max(2, round(shot.seconds * self._rate_of(shot)) + 1)
        times = np.linspace(float(shot.start), float(shot.end), count)
        across, down = (self._axis(shot, times, share, upright) for share, upright in zip(shares, (0, 1), strict=True))
        path = self._path(times, across, down)
        kind: Kind = max((across.kind, down.kind), key=KINDS.index)
        warnings = self._lost(shot, path)
        if pair is not None and not fits and not self._regions:
            warnings = (*warnings, f"{_span(shot)}: two subjects do not fit; add padding to keep both")
        return ShotPath(
            shot.start, shot.end, kind, path, _kept(shot, path), _kept_by_centre(shot, whole), None, warnings
        )

    def _rate_of(self, shot: Shot) -> float:
        return min(max(len(shot.sights) / max(shot.seconds, 1e-3), 1.0), 10.0)

    def _scale(self, shot: Shot, whole: tuple[float, float]) -> float:
        """The window's size for this shot, against the largest."""
        if self._tightness == 0:
            return 1.0
        boxes = [max(s.subjects, key=lambda o: o.confidence).box.expanded(0.05) for s in shot.sights if s.subjects]
        boxes += [m.box for m in self._regions_in(shot)]
        if not boxes:
            return 1.0
        needed = [max(b.width / whole[0], b.height / whole[1]) for b in boxes]
        tight = min(max(float(np.quantile(needed, 0.9)), 0.25), 1.0)
        return 1 + (tight - 1) * self._tightness

    def _regions_in(self, shot: Shot) -> list[MustKeep]:
        return [m for m in self._regions if m.start < float(shot.end) and (m.end is None or m.end > float(shot.start))]

    def _pair(self, shot: Shot) -> Box | None:
        """What has to be seen together: must-keep regions of one time, or two subjects that are there for long."""
        regions = [m.box for m in self._regions_in(shot)]
        if regions:
            return reduce(Box.union, regions)
        unions = [reduce(Box.union, (o.box for o in s.subjects[:2])) for s in shot.sights if len(s.subjects) > 1]
        if len(unions) < max(STEADY_SHARE * len(shot.sights), 1):
            return None
        edges = np.median([[u.left, u.top, u.right, u.bottom] for u in unions], axis=0)
        return Box(*(float(e) for e in edges))

    def _with_padding(self, shot: Shot, pair: Box, whole: tuple[float, float]) -> ShotPath:
        """A still window round the pair, as wide as it has to be; the rest of the frame is padded."""
        size = self._video.size
        target = pair.expanded(0.08)
        wide, high = (max(a, b) for a, b in zip((target.width, target.height), whole, strict=True))
        left, top = (
            min(max(c - share / 2, 0.0), 1 - share) for c, share in ((target.center.x, wide), (target.center.y, high))
        )
        pixels = Box(left, top, min(left + wide, 1.0), min(top + high, 1.0)).to_pixels(size)
        ratio = self._window.width / self._window.height
        full = Size(max(pixels.width, round(pixels.height * ratio)), max(pixels.height, round(pixels.width / ratio)))
        x, y = full.width - pixels.width, full.height - pixels.height
        padding = Padding(x // 2, y // 2, x - x // 2, y - y // 2)
        path = CameraPath((KeyFrame(float(shot.start), pixels.normalized(size)),))
        return ShotPath(
            shot.start,
            shot.end,
            "pad",
            path,
            _kept(shot, path),
            _kept_by_centre(shot, whole),
            padding,
            self._lost(shot, path),
        )

    def _axis(self, shot: Shot, times: Places, share: float, upright: int) -> _Axis:
        """Hold, pan or track along one axis: the simplest that keeps about as much as the best."""
        room = 1 - share
        if room < 1e-6:
            return _Axis(share, "hold", np.zeros(len(times)))
        grid = np.linspace(0, room, int(min(max(np.ceil(room / share * STEPS_A_WINDOW), 2), MOST_STEPS)) + 1)
        clearest = max(s.contrast for s in shot.sights) or 1.0
        seen = [self._worths(s, grid, share, upright) * s.contrast / clearest for s in shot.sights]  # fades pull less
        worths = _smoothed(
            [w + self._demands(s, grid, share, upright) for w, s in zip(seen, shot.sights, strict=True)], shot, times
        )
        step = float(times[1] - times[0])

        def worth_of(places: Places) -> Places:
            return np.array([np.interp(p, grid, w) for p, w in zip(places, worths, strict=True)])

        held = np.full(len(times), self._snapped(float(grid[int(worths.mean(0).argmax())]), room, upright))
        options: list[tuple[Kind, Places]] = [("hold", held)]
        panned = self._pan(worths, grid, share, times)
        if panned is not None:
            options.append(("pan", panned))
        target = _target(worths, grid, share)
        low, high, weights = _corridor(worths, grid, share, target)
        track = smooth_track(low / share, high / share, room / share, step, self._limits, hold_weight=weights)
        options.append(("track", np.clip(track * share, 0, room)))
        known = [(kind, places, worth_of(places)) for kind, places in options]
        most = max((worth for _, _, worth in known), key=lambda w: float(w.mean()))

        def will_do(worth: Places) -> bool:
            """About as good as the best: over the whole shot, and in its worst tenth."""
            lost = most - worth
            return float(lost.mean()) <= SIMPLER_LOSS and float(np.quantile(lost, 0.9)) <= WORST_LOSS

        best = next(_Axis(share, kind, places) for kind, places, worth in known if will_do(worth))
        if best.kind == "track" and np.ptp(best.places) < LEAST_PAN * share / 2:
            return _Axis(share, "hold", held)
        return best

    def _worths(self, sight: Sight, grid: Places, share: float, upright: int) -> Places:
        """What each place of the window is worth in one analysed frame."""
        density = sight.down if upright else sight.across
        sums = np.concatenate([[0.0], np.cumsum(density, dtype=np.float64)])
        edges = np.linspace(0, 1, len(sums))
        worths = np.interp(grid + share, edges, sums) - np.interp(grid, edges, sums)
        for found, attention in zip(sight.subjects, sight.on_subjects, strict=True):
            start, end = _extent(found.box, upright)
            if end - start > share:
                continue
            off = np.abs(grid + share / 2 - (start + end) / 2) / (share / 2)
            inside = _inside(grid, share, start, end)
            worths += SUBJECT_PREMIUM * found.confidence * attention * inside**2 * (1 - CENTRING * np.minimum(off, 1))
        return worths

    def _demands(self, sight: Sight, grid: Places, share: float, upright: int) -> Places:
        """What must-keep regions add; and a touch for the middle, which settles ties."""
        worths = -1e-4 * np.abs(grid - (1 - share) / 2)
        for region in self._regions:
            if region.holds_at(float(sight.seconds)):
                start, end = _extent(region.box, upright)
                worths += MUST_KEEP_WORTH * _inside(grid, share, start, end)
        return worths

    def _pan(self, worths: Places, grid: Places, share: float, times: Places) -> Places | None:
        """The best move from rest to rest, if one is slow enough; None for shots too long or too short for one."""
        length = float(times[-1] - times[0])
        if not 0.5 <= length <= LONGEST_PAN_SECONDS:
            return None
        coarse = grid[:: max(1, len(grid) // 40)]
        start, end = (a.ravel() for a in np.meshgrid(coarse, coarse))
        far = np.abs(end - start) / share
        slow = (far > LEAST_PAN) & (far * 1.875 / length <= self._limits.speed)
        slow &= far * 5.77 / length**2 <= self._limits.acceleration  # peaks of minimum jerk
        start, end = start[slow], end[slow]
        if not len(start):
            return None
        shares = [eased(i / (len(times) - 1)) for i in range(len(times))]
        total = sum(np.interp(start + (end - start) * s, grid, w) for s, w in zip(shares, worths, strict=True))
        best = int(np.argmax(total))
        return np.array([start[best] + (end[best] - start[best]) * s for s in shares])

    def _snapped(self, place: float, room: float, upright: int) -> float:
        """On whole, even pixels: then a held frame is cut without interpolation."""
        pixels = self._video.size.height if upright else self._video.size.width
        return min(round(place * pixels / 2) * 2, int(room * pixels + 1e-6) // 2 * 2) / pixels

    def _path(self, times: Places, across: _Axis, down: _Axis) -> CameraPath:
        kinds = {across.kind, down.kind}

        def box(i: int) -> Box:
            left, top = float(across.places[i]), float(down.places[i])
            return Box(left, top, min(left + across.share, 1.0), min(top + down.share, 1.0))

        if kinds == {"hold"}:
            return CameraPath((KeyFrame(float(times[0]), box(0)),))
        if "track" not in kinds:
            return CameraPath((KeyFrame(float(times[0]), box(0)), KeyFrame(float(times[-1]), box(-1))))
        return CameraPath(tuple(KeyFrame(float(t), box(i)) for i, t in enumerate(times)), "track")

    def _lost(self, shot: Shot, path: CameraPath) -> tuple[str, ...]:
        """What of the must-keep regions is outside, at worst."""
        words = []
        for number, region in enumerate(self._regions, 1):
            times = [float(s.seconds) for s in shot.sights if region.holds_at(float(s.seconds))]
            lost = max((1 - path.box_at(t).overlap(region.box) / region.box.area for t in times), default=0.0)
            if lost > 0.01:
                words.append(f"{_span(shot)}: up to {round(100 * lost)} % of must-keep region {number} lost")
        return tuple(words)


def _smoothed(worths: Sequence[Places], shot: Shot, times: Places) -> Places:
    """Worths at evenly spaced times, (times, places): each a Gaussian mean of those near it."""
    at = np.array([float(s.seconds) for s in shot.sights])
    result = np.empty((len(times), len(worths[0])))
    for i, time in enumerate(times):
        first, last = np.searchsorted(at, [time - 3 * SMOOTHING_SECONDS, time + 3 * SMOOTHING_SECONDS])
        nearest = int(np.abs(at - time).argmin())
        chosen = range(min(first, nearest), max(last, nearest + 1))
        weights = np.exp(-0.5 * ((at[chosen] - time) / SMOOTHING_SECONDS) ** 2) + 1e-9
        result[i] = weights @ np.array([worths[k] for k in chosen]) / weights.sum()
    return result


def _target(worths: Places, grid: Places, share: float) -> NDArray[np.intp]:
    """For each node the index of the place to be at: most worth in all, less the price of going (Viterbi)."""
    price = GOING_PRICE * np.abs(grid[:, None] - grid[None]) / share
    best, came_from = worths[0], []
    for worth in worths[1:]:
        offers = best[None] - price
        came_from.append(offers.argmax(1))
        best = worth + offers.max(1)
    at = int(best.argmax())
    track = [at]
    for back in reversed(came_from):
        at = int(back[at])
        track.append(at)
    return np.array(track[::-1])


def _corridor(
    worths: Places, grid: Places, share: float, target: NDArray[np.intp]
) -> tuple[Places, Places, NDArray[np.float64]]:
    """Round each target the places that are about as worthy; and how much it matters to be there."""
    low, high, weights = np.empty(len(target)), np.empty(len(target)), np.empty(len(target))
    for i, (worth, at) in enumerate(zip(worths, target, strict=True)):
        good = worth >= worth[at] - AS_WORTHY * max(float(np.ptp(worth)), 0.2)
        left = right = int(at)
        while left > 0 and good[left - 1]:
            left -= 1
        while right < len(grid) - 1 and good[right + 1]:
            right += 1
        low[i] = max(min(grid[left], grid[at] - LEAST_SLACK * share), 0)
        high[i] = min(max(grid[right], grid[at] + LEAST_SLACK * share), grid[-1])
        weights[i] = min(max(float(np.ptp(worth)), 0.05), 20.0)
    return low, high, weights


def _inside(grid: Places, share: float, start: float, end: float) -> Places:
    """How much of an interval lies in the window at each place, 0..1."""
    both = np.minimum(grid + share, end) - np.maximum(grid, start)
    return np.clip(both, 0, None) / (end - start)


def _extent(box: Box, upright: int) -> tuple[float, float]:
    return (box.top, box.bottom) if upright else (box.left, box.right)


def _share(sums: NDArray[np.float32], start: float, end: float) -> float:
    table = np.concatenate([[0.0], np.cumsum(sums, dtype=np.float64)])
    edges = np.linspace(0, 1, len(table))
    return float(np.interp(end, edges, table) - np.interp(start, edges, table))


def kept_in(sight: Sight, box: Box) -> float:
    """Share of a frame's attention inside a box, 0..1; exact where the box spans the frame one way."""
    return _share(sight.across, box.left, box.right) * _share(sight.down, box.top, box.bottom)


def _kept(shot: Shot, path: CameraPath) -> float:
    return float(np.mean([kept_in(s, path.box_at(float(s.seconds))) for s in shot.sights]))


def _kept_by_centre(shot: Shot, whole: tuple[float, float]) -> float:
    x, y = ((1 - w) / 2 for w in whole)
    box = Box(x, y, 1 - x, 1 - y)
    return float(np.mean([kept_in(s, box) for s in shot.sights]))


def _over_time(shots: Sequence[ShotPath], values: Sequence[float]) -> float:
    return float(np.average(values, weights=[max(float(s.end - s.start), 1e-6) for s in shots]))


def _span(shot: Shot) -> str:
    return f"{float(shot.start):.1f}-{float(shot.end):.1f} s"


# --- rendering


def _window(video: VideoInfo, ratio: AspectRatio) -> Size:
    """The largest window of a ratio, in stored pixels, odd sides less a pixel."""
    if min(video.size.width, video.size.height) < 2:
        raise UnsupportedPictureError(
            f"has {video.size} pixels; a film needs 2x2 or more", remedy="give a larger one", source=video.name
        )
    largest = AspectRatio(ratio.value / video.pixel_aspect).largest_in(video.size)
    return even(Size(max(largest.width, 2), max(largest.height, 2)))


def _check_film(plan: ReframePlan, info: VideoInfo) -> None:
    if info.size != plan.video_size:
        raise InvalidPlanError(
            f"is not the film that was planned: expected {plan.video_size}, got {info.size}",
            remedy="plan it again",
            source=info.name,
        )


def _padded(frame: VideoFrame, shot: ShotPath, plan: ReframePlan) -> PillowImage.Image:
    picture = PillowImage.fromarray(frame.pixels())
    box = shot.path.box_at(float(frame.seconds)).to_pixels(plan.video_size)
    return render_frame(picture, Frame(box, 0.0, (), 0.0, shot.padding), size=plan.size, pad=plan.pad)


def _outlined(still: PillowImage.Image, box: Box) -> PillowImage.Image:
    """Dark outside of the window, and a line round it."""
    part = box.to_pixels(Size(still.width, still.height))
    edges = (part.left, part.top, part.right, part.bottom)
    result = still.point(lambda v: v * 2 // 5)
    result.paste(still.crop(edges), edges[:2])
    ImageDraw.Draw(result).rectangle((*edges[:2], part.right - 1, part.bottom - 1), outline="#ffd23f", width=2)
    return result


def _pixel_window(plan: ReframePlan, box: Box) -> tuple[Size, int, int]:
    width, height = plan.video_size.width, plan.video_size.height
    size = Size(max(1, round(box.width * width)), max(1, round(box.height * height)))
    return size, round(box.left * width), round(box.top * height)


def _shot_from(values: Mapping[str, Any]) -> ShotPath:
    if values["kind"] not in KINDS:
        raise InvalidPlanError(f"expected one of {', '.join(KINDS)}, got {values['kind']!r}", remedy="choose one")
    keys = tuple(KeyFrame(float(k["seconds"]), Box(**k["box"])) for k in values["keys"])
    return ShotPath(
        Fraction(values["start"]),
        Fraction(values["end"]),
        values["kind"],
        CameraPath(keys, values["interpolation"]),
        float(values["kept"]),
        float(values["kept_by_centre"]),
        Padding(**values["padding"]) if values["padding"] else None,
        tuple(map(str, values["warnings"])),
    )


def _seconds(text: str) -> float:
    """Of 12.5, 1:05 or 1:02:03.5."""
    try:
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
        return total
    except ValueError:
        raise InvalidValueError(f"expected a time such as 12.5 or 1:05, got {text!r}", remedy="use seconds") from None
