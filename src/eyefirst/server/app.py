"""The routes. Each parses, calls what the command line calls, in the pool, and answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from eyefirst.colours import parse_colour
from eyefirst.errors import EyefirstError, InvalidValueError
from eyefirst.files.formats import MEDIA_TYPES
from eyefirst.geometry import Size
from eyefirst.handler import ImageRequestHandler, all_pixels
from eyefirst.image import read_metadata, thumbhash
from eyefirst.image.thumbhash import SIDE as THUMBHASH_SIDE
from eyefirst.plan import CropPlan
from eyefirst.requests import KINDS, FaceRectanglesRequest, TextRecognitionRequest
from eyefirst.server import openapi
from eyefirst.server.cuts import Cut, Cutout, cut_all, format_for, pixels_of, wishes, zipped
from eyefirst.server.foreign import Foreign
from eyefirst.server.guard import Guard
from eyefirst.server.images import add_image
from eyefirst.server.pool import Work
from eyefirst.server.problems import plain_problem, problem
from eyefirst.server.queries import (
    CropQuery,
    CutoutQuery,
    FacesQuery,
    PlanQuery,
    RenderQuery,
    ResultQuery,
    SaliencyQuery,
    TextQuery,
)
from eyefirst.server.service import Service, Task, json_response, to_json
from eyefirst.server.settings import Settings
from eyefirst.server.upkeep import add_upkeep
from eyefirst.tools.crop import planned_handler
from eyefirst.tools.planning import CropOrder

ZIP = "application/zip"


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
    add_image(app, service)
    add_upkeep(app, service)
    return app


def _add_work(app: FastAPI, service: Service) -> None:
    """Add the routes that take a picture."""
    post = partial(app.post, response_model=None, response_class=Response, openapi_extra=openapi.picture_body())
    with_plan = openapi.picture_body(plan={"$ref": "#/components/schemas/CropPlan"}, sha256={"type": "string"})

    @post("/v1/saliency", summary="Heat maps and boxes", responses=openapi.json_answer("Saliency"))
    async def saliency(request: Request, query: Annotated[SaliencyQuery, Query()]) -> Response:
        return json_response(await service.look(request, query, _saliency))

    @post("/v1/plan", summary="Crop plan", responses=openapi.json_answer("CropPlan", openapi.PLAN_EXAMPLE))
    async def plan(request: Request, query: Annotated[PlanQuery, Query()]) -> Response:
        return json_response(await service.look(request, query, partial(_plan, service)))

    @post("/v1/faces", summary="Faces", responses=openapi.json_answer("Faces"))
    async def faces(request: Request, query: Annotated[FacesQuery, Query()]) -> Response:
        return json_response(await service.look(request, query, _faces))

    @post("/v1/text", summary="Text that people look at", responses=openapi.json_answer("TextObservation"))
    async def text(request: Request, query: Annotated[TextQuery, Query()]) -> Response:
        return json_response(await service.look(request, query, _text))

    answers = openapi.picture_answer(*MEDIA_TYPES, ZIP)

    @post("/v1/render", summary="The frames of a plan", responses=answers, openapi_extra=with_plan)
    async def render(request: Request, query: Annotated[RenderQuery, Query()]) -> Response:
        """Cut the frames of a plan that was made before, and perhaps changed since; answer as /v1/crop does."""
        answer = await service.look(request, query, partial(_render, request.headers.get("accept", "")))
        answer.headers["Vary"] = "Accept"
        return answer

    @post("/v1/cutout", summary="The subject alone", responses=openapi.picture_answer(*MEDIA_TYPES))
    async def cutout(request: Request, query: Annotated[CutoutQuery, Query()]) -> Response:
        """Cut the subject out, with a soft edge, at full resolution. 422 where nothing stands out."""
        answer = await service.look(request, query, partial(_cutout, request.headers.get("accept", "")))
        answer.headers["Vary"] = "Accept"
        return answer

    @post("/v1/crop", summary="Crops", responses=answers)
    async def crop(request: Request, query: Annotated[CropQuery, Query()]) -> Response:
        """Answer with one frame as a picture; with several, or where Accept says zip, with a zip and the plan."""
        answer = await service.look(request, query, partial(_crop, service, request.headers.get("accept", "")))
        answer.headers["Vary"] = "Accept"
        return answer


def _saliency(query: SaliencyQuery) -> Task[bytes]:
    asked = [KINDS[kind](**_where(query.revision, query.region)) for kind in dict.fromkeys(query.kind)]

    def job(handler: ImageRequestHandler, _: Work) -> bytes:
        return to_json({o["kind"]: o for o in (s.to_dict() for s in handler.perform(asked))})

    return job, ImageRequestHandler


def _plan(service: Service, query: PlanQuery) -> Task[bytes]:
    order = query.order()

    def job(handler: ImageRequestHandler, _: Work) -> bytes:
        return to_json(_planned(service, query, order, handler).to_dict())

    return job, ImageRequestHandler


def _planned(service: Service, query: PlanQuery, order: CropOrder, handler: ImageRequestHandler) -> CropPlan:
    plan = service.plans.of(order, handler)
    if not query.thumbhash:
        return plan
    small = handler.picture(Size(THUMBHASH_SIDE, THUMBHASH_SIDE)).picture
    return replace(plan, thumbhash=thumbhash(small))


def _faces(query: FacesQuery) -> Task[bytes]:
    asked = FaceRectanglesRequest(**_where(query.revision, query.region))

    def job(handler: ImageRequestHandler, _: Work) -> bytes:
        seen = handler.perform([asked])[0]
        return to_json({"picture": handler.name, "sha256": handler.opened.sha256, **seen.to_dict()})

    return job, ImageRequestHandler


def _text(query: TextQuery) -> Task[bytes]:
    asked = TextRecognitionRequest(rest=query.rest, **_where(query.revision, query.region))
    return lambda handler, _: to_json(handler.perform([asked])[0].to_dict()), ImageRequestHandler


def _crop(service: Service, accept: str, query: CropQuery) -> Task[Response]:
    order = query.order()
    answer = _cutting(query, accept, order.size)

    def job(handler: ImageRequestHandler, work: Work) -> Response:
        return answer(handler, work, _planned(service, query, order, handler))

    return job, order.handler


def _render(accept: str, query: RenderQuery) -> Task[Response]:
    plan, size = CropPlan.from_json(query.plan), Size.parse(query.size) if query.size else None
    answer = _cutting(query, accept, size)
    return lambda handler, work: answer(handler, work, plan), partial(planned_handler, plan, size=size)


def _cutting(
    query: ResultQuery, accept: str, size: Size | None
) -> Callable[[ImageRequestHandler, Work, CropPlan], Response]:
    """What answers with the frames of a plan: one as a picture; several, or where Accept says zip, with the plan."""
    named = query.named_format()
    parse_colour(query.background)
    encoding = query.encoding(query.background)

    def answer(handler: ImageRequestHandler, work: Work, plan: CropPlan) -> Response:
        format = format_for(named, accept, handler)
        cuts = cut_all(handler, plan, format, encoding, work, size=size, enlarge=query.enlarge)
        if len(cuts) == 1 and not wishes(accept).get(ZIP):
            return Response(cuts[0].data, media_type=cuts[0].media_type)
        if len(cuts) > 1:
            cuts.append(Cut("plan.json", "application/json", to_json(plan.to_dict())))
        return Response(zipped(cuts), media_type=ZIP, headers={"Content-Disposition": "attachment; filename=crops.zip"})

    return answer


def _cutout(accept: str, query: CutoutQuery) -> Task[Response]:
    cutout = Cutout(query.backdrop, query.shadow, query.revision or None)
    named = query.named_format()
    cutout.check(named)

    def job(handler: ImageRequestHandler, work: Work) -> Response:
        format = format_for(named, accept, handler, cutout)
        made = pixels_of(handler, format, None, cutout)
        work.go_on()
        data = query.encoding().encode(made, format, read_metadata(handler.opened), work)
        return Response(data, media_type=format.media_type)

    return job, partial(ImageRequestHandler, expects=all_pixels)


def _where(revision: str, region: str) -> dict[str, Any]:
    return {"revision": revision or None, "region_of_interest": region or None}


async def _known(_: Request, error: Exception) -> Response:
    assert isinstance(error, EyefirstError)
    return problem(error)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405 and request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": _allowed(error)})
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed(error)
        wanted = f"{request.method} is not answered here; allowed are {headers['Allow']}"
        return plain_problem(405, wanted, headers)
    return plain_problem(error.status_code, headers=headers)


def _allowed(error: HTTPException) -> str:
    methods = {m.strip() for m in (error.headers or {}).get("Allow", "").split(",")} | {"OPTIONS"}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


async def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = next((str(part)[:40] for part in first["loc"][1:]), "the request")
    if first["type"] == "extra_forbidden":
        return problem(InvalidValueError(f"there is no option {name!r} here", remedy="see /openapi.json for others"))
    should = re.sub(r"^\w+ (?=should )|, unable to .*", "", first["msg"])
    return problem(
        InvalidValueError(f"{name} {should}; got {first['input']!r:.40}", remedy="see /openapi.json, or leave it out")
    )
