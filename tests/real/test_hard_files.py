"""Awkward and hostile files: each is either read or refused with a clear error, in bounded time and memory."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from eyefirst.errors import EyefirstError
from eyefirst.geometry import Size
from eyefirst.image import Image, load_image

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "hard"
NEEDED = Size(272, 272)
SECONDS_PER_FILE = 5.0
SECONDS_IN_ALL = 60.0
MEGABYTES_IN_ALL = 400

pytestmark = pytest.mark.skipif(not (FOLDER / "manifest.csv").exists(), reason="the folder of hard files is not here")

# Where the manifest's expectation, which was guessed from names, is not what we want.
NO_SIGNATURE = "a format without a signature: it would make a picture of any bytes"
RARE = "a format that no camera, editor or web page hands to this package"
LAYERED = "layers need Photoshop; Pillow would read only the flattened copy, which need not be there"
NOT_READ = {
    "oddformat/pillow__200x32_p_bl_raw_origin.tga": NO_SIGNATURE,
    "oddformat/pillow__rgba16.tga": NO_SIGNATURE,
    "oddformat/pillow__hopper.spider": NO_SIGNATURE,
    "oddformat/pillow__deerstalker.cur": RARE,
    "oddformat/pillow__hopper.msp": RARE,
    "oddformat/pillow__hopper.rgb": RARE,
    "oddformat/pillow__hopper.sgi": RARE,
    "oddformat/pillow__hopper.xbm": RARE,
    "oddformat/pillow__hopper.xpm": RARE,
    "oddformat/pillow__hopper_underscore.xbm": RARE,
    "oddformat/pillow__odd_stride.pcx": RARE,
    "oddformat/pillow__sunraster.im1": RARE,
    "oddformat/pillow__rgba.psd": LAYERED,
}
READ = {  # made to break libjxl, which reads the first frame of each
    f"corrupt/testdata__clusterfuzz-testcase-minimized-djxl_fuzzer-{number}"
    for number in (5112097090961408, 5467620336336896, 6329817929220096)
}


class Outcome(NamedTuple):
    file: str
    expected: str
    result: Image | BaseException
    seconds: float


class Run(NamedTuple):
    outcomes: list[Outcome]
    seconds: float
    megabytes: float


def peak_megabytes() -> float:
    resource = pytest.importorskip("resource")
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def attempt(path: Path) -> Image | BaseException:
    try:
        return load_image(path, at_least=NEEDED)
    except Exception as error:
        return error


@pytest.fixture(scope="module")
def run() -> Run:
    with (FOLDER / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    memory, start = peak_megabytes(), time.monotonic()
    outcomes = []
    for row in rows:
        begun = time.monotonic()
        result = attempt(FOLDER / row["file"])
        outcomes.append(Outcome(row["file"], row["expected"], result, time.monotonic() - begun))
    return Run(outcomes, time.monotonic() - start, peak_megabytes() - memory)


def test_each_file_is_read_or_refused_with_a_clear_error(run: Run) -> None:
    faults = []
    for file, _, result, _ in run.outcomes:
        if isinstance(result, Image):
            height, width = result.pixels.shape[:2]
            sane = (
                result.pixels.dtype == np.uint8
                and result.pixels.shape[2:] == (3,)
                and not result.pixels.flags.writeable
                and min(NEEDED.width, result.size.width) <= width <= result.size.width
                and min(NEEDED.height, result.size.height) <= height <= result.size.height
                and result.squashed(272).shape == (272, 272, 3)
                and len(result.sha256) == 64
                and result.frame_count >= 1
            )
        else:
            sane = (
                isinstance(result, EyefirstError)
                and bool(result.reason and result.remedy)
                and result.source == str(FOLDER / file)
            )
        if not sane:
            faults.append(f"{file}: {result!r}")
    assert len(run.outcomes) > 400
    assert not faults, "\n".join(faults)


def test_what_should_decode_does_and_what_must_be_refused_is(run: Run) -> None:
    surprises = []
    for file, expected, result, _ in run.outcomes:
        if getattr(result, "code", "") == "missing_extra":
            continue
        read = isinstance(result, Image)
        wanted = expected.startswith("decodes") and file not in NOT_READ
        refused = (expected.startswith("must be refused") and file not in READ) or file in NOT_READ
        if (wanted and not read) or (refused and read):
            surprises.append(f"{file}: expected '{expected}', got {result!r}")
    assert not surprises, "\n".join(surprises)


def test_time_and_memory_stay_bounded(run: Run) -> None:
    slowest = max(run.outcomes, key=lambda outcome: outcome.seconds)
    assert slowest.seconds < SECONDS_PER_FILE, slowest.file
    assert run.seconds < SECONDS_IN_ALL
    assert run.megabytes < MEGABYTES_IN_ALL


@pytest.mark.parametrize("family", ["libvips__[567].jpg", "pillow__hopper_*", "pillow__rot*.avif"])
def test_all_orientations_of_one_photo_agree(family: str) -> None:
    small = [load_image(path).squashed(128).astype(int) for path in sorted((FOLDER / "orient").glob(family))]
    assert len(small) >= 3
    for other in small[1:]:
        assert np.abs(small[0] - other).mean() < 8
