"""The crop plan: what was decided for one picture, and why.

A plan is made by one analysis and serves every ratio, size and alternative. As JSON it follows
`plan.schema.json`, carries the network's revision and the picture's hash, and can be rendered
later without the network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eyefirst.boxes import SalientObject
from eyefirst.errors import InvalidAspectRatioError, InvalidPlanError
from eyefirst.framing import Frame, FramingOptions, Padding
from eyefirst.geometry import AspectRatio, Box, PixelBox, Point, RatioLike, Size

SCHEMA_VERSION = "eyefirst.plan/1"


class Frames(Mapping[str, tuple[Frame, ...]]):
    """Ratio to frames, best first. Any spelling of a ratio finds it: "16:9", "32/18", 16 / 9, (1920, 1080)."""

    def __init__(self, frames: Mapping[AspectRatio, tuple[Frame, ...]]) -> None:
        self._frames = dict(frames)

    def __getitem__(self, ratio: RatioLike) -> tuple[Frame, ...]:
        """The frames of one ratio; KeyError for one that was not planned."""
        try:
            return self._frames[AspectRatio.parse(ratio)]
        except (KeyError, InvalidAspectRatioError):
            known = ", ".join(self)
            raise KeyError(f"the plan holds no ratio {ratio!r}, it holds {known}") from None

    def __iter__(self) -> Iterator[str]:
        """The ratios as text, in the order in which they were asked for."""
        return (str(ratio) for ratio in self._frames)

    def __len__(self) -> int:
        """How many ratios."""
        return len(self._frames)


@dataclass(frozen=True, eq=False)
class CropPlan:
    """Frames for one picture.

    picture, sha256, size: which picture (its name, the hash of its bytes, its upright size).
    revision: of the network. focal_point: the place that matters most. anchor: where CSS holds the picture best in
    containers of any shape (see `Framer.anchor`). attention_box: where people look first. objects: the
    subjects. frames: ratio to ranked frames.
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
    frames: Frames

    @property
    def object_position(self) -> str:
        """The anchor as a value of CSS `object-position`, for a container of any shape with `object-fit: cover`."""
        return f"{100 * self.anchor.x:.1f}% {100 * self.anchor.y:.1f}%"

    def frame_position(self, frame: Frame) -> str:
        """A frame's place as CSS `object-position`, exact in a container of the frame's ratio (`object-fit: cover`)."""
        return f"{_share(frame.box.left, self.size.width - frame.box.width)} " + _share(
            frame.box.top, self.size.height - frame.box.height
        )

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON values, following `plan.schema.json`."""
        return {
            "schema": SCHEMA_VERSION,
            "picture": {
                "name": self.picture,
                "sha256": self.sha256,
                "width": self.size.width,
                "height": self.size.height,
            },
            "network": self.revision,
            "focal_point": self.focal_point.to_dict(),
            "object_position": self.object_position,
            "attention_box": self.attention_box.to_dict(),
            "objects": [o.to_dict() for o in self.objects],
            "options": {
                "tightness": self.options.tightness,
                "margin": self.options.margin,
                "must_keep": [b.to_dict() for b in self.options.must_keep],
                "avoid": [b.to_dict() for b in self.options.avoid],
                "pad": self.options.pad,
            },
            "frames": {ratio: [self._frame_dict(f) for f in frames] for ratio, frames in self.frames.items()},
        }

    def _frame_dict(self, frame: Frame) -> dict[str, Any]:
        return {
            "box": frame.box.to_dict(),
            "padding": frame.padding.to_dict() if frame.padding else None,
            "kept": round(frame.kept, 6),
            "kept_objects": [round(k, 6) for k in frame.kept_objects],
            "score": round(frame.score, 6),
            "object_position": self.frame_position(frame),
            "warnings": list(frame.warnings),
        }

    def to_json(self) -> str:
        """The plan as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_dict(cls, plan: Mapping[str, Any]) -> CropPlan:
        """Reads what `to_dict` wrote. InvalidPlanError says which part does not follow the schema."""
        try:
            if plan["schema"] != SCHEMA_VERSION:
                raise InvalidPlanError(
                    f"expected a plan of schema {SCHEMA_VERSION}, got {plan['schema']!r}",
                    remedy="plan the picture anew",
                )
            picture, options = plan["picture"], plan["options"]
            return cls(
                picture=str(picture["name"]),
                sha256=str(picture["sha256"]),
                size=Size(picture["width"], picture["height"]),
                revision=str(plan["network"]),
                focal_point=Point(**plan["focal_point"]),
                anchor=_read_position(plan["object_position"]),
                attention_box=Box(**plan["attention_box"]),
                objects=tuple(SalientObject(Box(**o["box"]), float(o["confidence"])) for o in plan["objects"]),
                options=FramingOptions(
                    tightness=options["tightness"],
                    margin=options["margin"],
                    must_keep=tuple(Box(**b) for b in options["must_keep"]),
                    avoid=tuple(Box(**b) for b in options["avoid"]),
                    pad=options["pad"],
                ),
                frames=Frames(
                    {
                        AspectRatio.parse(ratio): tuple(_read_frame(f, picture) for f in frames)
                        for ratio, frames in plan["frames"].items()
                    }
                ),
            )
        except InvalidPlanError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InvalidPlanError(
                f"expected a plan as CropPlan.to_dict() writes it; {type(error).__name__}: {error}",
                remedy="compare it with plan.schema.json",
            ) from error

    @classmethod
    def from_json(cls, text: str) -> CropPlan:
        """Reads what `to_json` wrote."""
        try:
            plan = json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidPlanError(
                f"expected JSON; {error}", remedy="give one plan as `eyefirst crop --json` prints"
            ) from error
        if not isinstance(plan, dict):
            raise InvalidPlanError(f"expected a JSON object, got {type(plan).__name__}", remedy="give one plan")
        return cls.from_dict(plan)


def _read_frame(frame: Mapping[str, Any], picture: Mapping[str, Any]) -> Frame:
    box = PixelBox(**frame["box"])
    box.normalized(Size(picture["width"], picture["height"]))  # a box that leaves the picture is an error
    return Frame(
        box=box,
        kept=float(frame["kept"]),
        kept_objects=tuple(float(k) for k in frame["kept_objects"]),
        score=float(frame["score"]),
        padding=Padding(**frame["padding"]) if frame["padding"] else None,
        warnings=tuple(str(w) for w in frame["warnings"]),
    )


def _read_position(text: str) -> Point:
    across, down = text.split(" ")
    return Point(*(float(share.removesuffix("%")) / 100 for share in (across, down)))


def _share(offset: int, room: int) -> str:
    return f"{100 * offset / room:.2f}%" if room > 0 else "50%"
