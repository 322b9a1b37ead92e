"""Pictures in a store that fsspec knows: S3, Google Cloud Storage, Azure and others. Needs the extra `[fsspec]`."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from eyefirst.errors import EyefirstError, InvalidValueError, MissingExtraError, OriginError
from eyefirst.server.caches import DiskCache
from eyefirst.server.sources import not_found, parts_below, too_large

LOCAL = ("", "file", "local")


class Store:
    """A place in a store. Keys and addresses of the store come from its own environment variables and files.

    address: such as "s3://bucket/pictures". most_bytes: of one picture. kept: where pictures are kept, so that one
    that has not changed is not fetched again. Raises InvalidValueError, MissingExtraError.
    """

    def __init__(self, address: str, most_bytes: int, kept: DiskCache | None = None) -> None:
        if urlsplit(address).scheme in LOCAL or "::" in address:
            raise InvalidValueError(
                f"expected a store such as s3://bucket/pictures, got {address!r}", remedy="use --root for a folder"
            )
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415 - comes with an extra
        except ModuleNotFoundError as error:
            raise MissingExtraError.for_extra("fsspec", "a store") from error
        try:
            self._files, base = url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise InvalidValueError(
                f"the store cannot be used: {error}", remedy="install what fsspec names, such as s3fs", source=address
            ) from error
        self._base, self._most, self._kept = base.rstrip("/"), most_bytes, kept

    def read(self, path: str) -> bytes:
        """Return a picture. Raises PictureNotFoundError, BodyTooLargeError, OriginError."""
        parts_below(path)
        full = f"{self._base}/{path}"
        try:
            about: dict[str, Any] = self._files.info(full)
            if about.get("type") != "file":
                raise not_found(path)
            if (about.get("size") or 0) > self._most:
                raise too_large(path, self._most)
            version = hashlib.sha256(repr(sorted(about.items(), key=str)).encode()).hexdigest()
            digest = hashlib.sha256(f"store|{full}".encode()).hexdigest()
            former = self._kept.get(digest) if self._kept else None
            if former and former[0] == version:
                return former[1]
            data = bytes(self._files.cat_file(full, start=0, end=self._most + 1))
        except EyefirstError:
            raise
        except (FileNotFoundError, PermissionError, IsADirectoryError):
            raise not_found(path) from None
        except Exception as error:  # each store has its own, such as botocore's for one that cannot be reached
            raise OriginError(
                f"the store did not give the picture ({type(error).__name__})", remedy="try again", source=path
            ) from error
        if len(data) > self._most:
            raise too_large(path, self._most)
        if self._kept:
            self._kept.put(digest, version, data)
        return data
