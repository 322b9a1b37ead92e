"""The handler: one picture, read once, hashed once, decoded once, run once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from eyefirst.background import background, is_background
from eyefirst.detectors import load_detector
from eyefirst.errors import CancelledError, EyefirstError, InvalidValueError, NetworkMismatchError
from eyefirst.face_maps import DetectedFace, decode_faces
from eyefirst.geometry import Box, Size
from eyefirst.heat_map import HeatMap
from eyefirst.image import (
    DEFAULT_PIXEL_LIMIT,
    Animation,
    Decoded,
    Image,
    Need,
    Source,
    decode,
    jpeg_size,
    kind_of,
    load_animation,
    open_source,
)
from eyefirst.network import Network, check_revision, load_network
from eyefirst.observations import FaceObservation, Observation, RecognizedText, SaliencyObservation, TextObservation
from eyefirst.reading import read, salient_regions
from eyefirst.requests import (
    KINDS,
    AttentionSaliencyRequest,
    FaceRectanglesRequest,
    ObjectnessSaliencyRequest,
    Request,
    SaliencyRequest,
    TextRecognitionRequest,
)

ANALYSIS_SIDE = 272
"""No picture is decoded with fewer pixels a side than this, which the networks that ship take."""
Completion = Callable[[Any, Any, EyefirstError | None], None]
"""Called as each request ends, with its observation or with the error that came instead."""


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What a network says of a region: two heat maps and, where it has them, its face maps (5, rows, columns)."""

    attention: HeatMap
    objectness: HeatMap
    faces: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """All that one run of the network says of a picture. Without face maps in the network there are no faces."""

    attention: SaliencyObservation
    objects: SaliencyObservation
    faces: tuple[DetectedFace, ...] = ()

    @property
    def revision(self) -> str:
        """The network's."""
        return self.attention.revision


class ImageRequestHandler:
    """Holds one picture: its bytes are read once, hashed once, decoded once, and looked at once.

    source: a path, bytes, a binary file object, a Pillow picture, or an (H, W, 3) uint8 RGB array.
    orientation: an EXIF orientation 1..8 that overrides the file's own. network: used instead of the one that a
    request's revision names. pixel_limit: width times height that is still decoded. expects: how many pixels a
    later cut will need, such as `all_pixels`, so that the one decode serves both. Safe to share between threads.
    """

    def __init__(
        self,
        source: Source,
        *,
        orientation: int | None = None,
        network: Network | None = None,
        pixel_limit: int = DEFAULT_PIXEL_LIMIT,
        expects: Need | None = None,
    ) -> None:
        self.opened = open_source(source)
        self.orientation = orientation
        self.pixel_limit = pixel_limit
        self._network = network
        self._expects = expects
        self._decoded: Decoded | None = None
        self._full: Decoded | None = None
        self._image: Image | None = None
        self._maps: dict[tuple[str, Box], Maps] = {}
        self._lock = threading.RLock()
        self._cancelled = threading.Event()

    @property
    def name(self) -> str:
        """What plans and errors call the picture."""
        return self.opened.name

    @property
    def image(self) -> Image:
        """The picture for analysis: RGB, perhaps decoded no larger than the network needs. Raises PictureError."""
        with self._lock:
            return self._for_analysis(Box.whole(), ANALYSIS_SIDE)

    @property
    def is_animated(self) -> bool:
        """Whether the picture has more than one frame. Raises PictureError."""
        return self.image.frame_count > 1

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was amiss with the file and did not keep it from being read."""
        return self._decoded.warnings if self._decoded else ()

    @property
    def has_alpha(self) -> bool:
        """Whether any pixel is transparent. Raises PictureError."""
        with self._lock:
            picture = (self._decoded or self.picture(self._expects)).picture
            return picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255)

    def picture(self, need: Need | None = None) -> Decoded:
        """Return the picture for cutting: upright, sRGB, RGB or RGBA. Raises PictureError.

        need: how many pixels the cut needs; None for all. A JPEG may then be smaller than its full size. How much
        smaller depends on `need` and the network's input alone, never on what was asked before, so that equal
        cuts have equal pixels. The one decode of the analysis serves where it has that size.
        """
        with self._lock:
            have = self._decoded
            if have is None:
                have = self._decode(self._both(need))
            if need is None:
                return have if not have.is_reduced else self._at_full_size()
            return have if self._serves(have, need) else self._decode(self._both(need))

    def animation(self) -> Animation:
        """Return every frame at full size, for cutting; a still picture is an animation of one frame."""
        return load_animation(self.opened, orientation=self.orientation, pixel_limit=self.pixel_limit)

    def look(self, revision: str | None = None) -> Look:
        """Return all that the network says of the picture, from one run."""
        attention, objects = self.perform(
            [AttentionSaliencyRequest(revision=revision), ObjectnessSaliencyRequest(revision=revision)]
        )
        return Look(attention, objects, self._faces_of(attention.revision, Box.whole())[0])

    @overload
    def perform(
        self,
        requests: Sequence[SaliencyRequest],
        *,
        prefer_background: bool = False,
        on_completion: Completion | None = None,
    ) -> list[SaliencyObservation]: ...
    @overload
    def perform(
        self,
        requests: Sequence[FaceRectanglesRequest],
        *,
        prefer_background: bool = False,
        on_completion: Completion | None = None,
    ) -> list[FaceObservation]: ...
    @overload
    def perform(
        self,
        requests: Sequence[TextRecognitionRequest],
        *,
        prefer_background: bool = False,
        on_completion: Completion | None = None,
    ) -> list[TextObservation]: ...
    @overload
    def perform(
        self,
        requests: Sequence[Request],
        *,
        prefer_background: bool = False,
        on_completion: Completion | None = None,
    ) -> list[Any]: ...
    def perform(
        self,
        requests: Sequence[Request],
        *,
        prefer_background: bool = False,
        on_completion: Completion | None = None,
    ) -> list[Any]:
        """Return one observation per request, in order: a SaliencyObservation, FaceObservation or TextObservation.

        prefer_background: works in one thread of low priority, so that the rest of the program stays
        brisk. on_completion: called as each request ends, in the thread that works. Raises PictureError
        for a picture that cannot be used, CancelledError after `cancel()`.
        """
        _check_requests(requests)
        if prefer_background and not is_background():
            return self.submit(requests, on_completion=on_completion).result()
        return self._perform(requests, on_completion)

    def submit(self, requests: Sequence[Request], *, on_completion: Completion | None = None) -> Future[list[Any]]:
        """`perform` in the thread of low priority, without waiting: the future holds its answer or its error."""
        _check_requests(requests)
        return background().submit(self._perform, requests, on_completion)

    async def perform_async(self, requests: Sequence[Request], *, prefer_background: bool = False) -> list[Any]:
        """`perform` without blocking the event loop; cancelling the task cancels the work."""
        try:
            return await asyncio.to_thread(self.perform, requests, prefer_background=prefer_background)
        except asyncio.CancelledError:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Ends this handler's work, running or to come, with CancelledError at its next step."""
        self._cancelled.set()

    def _perform(self, requests: Sequence[Request], on_completion: Completion | None) -> list[Any]:
        observations: list[Observation] = []
        for request in requests:
            try:
                observation = self._observe(request)
            except EyefirstError as error:
                if on_completion:
                    on_completion(request, None, error)
                raise
            if on_completion:
                on_completion(request, observation, None)
            observations.append(observation)
        return observations

    def _observe(self, request: Request) -> Observation:
        self._go_on()
        revision = self._network.revision if self._network else check_revision(request.revision)
        maps = self._maps_of(revision, request.region)
        if isinstance(request, TextRecognitionRequest):
            return self._read(request, maps.attention, revision)
        if isinstance(request, FaceRectanglesRequest):
            if maps.faces is None:
                raise NetworkMismatchError(
                    f"the network {revision} has no face maps", remedy="leave out the revision, for the newest"
                )
            return FaceObservation(request, *self._faces_of(revision, request.region), revision)
        assert isinstance(request, SaliencyRequest)
        heat_map = maps.attention if isinstance(request, AttentionSaliencyRequest) else maps.objectness
        return SaliencyObservation(request, heat_map, revision)

    def _read(self, request: TextRecognitionRequest, attention: HeatMap, revision: str) -> TextObservation:
        """Text in the salient regions at full resolution; then, if asked, in the rest."""
        detector = load_detector("text")
        with self._lock:
            whole = self.picture().image()
        self._go_on()
        part = whole if request.region == Box.whole() else whole.region(request.region)
        regions = salient_regions(attention, part.size)
        found = read(part.pixels, regions, detector, rest=request.rest)
        self._go_on()
        texts = [
            RecognizedText(
                d.text,
                d.confidence,
                tuple(p.within(request.region) for p in d.corners),
                d.box.within(request.region),
                attention.mass_in(d.box) / d.box.area,
            )
            for d in found
        ]
        texts.sort(key=lambda t: t.saliency, reverse=True)
        return TextObservation(request, tuple(texts), tuple(r.within(request.region) for r in regions), revision)

    def _faces_of(self, revision: str, region: Box) -> tuple[tuple[DetectedFace, ...], HeatMap]:
        """Faces in coordinates of the whole picture, and where their middles are in the region."""
        maps = self._maps_of(revision, region).faces
        if maps is None:
            return (), HeatMap(np.zeros((1, 1), np.float32))
        found = decode_faces(maps)
        return tuple(DetectedFace(f.box.within(region), f.confidence) for f in found), HeatMap(maps[0])

    def _maps_of(self, revision: str, region: Box) -> Maps:
        with self._lock:
            if (revision, region) not in self._maps:
                network = self._network or load_network(revision)
                image = self._for_analysis(region, network.input_side)
                self._go_on()
                part = image if region == Box.whole() else image.region(region)
                pixels = part.squashed(network.input_side)
                self._go_on()
                prediction = network.predict(pixels[np.newaxis])
                faces = prediction.faces[0] if prediction.faces is not None else None
                self._maps[revision, region] = Maps(
                    HeatMap(prediction.attention[0]), HeatMap(prediction.objectness[0]), faces
                )
            return self._maps[revision, region]

    def _for_analysis(self, region: Box, side: int) -> Image:
        """The picture with at least `side` pixels across the region; decoded again only for a smaller region."""
        needed = _needed_for(region, side)
        if self._decoded is None:
            self._decode(needed if self._expects is None else self._both(self._expects))
        assert self._decoded is not None
        if self._decoded.is_reduced and not _holds(self._decoded, needed):
            self._decode(needed)
        if self._image is None:
            self._image = self._decoded.image()
        return self._image

    def _decode(self, need: Need | None) -> Decoded:
        self._decoded = decode(self.opened, orientation=self.orientation, at_least=need, pixel_limit=self.pixel_limit)
        self._image = None
        return self._decoded

    def _at_full_size(self) -> Decoded:
        if self._full is None:
            self._full = decode(self.opened, orientation=self.orientation, pixel_limit=self.pixel_limit)
        return self._full

    def _both(self, need: Need | None) -> Need | None:
        """What analysis and a cut need together; None for all pixels, which only a JPEG is decoded without."""
        if need is None or not self._is_jpeg:
            return None

        def both(full: Size) -> Size:
            least = _needed_for(Box.whole(), ANALYSIS_SIDE)
            wanted = need(full) if callable(need) else need
            return Size(max(least.width, wanted.width), max(least.height, wanted.height))

        return both

    def _serves(self, have: Decoded, need: Need) -> bool:
        """Whether a decode is the one that this need alone would give."""
        if not self._is_jpeg:
            return not have.is_reduced
        both = self._both(need)
        assert callable(both)
        return tuple(jpeg_size(have.size, both(have.size))) == have.picture.size

    @property
    def _is_jpeg(self) -> bool:
        return not self.opened.is_in_memory and kind_of(self.opened.data, self.opened.name) == "JPEG"

    def _go_on(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError("the request was cancelled", remedy="make a new handler to try again")


def all_pixels(full: Size) -> Size:
    """Return the full size itself: what a cut without resizing needs."""
    return full


def handler_of(
    source: Source | ImageRequestHandler,
    *,
    orientation: int | None = None,
    network: Network | None = None,
    expects: Need | None = None,
) -> ImageRequestHandler:
    """Return the handler itself, or a new one that holds the source; every tool takes either."""
    if isinstance(source, ImageRequestHandler):
        return source
    return ImageRequestHandler(source, orientation=orientation, network=network, expects=expects)


def _needed_for(region: Box, side: int) -> Size:
    return Size(max(round(side / region.width), 1), max(round(side / region.height), 1))


def _holds(have: Decoded, needed: Size) -> bool:
    return have.picture.width >= needed.width and have.picture.height >= needed.height


def _check_requests(requests: Sequence[Request]) -> None:
    for request in requests:
        if not isinstance(request, tuple(KINDS.values())):
            raise InvalidValueError(
                f"expected requests for saliency, faces or text, got {type(request).__name__}",
                remedy="e.g. perform([AttentionSaliencyRequest(), ObjectnessSaliencyRequest()])",
            )
