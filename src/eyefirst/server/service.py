"""What the routes share: threads, metrics, keys, plans that were made before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any, TypeAlias, TypeVar, get_origin

import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from eyefirst.errors import InvalidValueError, UnauthorizedError
from eyefirst.handler import ImageRequestHandler
from eyefirst.network import load_network
from eyefirst.server.bodies import is_form, picture_in
from eyefirst.server.caches import DiskCache, Plans, Sent
from eyefirst.server.metrics import Metrics
from eyefirst.server.pool import Pool, Work
from eyefirst.server.queries import SentQuery
from eyefirst.server.settings import Settings
from eyefirst.server.stores import Store
from eyefirst.server.watermark import Watermark

T = TypeVar("T")
Q = TypeVar("Q", bound=SentQuery)
Task: TypeAlias = tuple[Callable[[ImageRequestHandler, Work], T], Callable[..., ImageRequestHandler]]
"""What to do with a picture, and what makes its handler from the bytes and `pixel_limit`."""
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The content security policy of every answer; the page adds what it needs."""
FETCHERS = 8
"""Threads that fetch pictures of other origins."""
FETCHED = 16
"""Pictures of other origins that may be in memory at a time."""


class Service:
    """What the routes share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pool = Pool(settings.workers, settings.queue, settings.work_seconds)
        self.fetching = Pool(FETCHERS, settings.queue, settings.work_seconds, "eyefirst-fetch")
        self.fetched = asyncio.Semaphore(FETCHED)
        self.metrics = Metrics(lambda: self.pool.held + self.pool.waiting)
        self.results = DiskCache(settings.result_cache, settings.result_cache_bytes) if settings.result_cache else None
        self.sent = Sent(settings.sent_bytes)
        self.store = Store(settings.store, settings.body_bytes, self.results) if settings.store else None
        self.watermark = Watermark(settings.watermark) if settings.watermark else None
        self.plans = Plans(settings.plans, self.results, self.metrics.found.labels("plan").inc)
        self.is_ready = False

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Open the network and run it once, before the first request comes."""
        await asyncio.to_thread(_warm_up)
        self.is_ready = True
        yield
        self.is_ready = False
        self.pool.close()
        self.fetching.close()

    async def look(self, request: Request, query: Q, task: Callable[[Q], Task[T]]) -> T:
        """Read the picture in a request, and do the task that its options ask for in the pool.

        Options are checked before the body is read; those in a form after it.
        """
        self.authorize(request)
        _check_once(query, {name: request.query_params.getlist(name) for name in request.query_params})
        early = None if is_form(request) else task(query)
        data, options = await picture_in(request, self.settings)
        job, make = early or task(query := _merged(query, options))
        if query.sha256 and not data:
            handler = self.sent.get(query.sha256)
            self.metrics.found.labels("picture").inc()
        else:
            handler = make(data, pixel_limit=self.settings.pixels)
            self.metrics.pictures.inc()
        work = self.pool.work(request.scope["eyefirst.gone"])
        work.on_end(handler.cancel)
        answer = await self.pool.run(partial(job, handler, work), work)
        self.sent.keep(handler)
        return answer

    def authorize(self, request: Request) -> None:
        """Raise UnauthorizedError where a key is needed and the right one is missing."""
        if not (self.settings.is_public or self.settings.api_keys):
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.settings.knows(key.strip()):
            raise UnauthorizedError("expected an API key", remedy="send the header 'Authorization: Bearer KEY'")


def _merged(query: Q, options: dict[str, list[str]]) -> Q:
    """The options of the address with those of the form. One that is in both is given twice."""
    kind = type(query)
    many, before = _repeatable(kind), query.model_dump(exclude_unset=True)
    options |= {n: [*(before[n] if n in many else [before[n]]), *v] for n, v in options.items() if n in before}
    _check_once(query, options)
    given: dict[str, Any] = {n: v if n in many else v[0] for n, v in options.items()}
    try:
        return kind.model_validate(before | given)
    except ValidationError as error:
        raise RequestValidationError([e | {"loc": ("form", *e["loc"])} for e in error.errors()]) from None


@cache
def _repeatable(kind: type[SentQuery]) -> frozenset[str]:
    return frozenset(n for n, field in kind.model_fields.items() if get_origin(field.annotation) is list)


def _check_once(query: SentQuery, options: Mapping[str, list[str]]) -> None:
    """Refuse an option that is given twice and has room for one value: nobody can say which was meant."""
    for name, values in options.items():
        if len(values) > 1 and name not in _repeatable(type(query)):
            raise InvalidValueError(f"{name[:40]} is given {len(values)} times", remedy="give it once")


def to_json(values: object) -> bytes:
    """Return compact JSON."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def json_response(data: bytes) -> Response:
    """Return an answer that nobody keeps."""
    return Response(data, media_type="application/json", headers={"Cache-Control": "no-store"})


def _warm_up() -> None:
    network = load_network()
    network.predict(np.zeros((1, network.input_side, network.input_side, 3), np.uint8))
