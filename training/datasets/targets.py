"""What the maps of faces and of text are taught, made from boxes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SURE_FACE = 0.5
"""Confidence from which the detector's faces are taught as faces."""
SMALLEST_FACE = 0.02
"""Smaller side of the smallest faces that are taught, as a share of what the network sees."""
SURE_TEXT = 0.75
"""Confidence from which a line is taught as text."""
SMALLEST_TEXT = 0.02
"""Smaller side of the smallest lines that are taught, as a share of what the network sees."""


def face_targets(faces: Tensor, windows: Tensor, side: int) -> Tensor:
    """(n, 6, side, side): heat, whether the cell counts, and distances to a face's left, top, right and bottom edge.

    `faces` (n, k, 5), larger ones first, are edges in 0..1 of the whole picture and confidence, all 0 where there is
    no face; the first number of a picture is NaN where nobody knows its faces, and then nothing counts. `windows`
    (n, 4) is what the network sees, left beyond right where it is mirrored. Heat is 1 at a face's centre and falls off
    as a Gaussian. Distances are shares of the window's sides, and 0 everywhere but near a centre. The area of a face
    that is doubtful or too small does not count.
    """
    known = ~faces[:, 0, 0].isnan()
    faces = faces.nan_to_num()
    x, y = _in_windows(faces, windows)
    size_x, size_y = x[..., 1] - x[..., 0], y[..., 1] - y[..., 0]
    there = (faces[..., 4] > 0) & known[:, None]
    sure = there & (faces[..., 4] >= SURE_FACE) & (torch.minimum(size_x, size_y) >= SMALLEST_FACE)
    for edges in (x, y):
        sure &= (edges.mean(-1) >= 0) & (edges.mean(-1) < 1)
    middles = (torch.arange(side, device=faces.device) + 0.5) / side
    inside, heat, near = [], [], []
    for edges, size in ((x, size_x), (y, size_y)):  # each (n, k, side)
        inside.append((middles > edges[..., :1]) & (middles < edges[..., 1:]))
        centre = middles[(edges.mean(-1) * side).long().clamp(0, side - 1)]
        away = (middles - centre[..., None]).abs()
        heat.append(torch.exp(-((away / (0.12 * size).clamp(min=0.6 / side)[..., None]) ** 2) / 2))
        near.append(away <= (0.15 * size).clamp(min=0.5 / side)[..., None])

    def on_grid(along: list[Tensor], which: Tensor) -> Tensor:
        """(n, k, side, side), 0 for the other faces."""
        return along[0][:, :, None] * along[1][..., None] * which[..., None, None]

    result = faces.new_zeros((len(faces), 6, side, side))
    result[:, 0] = on_grid(heat, sure).amax(1)
    hidden = (inside[1] & (there & ~sure)[..., None]).float().mT @ inside[0].float() > 0
    result[:, 1] = (known[:, None, None] & ~hidden) | (result[:, 0] >= 1)
    number = torch.arange(1, faces.shape[1] + 1, device=faces.device, dtype=torch.uint8)[:, None]  # at most 64
    owner = on_grid([near[0] * number, near[1]], sure).amax(1).long()  # the smallest face near here, counted from 1
    own = torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], 1)  # (n, 4, k)
    own = own.gather(2, (owner.flatten(1) - 1).clamp(min=0)[:, None].expand(-1, 4, -1)).view(-1, 4, side, side)
    here = torch.stack([middles.expand(side, -1), middles[:, None].expand(-1, side)])
    distances = torch.cat([here - own[:, :2], own[:, 2:] - here], 1)
    result[:, 2:] = distances.clamp(min=1e-3) * (owner > 0)[:, None]
    return result


def text_targets(text: Tensor, windows: Tensor, side: int) -> Tensor:
    """(n, 2, side, side): the share of each cell that is text, and whether the cell counts.

    `text` and `windows` are like those of `face_targets`. Where a line is doubtful or too small, cells do not count.
    """
    known = ~text[:, 0, 0].isnan()
    text = text.nan_to_num()
    x, y = _in_windows(text, windows)
    high = torch.minimum(x[..., 1] - x[..., 0], y[..., 1] - y[..., 0])
    there = text[..., 4] > 0
    sure = there & (text[..., 4] >= SURE_TEXT) & (high >= SMALLEST_TEXT)
    starts = torch.arange(side, device=text.device) / side
    across, down = (
        (torch.minimum(edges[..., 1:], starts + 1 / side) - torch.maximum(edges[..., :1], starts)).clamp(min=0) * side
        for edges in (x, y)
    )

    def covered_by(which: Tensor) -> Tensor:
        return (down.mT @ (across * which[..., None])).clamp(max=1)

    covered, doubtful = covered_by(sure), covered_by(there & ~sure)
    counts = known[:, None, None] & ((doubtful < 1e-3) | (covered > 0.5))
    return torch.stack([covered * counts, counts.float()], 1)


def text_targets_of(text: NDArray[np.float32], side: int) -> Tensor:
    """`text_targets` of whole pictures, from a store's boxes of them."""
    return text_targets(torch.from_numpy(text), torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(len(text), 4), side)


def _in_windows(boxes: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes (n, k, 5) of whole pictures as edges along x and y of what a network sees, each (n, k, 2), in order."""
    left, top, right, bottom = windows.T[:, :, None, None]
    return ((boxes[..., [0, 2]] - left) / (right - left)).sort(-1).values, (boxes[..., [1, 3]] - top) / (bottom - top)
