"""What can be asked of a picture, in the vocabulary of Apple's Vision."""

from __future__ import annotations

from dataclasses import dataclass

from eyefirst.geometry import Box
from eyefirst.network import check_revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Common to all requests; ask for one of the kinds below.

    revision: pins a saliency network's version; None is the newest. An unknown one raises UnknownRevisionError.
    region_of_interest: the only part of the picture to look at, in 0..1. Boxes come back in
    coordinates of the whole picture. A box that leaves the unit square raises InvalidBoxError.
    """

    revision: str | None = None
    region_of_interest: Box | None = None

    def __post_init__(self) -> None:
        check_revision(self.revision)
        if self.region_of_interest is not None:
            object.__setattr__(self, "region_of_interest", Box.parse(self.region_of_interest))

    @property
    def region(self) -> Box:
        """The region of interest; the whole picture where none was given."""
        return self.region_of_interest or Box.whole()


@dataclass(frozen=True, slots=True, kw_only=True)
class SaliencyRequest(Request):
    """Common to the kinds whose answer is a heat map and the boxes found in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSaliencyRequest(SaliencyRequest):
    """Where will people look first?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectnessSaliencyRequest(SaliencyRequest):
    """Which pixels belong to the main foreground subjects?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRectanglesRequest(SaliencyRequest):
    """Where is text? The counterpart of Vision's VNDetectTextRectanglesRequest; nothing is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceRectanglesRequest(Request):
    """Where are faces? The counterpart of Vision's VNDetectFaceRectanglesRequest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecognitionRequest(Request):
    """What is written where people look?

    rest: whether the rest of the picture is read after the salient regions; that costs several times more.
    """

    rest: bool = False


KINDS: dict[str, type[Request]] = {
    "attention": AttentionSaliencyRequest,
    "objectness": ObjectnessSaliencyRequest,
    "faces": FaceRectanglesRequest,
    "text_rectangles": TextRectanglesRequest,
    "text": TextRecognitionRequest,
}
"""The name of each kind of request in JSON."""


def kind_of(request: Request) -> str:
    """Return the name of a request's kind in JSON."""
    return next(name for name, kind in KINDS.items() if isinstance(request, kind))
