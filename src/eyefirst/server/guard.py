"""What every request passes before and after the routes: host, limits on its body, headers, metrics."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eyefirst.errors import EyefirstError, InvalidValueError, MalformedRequestError, WrongHostError
from eyefirst.server.bodies import Body, Budget, too_large
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
        has_body = _has_body(Headers(scope=scope))

        async def answer(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if has_body and not body.is_ended:
                    headers["Connection"] = "close"  # the rest of the body is neither parsed nor waited for
            await send(message)

        try:
            try:
                self._admit(scope, route)
                if scope["method"] == "POST" and route.startswith("/v1/"):
                    body.admit()
            except EyefirstError as error:
                await problem(error)(scope, receive, answer)
            else:
                await self._app(scope, body.receive, answer)
        except Exception:
            LOG.exception("unexpected, at %s %s", scope["method"], route)
            if not begun:
                await problem(UNEXPECTED)(scope, receive, answer)
        finally:
            body.release()
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    def _admit(self, scope: Scope, route: str) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) > 1 or (not hosts and scope["http_version"] == "1.1"):
            raise MalformedRequestError("expected one Host header", remedy="send the name of the service as Host")
        if hosts and not self._settings.answers_to(hosts[0]):
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
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise InvalidValueError("expected a whole number as Content-Length", remedy="send the body's length")
        if len(length) > 18 or int(length) > self._settings.body_bytes:
            raise too_large(self._settings)
        if scope["method"] == "POST":
            self._pool.check_room()  # here, where refusing costs least


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() != "0"
