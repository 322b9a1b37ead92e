"""From a picture and what is asked of it to encoded crops, with a stop between any two steps that take time."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eyefirst.cut import cut_plan, pixels_needed
from eyefirst.errors import PictureTooLargeError
from eyefirst.files.encode import encode
from eyefirst.files.formats import AVIF, BMP, GIF, JPEG, PNG, TIFF, WEBP, PictureFormat
from eyefirst.geometry import Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import Keep, Metadata, read_metadata
from eyefirst.network import check_revision
from eyefirst.plan import CropPlan
from eyefirst.server.pool import Work
from eyefirst.tools.crop import check_planned
from eyefirst.tools.cutout import check_cutout, cutout_all

QUALITY: Mapping[str, int] = {"JPEG": 82, "WEBP": 80, "AVIF": 60}
"""Default quality of each lossy format. The scales differ: these look alike."""
AVIF_SPEED = 9
"""Speed of the AVIF encoder: files are 1 to 5 % larger than at 8, in a third of the time."""
LEAST_QUALITY = 20
"""Lowest quality that a limit on bytes leads to."""
CUTOUT_PART = 4
"""How many times fewer pixels a picture may have to be cut out, which takes so many times the memory of a crop."""
NEGOTIATED = (AVIF, WEBP, JPEG)
"""Formats that a browser may choose from; of equals, the smaller file first."""
ON_DEMAND = (PNG, GIF, TIFF, BMP)
"""Formats for a client that names them, and does not take the usual one by a wildcard, as browsers do."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One encoded crop."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Encoding:
    """How crops are encoded.

    quality: of lossy formats, by Pillow's name of the format; QUALITY for those that are not named.
    background: the CSS colour behind transparency in a format without it. keep: how much of the metadata goes
    along. most_bytes: the largest file, as far as a quality of LEAST_QUALITY reaches; 0 for any.
    mark: draws on the picture before it is encoded.
    """

    quality: Mapping[str, int]
    background: str = "white"
    keep: Keep = "copyright"
    most_bytes: int = 0
    mark: Callable[[Any], Any] | None = None

    def encode(
        self, picture: Any, format: PictureFormat, metadata: Metadata | None = None, work: Work | None = None
    ) -> bytes:
        """Return the file of a picture or of an animation."""
        if self.mark:
            picture = self.mark(picture)
        quality = self.quality.get(format.name, QUALITY.get(format.name, 100))
        data = self._at(quality, picture, format, metadata)
        if not self.most_bytes or not format.is_lossy or len(data) <= self.most_bytes or quality <= LEAST_QUALITY:
            return data
        low, high, best = LEAST_QUALITY, quality - 1, b""
        while low <= high:
            if work:
                work.go_on()
            middle = (low + high) // 2
            data = self._at(middle, picture, format, metadata)
            if len(data) <= self.most_bytes:
                low, best = middle + 1, data
            else:
                high = middle - 1
        return best or data

    def _at(self, quality: int, picture: Any, format: PictureFormat, metadata: Metadata | None) -> bytes:
        return encode(
            picture,
            format,
            quality=quality,
            background=self.background,
            metadata=metadata,
            keep=self.keep,
            speed=AVIF_SPEED,
        )


@dataclass(frozen=True, slots=True)
class Cutout:
    """The subject alone in place of the picture; fields as those of `eyefirst.cutout`. Raises InvalidValueError."""

    backdrop: str = "transparent"
    shadow: bool = False
    revision: str | None = None

    def __post_init__(self) -> None:
        self.check()
        check_revision(self.revision)

    def check(self, format: PictureFormat | None = None) -> None:
        """Raise InvalidValueError where a format does not hold the transparency that is asked for."""
        check_cutout(self.backdrop, self.shadow, format)

    @property
    def has_alpha(self) -> bool:
        """Whether the subject has nothing behind it."""
        return self.backdrop == "transparent"

    def of(self, handler: ImageRequestHandler, *, animated: bool) -> Any:
        """Return the subject of a handler's picture. Raises PictureTooLargeError, NoSubjectError."""
        image = handler.image
        pixels, most = image.size.pixels * (image.frame_count if animated else 1), handler.pixel_limit // CUTOUT_PART
        if pixels > most:
            raise PictureTooLargeError(
                f"has {pixels:,} pixels, more than the limit of {most:,} for cut-outs",
                remedy="send a smaller picture",
                source=handler.name,
            )
        return cutout_all(
            handler, backdrop=self.backdrop, shadow=self.shadow, revision=self.revision, animated=animated
        )


def stays_animated(handler: ImageRequestHandler) -> bool:
    """Whether an animation is cut as one. Where its frames have more pixels in all than the limit, the first one is."""
    return handler.is_animated and handler.image.frame_count * handler.image.size.pixels <= handler.pixel_limit


def pixels_of(
    handler: ImageRequestHandler,
    format: PictureFormat,
    need: Callable[[Size], Size] | None,
    cutout: Cutout | None = None,
) -> Any:
    """Return the picture or the animation that results are cut from. need: how small it may be decoded."""
    animated = format.has_frames and stays_animated(handler)
    if cutout:
        return cutout.of(handler, animated=animated)
    return handler.animation() if animated else handler.picture(need).picture


def cut_all(
    handler: ImageRequestHandler,
    plan: CropPlan,
    format: PictureFormat,
    encoding: Encoding,
    work: Work,
    *,
    size: Size | None = None,
    enlarge: bool = True,
    cutout: Cutout | None = None,
) -> list[Cut]:
    """Return every frame of a plan, cut and encoded one after the other, so that work can stop in between.

    The pixels are those of `eyefirst.tools.crop.crops_of`; those of the subject alone where a cut-out is wanted.
    Raises CancelledError where nobody waits any more.
    """
    check_planned(plan, handler)
    work.go_on()
    picture = pixels_of(handler, format, pixels_needed(plan, size), cutout)
    metadata = read_metadata(handler.opened)
    work.go_on()
    cuts = []
    for one in cut_plan(plan, picture, size=size, enlarge=enlarge, pixel_limit=handler.pixel_limit):
        work.go_on()
        data = encoding.encode(one.picture, format, metadata, work)
        cuts.append(Cut(f"{one.label}.{format.extension}", format.media_type, data))
        work.go_on()
    return cuts


def wishes(accept: str) -> dict[str, float]:
    """Return media types of an Accept header and how much each is wanted, 0..1; 0 where the header is wrong."""
    wanted: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (p.strip() for p in part.split(";"))
        share = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        wanted[name] = float(share) if re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", share, re.ASCII) else 0.0
    return wanted


@lru_cache(maxsize=64)
def negotiated(accept: str, *, has_alpha: bool = False, is_animated: bool = False) -> PictureFormat:
    """Return the format that an Accept header wants most, of those that keep transparency and frames.

    AVIF and WebP have to be named. The usual format, which everybody reads, is meant by wildcards too: JPEG, GIF for
    an animation, or PNG where there is transparency. Where the client names the usual format or takes no wildcard,
    others that it names compete with it. A client that takes no format with frames gets a still.
    """
    wanted = wishes(accept)
    anything = wanted.get("image/*", wanted.get("*/*", 0.0))
    usual = PNG if has_alpha else GIF if is_animated else JPEG
    all_named = usual.media_type in wanted or not anything
    shares = {
        f: wanted.get(f.media_type, anything if f is usual else 0.0)
        for f in (*NEGOTIATED, *ON_DEMAND)
        if (f.has_alpha or not has_alpha)
        and (f.has_frames or not is_animated)
        and (all_named or f is usual or f not in ON_DEMAND)
    }
    if any(shares.values()):
        return max(shares, key=lambda f: shares[f])
    if is_animated:
        return negotiated(accept, has_alpha=has_alpha)
    return next((f for f in (usual, PNG, WEBP, JPEG) if wanted.get(f.media_type) != 0.0), usual)


def possible_formats(named: PictureFormat | None, accept: str) -> str:
    """Return the names of the formats that `format_for` chooses from, whatever the picture."""
    if named:
        return named.name
    kinds = [(has_alpha, is_animated) for has_alpha in (False, True) for is_animated in (False, True)]
    return "+".join(negotiated(accept, has_alpha=a, is_animated=m).name for a, m in kinds)


def format_for(
    named: PictureFormat | None, accept: str, handler: ImageRequestHandler, cutout: Cutout | None = None
) -> PictureFormat:
    """Return the format that was named, or what the client prefers and what keeps transparency and frames."""
    format = named or negotiated(accept)
    if named or (format.has_alpha and format.has_frames):
        return format
    return negotiated(accept, has_alpha=(cutout or handler).has_alpha, is_animated=stays_animated(handler))


def zipped(cuts: Sequence[Cut]) -> bytes:
    """Return a zip of all; without a time of day, so that the same crops have the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for cut in cuts:
            archive.writestr(zipfile.ZipInfo(cut.name), cut.data)
    return out.getvalue()
