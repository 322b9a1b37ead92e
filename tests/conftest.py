"""Fixtures that many tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst import detectors, network
from eyefirst.network import OnnxNetwork
from eyefirst.registry import Registry
from tests.make_tiny_network import make_tiny_network


@pytest.fixture(scope="session")
def tiny_network(tmp_path_factory: pytest.TempPathFactory) -> OnnxNetwork:
    """A real ONNX network that answers in a millisecond: attention is brightness, objectness is redness."""
    return OnnxNetwork(make_tiny_network(tmp_path_factory.mktemp("network") / "tiny.onnx"))


@pytest.fixture
def own_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it, and nothing that is loaded already is seen in it."""
    for module, name in ((network, "_networks"), (detectors, "_detectors")):
        shared = getattr(module, name)
        own: Registry[object] = Registry()
        for key in shared.names():
            own.register(key, shared._factories[key])
        monkeypatch.setattr(module, name, own)


@pytest.fixture
def red_square() -> NDArray[np.uint8]:
    """A 400 x 300 picture, dark grey, with a bright red square at x 280..360, y 60..140."""
    pixels = np.full((300, 400, 3), 30, np.uint8)
    pixels[60:140, 280:360] = (255, 40, 40)
    return pixels


@pytest.fixture(scope="session")
def photo_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real photo as JPEG: scikit-image's astronaut, 512 x 512."""
    from skimage import data

    path = tmp_path_factory.mktemp("photo") / "astronaut.jpg"
    PillowImage.fromarray(data.astronaut()).save(path, quality=92)
    return path
