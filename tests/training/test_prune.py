"""A trunk with fewer channels: what it still gives, and that it learns the rest back."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the dependency group 'train'")

from training.evaluate import as_input  # noqa: E402
from training.networks.saliency_net import NetConfig, SaliencyNet  # noqa: E402
from training.prune import MULTIPLE, Sums, channels_to_keep, prune  # noqa: E402
from training.recover import Recovery, drawn_from  # noqa: E402
from training.weights import load_weights, save_weights  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from training.datasets.store import Store

SIDE = 64


@pytest.fixture(scope="module")
def whole() -> SaliencyNet:
    torch.manual_seed(0)
    hidden = (32, *[64] * 14)
    config = NetConfig(channels=(24, 40, 112, 192), lite=True, hidden=hidden, prior_sets=("osie", "mit1003"))
    return SaliencyNet(config).eval()


@pytest.fixture(scope="module")
def parts() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 255, (48, 16, 16, 3), np.uint8)
    return list(coarse.repeat(4, 1).repeat(4, 2).reshape(6, 8, SIDE, SIDE, 3))


@torch.no_grad()
def maps(net: SaliencyNet, pictures: np.ndarray) -> list[torch.Tensor]:
    return net.trunk(net.normalised(as_input(net, pictures)))


def distance(net: SaliencyNet, whole: SaliencyNet, pictures: np.ndarray) -> float:
    """Of the coarsest maps, as a share of their variance."""
    found, wanted = maps(net, pictures)[-1], maps(whole, pictures)[-1]
    return float((found - wanted).square().mean() / wanted.var((0, 2, 3)).mean())


def hidden(net: SaliencyNet) -> list[int]:
    return [block.project.in_channels for block in chain.from_iterable(net.stages)]


def test_channels_that_others_can_stand_in_for_go_first() -> None:
    random = torch.Generator().manual_seed(0)
    own = torch.randn(1, 16, 40, 40, generator=random)
    echo = own + 0.01 * torch.randn(1, 16, 40, 40, generator=random)  # says nothing new
    weight = torch.randn(8, 32, generator=random)
    both = torch.cat([own, echo], 1)
    wanted = torch.einsum("oc,nchw->nohw", weight, both) + 3
    sums = Sums.of(both, wanted, wanted)
    kept = channels_to_keep(sums, lost=0.01)
    assert len(kept) == 16
    assert sorted(int(k) % 16 for k in kept) == list(range(16))
    fitted, bias = sums.fit(kept)
    found = torch.einsum("oc,nchw->nohw", fitted.float(), both[:, kept]) + bias.float().view(-1, 1, 1)
    assert float((found - wanted).square().mean() / wanted.var()) < 0.001
    assert len(channels_to_keep(sums, lost=0.0)) == 32


def test_where_nothing_may_be_lost_only_idle_channels_go(whole: SaliencyNet, parts: list[np.ndarray]) -> None:
    same = prune(whole, parts, lost=0.0)
    assert sum(hidden(same)) < sum(hidden(whole))  # by chance about half of them are always zero
    assert distance(same, whole, parts[0]) < 1e-4


def test_fewer_channels_give_nearly_the_same_and_learn_the_rest(
    whole: SaliencyNet, parts: list[np.ndarray], tmp_path: Path
) -> None:
    small = prune(whole, parts, lost=0.05)
    assert sum(hidden(small)) < 0.6 * sum(hidden(whole))
    assert all(width % MULTIPLE == 0 for width in hidden(small))
    pictures = np.concatenate(parts)
    assert distance(small, whole, pictures) < 0.05

    random = np.random.default_rng(1)
    torch.manual_seed(1)
    for block in chain.from_iterable(small.stages):
        block.project.weight.data *= 1 + 0.3 * torch.randn_like(block.project.weight)
    before = distance(small, whole, pictures)
    recovery = Recovery(small, whole, lambda n: pictures[random.choice(len(pictures), n)], rate=1e-3)
    for step in range(24):
        recovery.step(step / 24)
    assert distance(recovery.average, whole, pictures) < 0.7 * before

    save_weights(recovery.average, tmp_path / "small.safetensors")
    again = load_weights(tmp_path / "small.safetensors")
    assert again.config.hidden == tuple(hidden(small))
    assert distance(again, recovery.average, parts[0]) < 1e-3


def test_pictures_are_drawn_from_the_training_side(store: Store) -> None:
    drawn = drawn_from(store)(6)
    assert drawn.shape == (6, 272, 272, 3)
    seen = [store.pictures[i] for i, row in enumerate(store.rows) if not row.held_back]
    assert all(any(np.array_equal(one, p) or np.array_equal(one, p[:, ::-1]) for p in seen) for one in drawn)
