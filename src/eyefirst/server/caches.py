"""What was made before: plans in memory, and plans and results in a folder, both within limits."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from eyefirst import __version__
from eyefirst.errors import InvalidPlanError, InvalidValueError, OutputError, PictureNotFoundError, reason_of
from eyefirst.files.whole import remove_stale, written_whole
from eyefirst.handler import ImageRequestHandler
from eyefirst.plan import CropPlan
from eyefirst.tools.planning import CropOrder

LOG = logging.getLogger("uvicorn.error")
JSON = "application/json"
LEFT = 0.9
"""Share of the limit that remains when old files have made room for new ones."""
COUNTED = 0.05
"""Share of the limit after which the folder is counted anew: other processes write into it too."""


class DiskCache:
    """Files in a folder, by a digest of what they were made from. The files that were read least lately go first.

    folder: is made where it is missing, for this user alone. Only files with names that this class gives are counted
    or removed. most_bytes: of all files together; a little more while several processes write. Threads and
    processes may share it. Raises InvalidValueError for a folder that cannot be used. A file that cannot be
    written later is logged and not kept.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._lock = threading.Lock()
        self._new_bytes = most_bytes  # so that the first file that is kept has the folder counted
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidValueError(
                f"the folder of results cannot be made: {reason_of(error)}", remedy="name another", source=str(folder)
            ) from None
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise InvalidValueError("the folder of results is not for us", remedy="name another", source=str(folder))

    def get(self, digest: str) -> tuple[str, bytes] | None:
        """Return media type and bytes; None where nothing was kept. digest: 64 hexadecimal digits."""
        path = self._path(digest)
        try:
            kind, _, data = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        with contextlib.suppress(OSError):  # another process may have removed it meanwhile
            os.utime(path)
        return kind.decode("ascii", "replace"), data

    def put(self, digest: str, media_type: str, data: bytes) -> None:
        """Keep a file, and remove old ones where there is no room."""
        if len(data) > self._most * LEFT:
            return
        try:
            with written_whole(self._path(digest)) as file:
                file.write(media_type.encode() + b"\n" + data)
        except OutputError as error:
            LOG.warning("a result is not kept: %s", error)
            return
        with self._lock:
            self._new_bytes += len(data)
            if self._new_bytes > self._most * COUNTED:
                self._make_room()
                self._new_bytes = 0

    def _make_room(self) -> None:
        files = []
        for entry in (e for shelf in _folders_in(self._folder) for e in os.scandir(shelf)):
            with contextlib.suppress(OSError):
                if re.fullmatch(r"[0-9a-f]{64}", entry.name):
                    status = entry.stat(follow_symlinks=False)
                    files.append((status.st_mtime_ns, status.st_size, entry.path))
                else:
                    remove_stale(entry.path)
        total = sum(size for _, size, _ in files)
        if total <= self._most * (1 - COUNTED):
            return
        for _, size, path in sorted(files):
            if total <= self._most * LEFT:
                return
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            total -= size

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


def _folders_in(folder: Path) -> list[str]:
    return [e.path for e in os.scandir(folder) if re.fullmatch(r"[0-9a-f]{2}", e.name) and e.is_dir()]


class Sent:
    """Pictures that were sent lately, with what was seen in them, so that they need not be sent again.

    most_bytes: of all together; the ones that nobody asks about go first. Used on the event loop only.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held: OrderedDict[str, tuple[ImageRequestHandler, int]] = OrderedDict()
        self._bytes = 0

    def get(self, sha256: str) -> ImageRequestHandler:
        """Return a handler of the picture with this hash. Raises PictureNotFoundError."""
        if sha256 not in self._held:
            raise PictureNotFoundError(
                "the picture is not here, or not any more", remedy="send it as the body", source="the picture"
            )
        self._held.move_to_end(sha256)
        return self._held[sha256][0].again()

    def keep(self, handler: ImageRequestHandler) -> None:
        """Hold a picture on, with all that has been seen in it."""
        size = handler.held_bytes
        if size > self._most // 2:
            return
        sha256 = handler.opened.sha256
        self._bytes += size - self._held.pop(sha256, (handler, 0))[1]
        self._held[sha256] = (handler.again(), size)
        while self._bytes > self._most:
            self._bytes -= self._held.popitem(last=False)[1][1]


class Plans:
    """Plans that were made before, by the picture's bytes and what was asked; the newest `most` of them in memory.

    disk: where all of them are kept beyond that. on_found: called for each plan that was at hand.
    """

    def __init__(self, most: int, disk: DiskCache | None = None, on_found: Callable[[], object] = lambda: None) -> None:
        self._most, self._disk, self._on_found = most, disk, on_found
        self._plans: OrderedDict[str, CropPlan] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, order: CropOrder, handler: ImageRequestHandler) -> CropPlan:
        """Return the plan for the picture that a handler holds, made anew only where it is not at hand."""
        asked = (order.ratios, order.alternatives, order.options, order.detectors, order.revision)
        text = f"plan|{__version__}|{handler.opened.sha256}|{handler.name}|{handler.pixel_limit}|{asked!r}"
        key = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        with self._lock:
            known = self._plans.get(key)
            if known is not None:
                self._plans.move_to_end(key)
        if known is None:
            known = self._on_disk(key)
            if known is not None:
                self._remember(key, known)
        if known is not None:
            self._on_found()
            return known
        made = order.plan(handler)
        self._remember(key, made)
        if self._disk:
            self._disk.put(key, JSON, made.to_json().encode("utf-8", "surrogateescape"))
        return made

    def _on_disk(self, key: str) -> CropPlan | None:
        found = self._disk.get(key) if self._disk else None
        if found is None:
            return None
        try:
            return CropPlan.from_json(found[1].decode("utf-8", "surrogateescape"))
        except (InvalidPlanError, UnicodeError) as error:
            LOG.warning("a plan that was kept cannot be read and is made anew: %s", error)
            return None

    def _remember(self, key: str, plan: CropPlan) -> None:
        if not self._most:
            return
        with self._lock:
            self._plans[key] = plan
            while len(self._plans) > self._most:
                self._plans.popitem(last=False)
