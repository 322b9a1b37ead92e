"""Teachers: larger published networks, larger pictures, and what they say of a store."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the dependency group 'train'")

from training import teach as teaching  # noqa: E402
from training.datasets.batches import Batches  # noqa: E402
from training.datasets.larger import enlarge  # noqa: E402
from training.datasets.store import Row, Store, open_store  # noqa: E402
from training.networks import lite  # noqa: E402
from training.networks.saliency_net import NetConfig, SaliencyNet  # noqa: E402
from training.teach import Teacher, teach  # noqa: E402

from tests.training.conftest import records  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL = NetConfig(channels=(8, 8, 8, 8), blocks=(1, 1, 1, 1), stem=8, decoder=8, prior_sets=("osie", "mit1003"))


@pytest.mark.parametrize(
    ("size", "blocks", "channels"),
    [
        (0, 15, (24, 40, 112, 192)),
        (1, 20, (24, 40, 112, 192)),
        (2, 20, (24, 48, 120, 208)),
    ],
)
def test_published_networks_have_their_authors_sizes(size: int, blocks: int, channels: Sequence[int]) -> None:
    stages = lite.stages(size)
    assert sum(map(len, stages)) == blocks
    assert tuple(stage[-1].project.out_channels for stage in stages) == tuple(channels)
    net = SaliencyNet(NetConfig(channels=tuple(channels), lite=True, lite_size=size)).eval()
    with torch.no_grad():
        attention, objectness, *_ = net(torch.zeros(1, 3, 64, 64))
    assert attention.shape == objectness.shape == (1, 16, 16)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store's pictures as a shard without labels."""
    folder = tmp_path_factory.mktemp("shards")
    with ZipFile(folder / "all.zip", "w") as archive:
        for record in records():
            content = BytesIO()
            record.picture().save(content, "PNG")
            archive.writestr(f"{record.set_name}/images/{record.id}.png", content.getvalue())
    return folder


@pytest.fixture(scope="module")
def folders(store: Store, shards: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of the store whose teacher.npy is all zero, and its looked-at pictures at 96 pixels."""
    own, large = (tmp_path_factory.mktemp("folders") / name for name in ("own", "large"))
    shutil.copytree(Path(store.pictures.filename).parent, own)  # type: ignore[attr-defined]
    np.save(own / "teacher.npy", np.zeros((len(store.rows), 2, 68, 68), np.float16))
    enlarge(shards, own, large, 96)
    return own, large


def test_a_larger_copy_holds_what_people_looked_at(store: Store, folders: tuple[Path, Path]) -> None:
    copy = open_store(folders[1])
    looked_at = [i for i, row in enumerate(store.rows) if row.fixations]
    assert [row.id for row in copy.rows] == [store.rows[i].id for i in looked_at]
    assert copy.pictures.shape == (len(looked_at), 96, 96, 3)
    squashed = np.asarray(store.pictures[looked_at[3]]).reshape(68, 4, 68, 4, 3).mean((1, 3))
    assert abs(squashed.mean() - copy.pictures[3].mean()) < 2
    np.testing.assert_array_equal(copy.labels, store.labels[looked_at])


def test_a_picture_that_is_missing_is_named(store: Store, folders: tuple[Path, Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    ZipFile(empty / "none.zip", "w").close()
    with pytest.raises(SystemExit, match=f"{sum(r.fixations is not None for r in store.rows)} are missing: osie/o0"):
        enlarge(empty, folders[0], tmp_path / "out", 96)


def test_teachers_are_asked_and_asked_again_only_where_they_were_not(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, large = folders
    monkeypatch.setattr(teaching, "powers", lambda *_: [0.6, 0.4])
    torch.manual_seed(0)
    teachers = [Teacher(f"net{k}@64", SaliencyNet(SMALL).eval(), 64) for k in range(2)]
    teach(own, large, teachers)
    maps = np.load(own / "teacher.npy")
    assert maps[:, 0].max((1, 2)).tolist() == [1.0] * len(maps)
    assert not maps[:, 1].any()  # objectness stays
    powers = json.loads((own / "asked.json").read_text())
    assert powers == {"net0@64": 0.6, "net1@64": 0.4}

    known = open_store(own)
    other = next(i for i, row in enumerate(known.rows) if row.set_name == "nothing")
    said = sum(
        power * teacher.log_densities(known.pictures[[other]], mirrored)[0]
        for teacher, power, mirrored in zip(teachers, powers.values(), (False, True), strict=True)
    )
    np.testing.assert_allclose(maps[other, 0], (said - said.max()).exp(), atol=2e-3)

    unfinished = maps.copy()
    unfinished[other, 0] = np.nan
    unfinished[0, 0] = 0.25  # known: stays
    np.save(own / "teacher.npy", unfinished)
    monkeypatch.setattr(teaching, "powers", lambda *_: pytest.fail("asked for powers again"))
    teach(own, large, teachers)
    again = np.load(own / "teacher.npy")
    np.testing.assert_array_equal(again[other, 0], maps[other, 0])
    assert np.all(again[0, 0] == np.float16(0.25))


def test_a_teachers_power_is_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """People look as the square of the first one's density says; the second one guesses."""
    logits = torch.randn((2, 6, 68, 68), generator=torch.Generator().manual_seed(0))
    knows, guesses = logits.flatten(2).log_softmax(2).view_as(logits)
    shares = (2 * knows).flatten(1).softmax(1).view_as(knows).numpy()
    row = Row("osie", "o", has_mask=False, has_density=True, held_back=True, aspect=1.0, fixations=None)
    looked_at = SimpleNamespace(rows=[row] * 6, pictures=np.arange(6), fixation_shares=lambda *_: shares)
    monkeypatch.setattr(teaching, "is_for_fitting", lambda _: True)
    monkeypatch.setattr(teaching, "both_ways", lambda _, part: torch.stack([knows, guesses], -1)[part])
    assert teaching.powers([], looked_at) == pytest.approx([2.0, 0.0], abs=0.02)  # type: ignore[arg-type]


def test_a_teacher_that_was_not_asked_yet_teaches_no_attention(store: Store, batches: Batches) -> None:
    maps = np.ones((len(store.rows), 2, 68, 68), np.float16)
    maps[:, 0] = np.nan
    batch = Batches(replace(store, teacher=maps), replace(batches.config, teacher_share=0.6), ("osie",), 1).batch(0, 64)
    assert batch.density_weights.tolist() == [0.0] * 6 + [1.0] * 4
    assert torch.isfinite(batch.densities).all()
    assert batch.mask_weights.tolist() == [1.0] * 6 + [0.5] * 4


@pytest.mark.parametrize("text", ["weights.safetensors", "weights.safetensors@100", "@64"])
def test_a_teacher_without_a_side_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        teaching.main(["store", "large", text])
    assert f"expected WEIGHTS@SIDE with a side that is a multiple of 16, got {text}" in capsys.readouterr().err
