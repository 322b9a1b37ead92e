"""Asks a network about one picture: decode once, run once, observe."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, overload

import numpy as np

from eyefirst.detectors import load_detector
from eyefirst.errors import CancelledError, EyefirstError, InvalidValueError
from eyefirst.geometry import Box, Size
from eyefirst.heat_map import HeatMap
from eyefirst.image import DEFAULT_PIXEL_LIMIT, Image, Source, load_image, read_once
from eyefirst.network import Network, check_revision, load_network
from eyefirst.observations import Observation, RecognizedText, SaliencyObservation, TextObservation
from eyefirst.reading import read, salient_regions
from eyefirst.requests import (
    AttentionSaliencyRequest,
    ObjectnessSaliencyRequest,
    Request,
    SaliencyRequest,
    TextRecognitionRequest,
)

BACKGROUND_NICENESS = 10
Completion = Callable[[Any, Any, EyefirstError | None], None]
"""Called as each request ends, with its observation or with the error that came instead."""


class ImageRequestHandler:
    """Performs requests on one picture.

    source: a path, bytes, a binary file object, a PIL picture, or an (H, W, 3) uint8 RGB array.
    orientation: an EXIF orientation 1..8 that overrides the file's own. network: used instead of the
    one that a request's revision names. The picture is decoded when it is first needed; each network
    runs once per region of interest, however many requests ask. Safe to share between threads.
    """

    def __init__(
        self,
        source: Source,
        *,
        orientation: int | None = None,
        network: Network | None = None,
        pixel_limit: int = DEFAULT_PIXEL_LIMIT,
    ) -> None:
        self._source = read_once(source)
        self._orientation = orientation
        self._network = network
        self._pixel_limit = pixel_limit
        self._image: Image | None = None
        self._maps: dict[tuple[str, Box], tuple[HeatMap, HeatMap]] = {}
        self._lock = threading.Lock()
        self._cancelled = threading.Event()

    @property
    def image(self) -> Image:
        """The picture, decoded no larger than the networks need. Raises PictureError."""
        with self._lock:
            return self._load(Box.whole())

    @property
    def source(self) -> Source:
        """What was given, in a form that can be read more than once."""
        return self._source

    def full_image(self) -> Image:
        """The picture at full resolution, decoded anew. Raises PictureError."""
        return load_image(self._source, orientation=self._orientation, pixel_limit=self._pixel_limit)

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
        """One observation per request, in order: a SaliencyObservation, or a TextObservation for text.

        prefer_background: works in one thread of low priority, so that the rest of the program stays
        brisk. on_completion: called as each request ends, in the thread that works. Raises PictureError
        for a picture that cannot be used, CancelledError after `cancel()`.
        """
        _check_requests(requests)
        if prefer_background:
            return self.submit(requests, on_completion=on_completion).result()
        return self._perform(requests, on_completion)

    def submit(self, requests: Sequence[Request], *, on_completion: Completion | None = None) -> Future[list[Any]]:
        """`perform` in the thread of low priority, without waiting: the future holds its answer or its error."""
        _check_requests(requests)
        return _background().submit(self._perform, requests, on_completion)

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
        attention, objectness = self._maps_of(revision, request.region)
        if isinstance(request, TextRecognitionRequest):
            return self._read(request, attention, revision)
        assert isinstance(request, SaliencyRequest)
        heat_map = attention if isinstance(request, AttentionSaliencyRequest) else objectness
        return SaliencyObservation(request, heat_map, revision)

    def _read(self, request: TextRecognitionRequest, attention: HeatMap, revision: str) -> TextObservation:
        """Text in the salient regions at full resolution; then, if asked, in the rest."""
        detector = load_detector("text")
        whole = self.full_image()
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

    def _maps_of(self, revision: str, region: Box) -> tuple[HeatMap, HeatMap]:
        with self._lock:
            if (revision, region) not in self._maps:
                network = self._network or load_network(revision)
                image = self._load(region, network.input_side)
                self._go_on()
                part = image if region == Box.whole() else image.region(region)
                pixels = part.squashed(network.input_side)
                self._go_on()
                prediction = network.predict(pixels[np.newaxis])
                self._maps[revision, region] = (HeatMap(prediction.attention[0]), HeatMap(prediction.objectness[0]))
            return self._maps[revision, region]

    def _load(self, region: Box, side: int = 272) -> Image:
        """The picture with at least `side` pixels across the region, decoded again only for a smaller region."""
        needed = Size(max(round(side / region.width), 1), max(round(side / region.height), 1))
        if self._image is None or (
            self._image.is_reduced
            and (self._image.pixels.shape[1] < needed.width or self._image.pixels.shape[0] < needed.height)
        ):
            self._image = load_image(
                self._source, orientation=self._orientation, at_least=needed, pixel_limit=self._pixel_limit
            )
        return self._image

    def _go_on(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError("the request was cancelled", remedy="make a new handler to try again")


def _check_requests(requests: Sequence[Request]) -> None:
    for request in requests:
        if not isinstance(request, (AttentionSaliencyRequest, ObjectnessSaliencyRequest, TextRecognitionRequest)):
            raise InvalidValueError(
                f"expected requests for saliency or text, got {type(request).__name__}",
                remedy="e.g. perform([AttentionSaliencyRequest(), ObjectnessSaliencyRequest()])",
            )


_background_pool: ThreadPoolExecutor | None = None
_background_lock = threading.Lock()


def _background() -> ThreadPoolExecutor:
    """One thread of low priority, shared by the whole process."""
    global _background_pool  # noqa: PLW0603 - made when first wanted
    with _background_lock:
        if _background_pool is None:
            _background_pool = ThreadPoolExecutor(1, "eyefirst-background", initializer=_lower_priority)
        return _background_pool


def _lower_priority() -> None:
    """Linux gives every thread a niceness of its own; elsewhere the one thread alone must do."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICENESS)
