"""The routes. Each parses, calls what the command line calls, in the pool, and answers."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from eyefirst import __version__
from eyefirst.colours import parse_colour
from eyefirst.errors import EyefirstError, InvalidValueError, PictureNotFoundError, UnauthorizedError
from eyefirst.files.encode import encode
from eyefirst.files.formats import AVIF, FORMATS, JPEG, PNG, WEBP, PictureFormat, format_named
from eyefirst.geometry import Box
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import Keep, read_metadata
from eyefirst.network import load_network
from eyefirst.requests import AttentionSaliencyRequest, ObjectnessSaliencyRequest, TextRecognitionRequest
from eyefirst.server import openapi
from eyefirst.server.bodies import picture_in
from eyefirst.server.guard import Guard
from eyefirst.server.metrics import Metrics
from eyefirst.server.pool import Pool
from eyefirst.server.problems import plain_problem, problem
from eyefirst.server.queries import CropQuery, PlanQuery, SaliencyQuery, TextQuery
from eyefirst.server.settings import Settings
from eyefirst.server.signing import ROUTE, ImageOptions, check_expiry, check_signature
from eyefirst.server.sources import fetch, is_address, read_below
from eyefirst.tools.crop import crops_of
from eyefirst.tools.planning import CropOrder

T = TypeVar("T")
MEDIA_TYPES = tuple(f.media_type for f in FORMATS)
ZIP = "application/zip"
NEGOTIATED = (AVIF, WEBP, JPEG)
"""What a browser may choose from; of equals, the smaller first."""
PAGE = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "sample.jpg": "image/jpeg",
}
FETCHERS = 8


@dataclass(frozen=True, slots=True)
class Cut:
    """One encoded crop."""

    name: str
    media_type: str
    data: bytes


class Service:
    """What the routes share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pool = Pool(settings.workers, settings.queue, settings.work_seconds)
        self.fetching = Pool(FETCHERS, settings.queue, settings.work_seconds, "eyefirst-fetch")
        self.metrics = Metrics(lambda: self.pool.held)
        self.is_ready = False

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Opens the network and runs it once, before the first request comes."""
        await asyncio.to_thread(_warm_up)
        self.is_ready = True
        yield
        self.is_ready = False
        self.pool.close()
        self.fetching.close()

    async def look(
        self, request: Request, job: Callable[[ImageRequestHandler], T], order: CropOrder | None = None
    ) -> T:
        """Read the picture in a request, and do the job on it in the pool. order: a cut that the job makes."""
        self.authorize(request)
        make = order.handler if order else ImageRequestHandler
        handler = make(await picture_in(request, self.settings), pixel_limit=self.settings.pixels)
        self.metrics.pictures.inc()
        gone = request.scope["eyefirst.gone"]
        return await self.pool.run(partial(job, handler), give_up=handler.cancel, gone=gone)

    def authorize(self, request: Request) -> None:
        """Raises UnauthorizedError where a key is needed and the right one is missing."""
        if not (self.settings.is_public or self.settings.api_keys):
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.settings.knows(key.strip()):
            raise UnauthorizedError("expected an API key", remedy="send the header 'Authorization: Bearer KEY'")

    def cut(
        self,
        handler: ImageRequestHandler,
        order: CropOrder,
        format: PictureFormat,
        quality: int,
        background: str = "white",
        keep: Keep = "copyright",
    ) -> list[Cut]:
        """Return every frame of an order, encoded; and the plan, where there is more than one."""
        plan = order.plan(handler)
        crops = crops_of(plan, handler, size=order.size, enlarge=order.enlarge, animated=format.has_frames)
        metadata = read_metadata(handler.opened)
        cuts = [
            Cut(
                f"{one.label}.{format.extension}",
                format.media_type,
                encode(one.picture, format, quality=quality, background=background, metadata=metadata, keep=keep),
            )
            for one in crops
        ]
        return cuts if len(cuts) == 1 else [*cuts, Cut("plan.json", "application/json", _json(plan.to_dict()))]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application, for `eyefirst serve` or for a server of your own."""
    service = Service(settings or Settings())
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=service.lifespan)
    app.state.service = service
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]
    app.add_middleware(Guard, settings=service.settings, metrics=service.metrics, pool=service.pool)
    app.add_exception_handler(EyefirstError, _known)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    _add_work(app, service)
    _add_image(app, service)
    _add_upkeep(app, service)
    return app


def _add_work(app: FastAPI, service: Service) -> None:
    """Routes that take a picture."""
    post = partial(app.post, response_model=None, response_class=Response, openapi_extra=openapi.PICTURE_BODY)

    @post("/v1/saliency", summary="Heat maps and boxes", responses=openapi.json_answer("Saliency"))
    async def saliency(request: Request, query: Annotated[SaliencyQuery, Query()]) -> Response:
        kinds = {"attention": AttentionSaliencyRequest, "objectness": ObjectnessSaliencyRequest}
        asked = [kinds[kind](**_where(query.revision, query.region)) for kind in dict.fromkeys(query.kind)]
        return _json_response(
            await service.look(
                request, lambda h: _json({o["kind"]: o for o in (s.to_dict() for s in h.perform(asked))})
            )
        )

    @post("/v1/plan", summary="Crop plan", responses=openapi.json_answer("CropPlan", openapi.PLAN_EXAMPLE))
    async def plan(request: Request, query: Annotated[PlanQuery, Query()]) -> Response:
        order = query.order()
        return _json_response(await service.look(request, lambda handler: _json(order.plan(handler).to_dict())))

    @post("/v1/text", summary="Text that people look at", responses=openapi.json_answer("TextObservation"))
    async def text(request: Request, query: Annotated[TextQuery, Query()]) -> Response:
        asked = TextRecognitionRequest(rest=query.rest, **_where(query.revision, query.region))
        return _json_response(await service.look(request, lambda h: _json(h.perform([asked])[0].to_dict())))

    @post("/v1/crop", summary="Crops", responses=openapi.picture_answer(*MEDIA_TYPES, ZIP))
    async def crop(request: Request, query: Annotated[CropQuery, Query()]) -> Response:
        """One frame is answered as a picture; several, or whatever Accept says is a zip, with the plan."""
        order = query.order()
        accept = request.headers.get("accept", "")
        named = format_named(query.format) if query.format else None
        parse_colour(query.background)

        def job(handler: ImageRequestHandler) -> Response:
            format = named or with_alpha(negotiated(accept), handler)
            cuts = service.cut(handler, order, format, query.quality, query.background, query.metadata)
            if len(cuts) == 1 and ZIP not in accept:
                return Response(cuts[0].data, media_type=cuts[0].media_type)
            return Response(
                _zipped(cuts), media_type=ZIP, headers={"Content-Disposition": "attachment; filename=crops.zip"}
            )

        answer = await service.look(request, job, order)
        answer.headers["Vary"] = "Accept"
        return answer


def _add_image(app: FastAPI, service: Service) -> None:
    """The route that cuts pictures of the operator."""
    settings = service.settings

    async def image(request: Request, signature: str, options: str, path: str) -> Response:
        """A picture of the root folder, or of an allowed origin, cut at a signed address."""
        check_signature(settings.signing_keys, signature, options, path)
        if not settings.signing_keys:
            service.authorize(request)
        wanted = ImageOptions.parse(options)
        check_expiry(wanted.expires)
        order = wanted.order
        accept = request.headers.get("accept", "")
        named = format_named(wanted.format) if wanted.format else None
        if settings.root is None and not is_address(path):
            raise PictureNotFoundError("this service has no root folder", remedy="start it with --root", source=path)
        service.pool.check_room()
        fetched = await service.fetching.run(partial(fetch, path, settings)) if is_address(path) else None
        what = f"{options}|{(named or negotiated(accept)).name}|{order.revision}|{__version__}"
        known = request.headers.get("if-none-match", "")

        def job() -> Response:
            assert settings.root is not None or fetched is not None
            data = fetched if fetched is not None else read_below(settings.root or Path(), path, settings.body_bytes)
            digest = hashlib.sha256(hashlib.sha256(data).digest() + what.encode()).hexdigest()
            tag = f'"{digest[:32]}"'
            if known.strip() == "*" or tag in (t.strip().removeprefix("W/") for t in known.split(",")):
                return Response(status_code=304, headers={"ETag": tag})
            service.metrics.pictures.inc()
            try:
                handler = order.handler(data, pixel_limit=settings.pixels)
                format = named or with_alpha(negotiated(accept), handler)
                cut = service.cut(handler, order, format, wanted.quality, wanted.background, wanted.metadata)[0]
            except EyefirstError as error:
                error.source = path
                raise
            return Response(cut.data, media_type=cut.media_type, headers={"ETag": tag})

        answer = await service.pool.run(job)
        answer.headers["Cache-Control"] = _cache_control(settings, wanted.expires)
        if not wanted.format:
            answer.headers["Vary"] = "Accept"
        return answer

    route = f"{ROUTE}/{{signature}}/{{options}}/{{path:path}}"
    responses = openapi.picture_answer(*MEDIA_TYPES)
    responses[304] = {"description": "The picture that If-None-Match names is still right."}
    app.add_api_route(route, image, summary="A crop at a signed address", response_class=Response, responses=responses)
    app.add_api_route(route, image, methods=["HEAD"], include_in_schema=False)


def _add_upkeep(app: FastAPI, service: Service) -> None:
    """Health, metrics and the page."""
    folder = files("eyefirst.server") / "page"
    page = {name: (folder / name).read_bytes() for name in PAGE}
    tags = {name: f'"{hashlib.sha256(data).hexdigest()[:32]}"' for name, data in page.items()}

    async def show(request: Request, name: str = "index.html") -> Response:
        if name not in page:
            raise HTTPException(404)
        headers = {"ETag": tags[name], "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tags[name]:
            return Response(status_code=304, headers=headers)
        return Response(page[name], media_type=PAGE[name], headers=headers)

    app.add_api_route("/", show, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/page/{name}", show, methods=["GET", "HEAD"], include_in_schema=False)

    async def healthz() -> dict[str, str]:
        return {"status": "alive", "version": __version__}

    async def readyz() -> Response:
        free = service.pool.capacity - service.pool.held
        body = {"ready": service.is_ready and free > 0, "free": free}
        return Response(_json(body), 200 if body["ready"] else 503, media_type="application/json")

    async def metrics(request: Request) -> Response:
        service.authorize(request)
        return Response(service.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    not_now: dict[int | str, dict[str, Any]] = {503: {"description": "Not now."}}
    app.get("/healthz", summary="Whether the process lives")(healthz)
    app.get("/readyz", summary="Whether it can take work", responses=not_now)(readyz)
    app.get("/metrics", summary="Numbers for Prometheus", responses=openapi.problems(), response_class=Response)(
        metrics
    )
    for path, answer in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        app.add_api_route(path, answer, methods=["HEAD"], include_in_schema=False)


def negotiated(accept: str) -> PictureFormat:
    """AVIF or WebP where they are named and no less wanted than JPEG; else JPEG, which everybody reads."""
    wanted: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (p.strip() for p in part.split(";"))
        try:
            wanted[name] = next((float(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        except ValueError:
            wanted[name] = 0.0
    anything = wanted.get("image/*", wanted.get("*/*", 0.0))
    shares = {f.name: wanted.get(f.media_type, anything if f is JPEG else 0.0) for f in NEGOTIATED}
    return max(NEGOTIATED, key=lambda f: shares[f.name]) if any(shares.values()) else JPEG


def with_alpha(format: PictureFormat, handler: ImageRequestHandler) -> PictureFormat:
    """Return the format itself; PNG where nobody named a format, it has no transparency and the picture has."""
    return PNG if not format.has_alpha and handler.has_alpha else format


def _zipped(cuts: list[Cut]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for cut in cuts:
            archive.writestr(zipfile.ZipInfo(cut.name), cut.data)  # no time of day: the same crops, the same bytes
    return out.getvalue()


def _where(revision: str, region: str) -> dict[str, Any]:
    return {"revision": revision or None, "region_of_interest": Box.parse(region) if region else None}


def _cache_control(settings: Settings, expires: int | None) -> str:
    age = settings.max_age_seconds
    if expires is not None:
        age = max(min(age, expires - int(time.time())), 0)
    return f"{'public' if settings.signing_keys else 'private'}, max-age={age}"


def _json(values: object) -> bytes:
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _json_response(data: bytes) -> Response:
    return Response(data, media_type="application/json", headers={"Cache-Control": "no-store"})


def _warm_up() -> None:
    network = load_network()
    network.predict(np.zeros((1, network.input_side, network.input_side, 3), np.uint8))


async def _known(_: Request, error: Exception) -> Response:
    assert isinstance(error, EyefirstError)
    return problem(error)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405 and request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": _allowed(error)})
    return plain_problem(error.status_code, headers=dict(error.headers or {}))


def _allowed(error: HTTPException) -> str:
    methods = {m.strip() for m in (error.headers or {}).get("Allow", "").split(",")} | {"OPTIONS"}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


async def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = " ".join(str(part) for part in first["loc"])
    return problem(InvalidValueError(f"{where}: {first['msg']}", remedy="see /openapi.json"))
