"""From a Wagtail picture to its focal point.

Wagtail lays a crop so that the focal point has the same share of what is cut off on both sides, as CSS
`object-position` does. Then it moves the crop to hold the focal area whole. So the area lies inside the box where
people look first, and is half as wide and high. Its middle is as near as possible to the point that serves frames of
every ratio best under that rule (`Framer.anchor`).
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.conf import settings
from django.db import models, transaction
from wagtail.images.rect import Rect

from eyefirst.errors import EyefirstError, PictureNotFoundError, known_error
from eyefirst.framing import FramingOptions
from eyefirst.geometry import round_half_up
from eyefirst.handler import ImageRequestHandler
from eyefirst.tools.planning import anchor_from

FIELDS = ("focal_point_x", "focal_point_y", "focal_point_width", "focal_point_height")
AREA = 0.5
"""Of the width and the height of the attention box. A larger area moves crops away from their best places; zooming
crops such as `fill-200x200-c100` go no closer than to it."""
MISSING = models.Q(*((f"{name}__isnull", True) for name in FIELDS), _connector=models.Q.OR)
"""Pictures that Wagtail says have no focal point."""

logger = logging.getLogger("eyefirst")


def find_focal_point(image: Any) -> Rect:
    """Where to hold a picture: `image.set_focal_point(...)` takes it. In pixels of the upright picture.

    Raises PictureError, whatever the storage raises.
    """
    name = str(image.file.name)
    try:
        with image.open_file() as file:
            data = file.read()
    except Exception as error:  # storages raise errors of their own
        raise PictureNotFoundError(
            f"cannot be opened ({error})", remedy="check the storage, or upload it again", source=name
        ) from error
    handler = ImageRequestHandler(data)
    try:
        options = FramingOptions(prefer=getattr(settings, "EYEFIRST_PREFER", None))
        found = anchor_from(handler, "share", options=options)
    except EyefirstError as error:
        error.source = name
        raise
    size, box = handler.image.size, found.attention_box
    x, width = _inside(found.point.x, box.left, box.right, size.width)
    y, height = _inside(found.point.y, box.top, box.bottom, size.height)
    return Rect.from_point(x, y, width, height)


def _inside(place: float, start: float, end: float, pixels: int) -> tuple[int, int]:
    """On one axis, the middle and the length of the area in whole pixels; place, start and end in 0..1."""
    length = (end - start) * AREA
    middle = min(max(place, start + length / 2), end - length / 2)
    return round_half_up(middle * pixels), max(round_half_up(length * pixels), 1)


def store_focal_point(image: Any, area: Rect, *, replace: bool = False) -> bool:
    """Writes the four fields of one picture; False where somebody has set a focal point meanwhile, which stays."""
    image.set_focal_point(area)
    rows = type(image)._default_manager.filter(pk=image.pk)
    if not replace:
        rows = rows.filter(MISSING)
    return bool(rows.update(**{name: round_half_up(getattr(image, name)) for name in FIELDS}))


def on_save(instance: Any, *, raw: bool = False, **_: Any) -> None:
    """A picture was saved: as Wagtail's own feature detection, fills a focal point that is missing."""
    if getattr(settings, "EYEFIRST_ON_UPLOAD", False) and not raw and not instance.has_focal_point():
        transaction.on_commit(partial(_fill, instance))


def before_save(instance: Any, *, raw: bool = False, **_: Any) -> None:
    """Clear the focal point of a picture whose file is replaced, where it was found here, so that it is found anew.

    A focal point was found here if the former file, which is still there, gives the same one. What an editor set,
    before or now, stays.
    """
    if not getattr(settings, "EYEFIRST_ON_UPLOAD", False) or raw or instance.pk is None:
        return
    former = type(instance)._default_manager.filter(pk=instance.pk).first()
    if former is None or not former.has_focal_point() or former.is_svg():
        return
    if getattr(instance.file, "_committed", True) and instance.file.name == former.file.name:
        return
    stored = [getattr(former, name) for name in FIELDS]
    if stored != [getattr(instance, name) for name in FIELDS]:
        return
    try:
        former.set_focal_point(find_focal_point(former))
    except Exception as error:
        logger.warning("the focal point of the former file stays: %s", known_error(error))
        return
    if stored == [round_half_up(getattr(former, name)) for name in FIELDS]:
        for name in FIELDS:
            setattr(instance, name, None)


def _fill(image: Any) -> None:
    """Never the reason why a picture cannot be uploaded."""
    if image.is_svg():
        return
    try:
        store_focal_point(image, find_focal_point(image))
    except Exception as error:
        logger.warning("no focal point: %s", known_error(error))
