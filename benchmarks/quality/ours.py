"""The one place that calls eyefirst, so that a change of its API is a change of one line here."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

from PIL import Image
from training.metrics import Map

from benchmarks.quality.held_back import Sample
from eyefirst.errors import EyefirstError
from eyefirst.framing import Placement
from eyefirst.geometry import Box, PixelBox, Point
from eyefirst.handler import ImageRequestHandler
from eyefirst.tools.planning import anchor_from


class Answers(Protocol):
    """What is measured of eyefirst."""

    @property
    def name(self) -> str: ...

    def attention(self, sample: Sample) -> Map:
        """(68, 68) in 0..1."""
        ...

    def objectness(self, sample: Sample) -> Map:
        """(68, 68) in 0..1."""
        ...

    def frames(self, picture: Image.Image, ratios: Sequence[Fraction]) -> list[PixelBox]:
        """The best frame of each ratio, in the picture's pixels."""
        ...

    def anchor(self, picture: Image.Image, placement: Placement) -> Point:
        """The one point that serves frames of all ratios, for a tool that places them so."""
        ...

    def subjects(self, picture: Image.Image) -> Box | None:
        """The box round all subjects, None where nothing stands out."""
        ...


@dataclass
class Eyefirst:
    """The shipped network and the public functions on it."""

    network: Any
    package: Any
    _maps: dict[str, tuple[Map, Map]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"eyefirst {self.network.revision}"

    def _predict(self, sample: Sample) -> tuple[Map, Map]:
        if sample.key not in self._maps:
            prediction = self.network.predict(sample.squashed[None])
            self._maps[sample.key] = (prediction.attention[0], prediction.objectness[0])
        return self._maps[sample.key]

    def attention(self, sample: Sample) -> Map:
        return self._predict(sample)[0]

    def objectness(self, sample: Sample) -> Map:
        return self._predict(sample)[1]

    def frames(self, picture: Image.Image, ratios: Sequence[Fraction]) -> list[PixelBox]:
        texts = [f"{r.numerator}:{r.denominator}" for r in ratios]
        plan = self.package.plan_crops(picture, texts, fit="largest")
        return [plan.frames[text][0].box for text in texts]

    def anchor(self, picture: Image.Image, placement: Placement) -> Point:
        return anchor_from(ImageRequestHandler(picture), placement).point

    def subjects(self, picture: Image.Image) -> Box | None:
        box: Box | None = self.package.objects(picture).union_box
        return box


@dataclass(frozen=True)
class Loaded:
    """Ours, or why not."""

    answers: Answers | None
    missing: str = ""


def load_ours() -> Loaded:
    """Opens the shipped network; says why where it cannot."""
    try:
        network = importlib.import_module("eyefirst.network").load_network()
        package = importlib.import_module("eyefirst")
        _ = package.plan_crops, package.objects  # they are loaded lazily: a broken one shows here
        return Loaded(Eyefirst(network, package))
    except (ImportError, IndexError, AttributeError, EyefirstError) as error:
        return Loaded(None, f"not available: {type(error).__name__}: {error}")
