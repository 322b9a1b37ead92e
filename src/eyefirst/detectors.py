"""Things of a known kind in a picture: text, and whatever detector a program registers.

Saliency says where to look, a detector what is there. Text is read by RapidOCR (PP-OCR's networks; the
extra `[text]`), whose wheel carries its networks: nothing is downloaded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eyefirst.errors import InvalidValueError, MissingExtraError
from eyefirst.face_maps import decode_faces
from eyefirst.geometry import Box, Point, Size
from eyefirst.network import load_network
from eyefirst.registry import Registry

READ_SIDE = 2560
"""Text is read at full resolution in pictures of up to so many pixels a side; larger ones are shrunk to that."""
LEAST_CONFIDENCE = 0.5
"""Text that is read with less confidence is left out."""
LEAST_SIDE = 5
"""Height or width below which no letter can be read, in pixels."""
READER_SIDE = 48
"""Height and width to which a smaller part is extended before it is read, in pixels."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing that was found.

    box: in 0..1 of the whole picture. label: its kind, such as "text" or "face". confidence: the detector's,
    0..1. text: what it says, if it says anything. corners: four points in 0..1 of the whole
    picture, clockwise from its own top left; empty where the detector knows upright boxes alone.
    """

    box: Box
    label: str
    confidence: float
    text: str = ""
    corners: tuple[Point, ...] = ()


class Detector(Protocol):
    """Whatever finds things in a part of a picture."""

    def detect(self, pixels: NDArray[np.uint8], region: Box) -> Sequence[Detection]:
        """What lies in a region (0..1) of an upright (height, width, 3) uint8 RGB picture."""
        ...


class TextDetector:
    """Finds and reads lines of text. Safe to share between threads, which take turns.

    Raises MissingExtraError where the extra `[text]` is not installed.
    """

    def __init__(self) -> None:
        try:
            from rapidocr import RapidOCR  # noqa: PLC0415 - an extra, and slow to import
        except ImportError as error:
            raise MissingExtraError.for_extra("text", "reading text") from error
        self._reader: Any = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.text_score": LEAST_CONFIDENCE,
                "Det.limit_type": "max",
                "Det.limit_side_len": READ_SIDE,
            }
        )
        self._lock = threading.Lock()

    def detect(self, pixels: NDArray[np.uint8], region: Box) -> Sequence[Detection]:
        """Lines of text, in the reader's order."""
        height, width = pixels.shape[:2]
        cut = region.to_pixels(Size(width, height))
        part = pixels[cut.top : cut.bottom, cut.left : cut.right]
        if min(cut.width, cut.height) < LEAST_SIDE:
            return []
        scale = min(READ_SIDE / max(height, width), 1.0)
        if scale < 1:
            smaller = (max(round(cut.width * scale), 1), max(round(cut.height * scale), 1))
            part = np.asarray(Image.fromarray(part).resize(smaller, Image.Resampling.BOX, reducing_gap=2.0))
        lacking = [(0, max(READER_SIDE - side, 0)) for side in part.shape[:2]]
        part = np.pad(part, (*lacking, (0, 0)), mode="edge")  # the reader fails on strips
        part = np.ascontiguousarray(part[..., ::-1])  # it reads BGR
        with self._lock:
            found = self._reader(part)
        if found.boxes is None or found.txts is None or found.scores is None:
            return []
        corner = np.array([cut.left, cut.top])
        return [
            _line(corner + np.asarray(corners) / scale, (width, height), text, float(score))
            for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
            if text.strip()
        ]


def _line(corners: NDArray[np.float64], size_wh: tuple[int, int], text: str, confidence: float) -> Detection:
    shares = np.clip(corners / size_wh, 0, 1)
    (left, top), (right, bottom) = shares.min(0), shares.max(0)
    points = tuple(Point(float(x), float(y)) for x, y in shares)
    box = Box(float(left), float(top), float(right), float(bottom))
    return Detection(box, "text", min(confidence, 1.0), text.strip(), points)


class FaceDetector:
    """Finds faces with the newest network. A tool that holds a handler asks it instead, for the run it has made."""

    def detect(self, pixels: NDArray[np.uint8], region: Box) -> Sequence[Detection]:
        """Faces in the region, the most confident first; none where the network has no face maps."""
        network = load_network()
        height, width = pixels.shape[:2]
        cut = region.to_pixels(Size(width, height))
        part = Image.fromarray(pixels[cut.top : cut.bottom, cut.left : cut.right])
        side = network.input_side
        squashed = np.array(part.resize((side, side), Image.Resampling.BILINEAR))
        faces = network.predict(squashed[np.newaxis]).faces
        found = decode_faces(faces[0]) if faces is not None else ()
        return [Detection(f.box.within(region), "face", f.confidence) for f in found]


DetectorFactory = Callable[[], Detector]

_detectors: Registry[Detector] = Registry()


def register_detector(name: str, factory: DetectorFactory) -> None:
    """Make a detector known under a name. The factory is called once, when the name is first asked for."""
    _detectors.register(name, factory)


def known_detectors() -> tuple[str, ...]:
    """Return every name that can be asked for."""
    return _detectors.names()


def load_detector(name: str) -> Detector:
    """Return the detector of a name; made once per process and shared. InvalidValueError lists those known."""
    if name not in _detectors:
        raise InvalidValueError(
            f"expected a detector among {', '.join(known_detectors())}; got {name!r}",
            remedy="register_detector makes others known",
        )
    return _detectors.load(name)


def load_detectors(names: Iterable[str]) -> None:
    """Load detectors before long work, so that an unknown name or a missing extra is said once."""
    for name in names:
        load_detector(name)


register_detector("text", TextDetector)
register_detector("faces", FaceDetector)
