"""How the learning rate falls."""

from __future__ import annotations

import math


def cosine(progress: float, floor: float = 0.0) -> float:
    """The share of the highest rate, from 1 to `floor` as progress goes 0..1 (Loshchilov and Hutter, ICLR 2017)."""
    return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2
