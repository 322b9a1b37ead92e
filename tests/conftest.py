"""Fixtures that many tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst import detectors, network
from eyefirst.network import OnnxNetwork
from eyefirst.registry import Registry
from tests.make_tiny_network import make_tiny_network

ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips.txt")
_unexpected: list[str] = []


def _reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    allowed = [line for line in ALLOWED_SKIPS.read_text().splitlines() if line and not line.startswith("#")]
    if os.environ.get("CI") and report.skipped and not _reason_of(report).startswith(tuple(allowed)):
        _unexpected.append(f"{report.nodeid}: {_reason_of(report)}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """In CI, remember what is skipped for a reason that is not on the list."""
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """The same for whole files."""
    _note(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for such a skip."""
    if _unexpected and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests those are."""
    for line in _unexpected:
        terminalreporter.write_line(f"skipped in CI, and not allowed by tests/allowed_skips.txt: {line}", red=True)


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
