"""Thumbnails from a set of pictures: in parallel, resumable, one row per picture.

Every picture is decoded once, no larger than its thumbnails need, and analysed once for all sizes.
Files are written under temporary names and renamed: a killed run leaves no half file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from PIL import Image as PillowImage

from eyefirst.albums.album import AlbumRow, Journal, Task, settings_hash, work_through
from eyefirst.albums.product import ProductSettings, find_product, lay_out
from eyefirst.errors import InvalidValueError
from eyefirst.framing import FramingOptions
from eyefirst.geometry import AspectRatio, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import Animation, Decoded, Source, decode, load_animation, read_once
from eyefirst.network import check_revision, load_network
from eyefirst.plan import CropPlan
from eyefirst.render import ANIMATED, format_of, render_frame, write_picture
from eyefirst.requests import ObjectnessSaliencyRequest
from eyefirst.tools.crop import plan_from

JOURNAL = ".eyefirst.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbnailSettings:
    """What is made of every picture.

    sizes: each thumbnail has exactly one of these. format: an extension such as "webp". quality: of
    JPEG, WebP and AVIF, 1..100. options: how frames are chosen. product: lay the subject out on a canvas
    as catalogues do, instead of cutting a frame. revision: of the network.
    """

    sizes: tuple[Size, ...]
    format: str = "jpg"
    quality: int = 85
    options: FramingOptions = field(default_factory=FramingOptions)
    product: ProductSettings | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        if not self.sizes:
            raise InvalidValueError("expected at least one size, got none", remedy="e.g. 320x320")
        object.__setattr__(self, "sizes", tuple(dict.fromkeys(Size.parse(s) for s in self.sizes)))
        object.__setattr__(self, "format", self.format.lower().lstrip("."))
        object.__setattr__(self, "revision", check_revision(self.revision))
        format_of(Path("thumbnail"), self.format)


def make_thumbnails(
    tasks: Iterable[Task], out: str | os.PathLike[str], settings: ThumbnailSettings, *, workers: int | None = None
) -> Generator[AlbumRow, None, None]:
    """Makes what is missing or changed, as `work_through` does. Raises OutputError where `out` cannot be used."""
    folder = Path(out)
    journal = Journal(folder / JOURNAL, settings_hash(settings))
    return work_through(
        tasks, journal, lambda task: make_one(task.source, folder / task.target, settings), workers=workers
    )


def make_one(source: Source, target: Path, settings: ThumbnailSettings) -> tuple[list[Path], CropPlan]:
    """The thumbnails of one picture at `<target>_<size>.<format>`, and its plan: one decode, one analysis.

    An animation stays one where the format allows it, all its frames cut by one box.
    """
    source = read_once(source)
    pictures, plan = cut_one(source, settings)
    paths = [target.with_name(f"{target.name}_{size}.{settings.format}") for size in settings.sizes]
    for picture, path in zip(pictures, paths, strict=True):
        write_picture(picture, path, quality=settings.quality)
    return paths, plan


def cut_one(source: Source, settings: ThumbnailSettings) -> tuple[list[PillowImage.Image | Animation], CropPlan]:
    """`make_one` without the writing: the thumbnails in the order of the sizes, and the plan."""
    network = load_network(settings.revision)
    needed = None if settings.product else partial(_pixels_needed, settings.sizes, network.input_side)
    decoded = decode(source, at_least=needed)
    ratios = [AspectRatio.parse(size) for size in settings.sizes]
    handler = ImageRequestHandler(decoded.image(), network=network)
    plan = plan_from(handler, ratios, options=settings.options)
    if settings.product:
        found = find_product(decoded.picture, handler.perform([ObjectnessSaliencyRequest()])[0])
        return [lay_out(decoded.picture, found, size, settings.product) for size in settings.sizes], plan
    moving = decoded.frame_count > 1 and format_of(Path("thumbnail"), settings.format) in ANIMATED
    whole = load_animation(source) if moving else None
    pictures: list[PillowImage.Image | Animation] = []
    for size, ratio in zip(settings.sizes, ratios, strict=True):
        frame = plan.frames[ratio][0]
        if decoded.picture.width * frame.box.width < size.width * decoded.size.width and _is_reduced(decoded):
            decoded = decode(source)  # a tight frame needs more pixels than could be known before
        cut = partial(render_frame, frame=frame, planned=decoded.size, size=size, pad=settings.options.pad)
        pictures.append(replace(whole, frames=tuple(map(cut, whole.frames))) if whole else cut(decoded.picture))
    return pictures, plan


def _pixels_needed(sizes: Sequence[Size], side: int, full: Size) -> Size:
    """How small the upright picture may be decoded so that no thumbnail has to be enlarged for it."""
    scale = side / min(full.width, full.height)
    for size in sizes:
        frame = AspectRatio.parse(size).largest_in(full)
        scale = max(scale, size.width / frame.width, size.height / frame.height)
    return Size(max(math.ceil(full.width * scale), 1), max(math.ceil(full.height * scale), 1))


def _is_reduced(decoded: Decoded) -> bool:
    return decoded.picture.size != (decoded.size.width, decoded.size.height)
