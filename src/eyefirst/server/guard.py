"""What every request passes before and after the routes: host, limits on its body, headers, metrics."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eyefirst.errors import (
    BodyTooLargeError,
    BusyError,
    ClientTooSlowError,
    EyefirstError,
    InvalidValueError,
    WrongHostError,
)
from eyefirst.server.metrics import Metrics, route_of
from eyefirst.server.pool import Pool
from eyefirst.server.problems import UNEXPECTED, problem
from eyefirst.server.settings import Settings

LOG = logging.getLogger("uvicorn.error")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Budget:
    """Bytes and requests that are in hand, over all requests; used on the event loop only."""

    def __init__(self, most_bytes: int, most_requests: int) -> None:
        self.most_bytes, self.most_requests = most_bytes, most_requests
        self.bytes = self.requests = 0


class Body:
    """A request's body on its way in: counted, timed, and within the budget of all bodies."""

    def __init__(self, receive: Receive, settings: Settings, budget: Budget) -> None:
        self._receive, self._settings, self._budget = receive, settings, budget
        self._bytes = 0
        self._until: float | None = None

    async def receive(self) -> Message:
        """The next part. Raises BodyTooLargeError, ClientTooSlowError, BusyError."""
        if self._until is None:
            self._until = time.monotonic() + self._settings.body_seconds
        try:
            message = await asyncio.wait_for(self._receive(), max(self._until - time.monotonic(), 0.001))
        except TimeoutError:
            raise ClientTooSlowError(
                f"the body did not arrive within {self._settings.body_seconds:g} seconds",
                remedy="send a smaller picture, or over a faster line",
            ) from None
        size = len(message.get("body", b""))
        self._bytes += size
        self._budget.bytes += size
        if self._bytes > self._settings.body_bytes:
            raise too_large(self._settings)
        if self._budget.bytes > self._budget.most_bytes:
            raise BusyError("too many bodies are arriving at once", remedy="come back later")
        return message

    async def gone(self) -> None:
        """Returns when the client has gone; to be awaited once the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def release(self) -> None:
        """The request is over."""
        self._budget.bytes -= self._bytes


def too_large(settings: Settings) -> BodyTooLargeError:
    """The error of a body beyond the limit."""
    return BodyTooLargeError(
        f"the body has more than {settings.body_bytes} bytes", remedy="send a smaller picture, e.g. as JPEG"
    )


class Guard:
    """The outermost layer of the service."""

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics, pool: Pool) -> None:
        self._app, self._settings, self._metrics, self._pool = app, settings, metrics, pool
        self._budget = Budget(settings.buffered_bytes, settings.uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route, started, status = route_of(scope["path"]), time.perf_counter(), 500
        body = Body(receive, self._settings, self._budget)
        scope["eyefirst.gone"] = body.gone

        begun = False

        async def answer(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        self._budget.requests += 1
        try:
            try:
                self._admit(scope, route)
            except EyefirstError as error:
                await problem(error)(scope, receive, answer)
            else:
                await self._app(scope, body.receive, answer)
        except Exception:
            LOG.exception("unexpected, at %s %s", scope["method"], route)
            if not begun:
                await problem(UNEXPECTED)(scope, receive, answer)
        finally:
            self._budget.requests -= 1
            body.release()
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    def _admit(self, scope: Scope, route: str) -> None:
        headers = Headers(scope=scope)
        if not self._settings.answers_to(headers.get("host", "")):
            raise WrongHostError(
                "this service does not answer for that host", remedy="the operator names hosts with --hostname"
            )
        if not route.startswith("/v1/"):
            return
        if scope["method"] == "POST" and headers.get("sec-fetch-site") == "cross-site" and not self._settings.api_keys:
            raise WrongHostError(
                "a page of another site may not use this service",
                remedy="set an API key, or open the service's own page",
            )
        if self._budget.requests > self._budget.most_requests:
            raise BusyError("too many requests are in hand", remedy="come back later")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise InvalidValueError("expected a whole number as Content-Length", remedy="send the body's length")
        if len(length) > 18 or int(length) > self._settings.body_bytes:
            raise too_large(self._settings)
        if scope["method"] == "POST":
            self._pool.check_room()  # here, where refusing costs least
