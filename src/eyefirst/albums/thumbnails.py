"""Thumbnails from a set of pictures: in parallel, resumable, one row per picture.

Every picture is decoded once, no larger than its thumbnails need, and analysed once for all sizes.
Files are written under temporary names and renamed: a killed run leaves no half file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage

from eyefirst.albums.catalogue import ProductSettings, enlargement, lay_out
from eyefirst.albums.journal import AlbumRow, Journal, Made, settings_hash, work_through
from eyefirst.albums.walk import Task
from eyefirst.cut import ENLARGED, check_pixels, cut_frames, pixels_expected, scaled_by
from eyefirst.detectors import load_detectors
from eyefirst.errors import InvalidValueError
from eyefirst.files.encode import encode, on_colour
from eyefirst.files.formats import (
    THUMBNAIL_QUALITY,
    PictureFormat,
    first_frame_only,
    format_named,
    metadata_lost,
    plays_for_ever,
)
from eyefirst.files.ledger import Ledger
from eyefirst.files.names import NameTemplate
from eyefirst.files.whole import written_whole
from eyefirst.framing import FramingOptions
from eyefirst.geometry import AspectRatio, Size, round_half_up
from eyefirst.handler import ImageRequestHandler, all_pixels
from eyefirst.image import Animation, Keep, Need, Source, open_source, read_metadata
from eyefirst.network import check_revision, load_network
from eyefirst.plan import CropPlan
from eyefirst.tools.cutout import NO_SHADOW, cutout_all, loses_shadow
from eyefirst.tools.matte import is_believed
from eyefirst.tools.planning import plan_from
from eyefirst.tools.product import find_product

SEEN = 8
"""A result whose values differ by less, of 255, shows nothing."""
DEFAULT_NAME = "{stem}_{width}x{height}.{ext}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThumbnailSettings:
    """What is made of every picture.

    sizes: each thumbnail has exactly one of these. format: an extension such as "webp". quality: of
    JPEG, WebP and AVIF, 1..100. options: how frames are chosen. detectors: names of those whose finds are
    kept whole, such as "faces". product: lay the subject out on a canvas
    as catalogues do, instead of cutting a frame. metadata: how much of the picture's goes along.
    revision: of the network. ratios: the exact ratios of sizes whose height is rounded, so that all widths of one
    ratio show the same frame. name: a template for the names, see NameTemplate.
    """

    sizes: tuple[Size, ...]
    format: str = "jpg"
    quality: int = THUMBNAIL_QUALITY
    options: FramingOptions = field(default_factory=FramingOptions)
    detectors: tuple[str, ...] = ()
    product: ProductSettings | None = None
    metadata: Keep = "copyright"
    revision: str | None = None
    ratios: tuple[AspectRatio, ...] = ()
    name: str = DEFAULT_NAME

    def __post_init__(self) -> None:
        if not self.sizes:
            raise InvalidValueError("expected at least one size, got none", remedy="for example 320x320")
        object.__setattr__(self, "ratios", tuple(AspectRatio.parse(r) for r in self.ratios))
        object.__setattr__(self, "sizes", tuple(dict.fromkeys(Size.parse(s) for s in self.sizes)))
        object.__setattr__(self, "format", self.format.lower().lstrip("."))
        object.__setattr__(self, "revision", check_revision(self.revision))
        format_named(self.format)
        if len(set(self.names_of("x"))) < len(self.sizes):
            raise InvalidValueError(
                f"the sizes would get one name by {self.name!r}", remedy="add {width} and {height} to --name"
            )

    def ratio_of_each(self) -> list[AspectRatio]:
        """Return the ratio of each size: the exact one that it is rounded from, or its own."""
        return [next((r for r in self.ratios if _at(r, s.width) == s), AspectRatio.parse(s)) for s in self.sizes]

    def names_of(self, target: str) -> list[str]:
        """Return the names of a picture's thumbnails, in the order of the sizes."""
        template, found = NameTemplate(self.name), list[str]()
        for size, ratio in zip(self.sizes, self.ratio_of_each(), strict=True):
            label = str(ratio).replace(":", "x")
            found.append(
                template.fill(
                    stem=target,
                    label=str(size),
                    ratio=label,
                    rank=1,
                    size=size,
                    ext=self.format,
                    source_ext="",
                )
            )
        return found


def sizes_of(sizes: Sequence[str], ratios: Sequence[str], widths: Sequence[int]) -> tuple[Size, ...]:
    """Return the sizes of a set: those that are named, and each ratio at each width. Raises InvalidValueError."""
    if bool(ratios) != bool(widths):
        raise InvalidValueError(
            "a ratio needs a width, and a width a ratio", remedy="add --ratio 16:9 --width 640, or use --size"
        )
    if not (sizes or ratios):
        raise InvalidValueError("no size was asked for", remedy="add --size 320x320, or --ratio 16:9 --width 640")
    named = [Size.parse(s) for s in sizes]
    return tuple(dict.fromkeys([*named, *(_at(AspectRatio.parse(r), w) for r in ratios for w in widths)]))


def _at(ratio: AspectRatio, width: int) -> Size:
    return Size(width, max(round_half_up(width / float(ratio)), 1))


def make_thumbnails(
    tasks: Iterable[Task],
    out: str | os.PathLike[str],
    settings: ThumbnailSettings,
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Generator[AlbumRow, None, None]:
    """Make what is missing or changed, as `work_through` does. Raises OutputError where `out` cannot be used.

    A picture keeps the names of its thumbnails from run to run. overwrite: replace files that eyefirst did not write.
    """
    folder = Path(out)
    load_detectors(settings.detectors)
    journal = Journal(folder, settings_hash(settings))

    def work(task: Task) -> Made:
        return _make(task.source, folder, task.target, settings, ledger=journal.ledger, overwrite=overwrite)

    named = journal.named(tasks)

    def rows() -> Generator[AlbumRow, None, None]:
        with closing(journal), closing(work_through(named, journal, work, workers=workers)) as found:
            yield from found

    return rows()


def make_one(source: Source, target: Path, settings: ThumbnailSettings) -> tuple[list[Path], CropPlan]:
    """Write the thumbnails of one picture to `<target>_<size>.<format>`; return their paths and the plan.

    One decode and one analysis serve all sizes. An animation stays one where the format allows it, all its frames
    cut by one box. Files of that name are replaced.
    """
    made = _make(source, target.parent, target.name, settings)
    return [path for path, _ in made.files], made.plan


def _make(
    source: Source,
    root: Path,
    target: str,
    settings: ThumbnailSettings,
    *,
    ledger: Ledger | None = None,
    overwrite: bool = False,
) -> Made:
    paths = [root / name for name in settings.names_of(target)]
    if ledger:
        for path in paths:
            ledger.check_free(path, overwrite=overwrite)
    opened = open_source(source)
    warnings: list[str] = []
    pictures, plan = cut_one(opened, settings, say=warnings.append)
    metadata = read_metadata(opened) if settings.metadata != "none" else None
    format = format_named(settings.format)
    if metadata and not format.has_metadata and metadata.has_of(settings.metadata):
        warnings.append(metadata_lost(format))
    files = []
    for picture, path in zip(pictures, paths, strict=True):
        data = encode(picture, format, quality=settings.quality, metadata=metadata, keep=settings.metadata)
        if ledger:
            files.append((path, ledger.write(path, data, overwrite=overwrite)))
            continue
        with written_whole(path) as out:
            out.write(data)
        files.append((path, hashlib.sha256(data).hexdigest()))
    return Made(tuple(files), plan, tuple(dict.fromkeys(warnings)))


def cut_one(
    source: Source, settings: ThumbnailSettings, *, say: Callable[[str], None] = lambda _: None
) -> tuple[list[PillowImage.Image | Animation], CropPlan]:
    """Return `make_one` without the writing: the thumbnails in the order of the sizes, and the plan.

    say: is told, in words, what the user should know.
    """
    network = load_network(settings.revision)
    ratios = settings.ratio_of_each()
    expects = None if settings.product else pixels_expected(ratios, settings.sizes)
    handler = ImageRequestHandler(source, network=network, expects=expects or all_pixels)
    plan = plan_from(handler, list(dict.fromkeys(ratios)), options=settings.options, detectors=settings.detectors)
    format = format_named(settings.format)
    animated = handler.is_animated and format.has_frames
    if handler.is_animated and not animated:
        say(first_frame_only(format, handler.image.frame_count))
    check_pixels(settings.sizes, handler.pixel_limit, handler.image.frame_count if animated else 1)
    if settings.product:
        made = _laid_out(handler, settings, settings.product, animated=animated, say=say)
    else:
        picture: Any = handler.animation() if animated else handler.picture(_needed(plan, settings)).picture
        frames = [(plan.frames[ratio][0], size) for size, ratio in zip(settings.sizes, ratios, strict=True)]
        for frame, size in frames:
            if (times := size.width / frame.size.width) > ENLARGED:
                say(f"{size}: the crop is enlarged {times:.1f} times, so it looks soft")
        made = cut_frames(picture, frames, planned=plan.size, pad=settings.options.pad)
    if made and isinstance(made[0], Animation) and (lost := plays_for_ever(format, made[0].plays)):
        say(lost)
    for remark in handler.file_remarks():  # now, for what is amiss with a later frame shows only when all are read
        say(remark)
    return made, plan


def _laid_out(
    handler: ImageRequestHandler,
    settings: ThumbnailSettings,
    product: ProductSettings,
    *,
    animated: bool,
    say: Callable[[str], None],
) -> list[PillowImage.Image | Animation]:
    """The catalogue pictures of all sizes."""
    objects = handler.look().objects
    found = find_product(handler.picture().picture, objects)
    whole: Any = handler.animation() if animated else handler.picture().picture
    if product.backdrop != "keep":
        if found.witness == "objectness":
            say("the backdrop is not even or has the product's colour, so the edge of the cut-out is an estimate")
            whole = cutout_all(handler, animated=animated)
        elif found.matte and not is_believed(found.matte, objects.heat_map.values):
            say("the product is hard to tell from its backdrop, so parts may be missing; look at the result")
    if product.shadow and loses_shadow(found):
        say(NO_SHADOW)
    if found.witness == "nothing":
        say("no product was found, so the whole picture is shown")
    for size in settings.sizes:
        times = enlargement(handler.picture().size, found, size, product)
        if times > ENLARGED:
            say(f"{size}: the product is enlarged {times:.1f} times, so it looks soft")
    laid = [lay_out(whole, found, size, product) for size in settings.sizes]
    if found.witness != "nothing" and any(_is_blank(one, format_named(settings.format)) for one in laid):
        say("the product has the colour of its backdrop, so nothing is seen; choose another --backdrop")
    return laid


def _is_blank(picture: PillowImage.Image | Animation, written: PictureFormat) -> bool:
    if isinstance(picture, Animation) or (written.has_alpha and picture.has_transparency_data):
        return False
    bands: Any = on_colour(picture, "white").convert("RGB").getextrema()
    return all(high - low < SEEN for low, high in bands)


def _needed(plan: CropPlan, settings: ThumbnailSettings) -> Need:
    """What the cuts of all sizes need together."""
    each = zip(settings.sizes, settings.ratio_of_each(), strict=True)
    return scaled_by(max(size.width / plan.frames[ratio][0].size.width for size, ratio in each))
