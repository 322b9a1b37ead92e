"""Cut the subject out: with a soft edge, on nothing, on a colour, or before its own background out of focus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.colours import parse_colour
from eyefirst.errors import InvalidValueError, NoSubjectError
from eyefirst.files.formats import PictureFormat
from eyefirst.handler import ImageRequestHandler, all_pixels, handler_of
from eyefirst.image import Source, as_seen
from eyefirst.network import Network
from eyefirst.tools.matte import cut_out, is_believed, shows_shadows, strips
from eyefirst.tools.product import Product, find_product
from eyefirst.tools.soft_mask import box_mean, close_map, soft_mask

SMALL_SIDE = 384
"""The longer side at which the colours of subject and background are spread, in pixels."""
REACH = 0.03
"""How far colours are spread from where they are sure, as a share of the longer side."""
NO_SHADOW = "the backdrop is not even or is dark, so no shadow can be told from it"
BLUR = 0.015
"""Standard deviation of the background's blur, as a share of the longer side."""


def cutout(
    source: Source | ImageRequestHandler,
    *,
    backdrop: str = "transparent",
    shadow: bool = False,
    revision: str | None = None,
    network: Network | None = None,
) -> PillowImage.Image:
    """Return the subject alone, upright, sRGB, at full resolution: RGBA, or RGB on a backdrop.

    backdrop: "transparent", "blur" (the picture's own, out of focus) or a CSS colour. shadow: keep a soft shadow on an
    even backdrop. Transparency that the picture has is its edge. On an even backdrop the edge is where the colours
    differ from it; otherwise it is estimated from the objectness map and the picture's own edges.

    Raises PictureError; NoSubjectError where nothing stands out; InvalidValueError for a backdrop that is none.
    """
    handler = handler_of(source, network=network, expects=all_pixels)
    cut: PillowImage.Image = cutout_all(handler, backdrop=backdrop, shadow=shadow, revision=revision, animated=False)
    return cut


def cutout_all(
    handler: ImageRequestHandler,
    *,
    backdrop: str = "transparent",
    shadow: bool = False,
    revision: str | None = None,
    animated: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Any:
    """Return `cutout` for a handler's picture; with `animated`, each frame of an animation along its own edges.

    say: is told, in words, what the user should know.
    """
    check_cutout(backdrop, shadow)
    objects = handler.look(revision).objects
    rough: list[NDArray[np.float32]] = []
    is_shadow_lost = False

    def cut(picture: PillowImage.Image) -> PillowImage.Image:
        nonlocal is_shadow_lost
        handler.go_on()
        found = find_product(picture, objects)
        if found.matte and objects.union_box and not is_believed(found.matte, objects.heat_map.values):
            found = Product(objects.union_box, "objectness")
        if found.witness == "nothing":
            raise NoSubjectError(
                "nothing stands out in the picture", remedy="choose one with a subject", source=handler.name
            )
        if found.witness == "objectness" and not rough:
            rough.append(close_map(handler, revision))
        is_shadow_lost |= shadow and loses_shadow(found)
        return on_backdrop(alone(picture, found, rough[0] if rough else None, shadow=shadow), picture, backdrop)

    if animated and handler.is_animated:
        whole = handler.animation()
        made: Any = replace(whole, frames=tuple(map(cut, whole.frames)))
    else:
        made = cut(handler.picture().picture)
    if is_shadow_lost:
        say(NO_SHADOW)
    return made


def loses_shadow(found: Product) -> bool:
    """Return whether a shadow cannot be kept: the backdrop is not even, or is dark."""
    return found.witness == "objectness" or (found.backdrop is not None and not shows_shadows(found.backdrop))


def check_cutout(backdrop: str, shadow: bool, format: PictureFormat | None = None) -> None:
    """Raise InvalidValueError for a cut-out that cannot be: before any picture is read."""
    if backdrop == "blur" and shadow:
        raise InvalidValueError(
            "shadow has no effect: the picture's own background stays, with its shadow", remedy="leave it out"
        )
    if backdrop not in ("transparent", "blur"):
        parse_colour(backdrop)
    if backdrop == "transparent" and format and not format.has_alpha:
        raise InvalidValueError(
            f"{format.name} holds no transparency", remedy="use png or webp, or a backdrop such as white"
        )


def alone(
    picture: PillowImage.Image, found: Product, rough: NDArray[np.float32] | None, *, shadow: bool = False
) -> PillowImage.Image:
    """Return the subject of an RGB or RGBA picture as RGBA, of the same size, in its own colours along the edge.

    rough: a map of the subject, for a picture whose backdrop is not even; see `close_map`.
    """
    if found.matte and found.backdrop:
        matte = found.matte.resize(picture.size, PillowImage.Resampling.BICUBIC)
        ground = found.backdrop.resize(picture.size, PillowImage.Resampling.BILINEAR)
        cut = cut_out(picture, matte, ground, shadow=shadow)
    elif found.witness == "alpha" or rough is None:
        return picture.convert("RGBA")
    else:
        cut = _of_its_colours(picture.convert("RGB"), soft_mask(rough, picture))
    if picture.mode == "RGBA":
        own = np.minimum(np.asarray(picture.getchannel("A")), np.asarray(cut.getchannel("A")))
        cut.putalpha(PillowImage.fromarray(own))
    return cut


def on_backdrop(cut: PillowImage.Image, picture: PillowImage.Image, backdrop: str) -> PillowImage.Image:
    """Return a cut-out RGBA picture on its backdrop; picture: what it was cut out of, of the same size."""
    if backdrop == "transparent":
        return cut
    if backdrop == "blur":
        ground = _out_of_focus(as_seen(picture), cut.getchannel("A")).convert("RGBA")
    else:
        ground = PillowImage.new("RGBA", cut.size, (*parse_colour(backdrop), 255))
    ground.alpha_composite(cut)
    return ground.convert("RGB")


def _of_its_colours(picture: PillowImage.Image, mask: NDArray[np.float32]) -> PillowImage.Image:
    """The picture with a mask as its alpha, without the background's colours along the edge.

    Subject and background are blurred apart and the rest is shared out (Forte, *Approximate Fast Foreground Colour
    Estimation*, ICIP 2021).
    """
    matte = PillowImage.fromarray((mask * np.float32(255)).round().astype(np.uint8))
    colours, share = _small(picture), _small(matte)[..., None]
    radius = max(2, round(REACH * max(colours.shape)))
    subject, ground = (
        box_mean(colours * s, radius) / np.maximum(box_mean(s, radius), 1e-3) for s in (share, 1 - share)
    )
    sides = [
        PillowImage.fromarray((s.clip(0, 1) * 255).round().astype(np.uint8)).resize(
            picture.size, PillowImage.Resampling.BILINEAR
        )
        for s in (subject, ground)
    ]
    result = picture.copy()
    for box in strips(picture):
        part = mask[box[1] : box[3]]
        rows, columns = np.nonzero((part > 0) & (part < 1))
        if not len(rows):
            continue
        pixels = np.array(picture.crop(box))
        own = pixels[rows, columns].astype(np.float32)
        theirs, behind = (np.asarray(s.crop(box))[rows, columns].astype(np.float32) for s in sides)
        share = part[rows, columns, None]
        pure = theirs + share * (own - share * theirs - (1 - share) * behind)
        pixels[rows, columns] = pure.clip(0, 255).round().astype(np.uint8)
        result.paste(PillowImage.fromarray(pixels), box)
    result.putalpha(matte)
    return result


def _out_of_focus(picture: PillowImage.Image, matte: PillowImage.Image) -> PillowImage.Image:
    """The background blurred; nothing of the subject bleeds into it."""
    colours, beside = _small(picture), 1 - _small(matte)[..., None] + 1e-3
    radius = max(1, round(BLUR * max(colours.shape)))
    weighted = np.dstack([colours * beside, beside])
    for _ in range(3):  # three box filters are nearly a Gaussian
        weighted = box_mean(weighted, radius)
    blurred = (weighted[..., :3] / weighted[..., 3:] * 255).clip(0, 255).round().astype(np.uint8)
    return PillowImage.fromarray(blurred).resize(picture.size, PillowImage.Resampling.BICUBIC)


def _small(picture: PillowImage.Image) -> NDArray[np.float32]:
    small = picture.copy()
    small.thumbnail((SMALL_SIDE, SMALL_SIDE), PillowImage.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small, np.float32) / np.float32(255)
