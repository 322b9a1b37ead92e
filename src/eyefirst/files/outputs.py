"""Where results go: one file that the user named, or names below a folder that eyefirst chooses."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from PIL import Image as PillowImage

from eyefirst.colours import parse_colour
from eyefirst.cut import still_of
from eyefirst.errors import InvalidValueError, OutputError
from eyefirst.files.encode import encode
from eyefirst.files.formats import (
    KNOWN,
    QUALITY,
    SPELLINGS,
    PictureFormat,
    check_metadata,
    check_quality,
    format_for,
    format_named,
    format_of,
)
from eyefirst.files.ledger import Ledger
from eyefirst.files.names import NameTemplate, name_key
from eyefirst.files.whole import identity, written_whole
from eyefirst.geometry import Size
from eyefirst.image import Animation, Keep, Metadata


class Targets:
    """The names of a run's results, and what they may replace.

    out: a file where there is one result (`single`), otherwise a folder. name: a template, see NameTemplate.
    overwrite: replace files that eyefirst did not write. inputs: paths that are read, and are never replaced.
    endings: of the files that can be written. kind: what these are.

    A file that the user names is replaced. A name that eyefirst chooses replaces only what eyefirst wrote.
    Safe to share between threads. Raises InvalidValueError and OutputError.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        *,
        single: bool = False,
        name: str = "",
        overwrite: bool = False,
        inputs: Iterable[str] = (),
        endings: Collection[str] = SPELLINGS,
        kind: str = "picture",
    ) -> None:
        self.file = Path(out) if names_a_file(os.fspath(out), endings, kind) else None
        self.folder = Path(out)
        self._kind = kind
        if self.file:
            if not single:
                raise InvalidValueError(
                    "one file cannot hold several results", remedy="name a folder", source=os.fspath(out)
                )
            if name:
                raise InvalidValueError("--name is for folders of results", remedy="leave out --name, or name a folder")
        self._template = NameTemplate(name) if name else NameTemplate()
        self._overwrite = overwrite
        self._inputs = {identity(i) for i in inputs} - {None}
        self._lock = threading.Lock()
        self._ledger: Ledger | None = None
        self._taken: dict[str, str] = {}

    def names(self, wanted: Sequence[tuple[str, str]]) -> list[str]:
        """Return the names of the sources' results that they had before in this folder; see `Ledger.names`."""
        return [name for _, name in wanted] if self.file else self._ledger_here().names(wanted)

    def path_for(
        self, *, stem: str, label: str, ratio: str = "", rank: int = 1, size: Size, ext: str, source_ext: str = ""
    ) -> Path:
        """Return the path of one result; each is given out once.

        stem: the source's name below the output folder, without extension. label: what was made of it.
        """
        path = self.file
        if path is None:
            path = self.folder / self._template.fill(
                stem=stem,
                label=label,
                ratio=ratio or label,
                rank=rank,
                size=size,
                ext=ext,
                source_ext=source_ext,
            )
            self._take(path, stem, label)
        if identity(path) in self._inputs:
            raise OutputError(
                f"would replace a {self._kind} that is read", remedy="choose another output", source=str(path)
            )
        return path

    def check_free(self, path: Path) -> None:
        """Raise OutputError where a result may not have this path, which `path_for` gave."""
        if not self.file:
            self._ledger_here().check_free(path, overwrite=self._overwrite)

    def rename(self, temporary: Path, path: Path) -> None:
        """Give a finished file the path that `path_for` gave."""
        if self.file:
            temporary.replace(path)
        else:
            self._ledger_here().renaming(overwrite=self._overwrite)(temporary, path)

    def _take(self, path: Path, stem: str, label: str) -> None:
        """Refuse a name that another result of this run has already."""
        key, owner = name_key(os.path.normcase(path)), f"{stem} {label}"
        with self._lock:
            if self._taken.setdefault(key, owner) != owner:
                raise OutputError(
                    f"is the name of another result too, of {self._taken[key]}",
                    remedy="add {label}, {ratio} or {source_ext} to --name",
                    source=str(path),
                )

    def _ledger_here(self) -> Ledger:
        with self._lock:
            if self._ledger is None:
                self._ledger = Ledger(self.folder)
            return self._ledger

    def close(self) -> None:
        """End the use of the folder's ledger."""
        if self._ledger:
            self._ledger.close()


class Outputs(Targets):
    """Names, encodes and writes the pictures of a run.

    format: an extension such as "webp"; by default as the file's name ends, or as `format_for` says. keep: how much
    of a picture's metadata goes along. The rest is explained at Targets.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        *,
        single: bool = False,
        format: str = "",
        name: str = "",
        quality: int | None = None,
        usual_quality: int = QUALITY,
        background: str = "white",
        overwrite: bool = False,
        keep: Keep = "copyright",
        inputs: Iterable[str] = (),
    ) -> None:
        if os.fspath(out) == "-":
            raise InvalidValueError("pictures are not written to standard output", remedy="name a file or a folder")
        super().__init__(out, single=single, name=name, overwrite=overwrite, inputs=inputs)
        self._format = format_named(format) if format else None
        if self.file:
            written = format_of(self.file)
            if self._format and self._format is not written:
                raise InvalidValueError(
                    f"the file's name says {written.name}, the format says {self._format.name}",
                    remedy="leave out --format, or change the name",
                    source=os.fspath(out),
                )
            self._format = written
        check_quality(self._format, quality)
        check_metadata(self._format, keep)
        parse_colour(background)
        if background != "white" and self._format and self._format.has_alpha:
            raise InvalidValueError(
                f"{self._format.name} holds transparency, so --background would have no effect",
                remedy="leave it out, or name the format jpg or bmp",
            )
        self._quality = usual_quality if quality is None else quality
        self._background = background
        self._keep = keep

    def format_for(self, *, source: str, has_alpha: bool, is_animated: bool, keep: bool = False) -> PictureFormat:
        """Return the format of a result: the one that the user asked for, else the default. See `format_for`."""
        return self._format or format_for(source=source, has_alpha=has_alpha, is_animated=is_animated, keep=keep)

    def write(
        self,
        picture: PillowImage.Image | Animation,
        format: PictureFormat,
        *,
        stem: str,
        label: str,
        ratio: str = "",
        rank: int = 1,
        source_ext: str = "",
        metadata: Metadata | None = None,
    ) -> str:
        """Write one result and return its path; see `path_for`."""
        path = self.path_for(
            stem=stem,
            label=label,
            ratio=ratio,
            rank=rank,
            size=Size(*still_of(picture).size),
            ext=format.extension,
            source_ext=source_ext,
        )
        data = encode(
            picture, format, quality=self._quality, background=self._background, metadata=metadata, keep=self._keep
        )
        self.check_free(path)
        with written_whole(path, rename=self.rename) as out:
            out.write(data)
        return str(path)


def write_picture(
    picture: PillowImage.Image | Animation,
    path: str | os.PathLike[str],
    *,
    quality: int = QUALITY,
    background: str = "white",
    metadata: Metadata | None = None,
    keep: Keep = "copyright",
) -> None:
    """Write a picture to a file that the caller names, in the format that its extension names.

    The file is written whole or not at all, and replaces one of that name. The other arguments are those of
    `encode`. Raises InvalidValueError for an unknown format, colour or `keep`, OutputError where the file cannot be
    written.
    """
    target = Path(path)
    data = encode(picture, format_of(target), quality=quality, background=background, metadata=metadata, keep=keep)
    with written_whole(target) as out:
        out.write(data)


def names_a_file(out: str, endings: Collection[str] = SPELLINGS, kind: str = "picture") -> bool:
    """Whether an output is a file; else it is a folder.

    A folder is what exists as one, what ends in "/", and what has no extension with a letter in it. endings: those
    of the files that can be written, without a dot. kind: what these are. Raises InvalidValueError for any other
    extension.
    """
    if os.path.isdir(out) or out.endswith(("/", os.sep)):
        return False
    suffix = Path(out).suffix
    if not re.fullmatch(r"\.[0-9]*[A-Za-z][A-Za-z0-9]{0,6}", suffix):
        return False
    if suffix.lower().removeprefix(".") not in endings:
        raise InvalidValueError(
            f"cannot write a {kind} ending in {suffix!r}",
            remedy=f"use one of {KNOWN if endings is SPELLINGS else ', '.join(endings)}; "
            "for a folder of that name add / at its end",
            source=out,
        )
    return True
