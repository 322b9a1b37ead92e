"""Where results go: one file, or names in a folder that never collide and never replace an input."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL.Image import Image as PillowImage

from eyefirst.cli.batch import STDIN, Named
from eyefirst.errors import InvalidValueError, OutputError
from eyefirst.geometry import AspectRatio, Size
from eyefirst.image import Animation
from eyefirst.render import FORMATS, format_of, resized, write_picture


class Outputs:
    """Names and writes the results of a batch.

    out: as the user gave it. sources: the rows of the batch, in order; their names decide those of the
    results. single: whether there is exactly one result. size: a size that each result is fitted into.
    """

    def __init__(
        self,
        out: str,
        sources: Sequence[Named],
        *,
        single: bool,
        format: str = "",
        quality: int = 88,
        size: Size | None = None,
        inputs: Sequence[str] = (),
    ) -> None:
        path = Path(out)
        if format:
            format_of(Path(f"picture.{format}"))
        if out == STDIN:
            raise InvalidValueError("pictures are not written to standard output", remedy="name a file or a folder")
        looks_like_file = path.suffix.lower() in FORMATS and not path.is_dir()
        if looks_like_file and not single:
            raise InvalidValueError("one file cannot hold several results", remedy="name a folder", source=out)
        self._file = path if looks_like_file else None
        self._folder = path
        self._format = format or None
        self._quality = quality
        self._size = size
        self._stems = dict(zip(map(id, sources), _stems([s.name for s in sources]), strict=True))
        self._inputs = {_identity(name) for name in (*inputs, *(s.name for s in sources))} - {None}

    def write(
        self, picture: PillowImage | Animation, source: Named, label: str, *, ratio: AspectRatio | None = None
    ) -> str:
        """Writes one result and returns its path. Raises OutputError."""
        animated = isinstance(picture, Animation)
        extension = self._format or ("webp" if animated else "jpg")
        path = self._file or self._folder / f"{self._stems[id(source)]}_{label}.{extension}"
        if _identity(str(path)) in self._inputs:
            raise OutputError("would replace a picture that is read", remedy="choose another OUT", source=str(path))
        if self._size and isinstance(picture, PillowImage):
            ratio = ratio or AspectRatio.parse((picture.width, picture.height))
            picture = resized(picture, ratio.largest_in(self._size))
        write_picture(picture, path, quality=self._quality, format=self._format)
        return str(path)

    def write_frames(self, frames: Mapping[str, Sequence[PillowImage | Animation]], source: Named) -> list[str]:
        """Writes the frames of a plan: `photo_16x9.jpg`, alternatives `photo_16x9_2.jpg`."""
        return [
            self.write(picture, source, _label(ratio, rank), ratio=AspectRatio.parse(ratio))
            for ratio, pictures in frames.items()
            for rank, picture in enumerate(pictures, 1)
        ]


def _label(ratio: str, rank: int) -> str:
    name = ratio.replace(":", "x")
    return f"{name}_{rank}" if rank > 1 else name


def _stems(names: Sequence[str]) -> list[str]:
    """The files' stems, in order; those that are taken already get -2, -3 and so on."""
    stems: list[str] = []
    taken: dict[str, int] = {}  # also on file systems that do not tell A from a
    for name in names:
        stem = given = "stdin" if name in (STDIN, "<bytes>") else Path(name).stem
        while stem.casefold() in taken:
            taken[given.casefold()] += 1
            stem = f"{given}-{taken[given.casefold()]}"
        taken[stem.casefold()] = 1
        stems.append(stem)
    return stems


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
