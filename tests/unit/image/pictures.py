"""Small pictures, and the folders of cases that only some machines have."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

CASES = Path(__file__).parents[4] / "shared" / "cases" / "pictures"


def case(name: str) -> Path:
    """A file of the cases that were found by users; skips the test where they are not."""
    path = CASES / name
    if not path.exists():
        pytest.skip(f"the case {name} is not here")
    return path


def encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(width: int = 160, height: int = 120, seed: int = 1) -> PIL.Image.Image:
    """A smooth random picture, which no two encodings of different pixels share."""
    rng = np.random.default_rng(seed)
    small = PIL.Image.fromarray(rng.integers(0, 256, (max(height // 8, 1), max(width // 8, 1), 3), np.uint8))
    return small.resize((width, height), PIL.Image.Resampling.BICUBIC)
