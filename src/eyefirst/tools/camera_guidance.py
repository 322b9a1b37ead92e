"""Camera guidance: where to focus, whether the subject is sharp, and what its white is.

Each is measured on the salient part of the picture and compared with the rest, because that part is the one
people will look at. Needs the extra `[camera]` (OpenCV).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.errors import InvalidValueError, MissingExtraError
from eyefirst.geometry import Box, Point, Size
from eyefirst.handler import ImageRequestHandler, all_pixels, handler_of
from eyefirst.heat_map import HeatMap
from eyefirst.image import Source
from eyefirst.image.colour_spaces import linear
from eyefirst.network import Network
from eyefirst.numeric import is_within
from eyefirst.observations import SaliencyObservation

Verdict = Literal["subject sharp", "subject soft, background sharp", "all soft", "cannot tell"]

WORK_SIDE = 1024
"""The longer side of the copy that is measured: blur is judged at about the size of a screen."""
RANKING_SIDE = 512
"""The longer side at which pictures are compared by `salient_sharpness`."""
REBLUR = 1.0
"""Standard deviation, in pixels of that copy, of the blur that edges are compared with."""
SOFT_BLUR = 0.8
"""Edges with a wider blur than this standard deviation, in pixels of that copy, look soft."""
EDGE_GRADIENT = 7.0
"""Least gradient of an edge, in grey levels a pixel."""
LEAST_EDGES = 40
"""With fewer edge pixels than this a part has no sharpness to speak of."""
MINKOWSKI = 6
"""Power of the shades-of-grey mean: between the average (1) and the brightest (infinite)."""
SUBJECT_BAR, REST_BAR = 0.6, 0.15
"""Objectness from which a pixel counts as subject, and below which as the rest."""
REACH = 0.06
"""The focus point is the centre of mass within this distance of the peak, as a share of the picture's sides."""
ATTENTION_SHARE = 0.25
"""Where there is no subject, pixels with this share of the attention's maximum take its place."""


@dataclass(frozen=True, slots=True)
class Sharpness:
    """How wide edges are blurred in one part of the picture.

    blur: standard deviation in pixels at a longer side of 1024, nan where there are too few edges. edges: how
    many pixels of edges it was measured on.
    """

    blur: float
    edges: int

    @property
    def is_known(self) -> bool:
        """Whether there were enough edges."""
        return self.edges >= LEAST_EDGES

    @property
    def is_sharp(self) -> bool:
        """Whether edges are as narrow as a screen can show them."""
        return self.is_known and self.blur <= SOFT_BLUR


@dataclass(frozen=True, slots=True)
class WhiteBalance:
    """The colour of the light on one part of the picture, and what would make it neutral.

    gains_rgb: multipliers of linear red, green and blue; green's is 1. temperature: correlated colour
    temperature of the light, in kelvin; 6504 is the white of sRGB, less is warmer.
    """

    gains_rgb: tuple[float, float, float]
    temperature: float


@dataclass(frozen=True, slots=True)
class CameraGuidance:
    """What a camera should do about a picture."""

    focus: Point
    subject: Sharpness
    background: Sharpness
    verdict: Verdict
    white_balance: WhiteBalance
    white_balance_of_all: WhiteBalance

    def to_dict(self) -> dict[str, object]:
        """For JSON; null where something cannot be told."""
        return {
            "focus": self.focus.to_dict(),
            "verdict": self.verdict,
            **{
                name: {"blur": round(part.blur, 3) if part.is_known else None, "edges": part.edges}
                for name, part in (("subject", self.subject), ("background", self.background))
            },
            **{
                name: {"gains_rgb": [round(g, 4) for g in wb.gains_rgb], "temperature": round(wb.temperature)}
                for name, wb in (
                    ("white_balance", self.white_balance),
                    ("white_balance_of_all", self.white_balance_of_all),
                )
            },
        }


def guide(
    source: Source | ImageRequestHandler, *, revision: str | None = None, network: Network | None = None
) -> CameraGuidance:
    """Focus point, sharpness and white balance of one picture.

    Raises PictureError for a picture that cannot be used, MissingExtraError without the extra `[camera]`.
    """
    handler = handler_of(source, network=network, expects=all_pixels)
    seen = handler.look(revision)
    attention, objects = seen.attention, seen.objects
    pixels = working_copy(handler.picture().image().pixels)
    salient, rest = parts(attention, objects, Size(pixels.shape[1], pixels.shape[0]))
    blurs, edges = edge_blur(pixels)
    subject, background = (sharpness_of(blurs[edges & part]) for part in (salient, rest))
    whole = np.ones(salient.shape, np.bool_)
    return CameraGuidance(
        focus_point(attention, objects),
        subject,
        background,
        _verdict(subject, background),
        white_balance(pixels, salient),
        white_balance(pixels, whole),
    )


def working_copy(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most 1024 pixels on the longer side, averaged down; (height, width, 3) uint8 RGB."""
    picture = PillowImage.fromarray(pixels)
    picture.thumbnail((WORK_SIDE, WORK_SIDE), PillowImage.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(picture)


def parts(
    attention: SaliencyObservation, objects: SaliencyObservation, size: Size
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The salient part and the rest, as masks (height, width); what is neither belongs to the doubtful rim."""
    objectness = objects.heat_map.resized(size)
    if objects.salient_objects:
        return objectness >= SUBJECT_BAR, objectness < REST_BAR
    heat = attention.heat_map.resized(size)
    salient = heat >= ATTENTION_SHARE * heat.max()
    return salient, ~salient


def focus_point(attention: SaliencyObservation, objects: SaliencyObservation) -> Point:
    """Where people look first on the best subject; anywhere, where nothing is a subject."""
    if not objects.salient_objects:
        return attention.heat_map.center_in(attention.salient_objects[0].box)
    on_subject = HeatMap(attention.heat_map.values * objects.heat_map.values)
    peak = on_subject.peak()
    near = Box(max(peak.x - REACH, 0), max(peak.y - REACH, 0), min(peak.x + REACH, 1), min(peak.y + REACH, 1))
    return on_subject.center_in(near)


def edge_blur(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Standard deviation of every edge's blur in pixels, and where the edges are; both (height, width).

    An edge is blurred once more by a known amount; how much its gradient falls tells how wide it was (Zhuo and
    Sim, "Defocus map estimation from a single image", Pattern Recognition 2011).
    """
    cv2 = opencv()
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = _gradient(cv2, grey)
    softer = _gradient(cv2, cv2.GaussianBlur(grey, (0, 0), REBLUR))
    ridge = slope >= cv2.dilate(slope, np.ones((3, 3), np.uint8)) - 1e-3
    ratio = slope / np.maximum(softer, 1e-3)
    blur = REBLUR / np.sqrt(np.maximum(ratio**2 - 1, 1e-2))
    return blur.astype(np.float32), ridge & (slope >= EDGE_GRADIENT)


def white_balance(pixels: NDArray[np.uint8], part: NDArray[np.bool_]) -> WhiteBalance:
    """Of a part of an sRGB picture, by shades of grey in linear light (Finlayson and Trezzi, CIC 2004).

    Clipped and nearly black pixels tell nothing of the light and are left out. Temperature after McCamy
    (Color Research and Application, 1992).
    """
    tells = part & (pixels.max(2) < 250) & (pixels.max(2) > 12)
    if not tells.any():
        tells = part if part.any() else np.ones(part.shape, np.bool_)
    light = np.mean(linear(pixels[tells] / 255) ** MINKOWSKI, axis=0) ** (1 / MINKOWSKI)
    red, green, blue = (float(max(v, 1e-4)) for v in light)
    return WhiteBalance((green / red, 1.0, green / blue), _temperature(red, green, blue))


def opencv() -> Any:
    """OpenCV, or the error that names the extra."""
    try:
        import cv2  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError.for_extra("camera", "measuring sharpness and enhancing pictures") from error
    if not hasattr(cv2, "ximgproc"):
        raise MissingExtraError.for_extra("camera", "OpenCV is here without its contributed modules; enhancing")
    return cv2


def _gradient(cv2: Any, grey: NDArray[np.float32]) -> NDArray[np.float32]:
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3) / 8 for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(across, down))


def sharpness_of(blurs: NDArray[np.float32]) -> Sharpness:
    """Return the sharpness of a part, by the sharper quarter of its edges: shadows are soft in any picture.

    blurs: (n,), the blur of each edge pixel of the part, as `edge_blur` measures it.
    """
    return Sharpness(float(np.quantile(blurs, 0.25)) if len(blurs) else math.nan, len(blurs))


def _verdict(subject: Sharpness, background: Sharpness) -> Verdict:
    if not subject.is_known:
        return "cannot tell"
    if subject.is_sharp:
        return "subject sharp"
    return "subject soft, background sharp" if background.is_sharp else "all soft"


def _temperature(red: float, green: float, blue: float) -> float:
    x, y, z = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ (
        red,
        green,
        blue,
    )
    n = (x / (x + y + z) - 0.3320) / (y / (x + y + z) - 0.1858)
    return float(-449 * n**3 + 3525 * n**2 - 6823.3 * n + 5520.33)


def salient_sharpness(grey: PillowImage.Image, attention: SaliencyObservation, objects: SaliencyObservation) -> float:
    """Variance of the Laplacian on the salient part (Pech-Pacheco et al., ICPR 2000), at one scale for all.

    grey: a picture of mode L. In squared grey levels; needs no extra. For ranking pictures by how sharp they
    are where people look; `guide` tells sharp from soft.
    """
    seen = objects if objects.salient_objects else attention
    scale = RANKING_SIDE / max(grey.size)
    size = Size(max(3, round(grey.width * scale)), max(3, round(grey.height * scale)))
    levels = np.asarray(grey.resize((size.width, size.height), PillowImage.Resampling.LANCZOS), np.float32)
    middle = levels[1:-1, 1:-1]
    edges = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:] - 4 * middle
    heat = seen.heat_map.resized(size)[1:-1, 1:-1]
    salient = heat >= 0.5 * max(float(heat.max()), 1e-6)
    return float(edges[salient].var())


# --- a stream of frames


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusSettings:
    """When the focus point of a stream moves.

    dead_zone: shifts up to this share of the picture's side are ignored. patience_seconds: how long another
    place has to stay better before the focus goes there. glide_seconds: time constant of the way there.
    """

    dead_zone: float = 0.06
    patience_seconds: float = 0.3
    glide_seconds: float = 0.2

    def __post_init__(self) -> None:
        durations = (self.patience_seconds, self.glide_seconds)
        if not (is_within(self.dead_zone, 0, 1) and all(is_within(seconds, 0) for seconds in durations)):
            raise InvalidValueError(f"expected settings of at least 0, got {self}", remedy="FocusSettings() is good")


class FocusTracker:
    """Holds the focus point of a stream steady: small shifts are ignored, large ones have to last."""

    def __init__(self, settings: FocusSettings | None = None) -> None:
        self.settings = settings or FocusSettings()
        self._held: Point | None = None
        self._target: Point | None = None
        self._rival: Point | None = None
        self._rival_since = self._last = 0.0

    def update(self, point: Point, seconds: float) -> Point:
        """The steady point for a frame whose own point is given; seconds: the frame's time, never falling."""
        if self._held is None or self._target is None:
            self._held = self._target = point
            self._last = seconds
            return point
        if _distance(point, self._target) <= self.settings.dead_zone:
            self._rival = None
        elif self._rival is None or _distance(point, self._rival) > self.settings.dead_zone:
            self._rival, self._rival_since = point, seconds
        if self._rival is not None and seconds - self._rival_since >= self.settings.patience_seconds:
            self._target, self._rival = point, None
        step = 1.0
        if self.settings.glide_seconds > 0:
            step = 1 - math.exp(-max(seconds - self._last, 0.0) / self.settings.glide_seconds)
        self._last = seconds
        held, target = self._held, self._target
        self._held = Point(held.x + (target.x - held.x) * step, held.y + (target.y - held.y) * step)
        return self._held


def guide_stream(
    frames: Iterable[tuple[float, Source]], *, settings: FocusSettings | None = None, revision: str | None = None
) -> Iterator[CameraGuidance]:
    """Guidance for every frame of a stream of (seconds, picture), with a focus point that does not jump."""
    tracker = FocusTracker(settings)
    for seconds, frame in frames:
        guidance = guide(frame, revision=revision)
        yield replace(guidance, focus=tracker.update(guidance.focus, seconds))


def _distance(one: Point, other: Point) -> float:
    return math.hypot(one.x - other.x, one.y - other.y)
