"""A detector for Thumbor (the extra `[thumbor]`): its `/smart/` crops go where people look.

    # thumbor.conf
    DETECTORS = ["eyefirst.integrations.thumbor_detector"]

Thumbor crops round the centre of mass of the focal points that its detectors find, and its storage may keep those
for every later size of the picture. So where points are kept, there is one that serves frames of every ratio as
well as one point can (`Framer.anchor`). Where nothing keeps them, it is the middle of the very frame that
`plan_crops` would choose for this request, inside its manual crop.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image as PillowImage

from eyefirst.errors import MissingExtraError, UnsupportedPictureError
from eyefirst.framing import FramingOptions
from eyefirst.geometry import AspectRatio, PixelBox, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.tools.planning import anchor_from, plan_from

try:
    from thumbor.config import Config
    from thumbor.detectors import BaseDetector
    from thumbor.point import FocalPoint
    from thumbor.storages.no_storage import Storage as NoStorage
    from thumbor.utils import logger
except ImportError as error:
    raise MissingExtraError.for_extra("thumbor", "a detector for Thumbor") from error

Config.define(
    "EYEFIRST_PREFER",
    None,
    "What counts most where a crop cannot hold everything: 'faces', 'subjects', 'attention' or 'text'.",
    "Detectors",
)
ORIGIN = "eyefirst"
"""What the focal point says of where it comes from, in Thumbor's `/meta/` and in its storage."""
MODES = {"RGB": "RGB", "BGR": "RGB", "RGBA": "RGBA", "BGRA": "RGBA"}
"""How an engine may order its colours, and what Pillow makes of that."""
ENOUGH_PIXELS = 544
"""Of the shorter side; a larger picture is averaged down to between this and twice this before it is looked at."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request will cut: the part of the picture, and the ratio of the frame in it; None where none is cut."""

    part: PixelBox
    ratio: AspectRatio | None


class Detector(BaseDetector):
    """Adds one focal point. What goes wrong is logged, and the next detector gets its turn."""

    async def detect(self) -> None:
        """Looks at the picture as Thumbor's own engine decoded it, in Thumbor's thread pool if it has one."""
        try:
            point = await self.context.thread_pool.queue(self._find)
        except Exception as error:  # no picture must fail because of its crop
            logger.warning("[eyefirst] no focal point of %s: %s", self.context.request.image_url, error)
            await self.next()
            return
        self.context.request.focal_points.append(point)

    def _find(self) -> FocalPoint:
        picture = self._picture()
        wanted = self._wanted(Size(*picture.size)) if self._forgets() else None
        part = wanted.part if wanted else PixelBox(0, 0, *picture.size)
        if part.size != Size(*picture.size):
            picture = picture.crop((part.left, part.top, part.right, part.bottom))
        handler = ImageRequestHandler(_reduced(picture), orientation=1)  # upright if Thumbor made it so
        if wanted and wanted.ratio:
            plan = plan_from(handler, wanted.ratio, options=self._options())
            place = plan.frames[wanted.ratio][0].box.normalized(plan.size).center
            box = plan.attention_box
        else:
            found = anchor_from(handler, "centre", options=self._options())
            place, box = found.point, found.attention_box
        looked_at = box.to_pixels(part.size)
        return FocalPoint(
            part.left + place.x * part.width,
            part.top + place.y * part.height,
            width=looked_at.width,
            height=looked_at.height,
            weight=looked_at.width * looked_at.height,  # as of other detectors: an area; it is stored as a whole number
            origin=ORIGIN,
        )

    def _options(self) -> FramingOptions:
        """As thumbor.conf wishes; the largest frame, as Thumbor cuts."""
        return FramingOptions(prefer=self.context.config.EYEFIRST_PREFER or None, fit="largest")

    def _picture(self) -> PillowImage.Image:
        """What the engine decoded: RGB, RGBA or grey."""
        engine = self.context.modules.engine
        if isinstance(engine.image, PillowImage.Image) and engine.image.mode in ("RGB", "RGBA", "L"):
            return engine.image  # spares two copies of a large picture
        mode, data = engine.image_data_as_rgb(update_image=False)
        if mode not in MODES:
            raise UnsupportedPictureError(f"the engine gave pixels of mode {mode}", remedy="use the Pillow engine")
        return PillowImage.frombuffer(MODES[mode], engine.size, data, "raw", mode, 0, 1)

    def _forgets(self) -> bool:
        """Whether no storage will give this point to a request of another ratio."""
        storage = self.context.modules.storage
        return storage is None or isinstance(getattr(storage, "detector_storage", storage), NoStorage)

    def _wanted(self, size: Size) -> Wanted:
        """The request's manual crop, as far as the picture reaches, and the ratio that it asks for."""
        request = self.context.request
        part = PixelBox(0, 0, size.width, size.height)
        if request.should_crop:
            left, right = (min(max(request.crop[side], 0), size.width) for side in ("left", "right"))
            top, bottom = (min(max(request.crop[side], 0), size.height) for side in ("top", "bottom"))
            if left < right and top < bottom:
                part = PixelBox(left, top, right, bottom)
        width = part.width if request.width == "orig" else request.width
        height = part.height if request.height == "orig" else request.height
        if not width or not height or request.fit_in or request.stretch:
            return Wanted(part, None)
        return Wanted(part, AspectRatio.parse((width, height)))


def _reduced(picture: PillowImage.Image) -> PillowImage.Image:
    """Averages whole blocks of what is much larger than a network needs."""
    factor = min(picture.size) // ENOUGH_PIXELS
    return picture.reduce(factor) if factor > 1 else picture
