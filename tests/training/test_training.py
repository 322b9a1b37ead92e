"""A few steps on generated pictures, from records to an exported network that the package can run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the dependency group 'train'")

import onnx  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from training import gpu, mix, pack  # noqa: E402
from training.calibrate import attention_numbers, calibration_error, fitted, objectness_line, with_config  # noqa: E402
from training.datasets.batches import BatchConfig, Batches  # noqa: E402
from training.datasets.store import Store  # noqa: E402
from training.evaluate import evaluate, predict, shipped_prior  # noqa: E402
from training.export import ATTENTION_CEILING, export, weight_steps  # noqa: E402
from training.fixate import fixate  # noqa: E402
from training.networks.lite import ScaledConv  # noqa: E402
from training.networks.saliency_net import Logits, NetConfig, SaliencyNet, with_attention_decoder  # noqa: E402
from training.train import Run, TrainConfig, read_config, train  # noqa: E402
from training.weights import load_weights, save_weights  # noqa: E402

from eyefirst.network import OnnxNetwork  # noqa: E402

NET = NetConfig(channels=(8, 8, 16, 16), blocks=(1, 1, 1, 1), stem=8, decoder=8, prior_sets=("osie",))
LITE = replace(NET, channels=(24, 40, 112, 192), lite=True, faces=True)
CONFIGS = Path(__file__).parents[2] / "training" / "configs"


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
        export(net, store, "smoke_v1", out, int8=int8)
        shipped = OnnxNetwork(out / "model.onnx")
        assert shipped.revision == "smoke_v1"
        pictures = np.asarray(store.pictures[:4])
        density, objectness, *_ = predict(net, pictures)
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
    faces[:, 0] = 0.1, 0.2, 0.3, 0.5, 0.9
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
    with_text = SaliencyNet(replace(NET, faces=True, text=True))
    with_faces = SaliencyNet(replace(NET, faces=True))
    torch.nn.init.constant_(with_faces.context.bias, 1.0)
    torch.nn.init.constant_(with_text.context.bias, 3.0)
    save_weights(with_faces, paths[0])
    save_weights(with_text, paths[1])
    mix.main([str(paths[2]), f"{paths[0]}=1", f"{paths[1]}=1", "--last", "face_"])
    mixed = load_weights(paths[2])
    assert mixed.config.text
    assert torch.all(mixed.context.bias == 2)
    assert torch.equal(mixed.face_head[-1].bias, with_text.face_head[-1].bias)
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
    slope, bias = objectness_line(lambda logits: Logits(logits, logits), store, list(range(400)))  # type: ignore[arg-type]
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
    export(net, store, "smoke_v3", tmp_path, int8=True)
    shipped = OnnxNetwork(tmp_path / "model.onnx")
    assert shipped.metadata["faces"].startswith("float32 (n, 5, 68, 68)")
    pictures = np.asarray(store.pictures[:2])
    answer, expected = shipped.predict(pictures), predict(net, pictures)
    assert answer.faces is not None
    assert expected.faces is not None
    np.testing.assert_allclose(answer.faces, expected.faces, atol=0.1)
    np.testing.assert_allclose(answer.objectness, expected.objectness, atol=0.12)
    graph = onnx.load(tmp_path / "model.onnx").graph
    kept_in_float = {weights.name for weights in graph.initializer}
    logits: set[str] = set()
    for node in graph.node:
        last = node.op_type == "Conv" and node.input[1] in kept_in_float
        if last or not logits.isdisjoint(node.input):
            logits.update(node.output)
            assert node.op_type != "QuantizeLinear", f"{node.name} makes logits coarse"
    assert logits


def test_weights_in_int8_are_as_fine_as_sums_of_16_bits_allow() -> None:
    weight = np.random.default_rng(0).normal(size=(8, 12, 3, 3)).astype(np.float32)
    weight[0] = 0
    for tensor in (weight, weight[:, :1]):
        steps = weight_steps(tensor)
        whole = np.rint(tensor / steps[:, None, None, None]).astype(int).transpose(0, 2, 3, 1).reshape(8, -1)
        assert np.abs(whole).max() <= 127
        if tensor.shape[1] == 1:
            assert (np.abs(whole[1:]).max(1) == 127).all()
            continue
        sums = [255 * (part[:, 1:] + part[:, :-1]).max(1) for part in (whole.clip(min=0), -whole.clip(max=0))]
        assert np.max(sums) <= 2**15 - 1
        assert (np.max(sums, 0)[1:] >= 255 * 126).all() or (np.abs(whole).max(1)[1:] == 127).all()


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
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(conv(x), found, atol=1e-4, rtol=1e-4)  # depthwise ones are slower in bfloat16


def test_what_calibration_fits_is_part_of_what_ships(store: Store, tmp_path: Path) -> None:
    surrounded = SaliencyNet(replace(NET, attention_surround=0.5, prior_gain=0.5, attention_gain=1.5)).eval()
    export(surrounded, store, "smoke_v2", tmp_path, int8=False)
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
    if path.stem != "teacher":
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
