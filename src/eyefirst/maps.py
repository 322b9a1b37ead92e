"""What one run of a network says of a picture, and the observations that are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from eyefirst.errors import NetworkMismatchError
from eyefirst.face_maps import LEAST_CONFIDENCE, DetectedFace, decode_faces
from eyefirst.geometry import Box
from eyefirst.heat_map import HeatMap
from eyefirst.network import Prediction
from eyefirst.observations import FaceObservation, SaliencyObservation
from eyefirst.requests import (
    AttentionSaliencyRequest,
    FaceRectanglesRequest,
    ObjectnessSaliencyRequest,
    SaliencyRequest,
    TextRectanglesRequest,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """All that one run of the network says of a picture.

    Without face maps in the network there are no faces. text: None where it has no such map.
    """

    attention: SaliencyObservation
    objects: SaliencyObservation
    faces: tuple[DetectedFace, ...] = ()
    text: SaliencyObservation | None = None

    @property
    def revision(self) -> str:
        """The network's."""
        return self.attention.revision

    @property
    def text_boxes(self) -> tuple[Box, ...]:
        """Of the blocks of text; none where the network has no map of it."""
        return tuple(block.box for block in self.text.salient_objects) if self.text else ()


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What a network says of a region: heat maps and, where it has them, its face maps (5, rows, columns)."""

    revision: str
    attention: HeatMap
    objectness: HeatMap
    faces: NDArray[np.float32] | None = None
    text: HeatMap | None = None

    @classmethod
    def of(cls, prediction: Prediction, revision: str) -> Maps:
        """Of a prediction's only picture."""
        return cls(
            revision,
            HeatMap(prediction.attention[0]),
            HeatMap(prediction.objectness[0]),
            None if prediction.faces is None else prediction.faces[0],
            None if prediction.text is None else HeatMap(prediction.text[0]),
        )

    @property
    def nbytes(self) -> int:
        """Of three heat maps, and of five maps of faces."""
        return 8 * self.attention.values.nbytes

    def saliency(self, request: SaliencyRequest) -> SaliencyObservation:
        """Answer a request for a heat map. Raises NetworkMismatchError where the network has no such map."""
        if isinstance(request, TextRectanglesRequest):
            heat_map = self._there(self.text, "text")
        else:
            heat_map = self.attention if isinstance(request, AttentionSaliencyRequest) else self.objectness
        return SaliencyObservation(request, heat_map, self.revision)

    def face_observation(self, request: FaceRectanglesRequest) -> FaceObservation:
        """Answer a request for faces. Raises NetworkMismatchError where the network has no face maps."""
        faces = self._there(self.faces, "faces")
        return FaceObservation(request, faces_in(faces, request.region), HeatMap(faces[0]), self.revision)

    def look(self, revision: str | None, least_confidence: float = LEAST_CONFIDENCE) -> Look:
        """Return all of it, of a whole picture. revision: as it was asked for. least_confidence: of the faces."""
        return Look(
            self.saliency(AttentionSaliencyRequest(revision=revision)),
            self.saliency(ObjectnessSaliencyRequest(revision=revision)),
            () if self.faces is None else faces_in(self.faces, Box.whole(), least_confidence),
            None if self.text is None else self.saliency(TextRectanglesRequest(revision=revision)),
        )

    def _there(self, maps: T | None, name: str) -> T:
        if maps is None:
            raise NetworkMismatchError(
                f"the network {self.revision} has no map of {name}", remedy="leave out the revision, for the newest"
            )
        return maps


def faces_in(
    maps: NDArray[np.float32], region: Box, least_confidence: float = LEAST_CONFIDENCE
) -> tuple[DetectedFace, ...]:
    """The faces in a region's maps, in coordinates of the whole picture."""
    found = decode_faces(maps, least_confidence=least_confidence)
    return tuple(DetectedFace(f.box.within(region), f.confidence) for f in found)
