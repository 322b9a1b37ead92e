"""Parts for a Thumbor in the tests: an engine that cannot convert its pixels, and a detector that comes second."""

from __future__ import annotations

from thumbor.detectors import BaseDetector
from thumbor.engines.pil import Engine as PillowEngine
from thumbor.point import FocalPoint


class Engine(PillowEngine):
    def image_data_as_rgb(self, update_image: bool = True) -> tuple[str, bytes]:
        raise NotImplementedError


class Detector(BaseDetector):
    async def detect(self) -> None:
        self.context.request.focal_points.append(FocalPoint(0, 0, weight=1, origin="second"))
