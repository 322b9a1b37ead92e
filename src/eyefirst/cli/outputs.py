"""Results of the commands: where they go, and in which format."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image as PillowImage

from eyefirst.cli.batch import STDIN, Named, Picture
from eyefirst.cli.guard import refuse, say, say_of_file, say_once
from eyefirst.cut import Crop
from eyefirst.files.formats import QUALITY, PictureFormat, first_frame_only, metadata_lost, plays_for_ever
from eyefirst.files.outputs import Outputs
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import Animation, Keep, read_metadata


class Results:
    """What a command writes of the pictures of its batch; the arguments are those of Outputs.

    sources: the rows of the batch. keep_format: whether a result has its source's format where nobody named one.
    still: of an animation only the first frame is drawn; that is said.
    """

    def __init__(
        self,
        out: str,
        sources: Sequence[Named],
        *,
        single: bool,
        format: str = "",
        name: str = "",
        quality: int | None = None,
        usual_quality: int = QUALITY,
        background: str = "white",
        overwrite: bool = False,
        inputs: Sequence[str] = (),
        keep_format: bool = False,
        still: bool = False,
        keep: Keep = "copyright",
    ) -> None:
        self._keep, self._still, self._metadata = keep_format, still, keep
        self._sources, self._stems = sources, dict[str, str]()
        self._lock = threading.Lock()
        self._outputs = Outputs(
            out,
            single=single,
            format=format,
            name=name,
            quality=quality,
            usual_quality=usual_quality,
            background=background,
            overwrite=overwrite,
            keep=keep,
            inputs=[*inputs, *(s.name for s in sources if s.name != STDIN)],
        )

    def format_of(self, handler: ImageRequestHandler) -> PictureFormat:
        """Return the format that results of this picture get."""
        return self._outputs.format_for(
            source=handler.image.format,
            has_alpha=handler.has_alpha,
            is_animated=handler.is_animated and not self._still,
            keep=self._keep,
        )

    def is_animated(self, handler: ImageRequestHandler) -> bool:
        """Whether results of this picture are animations; says so where only the first frame can be kept."""
        if not handler.is_animated:
            return False
        format = self.format_of(handler)
        if not format.has_frames:
            say(f"{handler.name}: {first_frame_only(format, handler.image.frame_count)}")
        return format.has_frames

    def _stem_of(self, picture: Named) -> str:
        """The name of a picture's results; that of an earlier run into this folder, where there was one."""
        with self._lock:
            if not self._stems:
                known = [s for s in self._sources if isinstance(s, Picture) and s.data is None and s.stem]
                names = self._outputs.names([(s.name, s.stem) for s in known])
                self._stems = dict(zip((s.name for s in known), names, strict=True)) or {"": ""}
        if not isinstance(picture, Picture):
            return self._stems.get(picture.name, Path(picture.name).stem)
        stem = self._stems.get(picture.name, picture.stem)
        return stem if picture.number == 1 else f"{stem}-{picture.number}"

    def write(
        self,
        result: PillowImage | Animation,
        handler: ImageRequestHandler,
        picture: Named,
        label: str,
        *,
        ratio: str = "",
        rank: int = 1,
    ) -> str:
        """Write one result of a picture and return its path. Raises OutputError."""
        say_of_file(handler)
        format = self.format_of(handler)
        if self._still and handler.is_animated:
            say_once(f"{picture.name}: the first of {handler.image.frame_count} frames is drawn")
        if isinstance(result, Animation) and (lost := plays_for_ever(format, result.plays)):
            say_once(f"{picture.name}: {lost}")
        metadata = read_metadata(handler.opened)
        if not format.has_metadata and metadata.has_of(self._metadata):
            say_once(f"{picture.name}: {metadata_lost(format)}")
        stem = self._stem_of(picture)
        return self._outputs.write(
            result,
            format,
            stem=stem,
            label=label,
            ratio=ratio,
            rank=rank,
            source_ext=os.path.splitext(picture.name)[1].lstrip("."),
            metadata=metadata,
        )

    def write_crops(self, crops: Sequence[Crop[Any]], handler: ImageRequestHandler, picture: Named) -> list[str]:
        """Write every crop of a picture, and say which are enlarged; return the paths. Raises OutputError."""
        written = []
        for one in crops:
            if one.enlarged > 1:
                say(f"{picture.name}: {one.ratio}: enlarged {one.enlarged:.1f} times; --no-enlarge avoids it")
            ratio = str(one.ratio).replace(":", "x")
            written.append(self.write(one.picture, handler, picture, one.label, ratio=ratio, rank=one.rank))
        return written


def drawings(
    out: str, batch: Sequence[Picture], *, format: str, name: str, quality: int | None, overwrite: bool
) -> Results | None:
    """Return where drawings on pictures go, one a picture; None where none are asked for."""
    if not out:
        options = {"--format": format, "--name": name, "--quality": quality, "--overwrite": overwrite}
        refuse("nothing is drawn without -o", options)
        return None
    return Results(
        out,
        batch,
        single=len(batch) == 1,
        format=format,
        name=name,
        quality=quality,
        overwrite=overwrite,
        still=True,
    )
