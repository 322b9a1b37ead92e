"""Source: from a path, bytes, a file object, an array or a Pillow picture to one `Opened` source."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from eyefirst.errors import (
    InvalidValueError,
    NotAPictureError,
    NotEnoughMemoryError,
    PictureNotFoundError,
    PictureTooLargeError,
    UnsupportedPictureError,
    reason_of,
)
from eyefirst.image.arrays import checked_array
from eyefirst.image.picture import Image

FILE_LIMIT_BYTES = 1 << 31
"""No file longer than this is read into memory."""

IN_MEMORY = ("<array>", "<picture>")
"""Names of pictures that came as pixels, so that their hash is of pixels too."""

Held: TypeAlias = PIL.Image.Image | NDArray[np.uint8] | Image
"""A picture that is in memory as pixels."""


class Opened:
    """A source that is read at most once and hashed at most once, however often it is decoded.

    `name` says in errors and plans what it is. `file` is what a Pillow picture reads from, until its pixels are
    loaded; a picture that is loaded has forgotten it. A path is read when its bytes are first needed; a file
    object is read at once. Everything in `eyefirst.image` that takes a source takes this too. Threads may
    share it.
    """

    __slots__ = ("_data", "_hash_held", "_lock", "_path", "_sha256", "file", "held", "name")

    def __init__(
        self,
        name: str,
        *,
        path: str | None = None,
        data: bytes | None = None,
        held: Held | None = None,
        hash_held: Callable[[Opened], str] | None = None,
    ) -> None:
        self.name = name
        self.held = held
        self.file: Any = getattr(held, "fp", None)
        self._path = path
        self._data = _not_empty(data, name) if data is not None else None
        self._hash_held = hash_held
        self._sha256 = held.sha256 if isinstance(held, Image) else ""
        self._lock = threading.RLock()

    @property
    def is_in_memory(self) -> bool:
        """Say whether the source came as pixels: an array, a Pillow picture or an `Image`. Then it has no bytes."""
        return self.held is not None

    @property
    def data(self) -> bytes:
        """Return the file's bytes. Raises PictureError when the file cannot be read."""
        with self._lock:
            if self._data is None:
                if self._path is None:
                    raise UnsupportedPictureError(
                        "came as pixels, so there are no bytes of a file", remedy="use `held`", source=self.name
                    )
                self._data = _not_empty(_read_path(self._path), self.name)
            return self._data

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the file's bytes; of a source in memory, of its shape and its upright sRGB pixels."""
        return self.sha256_by(self._hash_held if self.is_in_memory and self._hash_held else _hash_of_file)

    def sha256_by(self, find: Callable[[Opened], str]) -> str:
        """Return `sha256`, found by this function if nobody has found it yet."""
        with self._lock:
            if not self._sha256:
                self._sha256 = find(self)
            return self._sha256

    def __repr__(self) -> str:
        return f"Opened({self.name!r})"


Source: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | PIL.Image.Image | NDArray[np.uint8] | Image | Opened


def opened_from(source: Source, hash_held: Callable[[Opened], str]) -> Opened:
    """Open a source; one that is opened already is returned as it is.

    hash_held: finds the hash of a picture in memory. Raises InvalidValueError for anything that is no source.
    """
    given: Any = source
    if isinstance(given, Opened):
        return given
    if isinstance(given, Image):
        return Opened(given.name, held=given)
    if isinstance(given, np.ndarray):
        return Opened("<array>", held=checked_array(given), hash_held=hash_held)
    if isinstance(given, PIL.Image.Image):
        return Opened(str(getattr(given, "filename", "")) or "<picture>", held=given, hash_held=hash_held)
    return _opened_file(given)


def _opened_file(given: Any) -> Opened:
    """Open a path, bytes or a file object."""
    if isinstance(given, (bytes, bytearray, memoryview)):
        return Opened("<bytes>", data=bytes(given))
    if isinstance(given, (str, os.PathLike)):
        path = os.fsdecode(given)
        return Opened(path, path=path)
    if hasattr(given, "read"):
        name = getattr(given, "name", None)
        name = name if isinstance(name, str) else "<file>"
        return Opened(name, data=_read_file(given, name))
    raise InvalidValueError(
        f"expected a path, bytes, a binary file, an array or a Pillow picture, got {type(given).__name__}",
        remedy=_remedy_for(given),
    )


def _remedy_for(given: object) -> str:
    if given is None:
        return "check where it comes from: cv2.imread, for one, returns None for a file that it cannot read"
    if isinstance(given, Iterable) and not isinstance(given, (str, Mapping)):
        return "give one picture at a time, in a loop over them"
    if hasattr(given, "__array__") or hasattr(given, "__array_interface__"):
        return "convert it with numpy.asarray(...)"
    return "give the path of a file, or the picture itself"


def hash_of_pixels(pixels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the shape and the values of an array."""
    return _hash(repr(pixels.shape).encode(), np.ascontiguousarray(pixels).data)


def _hash_of_file(opened: Opened) -> str:
    return _hash(opened.data)


def _hash(*parts: bytes | memoryview) -> str:
    """Hash a source: the one place that does, so that a test can count."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _not_empty(data: bytes, name: str) -> bytes:
    if not data:
        raise NotAPictureError("is empty (0 bytes)", remedy="copy or download it again", source=name)
    return data


def _read_path(name: str) -> bytes:
    """Read a file by its path: the one place that does, so that a test can count."""
    try:
        with open(name, "rb") as file:
            status = os.fstat(file.fileno())
            # A device such as /dev/zero never ends; a pipe does.
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
                raise PictureNotFoundError("is not a regular file", remedy="give a picture's file", source=name)
            if status.st_size > FILE_LIMIT_BYTES:
                raise PictureTooLargeError(
                    f"has {status.st_size} bytes, more than the {FILE_LIMIT_BYTES} that are read at most",
                    remedy="make it smaller first",
                    source=name,
                )
            return file.read()
    except MemoryError as error:
        raise _too_much_to_hold(name) from error
    except FileNotFoundError:
        remedy = "download it first, nothing is fetched" if "://" in name else "check the path"
        raise PictureNotFoundError("there is no such file", remedy=remedy, source=name) from None
    except IsADirectoryError:
        raise PictureNotFoundError("is a folder", remedy="give a picture's file", source=name) from None
    except PermissionError:
        remedy = "give a file, not a folder" if os.path.isdir(name) else "ask for the right to read it"
        raise PictureNotFoundError("may not be read", remedy=remedy, source=name) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise PictureNotFoundError(
            f"cannot be read: {reason_of(error)}", remedy="check the path", source=name
        ) from error


def _read_file(file: Any, name: str) -> bytes:
    if not isinstance(file, io.TextIOBase):
        try:
            data = file.read()
            at_end = not data and file.seekable() and file.tell() > 0
        except AttributeError:  # not all that can be read can say where it stands
            at_end = False
        except MemoryError as error:
            raise _too_much_to_hold(name) from error
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            raise PictureNotFoundError(
                f"cannot be read: {reason_of(error)}", remedy="open the file for reading, and keep it open", source=name
            ) from error
        if at_end:
            raise NotAPictureError(
                "gives no bytes, because the file object stands at its end",
                remedy="call seek(0) on it first",
                source=name,
            )
        if isinstance(data, (bytes, bytearray, memoryview)):
            return bytes(data)
    raise InvalidValueError(
        "expected a file opened in binary mode, got text", remedy="open it with mode 'rb'", source=name
    )


def _too_much_to_hold(name: str) -> NotEnoughMemoryError:
    return NotEnoughMemoryError(
        "cannot be read, because the process has no memory left for the file",
        remedy="work on fewer pictures at once",
        source=name,
    )
