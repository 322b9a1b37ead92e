"""The crop plan: what was decided for one picture, and why.

A plan is made by one analysis and serves every ratio, size and alternative. As JSON it follows
`plan.schema.json`, carries the network's revision and the picture's hash, and can be rendered later
without the network. Reading a plan gives an equal plan.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eyefirst.boxes import SalientObject
from eyefirst.errors import EyefirstError, InvalidAspectRatioError, InvalidPlanError
from eyefirst.framing import Frame, FramingOptions
from eyefirst.geometry import AspectRatio, Box, Point, RatioLike, Size
from eyefirst.written import reads_back

SCHEMA_VERSION = "eyefirst.plan/2"
PIXEL_SLACK = 1.0
"""How far the shape of a frame may be from its ratio, in pixels: both sides are rounded."""
SHAPE_SLACK = 0.005
"""The same as a share of the shorter side: nobody sees so little."""
T = TypeVar("T")


class ByRatio(Mapping[str, tuple[T, ...]], Generic[T]):
    """Ratio to results, best first. Any spelling of a ratio finds its own: "16:9", "32/18", 16 / 9, (1920, 1080).

    Iteration gives the ratios as text, in the order in which they were asked for.
    """

    def __init__(self, ranked: Mapping[AspectRatio, tuple[T, ...]]) -> None:
        self._ranked = dict(ranked)

    def __getitem__(self, ratio: RatioLike) -> tuple[T, ...]:
        """Return the results of one ratio. Raises KeyError for one that was not planned."""
        try:
            return self._ranked[AspectRatio.parse(ratio)]
        except (KeyError, InvalidAspectRatioError):
            known = ", ".join(self)
            raise KeyError(f"the plan holds no ratio {ratio!r}, it holds {known}") from None

    def __iter__(self) -> Iterator[str]:
        """Yield the ratios as text."""
        return (str(ratio) for ratio in self._ranked)

    def __len__(self) -> int:
        """Return how many ratios there are."""
        return len(self._ranked)

    def by_ratio(self) -> Iterator[tuple[AspectRatio, tuple[T, ...]]]:
        """Yield each ratio with its results."""
        return iter(self._ranked.items())

    def __eq__(self, other: object) -> bool:
        """Whether the other holds equal results for the same ratios."""
        return isinstance(other, ByRatio) and self._ranked == other._ranked

    def __hash__(self) -> int:
        """Return a hash that equal mappings share."""
        return hash(tuple(self._ranked.items()))

    def __repr__(self) -> str:
        """Return the ratios and their results."""
        return f"ByRatio({ {str(ratio): ranked for ratio, ranked in self._ranked.items()} })"


@dataclass(frozen=True)
class CropPlan:
    """Frames for one picture.

    picture, sha256, size: which picture (its name, the hash of its bytes, its upright size in pixels).
    revision: of the network. focal_point: the place that matters most. anchor: where CSS holds the picture best
    in containers of any shape (see `Framer.anchor`). attention_box: where people look first. objects: the
    subjects, highest confidence first. options: what the frames respect. frames: ratio to ranked frames.
    thumbhash: the whole picture in a few bytes, in base64; empty where nobody asked for it.
    """

    picture: str
    sha256: str
    size: Size
    revision: str
    focal_point: Point
    anchor: Point
    attention_box: Box
    objects: tuple[SalientObject, ...]
    options: FramingOptions
    frames: ByRatio[Frame]
    thumbhash: str = ""

    def __post_init__(self) -> None:
        for ratio, ranked in self.frames.by_ratio():
            for frame in ranked:
                self._check_frame(ratio, frame)

    def _check_frame(self, ratio: AspectRatio, frame: Frame) -> None:
        """Refuse a frame beyond the picture, or of another shape than its ratio: in a size it would stretch."""
        _, _, right, bottom = frame.box
        if right > self.size.width or bottom > self.size.height:
            raise InvalidPlanError(
                f"the frame of {ratio} reaches to {right}, {bottom}, beyond the picture of {self.size}",
                remedy="change its box, or plan the picture anew",
            )
        width, height = frame.size
        off = min(abs(width - height * float(ratio)), abs(width / float(ratio) - height))
        if off > max(PIXEL_SLACK, SHAPE_SLACK * min(width, height)):
            raise InvalidPlanError(
                f"the frame of {ratio} is {frame.size} with its padding, which is the ratio {width / height:.3g}:1; "
                f"expected {float(ratio):.3g}:1",
                remedy=f"change its box, for example to {ratio.largest_in(frame.size)}, or the name of its ratio",
            )

    @property
    def object_position(self) -> str:
        """The anchor as a value of CSS `object-position`, for a container of any shape with `object-fit: cover`."""
        return f"{100 * self.anchor.x:.1f}% {100 * self.anchor.y:.1f}%"

    def frame_position(self, frame: Frame) -> str:
        """Return a frame's place as CSS `object-position`, exact in a container of the frame's ratio."""
        return f"{_share(frame.box.left, self.size.width - frame.box.width)} " + _share(
            frame.box.top, self.size.height - frame.box.height
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values, following `plan.schema.json`."""
        return {
            "schema": SCHEMA_VERSION,
            "picture": {
                "name": self.picture,
                "sha256": self.sha256,
                "width": self.size.width,
                "height": self.size.height,
            },
            "revision": self.revision,
            "focal_point": self.focal_point.to_dict(),
            "anchor": self.anchor.to_dict(),
            "object_position": self.object_position,
            "attention_box": self.attention_box.to_dict(),
            "objects": [o.to_dict() for o in self.objects],
            "options": self.options.to_dict(),
            "frames": {
                ratio: [f.to_dict() | {"object_position": self.frame_position(f)} for f in frames]
                for ratio, frames in self.frames.items()
            },
        } | ({"thumbhash": self.thumbhash} if self.thumbhash else {})

    def to_json(self) -> str:
        """Return the plan as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    @reads_back(InvalidPlanError, "compare it with plan.schema.json")
    def from_dict(cls, plan: Mapping[str, Any]) -> CropPlan:
        """Read what `to_dict` wrote. InvalidPlanError says which part does not follow the schema."""
        if plan["schema"] != SCHEMA_VERSION:
            raise InvalidPlanError(
                f"expected a plan of schema {SCHEMA_VERSION}, got {plan['schema']!r}", remedy="plan the picture anew"
            )
        picture = plan["picture"]
        return cls(
            picture=str(picture["name"]),
            sha256=str(picture["sha256"]),
            size=Size(picture["width"], picture["height"]),
            revision=str(plan["revision"]),
            focal_point=Point.from_dict(plan["focal_point"]),
            anchor=Point.from_dict(plan["anchor"]),
            attention_box=Box.from_dict(plan["attention_box"]),
            objects=tuple(SalientObject.from_dict(o) for o in plan["objects"]),
            options=FramingOptions.from_dict(plan["options"]),
            frames=_read_frames(plan["frames"]),
            thumbhash=str(plan.get("thumbhash", "")),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> CropPlan:
        """Read what `to_json` wrote. Raises InvalidPlanError."""
        if not isinstance(text, (str, bytes, bytearray)):
            raise InvalidPlanError(
                f"expected the JSON text of a plan, got {type(text).__name__}",
                remedy="use CropPlan.from_dict for a dictionary, or read the file first",
            )
        try:
            plan = json.loads(text)
        except (ValueError, RecursionError) as error:
            words = str(error).partition(";")[0]  # Python's own remedies come after it
            raise InvalidPlanError(
                f"expected JSON; {words}", remedy="give one plan as `eyefirst crop --json` prints"
            ) from error
        return cls.from_dict(plan)

    def _repr_html_(self) -> str:
        """Return a table of the frames, for the end of a notebook's cell."""
        rows = "".join(
            f"<tr><td>{ratio}</td><td>{rank}</td><td>{', '.join(map(str, frame.box))}</td>"
            f"<td>{frame.kept:.0%}</td><td>{html.escape('; '.join(frame.warnings))}</td></tr>"
            for ratio, frames in self.frames.items()
            for rank, frame in enumerate(frames, 1)
        )
        head = "".join(f"<th>{name}</th>" for name in ("ratio", "rank", "left, top, right, bottom", "kept", "warnings"))
        title = f"{html.escape(self.picture)}, {self.size} pixels, {html.escape(self.revision)}"
        return f"<table><caption>{title}</caption><tr>{head}</tr>{rows}</table>"


def _read_frames(values: Mapping[str, Any]) -> ByRatio[Frame]:
    frames: dict[AspectRatio, tuple[Frame, ...]] = {}
    for name, ranked in values.items():
        ratio = AspectRatio.parse(name)
        if ratio in frames:
            raise InvalidPlanError(f"holds the ratio {ratio} twice", remedy="put all of its frames into one list")
        frames[ratio] = tuple(_read_frame(name, frame) for frame in ranked)
    return ByRatio(frames)


def _read_frame(ratio: str, values: Mapping[str, Any]) -> Frame:
    try:
        frame = Frame.from_dict(values)
    except EyefirstError as error:
        raise InvalidPlanError(
            f"the frame of {ratio}: {error.reason}", remedy="change it, or plan the picture anew"
        ) from error
    if not all(map(math.isfinite, (frame.kept, frame.score, frame.severity, *frame.kept_objects))):
        raise InvalidPlanError(f"the frame of {ratio} holds a number that is not finite", remedy="change it")
    return frame


def _share(offset: int, room: int) -> str:
    return f"{100 * offset / room:.2f}%" if room > 0 else "50%"
