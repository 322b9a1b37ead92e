"""Writes where a published detector finds text: `python -m training.datasets.text SHARDS STORE`.

It fills text.npy, see `training.datasets.detected`, with the largest boxes first. The reader is PP-OCR (Apache-2.0, in
the package rapidocr). Its detector alone takes stripes and whole animals for text; what can be read is text. A line is
kept as a box; one that is slanted, as a row of boxes along it. Its confidence is that of what was read. A line between
`LEAST_CONFIDENCE` and the confidence from which it is taught counts neither as text nor as anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rapidocr import RapidOCR

from training.datasets.detected import resized, write_detected
from training.datasets.store import TEXT_FILE

LONGER_SIDE = (448, 640)
"""Least and most: smaller pictures are enlarged, larger ones shrunk."""
MOST = 96
LEAST_CONFIDENCE = 0.5
LEAST_LENGTH = 2
"""Characters of a line that is no doubt text: of strange shapes a reader makes single ones."""
LARGE, SURE_IF_LARGE = 0.25, 0.93
"""A line that takes so much of the picture is doubtful below this confidence: most are penguins, fruit and the like."""
LARGEST_SLANT = 0.1
"""Tangent of the angle from which on a line is kept in pieces, each as long as the line is high."""


class TextFinder:
    """Finds lines of text with PP-OCR, on one thread."""

    def __init__(self) -> None:
        self._reader = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Det.limit_type": "max",
                "Det.limit_side_len": LONGER_SIDE[1],
                "Global.text_score": LEAST_CONFIDENCE,
                "Global.use_cls": False,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            }
        )

    def __call__(self, picture: Image.Image) -> NDArray[np.float32]:
        """(n, 5): edges as shares of the picture and confidence, the largest first."""
        seen = resized(picture, LONGER_SIDE)
        bgr = np.ascontiguousarray(np.asarray(seen)[..., ::-1])
        found = self._reader(bgr)
        if found.boxes is None or found.txts is None or found.scores is None:
            return np.empty((0, 5), np.float32)
        pieces = [
            (*piece, score if len(text.strip()) >= LEAST_LENGTH else LEAST_CONFIDENCE)
            for line, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
            for piece in _pieces(line)
        ]
        boxes = np.array(pieces, np.float32)
        boxes[:, :4] = (boxes[:, :4] / np.array([*seen.size, *seen.size])).clip(0, 1)
        large = (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1) >= LARGE
        boxes[large & (boxes[:, 4] < SURE_IF_LARGE), 4] = LEAST_CONFIDENCE
        return boxes[np.argsort(-(boxes[:, 2:4] - boxes[:, :2]).prod(axis=1), kind="stable")]


def _pieces(line: NDArray[np.floating]) -> Iterator[tuple[float, float, float, float]]:
    """Boxes, in pixels, of a line's four corners, clockwise from its top left."""
    corners = np.asarray(line, np.float64)
    along, up = corners[1] - corners[0], corners[3] - corners[0]
    if np.hypot(*along) < np.hypot(*up):  # it runs down
        corners = np.roll(corners, -1, axis=0)
        along, up = corners[1] - corners[0], corners[3] - corners[0]
    count = 1
    if np.abs(along).min() > LARGEST_SLANT * np.abs(along).max():
        count = max(round(np.hypot(*along) / max(np.hypot(*up), 1)), 1)
    for start, stop in zip(range(count), range(1, count + 1), strict=True):
        at = np.array([start, stop])[:, np.newaxis] / count
        above, below = corners[0] + at * (corners[1] - corners[0]), corners[3] + at * (corners[2] - corners[3])
        ends = np.concatenate([above, below])
        yield *ends.min(0), *ends.max(0)


def main(arguments: Sequence[str] | None = None) -> None:
    write_detected(__doc__, TEXT_FILE, MOST, TextFinder(), arguments)


if __name__ == "__main__":
    main()
