"""A few steps on generated pictures, from records to an exported network that the package can run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageDraw

torch = pytest.importorskip("torch", reason="torch comes with the dependency group 'train'")

from torch.nn import functional as F  # noqa: E402
from training import gpu, mix, pack  # noqa: E402
from training.calibrate import attention_numbers, calibration_error, fitted, objectness_line, with_config  # noqa: E402
from training.datasets.batches import BatchConfig, Batches  # noqa: E402
from training.datasets.on_device import DeviceBatches  # noqa: E402
from training.datasets.records import Fixations, Record, is_held_back  # noqa: E402
from training.datasets.store import Store, build_store, open_store  # noqa: E402
from training.datasets.targets import face_targets  # noqa: E402
from training.evaluate import evaluate, predict, shipped_prior  # noqa: E402
from training.export import ATTENTION_CEILING, export  # noqa: E402
from training.fixate import fixate  # noqa: E402
from training.losses import face_loss  # noqa: E402
from training.networks.lite import ScaledConv  # noqa: E402
from training.networks.saliency_net import NetConfig, SaliencyNet, with_attention_decoder  # noqa: E402
from training.train import Run, TrainConfig, read_config, train  # noqa: E402
from training.weights import load_weights, save_weights  # noqa: E402

from eyefirst.face_maps import decode_faces  # noqa: E402
from eyefirst.network import OnnxNetwork  # noqa: E402

NET = NetConfig(channels=(8, 8, 16, 16), blocks=(1, 1, 1, 1), stem=8, decoder=8, prior_sets=("osie",))
LITE = replace(NET, channels=(8, 40, 112, 192), lite=True, faces=True)
CONFIGS = Path(__file__).parents[2] / "training" / "configs"


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


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    build_store(records(), folder)
    return open_store(folder)


@pytest.fixture(scope="module")
def batches(store: Store) -> Batches:
    sets = BatchConfig(
        object_sets={"DUTS-TR": 1.0, "nothing": 1.0}, attention_sets={"osie": 1.0}, objects=6, attention=4
    )
    return Batches(store, sets, NET.prior_sets, seed=1)


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
    np.testing.assert_allclose(again.teacher, taught, atol=0.12)
    assert np.abs(again.teacher - taught).mean() < 0.01
    np.testing.assert_array_equal(again.faces, faces)
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
    full = replace(store, teacher=smooth_maps(len(store.rows)), faces=faces) if taught else store
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
    for name in ("masks", "mask_weights", "density_weights", "prior_weights", "windows", "faces"):
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


def test_training_learns_stops_resumes_and_exports(batches: Batches, store: Store, tmp_path: Path) -> None:
    config = TrainConfig(budget_minutes=60.0, sides=((0.0, 64, 0.6),), warm_up_steps=5, average_decay=0.9)
    run = Run(NET, config, torch.device("cpu"))
    losses = [run.step(batches.batch(i, 64)).tolist() for i in range(40)]
    first, last = np.mean(losses[:5], axis=0), np.mean(losses[-5:], axis=0)
    assert last[0] < first[0]
    assert last[1] < first[1]

    checkpoint = tmp_path / "checkpoint.pt"
    run.minutes = 59.999
    run.save(checkpoint)
    again = Run(NET, config, torch.device("cpu"))
    again.load(checkpoint)
    assert again.steps == 40
    torch.testing.assert_close(run.step(batches.batch(40, 64)), again.step(batches.batch(40, 64)), rtol=1e-3, atol=0)

    train(again, batches, checkpoint, tmp_path / "log.jsonl", store)
    assert again.progress == 1
    assert "osie.nss" in (tmp_path / "log.jsonl").read_text()
    assert load_weights(tmp_path / "latest.safetensors").config == NET

    again.save(checkpoint)
    net = load_weights(checkpoint)
    for int8 in (False, True):
        out = tmp_path / ("int8" if int8 else "float")
        export(net, store, "smoke_v1", out, int8=int8, reduce_range=True)
        shipped = OnnxNetwork(out / "model.onnx")
        assert shipped.revision == "smoke_v1"
        pictures = np.asarray(store.pictures[:4])
        density, objectness, _ = predict(net, pictures)
        answer = shipped.predict(pictures)
        expected = np.clip(density * 68 * 68 / ATTENTION_CEILING, 0, 1)
        inner = slice(8, -8)  # what padding stands for differs, and reaches some cells inwards: see normalise_inside
        for found, wanted in ((answer.objectness, objectness), (answer.attention, expected)):
            np.testing.assert_allclose(found, wanted, atol=0.12 if int8 else 4e-2)
            np.testing.assert_allclose(found[:, inner, inner], wanted[:, inner, inner], atol=0.12 if int8 else 5e-3)


def test_weights_travel_alone(store: Store, tmp_path: Path) -> None:
    net = SaliencyNet(NET).eval()
    save_weights(net, tmp_path / "w.safetensors", revision="smoke_v1")
    again = load_weights(tmp_path / "w.safetensors")
    for a, b in zip(predict(net, store.pictures[:2])[:2], predict(again, store.pictures[:2])[:2], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)
    run = Run(NET, TrainConfig(1.0, ((0.0, 64, 0.6),)), torch.device("cpu"))
    run.start_from(again)
    slimmer = Run(replace(NET, finest=4), TrainConfig(1.0, ((0.0, 64, 0.6),)), torch.device("cpu"))
    slimmer.start_from(again)
    assert torch.equal(slimmer.average.stem[0].weight, again.stem[0].weight)
    other = Run(NetConfig(stem=16), TrainConfig(1.0, ((0.0, 64, 0.6),)), torch.device("cpu"))
    with pytest.raises(SystemExit, match="expected weights of nearly"):
        other.start_from(again)


def test_a_decoder_of_attentions_own_begins_as_the_shared_one() -> None:
    shared = SaliencyNet(NET).eval()
    config = replace(NET, attention_decoder=True)
    run = Run(config, TrainConfig(1.0, ((0.0, 64, 0.6),)), torch.device("cpu"))
    run.start_from(shared)
    picture = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0)) * 255
    for a, b in zip(shared(picture)[:2], run.average.eval()(picture)[:2], strict=True):
        torch.testing.assert_close(a, b)
    assert len(list(run.net.parameters())) > len(list(shared.parameters()))


def test_faces_are_taught_on_a_network_that_stays(store: Store, batches: Batches) -> None:
    shared = SaliencyNet(NET).eval()
    faces = np.zeros((len(store.rows), 4, 5), np.float32)
    faces[:] = FACES
    config = TrainConfig(1.0, ((0.0, 64, 0.6),), taught=("face_",), average_decay=0.5)
    run = Run(replace(NET, faces=True, face_decoder=True), config, torch.device("cpu"))
    run.start_from(shared)
    assert torch.equal(run.net.face_decoder.lateral[0].weight, shared.lateral[1].weight)
    head = run.net.face_head[-1].bias.detach().clone()
    seen = Batches(replace(store, faces=faces), batches.config, NET.prior_sets, seed=1)
    for k in range(3):
        run.step(seen.batch(k, 64))
    assert not torch.equal(run.net.face_head[-1].bias, head)
    for net in (run.net, run.average):
        before, after = (predict(n, store.pictures[:2]) for n in (shared, net))
        np.testing.assert_array_equal(before.attention, after.attention)
        np.testing.assert_array_equal(before.objectness, after.objectness)
        assert after.faces is not None


def test_minutes_of_a_run_are_mixed_by_share(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.safetensors" for name in ("early", "late", "mixed")]
    for path, value, gain in zip(paths, (1.0, 5.0), (1.0, 1.4), strict=False):
        net = SaliencyNet(replace(NET, attention_gain=gain))
        for tensor in (*net.parameters(), net.stem[1].running_var):
            torch.nn.init.constant_(tensor, value)
        save_weights(net, path)
    mix.main([str(paths[2]), f"{paths[0]}=3", f"{paths[1]}=1"])
    mixed = load_weights(paths[2])
    assert mixed.config == NET
    assert all(torch.all(p == 2) for p in (*mixed.parameters(), mixed.stem[1].running_var))
    save_weights(SaliencyNet(replace(NET, finest=4)), paths[1])
    with pytest.raises(SystemExit, match="expected networks of the same sizes"):
        mix.main([str(paths[2]), f"{paths[0]}=1", f"{paths[1]}=1"])


@pytest.mark.parametrize("part", ["w.safetensors", "=1", "w.safetensors=none", "w.safetensors=0"])
def test_a_wrong_share_is_named(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        mix.main(["out.safetensors", part])
    assert f"expected WEIGHTS=SHARE with a share above 0, got {part}" in capsys.readouterr().err


def test_calibration_finds_the_gains_that_fixations_were_drawn_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blurred maps with too strong a prior, whose true gain, surround and prior are known."""
    net = SaliencyNet(NET).eval()
    random = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(net.attention_head[-1].weight, generator=random)
    seen = torch.nn.functional.interpolate(torch.randn((60, 8, 9, 9), generator=random), (34, 34), mode="bicubic")
    true = with_config(net, replace(NET, attention_gain=1.5, attention_surround=0.4, prior_gain=0.6))
    logits, _ = true.calibrated(true.attention(seen, 68)[:, 0] + shipped_prior(true, 68), torch.zeros(()))
    shares = logits.detach().flatten(1).softmax(1).view_as(logits).numpy()
    monkeypatch.setattr("training.calibrate.head_input", lambda net, pictures: seen[pictures])
    store = SimpleNamespace(pictures=np.arange(60), fixation_shares=lambda chosen, side: shares)
    numbers = attention_numbers(net, store, list(range(60)))  # type: ignore[arg-type]
    assert numbers == pytest.approx({"attention_gain": 1.5, "attention_surround": 0.4, "prior_gain": 0.6}, rel=0.02)


def test_objectness_is_as_sharp_as_it_is_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blurred logits, and a tenth of the pictures whose masks show another subject than the network saw."""
    random = torch.Generator().manual_seed(0)
    truth = torch.randn((400, 68, 68), generator=random) * 4
    masks = torch.bernoulli(truth.sigmoid(), generator=random)
    masks[:40] = 1 - masks[:40]
    monkeypatch.setattr("training.calibrate.as_input", lambda net, pictures: pictures)
    labels = np.stack([masks.numpy().repeat(2, 1).repeat(2, 2)] * 2, 1)
    store = SimpleNamespace(pictures=truth * 2, labels=labels)
    slope, bias = objectness_line(lambda logits: (None, logits), store, list(range(400)))  # type: ignore[arg-type]
    x, y = (truth * 2).flatten(), masks.flatten()
    likeliest, _ = fitted(lambda w: F.binary_cross_entropy_with_logits(x * w[0] + w[1], y), [1.0, 0.0])
    errors = [calibration_error((x * s).sigmoid(), y) for s in (likeliest, slope)]
    assert likeliest < slope < 0.5
    assert abs(bias) < 0.05
    assert errors[1] <= errors[0] + 0.002


@pytest.mark.parametrize("own_decoder", [False, True])
def test_attention_learns_from_fixations_and_nothing_else_changes(store: Store, own_decoder: bool) -> None:
    torch.manual_seed(0)
    bare = SaliencyNet(NET).eval()
    if own_decoder:
        bare = with_attention_decoder(bare)
    chosen = [i for i, row in enumerate(store.rows) if row.fixations and not row.held_back]
    shares = store.fixation_shares(chosen, 68)
    np.testing.assert_allclose(shares.sum((1, 2)), 1, rtol=1e-5)
    learned = fixate(bare, store, epochs=3)
    before, after = (predict(n, store.pictures[chosen]) for n in (bare, learned))
    likelihoods = [(shares * np.log(np.maximum(density, 1e-30))).sum((1, 2)).mean() for density, *_ in (before, after)]
    assert likelihoods[1] > likelihoods[0]
    np.testing.assert_array_equal(before[1], after[1])


def test_three_maps_and_published_blocks_ship(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = SaliencyNet(LITE).eval()
    for module in net.modules():
        if isinstance(module, ScaledConv):
            torch.nn.init.uniform_(module.scale, 0.5, 1.5)
    run = Run(LITE, TrainConfig(1.0, ((0.0, 64, 0.6),), trunk_learning_rate=1e-4, parts=2), torch.device("cpu"))
    run.start_from(net)
    batch = Batches(store, BatchConfig({"DUTS-TR": 1.0}, {"osie": 1.0}, objects=2, attention=2), ("osie",), 1).batch(
        0, 64
    )
    assert run.step(batch).isfinite().all()
    export(net, store, "smoke_v3", tmp_path, int8=True, reduce_range=True)
    shipped = OnnxNetwork(tmp_path / "model.onnx")
    assert shipped.metadata["faces"].startswith("float32 (n, 5, 68, 68)")
    pictures = np.asarray(store.pictures[:2])
    answer, expected = shipped.predict(pictures), predict(net, pictures)
    assert answer.faces is not None
    assert expected.faces is not None
    np.testing.assert_allclose(answer.faces, expected.faces, atol=0.1)
    np.testing.assert_allclose(answer.objectness, expected.objectness, atol=0.12)


def test_a_scaled_convolution_is_a_convolution_and_a_frozen_norm() -> None:
    random = torch.Generator().manual_seed(0)
    weight, x = torch.randn((6, 1, 5, 5), generator=random), torch.randn((2, 6, 9, 9), generator=random)
    norm = {name: torch.rand(6, generator=random) + 0.5 for name in ("weight", "bias", "running_mean", "running_var")}
    conv = ScaledConv(6, 6, 5, 2, groups=6)
    conv.take(weight, norm)
    found = F.conv2d(x, weight, stride=2, padding=2, groups=6)
    found = F.batch_norm(found, norm["running_mean"], norm["running_var"], norm["weight"], norm["bias"], eps=1e-3)
    torch.testing.assert_close(conv(x), found, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(conv.plain()(x), found, atol=1e-4, rtol=1e-4)


def test_what_calibration_fits_is_part_of_what_ships(store: Store, tmp_path: Path) -> None:
    surrounded = SaliencyNet(replace(NET, attention_surround=0.5, prior_gain=0.5, attention_gain=1.5)).eval()
    export(surrounded, store, "smoke_v2", tmp_path, int8=False, reduce_range=True)
    answer = OnnxNetwork(tmp_path / "model.onnx").predict(np.asarray(store.pictures[:2])).attention
    expected = np.clip(predict(surrounded, store.pictures[:2])[0] * 68 * 68 / ATTENTION_CEILING, 0, 1)
    np.testing.assert_allclose(answer[:, 8:-8, 8:-8], expected[:, 8:-8, 8:-8], atol=5e-3)


def test_figures_come_from_the_held_back_side(store: Store) -> None:
    figures = evaluate(SaliencyNet(NET), store, most_per_set=8)
    assert set(figures) >= {"osie.nss", "osie.gap", "DUTS-TR.max_f", "DUTS-TR.mae", "nothing.lit"}
    assert all(np.isfinite(v) for v in figures.values())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.stem)
def test_every_config_can_be_read(path: Path) -> None:
    net, batch, config = read_config(path)
    assert set(net.prior_sets) <= set(batch.attention_sets)
    assert config.sides[-1][1] == 272, "the last part of the training runs at the size that ships"


def test_a_lent_machine_receives_trains_and_goes_on(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.pack.LARGEST_FILE", 60_000)
    few, carried, work, out = (tmp_path / name for name in ("pack", "carried", "work", "out"))
    paths = pack.pack(Path(store.pictures.filename).parent, few, ["osie", "nothing"])  # type: ignore[attr-defined]
    save_weights(SaliencyNet(NET), few / "begin.safetensors")
    config = tmp_path / "config.toml"
    config.write_text(
        "[net]\nchannels = [8, 8, 16, 16]\nblocks = [1, 1, 1, 1]\nstem = 8\ndecoder = 8\nprior_sets = ['osie']\n"
        "[batch]\nobjects = 2\nattention = 2\nobject_sets = { nothing = 1.0 }\nattention_sets = { osie = 1.0 }\n"
        "[train]\nbudget_minutes = 1\nsides = [[0.0, 64]]\nwarm_up_steps = 2\n"
    )
    with pytest.raises(SystemExit, match=r"expected pack-\*.zip"):
        gpu.main(["receive", str(tmp_path), str(work)])
    for paths_of_a_call in ([paths[-1]], [*paths[:-1], few / "begin.safetensors"]):
        shutil.rmtree(carried, ignore_errors=True)
        carried.mkdir()
        for path in paths_of_a_call:
            shutil.copy(path, carried)
        gpu.main(["receive", str(carried), str(work)])
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"received {paths[-1].name}; the file with the index is missing"
    assert "begin.safetensors, pack-00.zip" in last
    assert "72 pictures unpacked" in last
    how = [str(work), str(out), "--config", str(config), "--warm", "begin.safetensors", "--most", "4"]
    gpu.main(["run", *how, "--minutes", "0.005"])
    assert load_weights(out / "latest.safetensors").config == NET
    assert "osie.nss" in (out / "log.jsonl").read_text()
    steps = int(capsys.readouterr().out.split(" steps, ")[0].rsplit(" ", 1)[1])
    gpu.main(["run", *how, "--minutes", "0.005"])  # stopped while it measured: measures again
    gpu.main(["run", *how, "--minutes", "0.01"])
    assert f"step {steps}\n" in capsys.readouterr().out
    assert len((out / "log.jsonl").read_text().splitlines()) == 3
