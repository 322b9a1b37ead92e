"""Cut-outs: masks at the picture's own size, and along the subject's boundary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from training.metrics import MaskScores

from benchmarks.quality.held_back import HeldBack, Sample, resized
from benchmarks.quality.tables import Line, Table
from eyefirst.geometry import Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.mappings import PUBLISHED
from eyefirst.tools.soft_mask import close_map, soft_mask

COLUMNS = ("max F", "MAE", "boundary", "IoU at 0.5")
BAND = 0.015
"""Half the width of the band along the boundary, as a share of the picture's diagonal."""
Masks = Callable[[Sample], NDArray[np.float32]]


def cutout_table(data: HeldBack, set_name: str, most: int | None, u2net: Path | None = None) -> Table:
    """Our map enlarged, our cut-out's mask, and a published network's answers, if its file is named."""
    samples = data.samples(set_name, most)
    ways: dict[str, Masks] = {"map, bicubic": _enlarged, "cut-out, whole look alone": _one_look, "cut-out": _cut}
    if u2net:
        session = onnxruntime.InferenceSession(u2net, providers=["CPUExecutionProvider"])
        ways["U2-Net, stretched"] = lambda s: _u2net(session, s)
    return Table(
        f"Cut-outs, {set_name}: {len(samples)} pictures",
        COLUMNS,
        tuple(_line(name, masks, samples) for name, masks in ways.items()) if samples else (),
        f"Boundary: mean absolute error within {BAND:.1%} of the diagonal of the mask's boundary; lower is better.",
    )


def _line(name: str, masks: Masks, samples: Sequence[Sample]) -> Line:
    scores, edges, overlaps = MaskScores.empty(), list[float](), list[float]()
    for sample in samples:
        mask, values = sample.mask(), masks(sample).astype(np.float64)
        scores.add(values, mask)
        if (band := _band(mask)).any():
            edges.append(float(np.abs(values - mask)[band].mean()))
        found = values > 0.5
        overlaps.append(float((found & mask).sum() / max((found | mask).sum(), 1)))
    return Line(name, (scores.max_f, scores.mae, float(np.mean(edges)), float(np.mean(overlaps))))


def _band(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = 2 * max(2, round(BAND * float(np.hypot(*mask.shape)))) + 1
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    grown, shrunk = (np.asarray(picture.filter(f(wide))) for f in (ImageFilter.MaxFilter, ImageFilter.MinFilter))
    return np.asarray(grown != shrunk)


def _enlarged(sample: Sample) -> NDArray[np.float32]:
    picture = sample.picture()
    return ImageRequestHandler(picture).look().objects.heat_map.resized(Size(*picture.size))


def _one_look(sample: Sample) -> NDArray[np.float32]:
    picture = sample.picture()
    return soft_mask(ImageRequestHandler(picture).look().objects.heat_map.values, picture)


def _cut(sample: Sample) -> NDArray[np.float32]:
    picture = sample.picture()
    return soft_mask(close_map(ImageRequestHandler(picture)), picture)


def _u2net(session: onnxruntime.InferenceSession, sample: Sample) -> NDArray[np.float32]:
    """Its answer at 320 x 320, each stretched to 0..1 as its authors do."""
    picture, mapping = sample.picture(), PUBLISHED["u2net"].mapping
    pixels = np.asarray(picture.resize(mapping.size.as_tuple, Image.Resampling.BILINEAR))[None]
    answer = session.run(None, {session.get_inputs()[0].name: mapping.tensor(pixels)})[0][0, 0]
    stretched = (answer - answer.min()) / max(float(np.ptp(answer)), 1e-6)
    return resized(stretched, picture.height, picture.width).clip(0, 1).astype(np.float32)
