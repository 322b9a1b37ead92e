"""The handler: one picture, read once, hashed once, looked at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from copy import copy
from typing import Any, overload

import numpy as np

from eyefirst.background import background, is_background
from eyefirst.detectors import load_detector
from eyefirst.errors import CancelledError, EyefirstError, InvalidValueError
from eyefirst.face_maps import LEAST_CONFIDENCE
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
from eyefirst.maps import Look, Maps
from eyefirst.network import Network, check_revision, load_network
from eyefirst.numeric import listed
from eyefirst.observations import FaceObservation, Observation, RecognizedText, SaliencyObservation, TextObservation
from eyefirst.reading import read, salient_regions
from eyefirst.requests import (
    KINDS,
    FaceRectanglesRequest,
    Request,
    SaliencyRequest,
    TextRecognitionRequest,
)

ANALYSIS_SIDE = 272
"""Pixels a side that the networks that ship take; a picture is decoded with no fewer for them."""
Completion = Callable[[Any, Any, EyefirstError | None], None]
"""Called as each request ends, with its observation or with the error that came instead."""


class ImageRequestHandler:
    """Holds one picture: its bytes are read once, hashed once, decoded once, and looked at once.

    source: a path, bytes, a binary file object, a Pillow picture, or an (H, W, 3) uint8 RGB array.
    orientation: an EXIF orientation 1..8 that overrides the file's own. network: used instead of the one that a
    request's revision names. pixel_limit: width times height that is still decoded. expects: how many pixels a
    later cut will need, such as `all_pixels`; then the one decode of any file but a JPEG serves both. Safe to share
    between threads.
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
        if network is not None and not hasattr(network, "predict"):
            raise InvalidValueError(
                f"expected a network, got {network!r}", remedy="ask for one that is known by its name with `revision`"
            )
        self.opened = open_source(source)
        self.orientation = orientation
        self.pixel_limit = pixel_limit
        self._network = network
        self._expects = expects
        self._decoded: list[Decoded] = []
        self._warnings: dict[str, None] = {}
        self._images: dict[Size, Image] = {}
        self._maps: dict[tuple[str, Box], Maps] = {}
        self._lock = threading.RLock()
        self._cancelled = threading.Event()

    def again(self) -> ImageRequestHandler:
        """Return another handler of the same picture. It knows what this one has seen; each is cancelled by itself."""
        other = copy(self)
        with self._lock:
            other._images, other._maps, other._warnings = dict(self._images), dict(self._maps), dict(self._warnings)
        other._decoded, other._expects = [], None
        other._lock, other._cancelled = threading.RLock(), threading.Event()
        return other

    @property
    def held_bytes(self) -> int:
        """Bytes of the file, if the source is one, and of the pixels and maps that `again` hands on."""
        images = sum(image.pixels.nbytes for image in self._images.values())
        maps = sum(m.nbytes for m in self._maps.values())
        return (0 if self.opened.is_in_memory else len(self.opened.data)) + images + maps

    @property
    def name(self) -> str:
        """What plans and errors call the picture."""
        return self.opened.name

    @property
    def image(self) -> Image:
        """The picture for analysis: RGB, perhaps decoded no larger than the network needs. Raises PictureError."""
        with self._lock:
            return self._image_for(Size(ANALYSIS_SIDE, ANALYSIS_SIDE))

    @property
    def is_animated(self) -> bool:
        """Whether the picture has more than one frame. Raises PictureError."""
        with self._lock:
            return self._any_image.frame_count > 1

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was amiss with the file and did not keep it from being read, as far as it was read by now."""
        return tuple(self._warnings)

    def file_remarks(self) -> tuple[str, ...]:
        """The warnings without the picture's name, for rows that say it themselves."""
        return tuple(w.removeprefix(f"{self.opened.name}: ") for w in self.warnings)

    @property
    def has_alpha(self) -> bool:
        """Whether any pixel is transparent. Raises PictureError."""
        with self._lock:
            picture = (self._decoded[0] if self._decoded else self.picture(self._expects)).picture
            return picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255)

    def picture(self, need: Need | None = None) -> Decoded:
        """Return the picture for cutting: upright, sRGB, RGB or RGBA. Raises PictureError.

        need: how many pixels the cut needs; None for all. A JPEG is decoded again where the analysis had fewer
        pixels, and is then smaller than its full size where that is enough. How much smaller depends on `need`
        alone, never on what was asked before, so that equal cuts have equal pixels.
        """
        with self._lock:
            size = self._any_image.size
            least = None
            if need is not None and self._is_jpeg:
                needed = need(size) if callable(need) else need
                least = Size(max(needed.width, ANALYSIS_SIDE), max(needed.height, ANALYSIS_SIDE))
            wanted = jpeg_size(size, least) if least else size
            have = next((d for d in self._decoded if d.picture.size == wanted.as_tuple), None)
            return have or self._decode(least)

    def animation(self) -> Animation:
        """Return every frame at full size, for cutting; a still picture is an animation of one frame."""
        made = load_animation(self.opened, orientation=self.orientation, pixel_limit=self.pixel_limit)
        self._warnings |= dict.fromkeys(made.warnings)
        return made

    def look(self, revision: str | None = None, *, least_confidence: float = LEAST_CONFIDENCE) -> Look:
        """Return all that the network says of the picture, from one run. least_confidence: of the faces."""
        self.go_on()
        return self._maps_of(self._revision(revision), Box.whole()).look(revision, least_confidence)

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
        requests = _checked(requests)
        if prefer_background and not is_background():
            return self.submit(requests, on_completion=on_completion).result()
        return self._perform(requests, on_completion)

    def submit(self, requests: Sequence[Request], *, on_completion: Completion | None = None) -> Future[list[Any]]:
        """`perform` in the thread of low priority, without waiting: the future holds its answer or its error."""
        requests = _checked(requests)
        if not is_background():
            return background().submit(self._perform, requests, on_completion)
        done: Future[list[Any]] = Future()  # its one thread cannot wait for itself
        try:
            done.set_result(self._perform(requests, on_completion))
        except BaseException as error:  # as a pool does: the future holds it
            done.set_exception(error)
        return done

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

    def go_on(self) -> None:
        """Raise CancelledError after `cancel()`. For tools that have steps of their own."""
        if self._cancelled.is_set():
            raise CancelledError("the request was cancelled", remedy="make a new handler to try again")

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
        self.go_on()
        maps = self._maps_of(self._revision(request.revision), request.region)
        if isinstance(request, TextRecognitionRequest):
            return self._read(request, maps.attention, maps.revision)
        if isinstance(request, FaceRectanglesRequest):
            return maps.face_observation(request)
        assert isinstance(request, SaliencyRequest)
        return maps.saliency(request)

    def _read(self, request: TextRecognitionRequest, attention: HeatMap, revision: str) -> TextObservation:
        """Text in the salient regions at full resolution; then, if asked, in the rest."""
        detector = load_detector("text")
        with self._lock:
            whole = self.picture().image()
        self.go_on()
        part = whole if request.region == Box.whole() else whole.region(request.region)
        regions = salient_regions(attention, part.size)
        found = read(part.pixels, regions, detector, rest=request.rest)
        self.go_on()
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

    def _revision(self, revision: str | None) -> str:
        return self._network.revision if self._network else check_revision(revision)

    def _maps_of(self, revision: str, region: Box) -> Maps:
        with self._lock:
            if (revision, region) not in self._maps:
                network = self._network or load_network(revision)
                image = self._image_for(_needed_for(region, network.input_side))
                self.go_on()
                part = image if region == Box.whole() else image.region(region)
                pixels = part.squashed(network.input_side)
                self.go_on()
                self._maps[revision, region] = Maps.of(network.predict(pixels[np.newaxis]), revision)
            return self._maps[revision, region]

    @property
    def _any_image(self) -> Image:
        """The picture with however many pixels, for what does not hang on them."""
        return next(iter(self._images.values()), None) or self.image

    def _image_for(self, needed: Size) -> Image:
        """The picture with at least so many pixels; the same ones whatever a cut needs beside them.

        A JPEG is decoded for this alone. Any other file is decoded once, at full size where a cut is expected,
        and averaged down.
        """
        if needed not in self._images:
            whole = next((d for d in self._decoded if not d.is_reduced), None)
            if whole is None or self._is_jpeg:
                at_least = needed if self._is_jpeg or self._expects is None else None
                whole = self._decode(at_least)
            self._images[needed] = whole.image(at_least=needed)
        return self._images[needed]

    def _decode(self, need: Need | None) -> Decoded:
        made = decode(self.opened, orientation=self.orientation, at_least=need, pixel_limit=self.pixel_limit)
        self._decoded.append(made)
        self._warnings |= dict.fromkeys(made.warnings)
        return made

    @property
    def _is_jpeg(self) -> bool:
        return not self.opened.is_in_memory and kind_of(self.opened.data, self.opened.name) == "JPEG"


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


def _checked(requests: Iterable[Request]) -> list[Request]:
    several = listed(requests)
    for request in several:
        if not isinstance(request, tuple(KINDS.values())):
            raise InvalidValueError(
                f"expected requests for saliency, faces or text, got {type(request).__name__}",
                remedy="for example perform([AttentionSaliencyRequest(), ObjectnessSaliencyRequest()])",
            )
    return several
