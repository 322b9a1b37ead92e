"""What every request passes before and after the routes: host, limits on its body, headers, metrics."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eyefirst.errors import EyefirstError, InvalidValueError, MalformedRequestError, OtherSiteError, WrongHostError
from eyefirst.server.bodies import Body, Budget, too_large
from eyefirst.server.foreign import ERROR
from eyefirst.server.metrics import Metrics, route_of
from eyefirst.server.pool import Pool
from eyefirst.server.problems import UNEXPECTED, problem
from eyefirst.server.service import POLICY
from eyefirst.server.settings import Settings
from eyefirst.server.signing import ROUTE

GONE = 499
"""Stands in metrics and in the log for a client that left before its answer, or was cut off; as in nginx."""
LOG = logging.getLogger("uvicorn.error")
HEADERS = {
    "Content-Security-Policy": POLICY,
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

        begun, sent = False, 0
        has_body = _has_body(Headers(scope=scope))

        async def answer(message: Message) -> None:
            nonlocal status, begun, sent
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                for name, value in self._headers_for(scope, route).items():
                    if name == "Vary":
                        headers.add_vary_header(value)
                    else:
                        headers.setdefault(name, value)
                if has_body and not body.is_ended:
                    headers["Connection"] = "close"  # the rest of the body is neither parsed nor waited for
            sent += len(message.get("body", b""))
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
        except ClientDisconnect:
            status = GONE
        except Exception:
            LOG.exception("unexpected, at %s %s", scope["method"], route)
            if not begun:
                await problem(UNEXPECTED)(scope, receive, answer)
        finally:
            body.release()
            self._metrics.requests.labels(route, str(status)).inc()
            seconds = time.perf_counter() - started
            self._metrics.seconds.labels(route).observe(seconds)
            if self._settings.access_log:
                self._log(scope, status, seconds, sent)

    def _check_site(self, scope: Scope, headers: Headers, route: str) -> None:
        """Refuse what a page of another site asks of a service that no key guards."""
        if not _is_from_elsewhere(headers) or self._settings.api_keys:
            return
        if route == ROUTE and self._settings.signing_keys:
            return  # the signature is the leave
        if scope["method"] in ("GET", "HEAD") and headers.get("sec-fetch-dest") == "document":
            return  # somebody follows a link; the page that holds it sees nothing
        if not self._settings.allows_page(_origin_of_page(headers)):
            raise OtherSiteError(
                "a page of another site may not use this service",
                remedy="set an API key, open the service's own page, or allow the site with --cors",
            )

    def _headers_for(self, scope: Scope, route: str) -> dict[str, str]:
        """Headers that say which other sites may use an answer."""
        if not route.startswith("/v1/"):
            return {"Cross-Origin-Resource-Policy": "same-origin"}
        settings, origin = self._settings, Headers(scope=scope).get("origin", "")
        is_open = bool(settings.cors) or (route == ROUTE and bool(settings.signing_keys))
        found = {"Cross-Origin-Resource-Policy": "cross-origin" if is_open else "same-origin"}
        if settings.cors:
            if "*" in settings.cors:
                found["Access-Control-Allow-Origin"] = "*"
            elif origin and settings.allows_page(origin):
                found["Access-Control-Allow-Origin"] = origin
            if "*" not in settings.cors:
                found["Vary"] = "Origin"
            found["Access-Control-Expose-Headers"] = "ETag, Retry-After"
        if scope["method"] == "OPTIONS" and "Access-Control-Allow-Origin" in found:
            found |= {
                "Access-Control-Allow-Methods": "GET, HEAD, POST",
                "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
                "Access-Control-Max-Age": "86400",
            }
        return found

    def _log(self, scope: Scope, status: int, seconds: float, sent: int) -> None:
        """Write a request to stderr as a line of JSON; without its query, which is no business of a log."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": (scope.get("client") or ("",))[0],
            "method": scope["method"],
            "path": scope["path"][:1000],
            "status": status,
            "seconds": round(seconds, 4),
            "bytes": sent,
        }
        print(json.dumps(line), file=sys.stderr, flush=True)

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
        self._check_site(scope, headers, route)
        if ERROR in scope:
            raise scope[ERROR]
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise InvalidValueError("expected a whole number as Content-Length", remedy="send the body's length")
        if len(length) > 18 or int(length) > self._settings.body_bytes:
            raise too_large(self._settings)
        if scope["method"] == "POST":
            self._pool.check_room()  # here, where refusing costs least


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() != "0"


def _is_from_elsewhere(headers: Headers) -> bool:
    """Whether a page of another site asks; older browsers say so by the page's origin alone."""
    site, origin = headers.get("sec-fetch-site"), _origin_of_page(headers)
    if site is not None:
        return site in ("cross-site", "same-site")
    return origin != "" and origin.partition("://")[2].lower() != headers.get("host", "").lower()


def _origin_of_page(headers: Headers) -> str:
    """The origin of the page that asks, "" for none: browsers send no Origin for a picture, but mostly a Referer."""
    if "origin" in headers:
        return headers["origin"]
    try:
        parts = urlsplit(headers.get("referer", ""))
    except ValueError:
        return "null"
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
