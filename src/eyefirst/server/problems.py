"""Errors as problem+json (RFC 9457): a status, the stable code, and what to do next. Never a traceback."""

from __future__ import annotations

import http
import json
import re

from starlette.responses import Response

from eyefirst import errors as e
from eyefirst.errors import EyefirstError

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[EyefirstError], int] = {
    e.PictureNotFoundError: 404,
    e.NotAPictureError: 415,
    e.UnsupportedPictureError: 415,
    e.TruncatedPictureError: 422,
    e.PictureTooLargeError: 413,
    e.PictureError: 422,
    e.InvalidValueError: 422,
    e.UnknownRevisionError: 422,
    e.MissingExtraError: 501,
    e.BusyError: 503,
    e.TimeLimitError: 503,
    e.BodyTooLargeError: 413,
    e.ClientTooSlowError: 408,
    e.UnauthorizedError: 401,
    e.WrongHostError: 421,
    e.MalformedRequestError: 400,
    e.SignatureError: 403,
    e.AddressRefusedError: 403,
    e.OriginError: 502,
    e.CancelledError: 503,
}
UNEXPECTED = EyefirstError("something unexpected went wrong here", remedy="the operator's log says what")


def status_of(error: EyefirstError) -> int:
    """The HTTP status of an error: its class's, or that of the nearest class above."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem(error: EyefirstError) -> Response:
    """The answer to an error of this package."""
    status = status_of(error)
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, e.BusyError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    elif isinstance(error, e.TimeLimitError):
        headers["Retry-After"] = "5"
    elif isinstance(error, e.UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    source = error.source if error.source != "<bytes>" else "the picture"
    reason, remedy = _for_strangers(error)
    return _answer(status, error.code, reason, remedy, source, headers)


def _for_strangers(error: EyefirstError) -> tuple[str, str]:
    """Reason and remedy without the file's bytes, a decoder's words, and names of parameters."""
    reason, remedy = error.reason, error.remedy
    if isinstance(error, e.PictureError):
        reason = re.sub(r"; it begins with .*", "", reason, flags=re.DOTALL)
        if isinstance(error, e.TruncatedPictureError):
            reason = re.sub(r" \(.*\)$", "", reason, flags=re.DOTALL)  # a decoder may quote what it read
        reason = re.sub(r"""\bb(["']).*?\1""", "some bytes", reason, flags=re.DOTALL)
    if isinstance(error, e.PictureTooLargeError):
        remedy = "send a smaller picture"
    return reason, remedy


def plain_problem(status: int, detail: str = "", headers: dict[str, str] | None = None) -> Response:
    """The answer to an error of HTTP itself, such as 404 or 405."""
    phrase = http.HTTPStatus(status).phrase
    return _answer(status, f"http_{status}", detail or phrase, "see /openapi.json", "", headers or {})


def _answer(status: int, code: str, reason: str, remedy: str, source: str, headers: dict[str, str]) -> Response:
    detail = f"{source}: {reason}" if source else reason
    body = {
        "type": f"urn:eyefirst:error:{code}",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": f"{detail}; {remedy}" if remedy else detail,
        "code": code,
        "source": source,
        "reason": reason,
        "remedy": remedy,
    }
    return Response(json.dumps(body), status, headers, MEDIA_TYPE)
