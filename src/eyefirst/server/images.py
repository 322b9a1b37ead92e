"""The route that cuts pictures of the operator: files below the root folder, and addresses of allowed origins."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import Response

from eyefirst import __version__
from eyefirst.cut import check_pixels, cut_frame, scaled_by
from eyefirst.errors import (
    EyefirstError,
    InvalidValueError,
    OriginError,
    PictureError,
    PictureNotFoundError,
    SignatureError,
    TimeLimitError,
)
from eyefirst.files.formats import MEDIA_TYPES
from eyefirst.geometry import Size
from eyefirst.handler import ImageRequestHandler, all_pixels
from eyefirst.image import Animation, read_metadata
from eyefirst.server import openapi
from eyefirst.server.addresses import ImageOptions
from eyefirst.server.cuts import Cut, cut_all, format_for, pixels_of, possible_formats
from eyefirst.server.pool import Work
from eyefirst.server.problems import problem, status_of
from eyefirst.server.service import Service
from eyefirst.server.settings import Settings
from eyefirst.server.signing import ROUTE, check_expiry, check_signature, encoded_address, is_address
from eyefirst.server.sources import fetch, read_below

HINTS = ("Sec-CH-DPR", "DPR")
"""Headers in which a browser says how dense its screen is, where the page asked it to with Accept-CH."""
ABSENT_SECONDS = 60
"""Time that caches may keep a 404 or the fallback picture: short, so that the right one can come soon."""


def add_image(app: FastAPI, service: Service) -> None:
    """Add the route."""
    route = f"{ROUTE}/{{signature}}/{{options}}/{{path:path}}"
    responses = openapi.picture_answer(*MEDIA_TYPES)
    responses[304] = {"description": "The picture that If-None-Match names is still right."}
    image = partial(_image, service)

    async def answer(request: Request, signature: str, options: str, path: str) -> Response:
        """Return a picture of the root folder, or of an allowed origin, cut at a signed address."""
        try:
            return await image(request, signature, options, path)
        except (PictureError, OriginError) as error:
            if service.settings.fallback:
                found = await _fallback(service, request, options, error)
            elif isinstance(error, PictureNotFoundError):
                found = problem(error)
            else:
                raise
            found.headers["Cache-Control"] = f"{_keepers(service.settings)}, max-age={ABSENT_SECONDS}"
            return found

    app.add_api_route(route, answer, summary="A crop at a signed address", response_class=Response, responses=responses)
    app.add_api_route(route, answer, methods=["HEAD"], include_in_schema=False)


async def _image(service: Service, request: Request, signature: str, options: str, path: str) -> Response:
    settings = service.settings
    check_signature(settings.signing_keys, signature, options, path)
    if not settings.signing_keys:
        service.authorize(request)
    _check_plain(request, settings, signature, options, path)
    wanted = _wanted(service, request, options)
    check_expiry(wanted.expires)
    if settings.root is None and service.store is None and not is_address(path):
        raise PictureNotFoundError(
            "this service has no root folder", remedy="start it with --root or --store", source=path
        )
    work = service.pool.work(request.scope["eyefirst.gone"])
    ready = partial(_answer, service, request, wanted, options, path, work)
    if is_address(path):
        answer = await _fetched(service, partial(fetch, path, settings, kept=service.results), work, ready)
    elif service.store:
        answer = await _fetched(service, partial(service.store.read, path), work, ready)
    else:
        answer = await service.pool.run(partial(ready, None), work, patient=True)
    answer.headers["Cache-Control"] = _cache_control(settings, wanted)
    return _varied(answer, wanted)


def _varied(answer: Response, wanted: ImageOptions) -> Response:
    """An answer that says on which headers of the request it depends."""
    if wanted.format is None:
        answer.headers.add_vary_header("Accept")
    if wanted.hinted is not None:
        answer.headers.add_vary_header(", ".join(HINTS))
        answer.headers["Content-DPR"] = f"{wanted.hinted:g}"
    return answer


def _wanted(service: Service, request: Request, options: str) -> ImageOptions:
    """What an address asks for, with what the browser and the operator add to it. Raises InvalidValueError."""
    settings = service.settings
    density = _density(request.headers)
    wanted = ImageOptions.parse(options, settings.presets, only_presets=settings.only_presets, density=density)
    if wanted.watermark is None:
        return wanted
    if service.watermark is None:
        raise InvalidValueError("this service has no watermark", remedy="start it with --watermark")
    mark = partial(service.watermark.on, placement=wanted.watermark)
    return replace(wanted, encoding=replace(wanted.encoding, mark=mark))


def _density(headers: Mapping[str, str]) -> float:
    """The density of the screen in steps of a half, 1 to 4, as a browser says it; 1 where it does not."""
    text = next((headers[name] for name in HINTS if name in headers), "")
    if not re.fullmatch(r"\d{1,2}(\.\d{1,6})?", text, re.ASCII):
        return 1.0
    return min(max(math.ceil(float(text) * 2) / 2, 1.0), 4.0)


async def _fallback(service: Service, request: Request, options: str, error: EyefirstError) -> Response:
    """Answer with the operator's own picture, cut as was asked, and with the status of what went wrong."""
    settings = service.settings
    assert settings.fallback is not None
    wanted = _wanted(service, request, options)
    data = await asyncio.to_thread(settings.fallback.read_bytes)
    work = service.pool.work(request.scope["eyefirst.gone"])
    accept = request.headers.get("accept", "")
    cut = await service.pool.run(partial(_cut, service, wanted, accept, data, work), work, patient=True)
    return _varied(Response(cut.data, status_of(error), media_type=cut.media_type), wanted)


async def _fetched(
    service: Service, read: Callable[[], bytes], work: Work, answer: Callable[[bytes], Response]
) -> Response:
    """Fetch a picture and answer with it; only so many are in memory at a time."""
    try:
        async with asyncio.timeout(work.left):
            await service.fetched.acquire()
    except TimeoutError:
        raise TimeLimitError("too many pictures are being fetched", remedy="come back later") from None
    try:
        data = await service.fetching.run(read, work, patient=True)
        return await service.pool.run(partial(answer, data), work, patient=True)
    finally:
        service.fetched.release()


def _answer(
    service: Service,
    request: Request,
    wanted: ImageOptions,
    options: str,
    path: str,
    work: Work,
    data: bytes | None,
) -> Response:
    """Cut and encode; in a thread of the pool."""
    settings = service.settings
    work.go_on()
    if data is None:
        data = read_below(settings.root or Path(), path, settings.body_bytes)
    accept, known = request.headers.get("accept", ""), request.headers.get("if-none-match", "")
    revision = wanted.order.revision if wanted.order else ""
    presets = settings.presets if "preset" in options else ""
    formats = possible_formats(wanted.format, accept)
    mark = service.watermark.digest if service.watermark and wanted.watermark else ""
    what = f"{presets}|{options}|{formats}|{revision}|{settings.longest}|{__version__}|{mark}|{wanted.hinted}"
    digest = hashlib.sha256(hashlib.sha256(data).digest() + what.encode()).hexdigest()
    tag = f'"{digest[:32]}"'
    if is_known(tag, known):
        return Response(status_code=304, headers={"ETag": tag})
    kept = service.results.get(digest) if service.results else None
    if kept and kept[0] in MEDIA_TYPES:  # or somebody garbled the file
        service.metrics.found.labels("result").inc()
        return Response(kept[1], media_type=kept[0], headers={"ETag": tag})
    service.metrics.pictures.inc()
    try:
        cut = _cut(service, wanted, accept, data, work)
    except EyefirstError as error:
        error.source = path
        raise
    if service.results:
        service.results.put(digest, cut.media_type, cut.data)
    return Response(cut.data, media_type=cut.media_type, headers={"ETag": tag})


def _cut(service: Service, wanted: ImageOptions, accept: str, data: bytes, work: Work) -> Cut:
    limit, longest = service.settings.pixels, service.settings.longest
    order, cutout = wanted.order, wanted.cutout
    if order is not None and wanted.point is None:
        size, enlarge = order.size or Size(longest, longest), order.enlarge and order.size is not None
        make = partial(ImageRequestHandler, expects=all_pixels) if cutout else replace(order, size=size).handler
        handler = make(data, pixel_limit=limit)
        work.on_end(handler.cancel)
        plan = service.plans.of(order, handler)
        format = format_for(wanted.format, accept, handler, cutout)
        return cut_all(handler, plan, format, wanted.encoding, work, size=size, enlarge=enlarge, cutout=cutout)[0]
    handler = ImageRequestHandler(data, pixel_limit=limit, expects=all_pixels)
    work.on_end(handler.cancel)
    full = handler.image.size
    found = wanted.frame(full)
    assert found is not None
    frame, size = found
    if not any(wanted.room):
        share = min(longest / max(size), 1.0)
        size = Size(max(round(size.width * share), 1), max(round(size.height * share), 1))
    format = format_for(wanted.format, accept, handler, cutout)
    scale = max(size.width / frame.size.width, size.height / frame.size.height)
    picture = pixels_of(handler, format, scaled_by(scale), cutout)
    check_pixels([size], limit, len(picture.frames) if isinstance(picture, Animation) else 1)
    work.go_on()
    made = cut_frame(picture, frame, planned=full, size=size, pad=wanted.pad)
    work.go_on()
    return Cut("", format.media_type, wanted.encoding.encode(made, format, read_metadata(handler.opened), work))


def is_known(tag: str, if_none_match: str) -> bool:
    """Say whether a header If-None-Match names a tag, weak or strong."""
    return if_none_match.strip() == "*" or tag in (t.strip().removeprefix("W/") for t in if_none_match.split(","))


def _check_plain(request: Request, settings: Settings, *parts: str) -> None:
    """Refuse what would make one picture have many addresses, each of them fresh work for caches and for us."""
    if request.url.query:
        raise InvalidValueError(
            "expected an address without '?'", remedy="options stand between the signature and the path"
        )
    raw = request.scope.get("raw_path")  # some servers leave it out
    if settings.signing_keys and raw and not raw.endswith(encoded_address(*parts).encode()):
        raise SignatureError(
            "the address is percent-encoded in another way", remedy="use the address as `eyefirst sign` wrote it"
        )


def _keepers(settings: Settings) -> str:
    """Who may keep an answer: everybody where addresses are signed, or else the browser that asked."""
    return "public" if settings.signing_keys else "private"


def _cache_control(settings: Settings, wanted: ImageOptions) -> str:
    age = settings.max_age_seconds if wanted.max_age is None else wanted.max_age
    stale = settings.stale_seconds
    if wanted.expires is not None:
        left = max(wanted.expires - int(time.time()), 0)
        age = min(age, left)
        stale = min(stale, left - age)
    control = f"{_keepers(settings)}, max-age={age}"
    return f"{control}, stale-while-revalidate={stale}" if stale else control
