"""From records to batches: the split, cuts, labels, packs, and the losses of faces and text."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the dependency group 'train'")

from torch.nn import functional as F  # noqa: E402
from training import pack  # noqa: E402
from training.datasets.batches import Batches  # noqa: E402
from training.datasets.on_device import DeviceBatches  # noqa: E402
from training.datasets.records import is_held_back  # noqa: E402
from training.datasets.store import Store, open_store  # noqa: E402
from training.datasets.targets import face_targets, text_targets  # noqa: E402
from training.losses import face_loss, text_loss  # noqa: E402
from training.networks.saliency_net import NetConfig, SaliencyNet  # noqa: E402

from eyefirst.face_maps import decode_faces  # noqa: E402

NET = NetConfig(channels=(8, 8, 16, 16), blocks=(1, 1, 1, 1), stem=8, decoder=8, prior_sets=("osie",))


def test_the_split_depends_on_names_alone_and_keeps_duplicates_together(store: Store) -> None:
    for row in store.rows:
        if row.set_name == "nothing":
            assert row.held_back == is_held_back("nothing", row.id)
    sides = {}
    for row in store.rows:  # o7 is the same picture as d7
        if row.set_name != "nothing":
            sides.setdefault(row.id[1:], set()).add(row.held_back)
    assert all(len(s) == 1 for s in sides.values())
    assert 0 < sum(r.held_back for r in store.rows) < len(store.rows) / 2


def test_labels_follow_the_picture_through_cuts_and_mirrors(batches: Batches) -> None:
    batch = batches.batch(3, 64)
    assert batch.pictures.shape == (10, 3, 64, 64)
    assert batch.masks.shape == batch.densities.shape == (10, 16, 16)
    assert torch.allclose(batch.densities.sum((1, 2)), torch.ones(10), atol=1e-4)
    assert batch.mask_weights.tolist() == [1.0] * 6 + [0.0] * 4
    assert batch.density_weights.tolist() == [0.0] * 6 + [1.0] * 4
    brightness = torch.nn.functional.avg_pool2d(batch.pictures, 4).mean(1)
    for density, bright in zip(batch.densities[6:], brightness[6:], strict=True):
        y, x = divmod(int(density.argmax()), 16)
        assert bright[y, x] > bright.mean()


def test_a_batch_is_the_same_whenever_it_is_made(batches: Batches) -> None:
    assert torch.equal(batches.batch(5, 64).pictures, batches.batch(5, 64).pictures)
    assert not torch.equal(batches.batch(5, 64).pictures, batches.batch(6, 64).pictures)


def test_a_pack_carries_a_store(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    shutil.copytree(Path(store.pictures.filename).parent, source)  # type: ignore[attr-defined]
    taught = smooth_maps(len(store.rows))
    np.save(source / "teacher.npy", taught)
    faces = np.zeros((len(store.rows), 4, 5), np.float32)
    faces[:] = FACES
    np.save(source / "faces.npy", faces)
    np.save(source / "text.npy", faces[:, ::-1])
    monkeypatch.setattr("training.pack.LARGEST_FILE", 100_000)
    paths = pack.pack(source, tmp_path / "pack")
    assert len(paths) > 1
    assert max(path.stat().st_size for path in paths) <= 100_000
    assert pack.unpack(tmp_path / "pack", tmp_path / "store") == len(store.rows)
    again = open_store(tmp_path / "store")
    assert again.rows[5].id == store.rows[5].id
    assert np.abs(again.pictures[:8].astype(int) - store.pictures[:8]).mean() < 4
    np.testing.assert_allclose(again.labels, store.labels, atol=0.005)
    assert again.teacher is not None
    assert again.faces is not None
    assert again.text is not None
    np.testing.assert_allclose(again.teacher, taught, atol=0.12)
    assert np.abs(again.teacher - taught).mean() < 0.01
    np.testing.assert_array_equal(again.faces, faces)
    np.testing.assert_array_equal(again.text, faces[:, ::-1])
    pack.main(["pack", str(source), str(tmp_path / "few"), "--sets", "osie", "--quality", "20"])
    assert pack.unpack(tmp_path / "few", tmp_path / "few_store") == 48
    few = open_store(tmp_path / "few_store")
    assert [row.id for row in few.rows] == [row.id for row in store.rows if row.set_name == "osie"]
    with pytest.raises(SystemExit, match="has no OSIE"):
        pack.pack(source, tmp_path / "few", ["OSIE"])
    paths[-1].unlink()
    with pytest.raises(SystemExit, match="expected all files of one pack"):
        pack.unpack(tmp_path / "pack", tmp_path / "store")
    with pytest.raises(SystemExit, match=r"expected pack-\*.zip"):
        pack.unpack(tmp_path, tmp_path / "none")


def smooth_maps(count: int) -> np.ndarray:
    """Teacher's maps (count, 2, 68, 68)."""
    coarse = torch.rand((count, 2, 6, 6), generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (68, 68), mode="bicubic").clamp(0, 1).numpy().astype(np.float16)


@pytest.mark.parametrize("side", [48, 96])
@pytest.mark.parametrize("taught", [False, True])
def test_a_device_cuts_the_batches_that_pillow_cuts(store: Store, batches: Batches, side: int, taught: bool) -> None:
    faces = np.zeros((len(store.rows), 4, 5), np.float32)
    faces[:] = FACES
    full = replace(store, teacher=smooth_maps(len(store.rows)), faces=faces, text=faces) if taught else store
    config = replace(batches.config, objects=12, attention=6, paste_share=0.5, teacher_share=0.6)
    plain = Batches(full, config, ("osie",), seed=1)
    device = DeviceBatches(full, config, ("osie",), 1, torch.device("cpu"))
    draws = plain.draw(0, side)
    assert (draws.backgrounds >= 0).any()
    assert draws.shrunk.any()
    assert draws.noise.any()
    assert (draws.windows[:, 0] > draws.windows[:, 2]).any()
    expected, found = plain.batch(0, side), next(device.stream(0, side))
    assert (found.pictures - expected.pictures).abs().max() < 6  # two roundings, and contrast up to 1.4 * 1.12
    assert (found.pictures - expected.pictures).abs().mean() < 0.5
    for name in ("masks", "mask_weights", "density_weights", "prior_weights", "windows", "faces", "text"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), atol=0.02, rtol=0)
    torch.testing.assert_close(found.densities, expected.densities, atol=1e-5, rtol=1e-3)


def test_a_teacher_fills_the_gaps(store: Store, batches: Batches) -> None:
    taught = np.zeros((len(store.rows), 2, 68, 68), np.float16)
    taught[:, 0, :, 34:] = 1  # attention on the right, a subject below
    taught[:, 1, 34:] = 1
    batch = Batches(replace(store, teacher=taught), batches.config, NET.prior_sets, seed=1).batch(0, 64)
    assert batch.mask_weights.tolist() == [1.0] * 6 + [0.5] * 4
    assert batch.density_weights.tolist() == [1.0] * 10
    for i in range(6, 10):
        assert batch.masks[i, -1].min() > 0.9
    for i in range(6):
        right_edge = 0 if batch.windows[i, 0] > batch.windows[i, 2] else -1
        assert batch.densities[i, :, right_edge].min() > batch.densities[i, :, -1 - right_edge].max()


FACES = np.zeros((4, 5), np.float32)
FACES[:3] = [0.1, 0.2, 0.3, 0.5, 0.9], [0.6, 0.6, 0.7, 0.72, 0.3], [0.8, 0.1, 0.81, 0.12, 0.9]
"""One that is taught, a doubtful one, one that is too small, and room for another."""


@pytest.mark.parametrize("window", [(0.0, 0.0, 1.0, 1.0), (1.0, 0.0, 0.0, 1.0), (0.05, 0.1, 0.85, 0.9)])
def test_a_target_of_faces_decodes_to_the_faces(window: tuple[float, float, float, float]) -> None:
    target = face_targets(torch.from_numpy(FACES)[None], torch.tensor([window]), 56)[0].numpy()
    (face,) = decode_faces(np.concatenate([target[:1], target[2:]]))
    left, top, right, bottom = window
    x = sorted((edge - left) / (right - left) for edge in (0.1, 0.3))
    y = [(edge - top) / (bottom - top) for edge in (0.2, 0.5)]
    assert (face.box.left, face.box.right) == pytest.approx(x, abs=1e-3)
    assert (face.box.top, face.box.bottom) == pytest.approx(y, abs=1e-3)
    assert target[1].min() == 0, "nothing is learned where a face is doubtful"
    assert target[1].mean() > 0.95


def test_faces_that_nobody_looked_for_teach_nothing(store: Store, batches: Batches) -> None:
    unknown = torch.full((1, 4, 5), torch.nan)
    assert not face_targets(unknown, torch.tensor([[0.0, 0.0, 1.0, 1.0]]), 16).any()
    faces = np.zeros((len(store.rows), 4, 5), np.float32)
    faces[:] = FACES
    looked_at = store.select("osie", held_back=False)
    faces[looked_at[::2], 0, 0] = np.nan
    batch = Batches(replace(store, faces=faces), batches.config, NET.prior_sets, seed=1).batch(0, 64)
    assert batch.faces.shape == (10, 6, 16, 16)
    assert set(batch.faces[6:, 1].amax((1, 2)).tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_target_of_text_is_the_share_of_each_cell(mirrored: bool) -> None:
    lines = torch.tensor([[[0.0, 0.5, 0.3, 0.6, 0.9], [0.5, 0.5, 0.9, 0.6, 0.55], [0.5, 0.9, 0.9, 0.91, 0.9]]])
    window = torch.tensor([[1.0, 0.0, 0.0, 1.0] if mirrored else [0.0, 0.0, 1.0, 1.0]])
    covered, counts = text_targets(lines, window, 20)[0]
    if mirrored:
        covered, counts = covered.flip(1), counts.flip(1)
    assert covered[10:12, :6].min() == pytest.approx(1)
    assert covered.sum() == pytest.approx(12, abs=1e-4)
    assert counts[10:12, 10:18].max() == 0, "nothing is learned where a line is doubtful"
    assert counts[18, 10:18].max() == 0, "nor where it is too small"
    assert counts.sum() == 400 - 16 - 8
    half = text_targets(lines, torch.tensor([[0.0, 0.0, 0.5, 1.0]]), 20)[0, 0]
    assert half[10:12, :12].min() == pytest.approx(1)
    assert not text_targets(torch.full((1, 2, 5), torch.nan), window, 20).any()


def test_the_loss_of_text_is_least_where_it_is() -> None:
    lines = torch.tensor([[[0.1, 0.5, 0.3, 0.6, 0.9]]])
    target = text_targets(lines, torch.tensor([[0.0, 0.0, 1.0, 1.0]]), 20)
    right = torch.logit(target[:, 0].clamp(1e-4, 1 - 1e-4))
    assert text_loss(right, target) < 0.01
    assert text_loss(right, target) < text_loss(torch.full_like(right, -6), target) < text_loss(-right, target)


def test_the_loss_of_faces_is_least_where_they_are() -> None:
    target = face_targets(torch.from_numpy(FACES)[None], torch.tensor([[0.0, 0.0, 1.0, 1.0]]), 34)
    inside = target[:, [0, 2, 3, 4, 5]].clamp(1e-4, 1 - 1e-4)
    right = torch.logit(inside)
    wrong = right.roll(5, dims=3)
    for a, b in zip(face_loss(right, target), face_loss(wrong, target), strict=True):
        assert a < b
    where, edges = face_loss(right, torch.zeros_like(target))
    assert where == 0
    assert edges == 0


def test_a_set_without_a_prior_learns_from_the_teacher(store: Store, batches: Batches) -> None:
    taught = np.zeros((len(store.rows), 2, 68, 68), np.float16)
    taught[:, 0, :, 34:] = 1
    seen = Batches(replace(store, teacher=taught), batches.config, ("another",), seed=1).batch(0, 64)
    for i in range(6, 10):  # these have fixations
        right_edge = 0 if seen.windows[i, 0] > seen.windows[i, 2] else -1
        assert seen.densities[i, :, right_edge].min() > seen.densities[i, :, -1 - right_edge].max()


def test_a_prior_is_cut_as_the_picture_is() -> None:
    net = SaliencyNet(NET)
    whole, mirrored, corner = torch.tensor([[0.0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0.5, 0.5]])
    weights = torch.ones(3, 1)
    with torch.no_grad():
        net.priors += torch.linspace(0, 1, 17)
        priors = net.prior(weights, 34, torch.stack([whole, mirrored, corner]))
        plain = net.prior(weights[:1], 34)[0]
        assert torch.allclose(priors[0], plain, atol=1e-5)
        assert torch.allclose(priors[1], plain.flip(1), atol=1e-5)
        assert torch.allclose(priors[2][::2, ::2].mean(), plain[:17, :17].mean(), atol=0.15)
