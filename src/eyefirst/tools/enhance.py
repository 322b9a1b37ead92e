"""Post-processing guided by saliency: what would profit, and doing it where people look.

Sharpening and light go to the subject alone, blur and grey to all else. The map is enlarged along the
picture's own edges, so that no halo shows where the mask ends. Needs the extra `[camera]` (OpenCV).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst.errors import InvalidValueError
from eyefirst.geometry import Size
from eyefirst.handler import ImageRequestHandler, all_pixels, handler_of
from eyefirst.image import Source
from eyefirst.maps import Look
from eyefirst.network import Network
from eyefirst.numeric import is_within
from eyefirst.tools.camera_guidance import REST_BAR, SOFT_BLUR, edge_blur, opencv, parts, sharpness_of, working_copy

Kind = Literal["soft_subject", "dark_subject", "blown_background", "busy_background"]
Background = Literal["keep", "blur", "grey"]
BACKGROUNDS: tuple[Background, ...] = ("keep", "blur", "grey")

DARK_LIGHTNESS, DARK_SHARE = 40.0, 0.8
"""A subject is dark if this share of it lies below this CIE L* (0..100): a face above a dark suit is not."""
BLOWN_LEVEL, BLOWN_SHARE = 250, 0.2
"""From which level on, in all three channels, a pixel is blown out; and from which share of the rest it shows."""
RING_SHARE = 0.8
"""A rest whose rim is blown out to this share is a white backdrop, and meant to be."""
BUSY_SHARE = 0.5
"""Share of the attention that falls beside the subject, from which the background competes with it."""
FILTER_RADIUS, FILTER_EPS = 0.02, 1e-3
"""Of the guided filter: radius as a share of the longer side, and how little contrast counts as an edge."""
SHARPEN_RADIUS = 0.0012
BLUR_RADIUS = 0.015
"""Standard deviations of sharpening and of the background's blur, as shares of the longer side."""
DEFAULT_SHARPEN, DEFAULT_LIGHT = 1.0, 0.6


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that would profit from post-processing: the measure, the threshold that it passed, and why."""

    kind: Kind
    measure: float
    threshold: float
    reason: str

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "kind": self.kind,
            "measure": round(self.measure, 3),
            "threshold": self.threshold,
            "reason": self.reason,
        }


def candidates(
    source: Source | ImageRequestHandler, *, revision: str | None = None, network: Network | None = None
) -> tuple[Candidate, ...]:
    """Return what would profit, nothing if all is well.

    Raises PictureError, and MissingExtraError without the extra `[camera]`.
    """
    handler = handler_of(source, network=network, expects=all_pixels)
    seen = handler.look(revision)
    attention, objects = seen.attention, seen.objects
    pixels = working_copy(handler.picture().image().pixels)
    salient, rest = parts(attention, objects, Size(pixels.shape[1], pixels.shape[0]))
    found: list[Candidate] = []
    blurs, edges = edge_blur(pixels)
    subject = sharpness_of(blurs[edges & salient])
    if subject.is_known and not subject.is_sharp:
        reason = f"the subject's edges are {subject.blur:.1f} pixels soft at a screen's size; sharpen them"
        found.append(Candidate("soft_subject", subject.blur, SOFT_BLUR, reason))
    cv2 = opencv()
    lightness = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2LAB)[..., 0] * (100 / 255)
    if salient.any() and (dark := float(np.quantile(lightness[salient], DARK_SHARE))) < DARK_LIGHTNESS:
        reason = f"{DARK_SHARE:.0%} of the subject is darker than L* {dark:.0f} of 100; light it"
        found.append(Candidate("dark_subject", dark, DARK_LIGHTNESS, reason))
    blown = pixels.min(2) >= BLOWN_LEVEL
    rim = np.concatenate([blown[0], blown[-1], blown[:, 0], blown[:, -1]])
    if rest.any() and (share := float(blown[rest].mean())) > BLOWN_SHARE and rim.mean() < RING_SHARE:
        reason = f"{share:.0%} of the background has no detail left; expose less, or crop it away"
        found.append(Candidate("blown_background", share, BLOWN_SHARE, reason))
    if objects.salient_objects:
        beside = objects.heat_map.values < REST_BAR
        share = float(attention.heat_map.density()[beside].sum())
        if share > BUSY_SHARE:
            reason = f"{share:.0%} of the attention falls beside the subject; blur or grey the background"
            found.append(Candidate("busy_background", share, BUSY_SHARE, reason))
    return tuple(found)


def enhance(
    source: Source | ImageRequestHandler,
    *,
    sharpen: float | None = None,
    light: float | None = None,
    background: Background = "keep",
    strength: float = 1.0,
    revision: str | None = None,
    network: Network | None = None,
) -> PillowImage.Image:
    """Return the picture, better where people look; upright, sRGB, full resolution. Transparency is kept.

    sharpen, light: 0 leaves as it is, 1 is strong, 3 the most. None does what `candidates` recommends where no
    background is asked for, and else nothing: what was asked for is all that is done. background: "blur" and "grey"
    are applied with `strength`, 0..1.
    """
    handler = handler_of(source, network=network, expects=all_pixels)
    picture: PillowImage.Image = enhance_all(
        handler,
        sharpen=sharpen,
        light=light,
        background=background,
        strength=strength,
        revision=revision,
        animated=False,
    )
    return picture


def enhance_all(
    handler: ImageRequestHandler,
    *,
    sharpen: float | None = None,
    light: float | None = None,
    background: Background = "keep",
    strength: float = 1.0,
    revision: str | None = None,
    animated: bool = True,
) -> Any:
    """Return `enhance` for a handler's picture; with `animated`, an animation enhanced alike in all its frames."""
    for name, value, most in (("sharpen", sharpen, 3), ("light", light, 3), ("strength", strength, 1)):
        if value is not None and not is_within(value, 0, most):
            raise InvalidValueError(f"expected {name} in 0..{most}, got {value!r}", remedy="1 is strong")
    if background not in BACKGROUNDS:
        raise InvalidValueError(
            f"expected a background among {', '.join(BACKGROUNDS)}; got {background!r}", remedy="keep changes nothing"
        )
    if background != "keep":
        sharpen, light = sharpen or 0.0, light or 0.0
    if sharpen is None or light is None:
        kinds = {c.kind for c in candidates(handler, revision=revision)}
        sharpen = DEFAULT_SHARPEN * ("soft_subject" in kinds) if sharpen is None else sharpen
        light = DEFAULT_LIGHT * ("dark_subject" in kinds) if light is None else light
    seen = handler.look(revision)

    def better(picture: PillowImage.Image) -> PillowImage.Image:
        return _enhanced(picture, seen, sharpen, light, background, strength)

    if animated and handler.is_animated:
        whole = handler.animation()
        return replace(whole, frames=tuple(map(better, whole.frames)))
    return better(handler.picture().picture)


def _enhanced(
    picture: PillowImage.Image, seen: Look, sharpen: float, light: float, background: Background, strength: float
) -> PillowImage.Image:
    pixels = np.ascontiguousarray(np.asarray(picture.convert("RGB")))
    mask = subject_mask(seen, pixels)
    if sharpen or light:
        pixels = _relit(pixels, mask, sharpen, light)
    if background == "blur":
        pixels = _blurred_beside(pixels, mask * strength + (1 - strength))
    elif background == "grey":
        pixels = _grey_beside(pixels, mask, strength)
    result = PillowImage.fromarray(pixels)
    if picture.mode == "RGBA":
        result.putalpha(picture.getchannel("A"))
    return result


def blur_background(source: Source | ImageRequestHandler, *, strength: float = 1.0) -> PillowImage.Image:
    """Return the picture with all that is no subject out of focus. strength: 0..1."""
    return enhance(source, sharpen=0, light=0, background="blur", strength=strength)


def desaturate_background(source: Source | ImageRequestHandler, *, strength: float = 1.0) -> PillowImage.Image:
    """Return the picture with all that is no subject without colour. strength: 0..1."""
    return enhance(source, sharpen=0, light=0, background="grey", strength=strength)


def subject_mask(seen: Look, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return where the subject is, (height, width) float32 in 0..1, with the edges of the picture itself.

    The objectness map, or the attention map where nothing is a subject, enlarged by a guided filter (He, Sun
    and Tang, TPAMI 2013).
    """
    cv2 = opencv()
    attention, objects = seen.attention, seen.objects
    height, width = pixels.shape[:2]
    if objects.salient_objects:
        rough = objects.heat_map.resized(Size(width, height))
    else:
        rough = attention.heat_map.resized(Size(width, height)) / max(float(attention.heat_map.values.max()), 1e-6)
    radius = max(2, round(FILTER_RADIUS * max(height, width)))
    smooth = cv2.ximgproc.guidedFilter(pixels, rough.astype(np.float32), radius, FILTER_EPS * 255**2)
    steep = np.clip((smooth - 0.2) / 0.6, 0, 1)  # sure of what is nearly sure
    return np.asarray(steep * steep * (3 - 2 * steep), np.float32)


def _relit(pixels: NDArray[np.uint8], mask: NDArray[np.float32], sharpen: float, light: float) -> NDArray[np.uint8]:
    """Sharper and lighter where the mask is; only lightness changes, colours stay."""
    cv2 = opencv()
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness = lab[..., 0] / 100
    if sharpen:
        wide = max(SHARPEN_RADIUS * max(pixels.shape), 0.8)
        lightness = lightness + 1.5 * sharpen * mask * (lightness - cv2.GaussianBlur(lightness, (0, 0), wide))
    if light:
        lightness = np.clip(lightness, 0, 1) ** (1 - 0.45 * min(light, 2.0) * mask)
    before = np.maximum(lab[..., 0], 1.0)
    lab[..., 0] = np.clip(lightness, 0, 1) * 100
    gain = np.clip(lab[..., 0] / before, 0.5, 2.0)[..., None] ** 0.6  # what is lit looks as colourful as before
    lab[..., 1:] *= 1 + (gain - 1) * mask[..., None]
    return _to_bytes(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def _blurred_beside(pixels: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Blur that takes nothing from the subject: its colours do not bleed into the background."""
    cv2 = opencv()
    wide = BLUR_RADIUS * max(pixels.shape)
    beside = (1 - mask)[..., None] + 1e-4
    colours = cv2.GaussianBlur(pixels / np.float32(255) * beside, (0, 0), wide)
    weight = cv2.GaussianBlur(beside, (0, 0), wide)[..., None]
    keep = mask[..., None]
    return _to_bytes(pixels / np.float32(255) * keep + colours / weight * (1 - keep))


def _grey_beside(pixels: NDArray[np.uint8], mask: NDArray[np.float32], strength: float) -> NDArray[np.uint8]:
    cv2 = opencv()
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None] / np.float32(255)
    keep = (1 - (1 - mask) * strength)[..., None]
    return _to_bytes(pixels / np.float32(255) * keep + grey * (1 - keep))


def _to_bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray((np.clip(values, 0, 1) * 255).round().astype(np.uint8))
