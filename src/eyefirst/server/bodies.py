"""Bodies on their way in: counted, timed, within one budget, and unpacked."""

from __future__ import annotations

import asyncio
import logging
import time
import zlib

import python_multipart  # noqa: F401 - starlette reads forms with it, and would miss it only then
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import Message, Receive

from eyefirst.errors import BodyTooLargeError, BusyError, ClientTooSlowError, EyefirstError, InvalidValueError
from eyefirst.server.settings import Settings

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # what is wrong with a form is in its answer

FIELDS = ("picture", "file", "image")
"""Fields of a form that may hold the picture."""
OPTIONS_IN_FORM = 50
"""Fields of text that a form may have."""
FILES_IN_FORM = 2
"""Files that a form may have: the picture, and a plan."""
MOST_TEXT = 1024 * 1024
"""Bytes of an option that comes as a file."""
MOST_STREAMS = 100
"""Streams of gzip that a body may be packed in, one after the other: each costs a copy of the rest."""
SLOW_SECONDS = 2.0
"""Age from which an unfinished body may be given up for others."""


class Budget:
    """The bodies that are arriving, over all requests; used on the event loop only."""

    def __init__(self, most_bytes: int, most_bodies: int) -> None:
        self.most_bytes, self.most_bodies = most_bytes, most_bodies
        self.bytes = 0
        self.arriving: set[Body] = set()

    def make_room(self) -> bool:
        """Give up the slowest body, where one is slow. Returns whether there was one."""
        now = time.monotonic()
        slow = [b for b in self.arriving if not b.is_given_up and now - b.since > SLOW_SECONDS]
        if not slow:
            return False
        min(slow, key=lambda b: b.size / (now - b.since)).give_up()
        return True


class Body:
    """One request's body: counted, timed, and within the budget of all bodies."""

    def __init__(self, receive: Receive, settings: Settings, budget: Budget) -> None:
        self._receive, self._settings, self._budget = receive, settings, budget
        self._until: float | None = None
        self._timer: asyncio.Timeout | None = None
        self.since = time.monotonic()
        self.size = 0
        self.is_ended = self.is_given_up = False

    def admit(self) -> None:
        """Count the body as arriving. Raises BusyError where too many are, and none of them is slow."""
        if len(self._budget.arriving) >= self._budget.most_bodies and not self._budget.make_room():
            raise BusyError("too many pictures are being sent at once", remedy="come back later")
        self._budget.arriving.add(self)

    def give_up(self) -> None:
        """Stop waiting for the rest, for the sake of others."""
        self.is_given_up = True
        self._budget.arriving.discard(self)
        if self._timer is not None:
            self._timer.reschedule(asyncio.get_running_loop().time())

    async def receive(self) -> Message:
        """Return the next part. Raises BodyTooLargeError, ClientTooSlowError, BusyError."""
        if self.is_ended:
            return await self._receive()
        loop = asyncio.get_running_loop()
        if self._until is None:
            self._until = loop.time() + self._settings.body_seconds
        try:
            async with asyncio.timeout_at(loop.time() if self.is_given_up else self._until) as self._timer:
                message = await self._receive()
        except TimeoutError:
            raise self._too_slow() from None
        finally:
            self._timer = None
        size = len(message.get("body", b""))
        self.size += size
        self._budget.bytes += size
        if not message.get("more_body", False):
            self.is_ended = True
            self._budget.arriving.discard(self)
        if self.size > self._settings.body_bytes:
            raise too_large(self._settings)
        if self._budget.bytes > self._budget.most_bytes and not self._budget.make_room():
            raise BusyError("too many bodies are arriving at once", remedy="come back later")
        return message

    async def gone(self) -> None:
        """Return when the client has gone; to be awaited once the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def release(self) -> None:
        """Forget the body: its request is over."""
        self._budget.bytes -= self.size
        self._budget.arriving.discard(self)

    def _too_slow(self) -> ClientTooSlowError:
        if self.is_given_up:
            reason = "the body came more slowly than others that wait"
        else:
            reason = f"the body did not arrive within {self._settings.body_seconds:g} seconds"
        return ClientTooSlowError(reason, remedy="send a smaller picture, or over a faster line")


def too_large(settings: Settings) -> BodyTooLargeError:
    """Return the error of a body beyond the limit."""
    return BodyTooLargeError(
        f"the body has more than {settings.body_bytes} bytes", remedy="send a smaller picture, for example as JPEG"
    )


def is_form(request: Request) -> bool:
    """Say whether the body is a form with a file."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def picture_in(request: Request, settings: Settings) -> tuple[bytes, dict[str, list[str]]]:
    """Return the picture in a request, and the options beside it.

    The picture is the body as it is or packed by gzip, or a field of a form. A form's fields of text are options.
    """
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip", "deflate") or (
        is_form(request) and coding not in ("", "identity")
    ):
        raise _not_supported(coding)
    if not is_form(request):
        body = await request.body()
        return body if coding in ("", "identity") else await asyncio.to_thread(_unpacked, body, coding, settings), {}
    try:
        async with request.form(max_files=FILES_IN_FORM, max_fields=OPTIONS_IN_FORM) as form:
            pictures: list[UploadFile] = []
            options: dict[str, list[str]] = {}
            for name, value in form.multi_items():
                if isinstance(value, str):
                    options.setdefault(name, []).append(value)
                elif name in FIELDS:
                    pictures.append(value)
                else:
                    options.setdefault(name, []).append(await _text(name, value))
            if len(pictures) > 1:
                raise InvalidValueError(f"the form holds {len(pictures)} pictures", remedy="send one at a time")
            is_named = "sha256" in form or "sha256" in request.query_params
            if any(name in options for name in FIELDS) or not (pictures or is_named):
                raise InvalidValueError(
                    f"expected a file in one of the form's fields {', '.join(FIELDS)}",
                    remedy="for example curl -F picture=@photo.jpg",
                )
            return await pictures[0].read() if pictures else b"", options
    except (HTTPException, MultiPartException) as error:
        raise InvalidValueError(
            f"expected a form: {getattr(error, 'detail', error)}", remedy="send the picture as the body itself"
        ) from error


async def _text(name: str, file: UploadFile) -> str:
    """An option that came as a file, as curl -F plan=@plan.json sends it."""
    data = await file.read(MOST_TEXT + 1)
    try:
        if len(data) <= MOST_TEXT:
            return data.decode()
    except UnicodeDecodeError:
        pass
    raise InvalidValueError(
        f"the form's field {name[:40]!r} is no text of up to {MOST_TEXT} bytes",
        remedy=f"send the picture in one of the fields {', '.join(FIELDS)}",
    )


def _unpacked(body: bytes, coding: str, settings: Settings) -> bytes:
    """The body of gzip or zlib streams, one after the other, no larger than a body may be."""
    is_raw = coding == "deflate" and not _begins_zlib(body)  # as some clients pack it
    wbits = -zlib.MAX_WBITS if is_raw else zlib.MAX_WBITS | 32
    parts, left = [], settings.body_bytes
    for _ in range(MOST_STREAMS):
        unpacker = zlib.decompressobj(wbits=wbits)
        try:
            parts.append(unpacker.decompress(body, left + 1))
        except zlib.error:
            raise InvalidValueError(
                "the body is not packed as its Content-Encoding says", remedy="send the picture as it is"
            ) from None
        left -= len(parts[-1])
        if left < 0:
            raise too_large(settings)
        if not unpacker.eof:
            raise InvalidValueError("the packed body ends early", remedy="send it again")
        body = unpacker.unused_data.lstrip(b"\0")
        if not body:
            return b"".join(parts)
    raise InvalidValueError(f"the body is packed in more than {MOST_STREAMS} streams", remedy="pack it in one")


def _begins_zlib(body: bytes) -> bool:
    """Whether the two bytes of a zlib stream's header stand at the start, by its method and check bits."""
    return len(body) > 1 and body[0] & 15 == zlib.DEFLATED and int.from_bytes(body[:2]) % 31 == 0


def _not_supported(coding: str) -> EyefirstError:
    return InvalidValueError(
        f"cannot read a body with Content-Encoding {coding[:20]!r}", remedy="send the picture as it is, or by gzip"
    )
