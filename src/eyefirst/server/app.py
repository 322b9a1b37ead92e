"""The routes. Each parses, calls what the command line calls, in the pool, and answers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from eyefirst.colours import parse_colour
from eyefirst.errors import EyefirstError, InvalidValueError
from eyefirst.files.formats import FORMATS, format_named
from eyefirst.geometry import Box, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import thumbhash
from eyefirst.plan import CropPlan
from eyefirst.requests import AttentionSaliencyRequest, ObjectnessSaliencyRequest, TextRecognitionRequest
from eyefirst.server import openapi
from eyefirst.server.cuts import Cut, Encoding, cut_all, negotiated, with_alpha, zipped
from eyefirst.server.foreign import Foreign
from eyefirst.server.guard import Guard
from eyefirst.server.images import add_image
from eyefirst.server.pool import Work
from eyefirst.server.problems import plain_problem, problem
from eyefirst.server.queries import CropQuery, PlanQuery, SaliencyQuery, TextQuery
from eyefirst.server.service import Service, Task, json_response, to_json
from eyefirst.server.settings import Settings
from eyefirst.server.upkeep import add_upkeep
from eyefirst.tools.planning import CropOrder

MEDIA_TYPES = tuple(f.media_type for f in FORMATS)
ZIP = "application/zip"
THUMBHASH_SIDE = 100


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service as an ASGI application, for `eyefirst serve` or for a server of your own."""
    service = Service(settings or Settings())
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=service.lifespan)
    app.state.service = service
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]
    app.add_middleware(Guard, settings=service.settings, metrics=service.metrics, pool=service.pool)
    if service.settings.also:
        app.add_middleware(Foreign, settings=service.settings)
    app.add_exception_handler(EyefirstError, _known)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    _add_work(app, service)
    add_image(app, service, MEDIA_TYPES)
    add_upkeep(app, service)
    return app


def _add_work(app: FastAPI, service: Service) -> None:
    """Add the routes that take a picture."""
    post = partial(app.post, response_model=None, response_class=Response, openapi_extra=openapi.PICTURE_BODY)

    @post("/v1/saliency", summary="Heat maps and boxes", responses=openapi.json_answer("Saliency"))
    async def saliency(request: Request, query: Annotated[SaliencyQuery, Query()]) -> Response:
        return json_response(await service.look(request, query, _saliency))

    @post("/v1/plan", summary="Crop plan", responses=openapi.json_answer("CropPlan", openapi.PLAN_EXAMPLE))
    async def plan(request: Request, query: Annotated[PlanQuery, Query()]) -> Response:
        return json_response(await service.look(request, query, partial(_plan, service)))

    @post("/v1/text", summary="Text that people look at", responses=openapi.json_answer("TextObservation"))
    async def text(request: Request, query: Annotated[TextQuery, Query()]) -> Response:
        return json_response(await service.look(request, query, _text))

    @post("/v1/crop", summary="Crops", responses=openapi.picture_answer(*MEDIA_TYPES, ZIP))
    async def crop(request: Request, query: Annotated[CropQuery, Query()]) -> Response:
        """Answer with one frame as a picture; with several, or where Accept says zip, with a zip and the plan."""
        answer = await service.look(request, query, partial(_crop, service, request.headers.get("accept", "")))
        answer.headers["Vary"] = "Accept"
        return answer


def _saliency(query: SaliencyQuery) -> Task[bytes]:
    kinds = {"attention": AttentionSaliencyRequest, "objectness": ObjectnessSaliencyRequest}
    asked = [kinds[kind](**_where(query.revision, query.region)) for kind in dict.fromkeys(query.kind)]

    def job(handler: ImageRequestHandler, _: Work) -> bytes:
        return to_json({o["kind"]: o for o in (s.to_dict() for s in handler.perform(asked))})

    return job, None


def _plan(service: Service, query: PlanQuery) -> Task[bytes]:
    order = query.order()

    def job(handler: ImageRequestHandler, _: Work) -> bytes:
        return to_json(_planned(service, query, order, handler).to_dict())

    return job, None


def _planned(service: Service, query: PlanQuery, order: CropOrder, handler: ImageRequestHandler) -> CropPlan:
    plan = service.plans.of(order, handler)
    if not query.thumbhash:
        return plan
    small = handler.picture(Size(THUMBHASH_SIDE, THUMBHASH_SIDE)).picture
    return replace(plan, thumbhash=thumbhash(small))


def _text(query: TextQuery) -> Task[bytes]:
    asked = TextRecognitionRequest(rest=query.rest, **_where(query.revision, query.region))
    return lambda handler, _: to_json(handler.perform([asked])[0].to_dict()), None


def _crop(service: Service, accept: str, query: CropQuery) -> Task[Response]:
    order = query.order()
    named = format_named(query.format) if query.format else None
    parse_colour(query.background)
    quality = {f.name: query.quality for f in FORMATS} if query.quality else {}
    encoding = Encoding(quality, query.background, query.metadata, query.max_bytes)

    def job(handler: ImageRequestHandler, work: Work) -> Response:
        format = named or with_alpha(negotiated(accept), handler)
        plan = _planned(service, query, order, handler)
        cuts = cut_all(handler, plan, format, encoding, work, size=order.size, enlarge=order.enlarge)
        if len(cuts) == 1 and ZIP not in accept:
            return Response(cuts[0].data, media_type=cuts[0].media_type)
        if len(cuts) > 1:
            cuts.append(Cut("plan.json", "application/json", to_json(plan.to_dict())))
        return Response(zipped(cuts), media_type=ZIP, headers={"Content-Disposition": "attachment; filename=crops.zip"})

    return job, order


def _where(revision: str, region: str) -> dict[str, Any]:
    return {"revision": revision or None, "region_of_interest": Box.parse(region) if region else None}


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
