"""Every error that eyefirst raises.

    EyefirstError                     code
    ├── PictureError                                 the picture cannot be used
    │   ├── PictureNotFoundError      picture_not_found
    │   ├── NotAPictureError          not_a_picture
    │   ├── TruncatedPictureError     truncated_picture
    │   ├── PictureTooLargeError      picture_too_large
    │   │   └── NotEnoughMemoryError  not_enough_memory      also a MemoryError
    │   ├── UnsupportedPictureError   unsupported_picture
    │   └── NoSubjectError            no_subject             nothing stands out in it
    ├── InvalidValueError             invalid_value          also a ValueError
    │   ├── InvalidBoxError           invalid_box
    │   ├── InvalidAspectRatioError   invalid_aspect_ratio
    │   └── InvalidPlanError          invalid_plan
    ├── NetworkError                                 the network cannot be used
    │   ├── UnknownRevisionError      unknown_revision
    │   ├── WeightsError              weights
    │   └── NetworkMismatchError      network_mismatch
    ├── MissingExtraError             missing_extra          also an ImportError
    ├── OutputError                   output                 a file cannot be written
    ├── ServiceError                  service                the service refuses a request
    │   ├── BusyError                 busy
    │   ├── TimeLimitError            time_limit
    │   ├── BodyTooLargeError         body_too_large
    │   ├── ClientTooSlowError        client_too_slow
    │   ├── UnauthorizedError         unauthorized
    │   ├── WrongHostError            wrong_host
    │   │   └── OtherSiteError        other_site
    │   ├── MalformedRequestError     malformed_request
    │   ├── SignatureError            bad_signature
    │   │   └── ExpiredSignatureError expired_signature
    │   ├── AddressRefusedError       address_refused
    │   └── OriginError               origin
    └── CancelledError                cancelled              the caller gave up

    EnlargedWarning                                          a UserWarning: a result was enlarged

Every error says what was expected, what came, and what to do next. `code` never changes, so that
programs can tell errors apart; `to_dict()` is what the command line and the service print.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class EyefirstError(Exception):
    """Base of all errors of this package.

    `reason` says what is wrong, `remedy` what to do next, `source` which file or argument it is about.
    """

    code: ClassVar[str] = "error"

    def __init__(self, reason: str, *, remedy: str = "", source: str = "") -> None:
        self.reason = reason
        self.remedy = remedy
        self.source = source
        super().__init__(reason, remedy, source)

    def __str__(self) -> str:
        """One line: source, reason, remedy."""
        line = f"{self.source}: {self.reason}" if self.source else self.reason
        return f"{line}; {self.remedy}" if self.remedy else line

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders whole."""
        return (_rebuild, (type(self), self.reason, self.remedy, self.source))

    def to_dict(self) -> dict[str, str]:
        """Code, source, reason and remedy, for JSON."""
        return {"code": self.code, "source": self.source, "reason": self.reason, "remedy": self.remedy}


def _rebuild(kind: type[EyefirstError], reason: str, remedy: str, source: str) -> EyefirstError:
    return kind(reason, remedy=remedy, source=source)


class PictureError(EyefirstError):
    """The picture cannot be used."""

    code = "picture"


class PictureNotFoundError(PictureError):
    """No readable file is there."""

    code = "picture_not_found"


class NotAPictureError(PictureError):
    """The bytes are not a picture in a format that can be read."""

    code = "not_a_picture"


class TruncatedPictureError(PictureError):
    """The picture begins well and then ends early or is damaged."""

    code = "truncated_picture"


class PictureTooLargeError(PictureError):
    """The picture has more pixels than the limit allows."""

    code = "picture_too_large"


class NotEnoughMemoryError(PictureTooLargeError, MemoryError):
    """The picture is within the limit, but this process has no memory left for its pixels."""

    code = "not_enough_memory"


class UnsupportedPictureError(PictureError):
    """A real picture, of a kind that is not read: an array of another shape or dtype, an odd mode."""

    code = "unsupported_picture"


class NoSubjectError(PictureError):
    """Nothing stands out in the picture, so there is nothing to cut out."""

    code = "no_subject"


class InvalidValueError(EyefirstError, ValueError):
    """An argument is out of its range or of the wrong kind."""

    code = "invalid_value"


class InvalidBoxError(InvalidValueError):
    """Edges out of order or outside of the picture."""

    code = "invalid_box"


class InvalidAspectRatioError(InvalidValueError):
    """Not a ratio of two positive numbers."""

    code = "invalid_aspect_ratio"


class InvalidPlanError(InvalidValueError):
    """A plan that does not follow the published schema, or belongs to another picture."""

    code = "invalid_plan"


class NetworkError(EyefirstError):
    """The network cannot be used."""

    code = "network"


class UnknownRevisionError(NetworkError):
    """No network of that revision is known."""

    code = "unknown_revision"


class WeightsError(NetworkError):
    """A weights file is missing, or is not the one that its hash promises."""

    code = "weights"


class NetworkMismatchError(NetworkError):
    """A network's inputs or outputs are not what its mapping declares."""

    code = "network_mismatch"


class MissingExtraError(EyefirstError, ImportError):
    """A feature needs an extra that is not installed."""

    code = "missing_extra"

    @classmethod
    def for_extra(cls, extra: str, needed_for: str) -> MissingExtraError:
        """The error for one extra, with the command that installs it."""
        remedy = f"install eyefirst[{extra}]; in a clone: pip install '.[{extra}]'"
        return cls(f"{needed_for} needs the extra '{extra}'", remedy=remedy)


class OutputError(EyefirstError):
    """A file cannot be written."""

    code = "output"

    @classmethod
    def of(cls, error: OSError, path: str) -> OutputError:
        """The error of a file that the system refused, in its words."""
        remedy = "check the folder and the free space"
        if error.errno == errno.ENAMETOOLONG:
            remedy = "choose a shorter name or folder"
        return cls(f"cannot be written: {reason_of(error)}", remedy=remedy, source=path)


class EnlargedWarning(UserWarning):
    """A result has more pixels than what it is cut from, so it looks soft."""


class ServiceError(EyefirstError):
    """The service refuses a request."""

    code = "service"


class BusyError(ServiceError):
    """All workers are busy and the queue is full. `retry_after_seconds` says when to come back."""

    code = "busy"
    retry_after_seconds = 1


class TimeLimitError(ServiceError):
    """The work took longer than a request may."""

    code = "time_limit"


class BodyTooLargeError(ServiceError):
    """The body has more bytes than the limit allows."""

    code = "body_too_large"


class ClientTooSlowError(ServiceError):
    """The body did not arrive in time."""

    code = "client_too_slow"


class UnauthorizedError(ServiceError):
    """No API key came, or an unknown one."""

    code = "unauthorized"


class WrongHostError(ServiceError):
    """The request was meant for a host that the service does not answer for."""

    code = "wrong_host"


class MalformedRequestError(ServiceError):
    """The request breaks a rule of HTTP."""

    code = "malformed_request"


class OtherSiteError(WrongHostError):
    """A page of another site may not use the service."""

    code = "other_site"


class SignatureError(ServiceError):
    """The address is not signed by a key of the service."""

    code = "bad_signature"


class ExpiredSignatureError(SignatureError):
    """The signature was good once."""

    code = "expired_signature"


class AddressRefusedError(ServiceError):
    """The address may not be fetched: its origin is not allowed, or leads into a private network."""

    code = "address_refused"


class OriginError(ServiceError):
    """The origin did not give the picture."""

    code = "origin"


class CancelledError(EyefirstError):
    """The caller cancelled the work before it was done."""

    code = "cancelled"


def reason_of(error: Exception) -> str:
    """What the system or a library says of a failure, without its number and without the path once more."""
    return getattr(error, "strerror", None) or str(error)


def known_error(error: Exception) -> EyefirstError:
    """Return an error of this package as it is, any other one in its words: a border lets no traceback through."""
    if isinstance(error, EyefirstError):
        return error
    return EyefirstError(f"unexpected {type(error).__name__}: {error}", remedy="please report it with the picture")
