"""What was seen: one observation per request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, TypeVar

import numpy as np

from eyefirst.boxes import SalientObject, attention_box, subject_boxes, text_blocks
from eyefirst.errors import InvalidValueError
from eyefirst.face_maps import DetectedFace
from eyefirst.geometry import Box, Point
from eyefirst.heat_map import HeatMap
from eyefirst.requests import (
    KINDS,
    AttentionSaliencyRequest,
    FaceRectanglesRequest,
    Request,
    SaliencyRequest,
    TextRecognitionRequest,
    TextRectanglesRequest,
    kind_of,
)
from eyefirst.written import reads_back

R = TypeVar("R", bound=Request)
SURE = 0.8
"""Confidence from which a line of text is read right. Thai and symbols, read as Latin or Chinese, lie at 0.5 to 0.8."""


@dataclass(frozen=True)
class SaliencyObservation:
    """The heat map of a picture (or of the request's region of it), and the boxes found in it.

    heat_map covers the region of interest; boxes are in 0..1 of the whole picture. revision is the
    network's that made the map. Boxes are computed when they are first asked for.
    """

    request: SaliencyRequest
    heat_map: HeatMap
    revision: str

    @cached_property
    def salient_objects(self) -> tuple[SalientObject, ...]:
        """Highest confidence first. Attention: exactly one. Objectness: up to three, or none. Text: up to eight blocks.

        The confidence of the attention box is the share of the attention that lies inside it.
        """
        if isinstance(self.request, AttentionSaliencyRequest):
            box = attention_box(self.heat_map)
            found: tuple[SalientObject, ...] = (SalientObject(box, min(self.heat_map.mass_in(box), 1.0)),)
        elif isinstance(self.request, TextRectanglesRequest):
            found = text_blocks(self.heat_map)
        else:
            found = subject_boxes(self.heat_map)
        region = self.request.region
        return tuple(SalientObject(s.box.within(region), s.confidence) for s in found)

    @cached_property
    def union_box(self) -> Box | None:
        """The smallest box round all salient objects; None where there are none."""
        boxes = [s.box for s in self.salient_objects]
        return reduce(Box.union, boxes) if boxes else None

    def to_dict(self) -> dict[str, Any]:
        """Return the observation as JSON values."""
        return {
            "kind": kind_of(self.request),
            "revision": self.revision,
            "region_of_interest": self.request.region.to_dict(),
            "salient_objects": [s.to_dict() for s in self.salient_objects],
            "union_box": self.union_box.to_dict() if self.union_box else None,
            "heat_map": self.heat_map.to_list(),
        }

    @classmethod
    @reads_back()
    def from_dict(cls, values: Mapping[str, Any]) -> SaliencyObservation:
        """Read what `to_dict` wrote. The request then pins no revision."""
        request = _request_from(values, SaliencyRequest)
        return cls(request, HeatMap(np.asarray(values["heat_map"], np.float32)), str(values["revision"]))

    def _repr_png_(self) -> bytes:
        """Return the heat map in colour as a PNG, for the end of a notebook's cell."""
        return self.heat_map._repr_png_()


@dataclass(frozen=True)
class FaceObservation:
    """The faces of a picture (or of the request's region of it), highest confidence first.

    heat_map: where the middles of faces are, over the region of interest. revision: of the network.
    """

    request: FaceRectanglesRequest
    faces: tuple[DetectedFace, ...]
    heat_map: HeatMap
    revision: str

    def to_dict(self) -> dict[str, Any]:
        """Return the observation as JSON values."""
        return {
            "kind": kind_of(self.request),
            "revision": self.revision,
            "region_of_interest": self.request.region.to_dict(),
            "faces": [f.to_dict() for f in self.faces],
            "heat_map": self.heat_map.to_list(),
        }

    @classmethod
    @reads_back()
    def from_dict(cls, values: Mapping[str, Any]) -> FaceObservation:
        """Read what `to_dict` wrote. The request then pins no revision."""
        request = _request_from(values, FaceRectanglesRequest)
        faces = tuple(DetectedFace.from_dict(f) for f in values["faces"])
        return cls(request, faces, HeatMap(np.asarray(values["heat_map"], np.float32)), str(values["revision"]))

    def _repr_png_(self) -> bytes:
        """Return the heat map in colour as a PNG, for the end of a notebook's cell."""
        return self.heat_map._repr_png_()


@dataclass(frozen=True, slots=True)
class RecognizedText:
    """A line of text.

    confidence: the reader's, 0..1. corners: four points in 0..1 of the whole picture, clockwise from the
    line's own top left. box: upright, round the corners. saliency: how much attention the box draws, in
    multiples of what a box of its size would draw if people looked everywhere alike.
    """

    text: str
    confidence: float
    corners: tuple[Point, ...]
    box: Box
    saliency: float

    @property
    def is_sure(self) -> bool:
        """Whether the reader knew the letters; a script that it cannot read, or a symbol, comes out as unsure ones."""
        return self.confidence >= SURE

    def to_dict(self) -> dict[str, Any]:
        """Return the line's fields by name, for JSON."""
        return {
            "text": self.text,
            "confidence": self.confidence,
            "corners": [p.to_dict() for p in self.corners],
            "box": self.box.to_dict(),
            "saliency": self.saliency,
        }

    @classmethod
    @reads_back()
    def from_dict(cls, values: Mapping[str, Any]) -> RecognizedText:
        """Read what `to_dict` wrote."""
        corners = tuple(Point.from_dict(p) for p in values["corners"])
        box = Box.from_dict(values["box"])
        return cls(str(values["text"]), float(values["confidence"]), corners, box, float(values["saliency"]))


@dataclass(frozen=True, slots=True)
class TextObservation:
    """What is written in a picture, most salient first. regions: what was read at full resolution, in that order."""

    request: TextRecognitionRequest
    texts: tuple[RecognizedText, ...]
    regions: tuple[Box, ...]
    revision: str

    def to_dict(self) -> dict[str, Any]:
        """Return the observation as JSON values."""
        return {
            "kind": kind_of(self.request),
            "revision": self.revision,
            "region_of_interest": self.request.region.to_dict(),
            "rest": self.request.rest,
            "regions": [box.to_dict() for box in self.regions],
            "texts": [t.to_dict() for t in self.texts],
        }

    @classmethod
    @reads_back()
    def from_dict(cls, values: Mapping[str, Any]) -> TextObservation:
        """Read what `to_dict` wrote."""
        request = _request_from(values, TextRecognitionRequest)
        return cls(
            replace(request, rest=bool(values["rest"])),
            tuple(RecognizedText.from_dict(t) for t in values["texts"]),
            tuple(Box.from_dict(b) for b in values["regions"]),
            str(values["revision"]),
        )


def _request_from(values: Mapping[str, Any], wanted: type[R]) -> R:
    kind = KINDS.get(values.get("kind", ""))
    if kind is None or not issubclass(kind, wanted):
        names = " or ".join(name for name, known in KINDS.items() if issubclass(known, wanted))
        raise InvalidValueError(
            f"expected an observation of the kind {names}, got {values.get('kind')!r}",
            remedy="give what to_dict() of the same class wrote",
        )
    region = Box.from_dict(values["region_of_interest"])
    return kind(region_of_interest=None if region == Box.whole() else region)


Observation = SaliencyObservation | FaceObservation | TextObservation
