"""A reframed film as data: where the camera is, shot by shot, for JSON and for ffmpeg."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from eyefirst.errors import InvalidPlanError, InvalidValueError
from eyefirst.films.path import CameraPath, KeyFrame
from eyefirst.films.reader import DEINTERLACE, INTERLACED
from eyefirst.films.writer import even
from eyefirst.framing import FramingOptions, Padding
from eyefirst.geometry import AspectRatio, Box, BoxLike, Size
from eyefirst.numeric import is_number, is_within
from eyefirst.written import PLAN_AGAIN, reads_back

SCHEMA = "eyefirst.reframe/1"
Kind = Literal["hold", "pan", "track", "pad", "stack"]
KINDS = ("hold", "pan", "track", "pad", "stack")
RATIO_SLACK, PIXEL_SLACK = 0.01, 3.0
"""A window may miss the ratio of the result by this share and so many pixels: sides are whole and even."""


@dataclass(frozen=True, slots=True)
class MustKeep:
    """A region that has to stay inside for a time. box: 0..1 of the upright frame. start, end: seconds or None."""

    box: Box
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", Box.parse(self.box))
        start, end = self.start, self.end
        if not is_within(start, 0) or not (end is None or (is_number(end) and end > start)):
            raise InvalidValueError(
                f"expected a time span in seconds, got {start!r}..{end!r}", remedy="for example 0.1,0.2,0.5,0.9@5-12.5"
            )
        object.__setattr__(self, "start", float(start))
        object.__setattr__(self, "end", None if end is None else float(end))

    @classmethod
    def parse(cls, value: MustKeep | BoxLike) -> MustKeep:
        """Read a box, or a text such as "0.1,0.2,0.5,0.9@5-12.5" or "...@1:05-1:12"; no span is the whole film."""
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
        """Return whether the time lies in its span."""
        return self.start <= seconds and (self.end is None or seconds < self.end)

    def to_dict(self) -> dict[str, Any]:
        """Return box and span by name, for JSON."""
        return {"box": self.box.to_dict(), "start": self.start, "end": self.end}

    @classmethod
    @reads_back(InvalidPlanError, PLAN_AGAIN)
    def from_dict(cls, values: Mapping[str, Any]) -> MustKeep:
        """Read what `to_dict` wrote. Raises InvalidPlanError."""
        end = values["end"]
        return cls(Box.from_dict(values["box"]), float(values["start"]), None if end is None else float(end))


@dataclass(frozen=True, slots=True)
class ShotPath:
    """How one shot is framed.

    start, end: seconds from the film's start. kind: hold, pan, track, pad or stack. path: key frames in seconds of the
    film, boxes in 0..1 of the upright frame. second: the path of the second window of a stack, below the first one or
    right of it. padding: None, or what is added round the box, in pixels of the film that
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
    second: CameraPath | None = None

    def __post_init__(self) -> None:
        if (self.kind == "stack") != (self.second is not None):
            raise InvalidPlanError(
                f"expected a second path for the kind stack alone, got {self.kind}", remedy="add or remove `second`"
            )
        for name in ("kept", "kept_by_centre"):  # the last bits do not survive every format of timelines
            object.__setattr__(self, name, round(getattr(self, name), 6))

    def boxes_at(self, seconds: float) -> tuple[Box, ...]:
        """Return the window at a time, and the second one of a stack."""
        return tuple(path.box_at(seconds) for path in (self.path, self.second) if path is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return the shot by name, for JSON. start_seconds and end_seconds are for readers alone."""
        return {
            "start": str(self.start),
            "end": str(self.end),
            "start_seconds": round(float(self.start), 4),
            "end_seconds": round(float(self.end), 4),
            "kind": self.kind,
            **self.path.to_dict(),
            "second": self.second.to_dict() if self.second else None,
            "padding": self.padding.to_dict() if self.padding else None,
            "kept": self.kept,
            "kept_by_centre": self.kept_by_centre,
            "warnings": list(self.warnings),
        }

    @classmethod
    @reads_back(InvalidPlanError, PLAN_AGAIN)
    def from_dict(cls, values: Mapping[str, Any]) -> ShotPath:
        """Read what `to_dict` wrote. Raises InvalidPlanError."""
        if values["kind"] not in KINDS:
            raise InvalidPlanError(f"expected one of {', '.join(KINDS)}, got {values['kind']!r}", remedy="choose one")
        return cls(
            Fraction(values["start"]),
            Fraction(values["end"]),
            values["kind"],
            CameraPath.from_dict(values),
            float(values["kept"]),
            float(values["kept_by_centre"]),
            Padding(**values["padding"]) if values["padding"] else None,
            tuple(map(str, values["warnings"])),
            CameraPath.from_dict(values["second"]) if values.get("second") else None,
        )


@dataclass(frozen=True, slots=True)
class ReframePlan:
    """A film's camera path as data.

    video: the file. video_size: upright, in stored pixels. pixel_aspect: width of such a pixel by its height.
    seconds: the film's length. ratio, size: of the result, in square pixels. pad: how padding is filled. shots: in
    order, without gaps. warnings: plain words.
    """

    video: str
    video_size: Size
    pixel_aspect: Fraction
    seconds: Fraction
    ratio: AspectRatio
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
            raise InvalidPlanError(f"expected even sides, got {self.size}", remedy="most codecs need them even")
        if not self.pixel_aspect > 0:
            raise InvalidPlanError(f"expected a pixel aspect above 0, got {self.pixel_aspect}", remedy="1 is square")
        cells = stack_cells(self.size)
        for number, shot in enumerate(self.shots, 1):
            for path, cell in ((shot.path, cells[0]), (shot.second, cells[1])):
                for key in path.keys if path else ():
                    self._check_window(number, shot, key, cell if shot.second else self.size)

    def _check_window(self, number: int, shot: ShotPath, key: KeyFrame, size: Size) -> None:
        """A window of another ratio than the result's would be stretched."""
        pad = shot.padding or Padding()
        wide = (key.box.width * self.video_size.width + pad.left + pad.right) * float(self.pixel_aspect)
        high = key.box.height * self.video_size.height + pad.top + pad.bottom
        wanted = high * size.width / size.height
        if abs(wide - wanted) > RATIO_SLACK * max(wide, wanted) + PIXEL_SLACK * max(
            self.size.width / self.size.height, 1
        ):
            raise InvalidPlanError(
                f"shot {number}'s key frame at {key.seconds:g} s is {wide:.0f}x{high:.0f} pixels; "
                f"expected the ratio of {size}, which is {wanted:.0f}x{high:.0f}",
                remedy="change the box, or plan again",
            )

    def shot_at(self, seconds: Fraction | float) -> ShotPath:
        """Return the shot that a time belongs to."""
        exact = (
            seconds if isinstance(seconds, Fraction) else Fraction(seconds) + Fraction(1, 10**6)
        )  # floats fall short
        return self.shots[max(bisect_right([s.start for s in self.shots], exact) - 1, 0)]

    def box_at(self, seconds: Fraction | float) -> Box:
        """Return where the window is at a time."""
        return self.shot_at(seconds).path.box_at(float(seconds))

    @property
    def enlarged(self) -> float:
        """How many times larger the film's pixels are in the result, at most; below 1 they are smaller."""
        cells = stack_cells(self.size)
        times = []
        for shot in self.shots:
            pad = shot.padding or Padding()
            for path, cell in ((shot.path, cells[0] if shot.second else self.size), (shot.second, cells[1])):
                for key in path.keys if path else ():
                    times.append(cell.height / (key.box.height * self.video_size.height + pad.top + pad.bottom))
        return max(times) * min(float(self.pixel_aspect), 1.0)

    @property
    def kept(self) -> float:
        """Share of the attention inside, 0..1, over all of the film."""
        return _over_time(self.shots, [s.kept for s in self.shots])

    @property
    def kept_by_centre(self) -> float:
        """Share of the attention inside of the centre crop."""
        return _over_time(self.shots, [s.kept_by_centre for s in self.shots])

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values. `seconds`, `kept` and `kept_by_centre` of the film are for readers alone."""
        return {
            "schema": SCHEMA,
            "video": self.video,
            "video_size": asdict(self.video_size),
            "pixel_aspect": str(self.pixel_aspect),
            "duration": str(self.seconds),
            "seconds": round(float(self.seconds), 4),
            "ratio": str(self.ratio),
            "size": asdict(self.size),
            "pad": self.pad,
            "revision": self.revision,
            "kept": round(self.kept, 4),
            "kept_by_centre": round(self.kept_by_centre, 4),
            "shots": [s.to_dict() for s in self.shots],
            "warnings": list(self.warnings),
        }

    @classmethod
    @reads_back(InvalidPlanError, PLAN_AGAIN)
    def from_dict(cls, values: Mapping[str, Any]) -> ReframePlan:
        """Read what `to_dict` wrote. Raises InvalidPlanError."""
        if values["schema"] != SCHEMA:
            raise InvalidPlanError(f"expected the schema {SCHEMA}, got {values['schema']!r}", remedy="plan again")
        return cls(
            video=str(values["video"]),
            video_size=Size(**values["video_size"]),
            pixel_aspect=Fraction(values.get("pixel_aspect", 1)),
            seconds=Fraction(values.get("duration", values["seconds"])),
            ratio=AspectRatio.parse(values["ratio"] if "ratio" in values else values["aspect"]),
            size=Size(**values["size"]),
            pad=FramingOptions(pad=values["pad"]).pad,
            revision=str(values["revision"]),
            shots=tuple(ShotPath.from_dict(s) for s in values["shots"]),
            warnings=tuple(map(str, values["warnings"])),
        )


def stack_cells(size: Size) -> tuple[Size, Size]:
    """Return the two parts of a stacked result: one below the other where it is high, else side by side."""
    if size.height >= size.width:
        first = max(size.height // 4 * 2, 2)
        return Size(size.width, first), Size(size.width, max(size.height - first, 2))
    first = max(size.width // 4 * 2, 2)
    return Size(first, size.height), Size(max(size.width - first, 2), size.height)


def ffmpeg_filter(plan: ReframePlan, commands: str) -> str:
    """The value of ffmpeg's -vf that follows the path; `ffmpeg_commands` gives what the file `commands` has to hold."""
    window, _, _ = _pixel_window(plan, plan.shots[0].path.keys[0].box)
    name = re.sub(r"([\\':])", r"\\\1", commands)  # as the value of an option
    name = re.sub(r"([\\',;\[\]])", r"\\\1", name)  # as a part of a chain of filters
    progressive = f"bwdif={DEINTERLACE}," if INTERLACED in plan.warnings else ""
    scale = f",scale={plan.size.width}:{plan.size.height}:flags=bicubic,setsar=1" if window != plan.size else ""
    return f"{progressive}sendcmd=f={name},crop=w={window.width}:h={window.height}:exact=1{scale}"


def ffmpeg_commands(plan: ReframePlan, *, frames_per_second: float = 50.0) -> str:
    """Commands for ffmpeg's sendcmd filter: where its crop filter goes, and when; places are whole pixels.

    Raises InvalidPlanError for what that filter cannot do: windows of several sizes, and padding.
    """
    sizes = {_pixel_window(plan, k.box)[0] for s in plan.shots for k in s.path.keys}
    if len(sizes) > 1 or any(s.padding or s.second for s in plan.shots):
        raise InvalidPlanError(
            "ffmpeg's crop filter has one size, one window and no padding", remedy="plan without them"
        )
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


def _pixel_window(plan: ReframePlan, box: Box) -> tuple[Size, int, int]:
    width, height = plan.video_size.width, plan.video_size.height
    size = Size(max(1, round(box.width * width)), max(1, round(box.height * height)))
    return size, round(box.left * width), round(box.top * height)


def _over_time(shots: Sequence[ShotPath], values: Sequence[float]) -> float:
    return float(np.average(values, weights=[max(float(s.end - s.start), 1e-6) for s in shots]))


def _seconds(text: str) -> float:
    """Of 12.5, 1:05 or 1:02:03.5."""
    try:
        total = 0.0
        for part in text.split(":"):
            total = total * 60 + float(part)
        return total
    except ValueError:
        raise InvalidValueError(f"expected a time such as 12.5 or 1:05, got {text!r}", remedy="use seconds") from None
