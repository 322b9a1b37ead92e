"""Everything that is measured: ours, people, priors and the croppers in use.

A method answers with a map of where people look, with windows of given ratios, or with both; one
with a map alone gets the window that holds most of the map. Rivals are asked for the largest window
of a ratio on the picture at the shards' size, with their own defaults otherwise.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from training.metrics import Map, best_corner, largest_window

from benchmarks.quality.held_back import MAP_SIDE, HeldBack, Sample, density, resized
from benchmarks.quality.ours import Loaded
from eyefirst.framing import Placement


@dataclass(frozen=True)
class Corner:
    """Left and top of a window as fractions of the picture."""

    left: float
    top: float


MapOf = Callable[[Sample], Map]
CornersOf = Callable[[Sample, Sequence[float]], list[Corner]]


@dataclass(frozen=True)
class Method:
    """One row of a table.

    key: how `--methods` names it. maps: a map of any size in the picture's frame. corners: windows of
    the largest size of each ratio. missing: why it cannot be measured, with the remedy. windows_only:
    it answers with windows alone. half_of_observers: it has seen those, and is judged by the others.
    """

    key: str
    title: str
    maps: MapOf | None = None
    corners: CornersOf | None = None
    missing: str = ""
    windows_only: bool = False
    half_of_observers: bool = False

    def windows(self, sample: Sample, ratios: Sequence[float]) -> list[Corner]:
        """Its own windows, or those that hold most of its map."""
        if self.corners is not None:
            return self.corners(sample, ratios)
        if self.maps is None:
            raise ValueError(f"{self.key} has neither windows nor maps; check `missing` first")
        values = self.maps(sample)
        return [Corner(*best_corner(values, sample.aspect, ratio)) for ratio in ratios]


def all_methods(data: HeldBack, ours: Loaded) -> list[Method]:
    """Every method in the order of the tables."""
    return [
        _ours_by_map(ours),
        _ours_by_plan(ours),
        _ours_by_point(ours, "share", "eyefirst, one point as CSS places it"),
        _ours_by_point(ours, "centre", "eyefirst, one point as Thumbor places it"),
        Method("people", "half of the observers", maps=people, half_of_observers=True),
        Method("prior", "centre prior", maps=centre_prior(data)),
        _spectral_residual(),
        Method("uniform", "even spread", maps=lambda _: np.ones((MAP_SIDE, MAP_SIDE))),
        Method("centre", "centre crop", corners=centre_crop, windows_only=True),
        _libvips("attention"),
        _libvips("entropy"),
        _smartcrop(),
    ]


def _ours_by_map(ours: Loaded) -> Method:
    if ours.answers is None:
        return Method("ours", "eyefirst", missing=ours.missing)
    return Method("ours", ours.answers.name, maps=ours.answers.attention)


def _ours_by_plan(ours: Loaded) -> Method:
    answers = ours.answers
    if answers is None:
        return Method("plan", "eyefirst.plan_crops", windows_only=True, missing=ours.missing)

    def corners(sample: Sample, ratios: Sequence[float]) -> list[Corner]:
        picture = sample.picture()
        boxes = answers.frames(picture, [Fraction(r).limit_denominator(1000) for r in ratios])
        return [Corner(b.left / picture.width, b.top / picture.height) for b in boxes]

    return Method("plan", "eyefirst.plan_crops", corners=corners, windows_only=True)


def _ours_by_point(ours: Loaded, placement: Placement, title: str) -> Method:
    """What is left of a plan in tools that keep one point for frames of all ratios."""
    answers = ours.answers
    if answers is None:
        return Method(f"point-{placement}", title, windows_only=True, missing=ours.missing)

    def corners(sample: Sample, ratios: Sequence[float]) -> list[Corner]:
        point = answers.anchor(sample.picture(), placement)

        def start(axis: int, size: float) -> float:
            at = (point.x, point.y)[axis]
            return at * (1 - size) if placement == "share" else min(max(at - size / 2, 0.0), 1 - size)

        return _largest_windows(sample, ratios, start)

    return Method(f"point-{placement}", title, corners=corners, windows_only=True)


def halves(sample: Sample) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Fixations of every second observer, and of the others."""
    observers = sample.row.fixations.observers if sample.row.fixations else ()
    parts = []
    for start in (0, 1):
        points = np.concatenate([np.empty((0, 2), np.float32), *observers[start::2]])
        parts.append(points[((points >= 0) & (points < 1)).all(axis=1)])
    return parts[0], parts[1]


def people(sample: Sample) -> Map:
    """What half of the observers looked at; judge it by the other half."""
    return density(halves(sample)[0])


def centre_prior(data: HeldBack) -> MapOf:
    """The upright Gaussian that fits the fixations of the same set's training side."""

    @cache
    def of_set(set_name: str) -> Map:
        points = data.training_points(set_name)
        if len(points) == 0:
            return gaussian(0.5, 0.5, 0.25, 0.25)
        (x, y), (sx, sy) = points.mean(axis=0), points.std(axis=0)
        return gaussian(float(x), float(y), float(sx), float(sy))

    return lambda sample: of_set(sample.set_name)


def gaussian(x: float, y: float, sigma_x: float, sigma_y: float) -> Map:
    """(136, 136), maximum about 1; place and width as fractions of the sides."""
    at = (np.arange(MAP_SIDE) + 0.5) / MAP_SIDE
    along_x = np.exp(-((at - x) ** 2) / (2 * sigma_x**2))
    along_y = np.exp(-((at - y) ** 2) / (2 * sigma_y**2))
    return np.outer(along_y, along_x)


def centre_crop(sample: Sample, ratios: Sequence[float]) -> list[Corner]:
    """Equal parts cut off both ends."""
    return _largest_windows(sample, ratios, lambda _, size: (1 - size) / 2)


def _largest_windows(sample: Sample, ratios: Sequence[float], start: Callable[[int, float], float]) -> list[Corner]:
    """One for each ratio; `start` says where on the axis (0: across) along which one of this size can move."""
    found = []
    for ratio in ratios:
        axis, size = largest_window(sample.aspect, ratio)
        found.append(Corner(start(axis, size), 0.0) if axis == 0 else Corner(0.0, start(axis, size)))
    return found


def _import(name: str, attribute: str) -> Any:
    """The module if it is there, works and has the attribute; else None."""
    try:
        module = importlib.import_module(name)
    except (ImportError, OSError):  # OSError: a binding without its library
        return None
    return module if hasattr(module, attribute) else None


def _spectral_residual() -> Method:
    cv2 = _import("cv2", "saliency")
    title = "OpenCV spectral residual"
    if cv2 is None:
        return Method("residual", title, missing="not installed: pip install opencv-contrib-python-headless")

    @cache
    def of_picture(sample: Sample) -> Map:
        detector = cv2.saliency.StaticSaliencySpectralResidual_create()
        bgr = np.ascontiguousarray(np.asarray(sample.picture())[..., ::-1])
        done, values = detector.computeSaliency(bgr)
        if not done:
            raise RuntimeError(f"OpenCV gave no spectral residual for {sample.key}")
        return resized(values, MAP_SIDE, MAP_SIDE)

    return Method("residual", title, maps=of_picture)


def _window_pixels(width: int, height: int, ratio: float) -> tuple[int, int]:
    """Whole pixels of the largest window of a ratio."""
    axis, size = largest_window(width / height, ratio)
    return (max(round(width * size), 1), height) if axis == 0 else (width, max(round(height * size), 1))


def _libvips(interesting: str) -> Method:
    pyvips = _import("pyvips", "Image")
    key = f"libvips-{interesting}"
    if pyvips is None:
        return Method(
            key,
            f"libvips {interesting}",
            windows_only=True,
            missing="not installed: pip install pyvips pyvips-binary",
        )

    def corners(sample: Sample, ratios: Sequence[float]) -> list[Corner]:
        picture = pyvips.Image.new_from_array(np.asarray(sample.picture()))
        found = []
        for ratio in ratios:
            window = picture.smartcrop(*_window_pixels(picture.width, picture.height, ratio), interesting=interesting)
            # libvips keeps in a crop where its parent's origin went
            found.append(Corner(-window.xoffset / picture.width, -window.yoffset / picture.height))
        return found

    version = ".".join(str(pyvips.version(i)) for i in range(3))
    return Method(key, f"libvips {version} {interesting}", corners=corners, windows_only=True)


def _smartcrop() -> Method:
    smartcrop = _import("smartcrop", "SmartCrop")
    if smartcrop is None:
        return Method("smartcrop", "smartcrop.py", windows_only=True, missing="not installed: pip install smartcrop")

    def corners(sample: Sample, ratios: Sequence[float]) -> list[Corner]:
        picture = sample.picture()
        found = []
        for ratio in ratios:
            size = _window_pixels(picture.width, picture.height, ratio)
            crop = smartcrop.SmartCrop().crop(picture, *size, min_scale=1.0)["top_crop"]
            found.append(Corner(crop["x"] / picture.width, crop["y"] / picture.height))
        return found

    return Method("smartcrop", "smartcrop.py", corners=corners, windows_only=True)
