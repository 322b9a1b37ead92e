"""What every reader yields, and the one rule that decides which records are held back.

A reader turns some layout on disk (this project's shards, or a public set's own folders) into
`Record`s. `store.py` turns records into arrays. Nothing else knows about files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HELD_BACK_SHARE = {
    "ECSSD": 1.0,
    "DUTS-TE": 1.0,
    "DUTS-TR": 0.06,
    "CCP": 0.06,
    "human290": 0.06,
    "DAVIS": 0.06,
    "nothing": 0.15,
}
"""Share of a set kept out of training; sets not named here keep `DEFAULT_HELD_BACK_SHARE` out."""
DEFAULT_HELD_BACK_SHARE = 0.15


@dataclass(frozen=True)
class Fixations:
    """Where observers looked, in viewing order.

    `observers` holds one (n, 2) float32 array per observer: x and y as fractions of the picture,
    top-left origin. The central start fixation is already left out.
    """

    observers: tuple[NDArray[np.float32], ...]

    def points(self) -> NDArray[np.float32]:
        """All observers' fixations that lie on the picture, (n, 2)."""
        everything = np.concatenate([*self.observers, np.empty((0, 2), np.float32)])
        inside = ((everything >= 0) & (everything < 1)).all(axis=1)
        return everything[inside]


def cell_shares(points_xy: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """The share of the points (n, 2) that lie in each cell of a square grid, (side, side)."""
    x, y = np.clip((points_xy * side).astype(int), 0, side - 1).T
    return np.bincount(y * side + x, minlength=side**2).reshape(side, side) / len(points_xy)


@dataclass(frozen=True)
class Record:
    """One labelled picture. Exactly the labels that the set has are given; the rest are None.

    `mask()` is a PIL picture, 255 where foreground; `nothing_salient` stands for an all-zero mask.
    `density()` is a PIL "L" picture whose brightness is the share of fixations.
    """

    set_name: str
    id: str
    picture: Callable[[], Image.Image]
    mask: Callable[[], Image.Image] | None = None
    nothing_salient: bool = False
    fixations: Fixations | None = None
    density: Callable[[], Image.Image] | None = None
    group: str = ""
    """Records of one group (frames of one clip) are never split between training and measuring."""

    @property
    def key(self) -> str:
        return f"{self.set_name}/{self.id}"


def is_held_back(set_name: str, group: str) -> bool:
    """Whether a group is kept for measuring. Depends on names alone, never on order or chance."""
    digest = hashlib.sha256(f"{set_name}/{group}".encode()).digest()
    share = HELD_BACK_SHARE.get(set_name, DEFAULT_HELD_BACK_SHARE)
    return int.from_bytes(digest[:8], "big") / 2**64 < share
