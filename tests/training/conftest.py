"""A store of drawn pictures, which the tests of training share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageDraw
from training.datasets.records import Fixations, Record
from training.datasets.store import Store, build_store, open_store

if TYPE_CHECKING:
    from training.datasets.batches import Batches


def disc(index: int) -> tuple[PillowImage.Image, PillowImage.Image, tuple[float, float]]:
    """A bright disc on a dark ground, its mask, and its centre."""
    random = np.random.default_rng(index)
    x, y, r = *random.uniform(60, 140, 2), random.uniform(20, 40)
    ground = PillowImage.fromarray(random.integers(0, 90, (8, 8, 3), np.uint8)).resize((200, 200))
    mask = PillowImage.new("L", (200, 200))
    ImageDraw.Draw(mask).ellipse((x - r, y - r, x + r, y + r), fill=255)
    ground.paste(PillowImage.new("RGB", (200, 200), (250, 220, 90)), mask=mask)
    return ground, mask, (x / 200, y / 200)


def records() -> Iterator[Record]:
    for i in range(48):
        picture, mask, (x, y) = disc(i)
        yield Record("DUTS-TR", f"d{i}", picture.copy, mask=mask.copy, group=f"d{i}")
        looks = tuple(np.array([[x, y], [x + 0.02, y]], np.float32) for _ in range(3))
        yield Record("osie", f"o{i}", picture.copy, fixations=Fixations(looks), group=f"o{i}")
    for i in range(24):
        flat = PillowImage.fromarray(np.random.default_rng(900 + i).integers(0, 255, (4, 4, 3), np.uint8))
        yield Record("nothing", f"n{i}", flat.resize((200, 200)).copy, nothing_salient=True, group=f"n{i}")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    build_store(records(), folder)
    return open_store(folder)


@pytest.fixture(scope="session")
def batches(store: Store) -> Batches:
    from training.datasets.batches import BatchConfig, Batches

    sets = BatchConfig(
        object_sets={"DUTS-TR": 1.0, "nothing": 1.0}, attention_sets={"osie": 1.0}, objects=6, attention=4
    )
    return Batches(store, sets, ("osie",), seed=1)
