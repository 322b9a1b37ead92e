"""The measure of even-handedness, and the shipped network by it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.quality.even_handed import (
    CANVAS,
    SKIN_TONES,
    Cutout,
    Pair,
    Trial,
    brightened,
    colour_table,
    composed,
    cutouts,
    draw_figure,
    drawn_pairs,
    hue_shifted,
    main,
    plain_backgrounds,
    recoloured,
    run_trials,
    switched_share,
    texture_backgrounds,
    trials,
    variant_share,
    wilson,
)
from training.datasets.store import Store, open_store

from eyefirst.network import OnnxNetwork


def block(grey: int, width: int = 40, height: int = 80) -> Cutout:
    return Cutout(np.full((height, width, 3), grey, np.uint8), np.ones((height, width), np.float32))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A bright block on grey in every set, but for `nothing`; and one that is too small."""
    folder = tmp_path_factory.mktemp("store")
    names = ["CCP", "human290", "DUTS-TR", "DUTS-TR", "nothing", "osie"]
    pictures = np.full((len(names), 272, 272, 3), 90, np.uint8)
    labels = np.zeros((len(names), 2, 136, 136), np.float16)
    for i, side in enumerate((40, 40, 40, 10, 0, 40)):
        pictures[i, 80 : 80 + 2 * side, 60 : 60 + 2 * side] = 200
        labels[i, 0, 40 : 40 + side, 30 : 30 + side] = 1
    rows = [
        {"set_name": n, "id": str(i), "has_mask": True, "has_density": False, "held_back": True, "aspect": 1.5}
        | {"fixations": None}
        for i, n in enumerate(names)
    ]
    np.save(folder / "pictures.npy", pictures)
    np.save(folder / "labels.npy", labels)
    (folder / "index.json").write_text(json.dumps(rows))
    return open_store(folder)


@pytest.mark.parametrize(
    ("share", "count", "low", "high"),
    [(0.5, 100, 0.4038, 0.5962), (0.0, 10, 0.0, 0.2775), (1.0, 10, 0.7225, 1.0), (0.5, 1, 0.0546, 0.9454)],
)
def test_the_interval_of_a_share(share: float, count: int, low: float, high: float) -> None:
    found = wilson(share, count)
    assert (found.value, found.low, found.high) == pytest.approx((share, low, high), abs=1e-4)


def test_no_trials_tell_nothing() -> None:
    assert (wilson(0.3, 0).low, wilson(0.3, 0).high) == (0, 1)
    assert np.isnan(variant_share([]).value)


def trial(subject: str, left: bool, kept: str, mirrored: bool = False) -> Trial:
    return Trial(subject, "light", left, mirrored, kept, 0.5, 0.0)  # type: ignore[arg-type]


def test_shares_of_decided_trials_and_of_subjects() -> None:
    done = [trial("a", True, "variant"), trial("a", False, "variant"), trial("b", True, "original")]
    done += [trial("b", False, "variant"), trial("c", True, "neither"), trial("c", False, "neither")]
    share = variant_share(done)
    assert share.value == 0.75
    assert (share.low, share.high) == (wilson(0.75, 2).low, wilson(0.75, 2).high)  # two subjects were decided
    assert switched_share(done) == pytest.approx(1 / 3)  # only for a did the colour decide
    assert [t.kept_left for t in done[:4]] == [True, False, False, False]
    figures = colour_table("t", {"x": done}).lines[0].figures
    assert figures[-2:] == pytest.approx((0.25, 1 / 3))


def test_recolouring() -> None:
    grey = block(128)
    assert brightened(grey, 2).pixels[0, 0].tolist() == [64, 64, 64]
    assert brightened(grey, 0.5).pixels[0, 0].tolist() == [181, 181, 181]
    third = brightened(block(128, height=90), 2, 1 / 3).pixels[:, 0, 0]
    assert (third[:30] == 64).all() and (third[30:] == 128).all()
    red = Cutout(np.full((4, 4, 3), (255, 0, 0), np.uint8), np.ones((4, 4), np.float32))
    turned = hue_shifted(red, 120).pixels[0, 0].astype(int)
    assert turned[1] == 255 and turned[0] < 10 and turned[2] < 10
    assert np.array_equal(hue_shifted(hue_shifted(red, 90), -90).pixels, red.pixels)
    pairs = recoloured("key", grey)
    assert np.array_equal(pairs["the same"].variant.pixels, grey.pixels)
    tones = pairs["darker, not lighter"]
    assert tones.variant.pixels.mean() < 128 < tones.original.pixels.mean()


def test_two_equal_subjects_mirror_each_other() -> None:
    for name, background in plain_backgrounds().items():
        picture, alphas = composed(block(200), block(200), background)
        assert np.array_equal(picture, picture[:, ::-1]), name
        assert np.array_equal(alphas[0], alphas[1][:, ::-1])
    assert picture.shape == (CANVAS.height, CANVAS.width, 3)
    assert alphas[0, :, CANVAS.width // 2 :].max() == 0


def test_a_network_that_looks_at_bright_things_is_found_out(tiny_network: OnnxNetwork) -> None:
    dark = plain_backgrounds()["dark"]
    done = trials(Pair("a", block(90), block(240)), "dark", dark, tiny_network)
    assert [t.kept for t in done] == ["variant"] * 4
    assert {(t.variant_left, t.mirrored) for t in done} == {(a, b) for a in (True, False) for b in (True, False)}
    assert done[0].attention > 0.6
    assert done[0].frame_left < 0.25 and done[2].frame_left > 0.25
    assert variant_share(done).value == switched_share(done) == 1
    same = trials(Pair("a", block(240), block(240)), "dark", dark, tiny_network)
    assert variant_share(same).value in (0.5, pytest.approx(float("nan"), nan_ok=True))
    assert switched_share(same) == 0
    assert all(t.attention == pytest.approx(0.5, abs=1e-6) for t in same)


def test_subjects_are_cut_from_held_back_pictures(store: Store) -> None:
    found = dict(cutouts(store, ("CCP", "DUTS-TR"), None))
    assert list(found) == ["CCP/0", "DUTS-TR/2"]  # the other one is too small
    cutout = found["CCP/0"]
    assert cutout.pixels.shape[:2] == cutout.alpha.shape
    assert cutout.alpha.shape[1] / cutout.alpha.shape[0] == pytest.approx(1.5, abs=0.05)
    assert np.median(cutout.pixels) == 200 and np.median(cutout.alpha) == 1
    assert len(dict(cutouts(store, ("CCP", "human290"), 1))) == 2
    texture = texture_backgrounds(store, 5)["texture 1"]
    assert np.array_equal(texture, texture[:, ::-1])


def test_figures_differ_in_their_skin_alone() -> None:
    light, dark = draw_figure(0, 2, 1), draw_figure(9, 2, 1)
    assert np.array_equal(light.alpha, dark.alpha)
    changed = (light.pixels != dark.pixels).any(axis=2)
    assert 0.05 < changed.mean() < 0.4
    assert not changed[120:].any()  # trousers and shoes
    face = (12, 45)
    assert light.pixels[face].tolist() == list(SKIN_TONES[0])
    assert dark.pixels[face].tolist() == list(SKIN_TONES[9])


def test_the_command(
    store: Store, tmp_path: Path, tiny_network: OnnxNetwork, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(str(store.pictures.filename)).parent  # type: ignore[attr-defined]
    out = tmp_path / "out.json"
    given = ["--store", str(folder), "--most", "1", "--textures", "0", "--json", str(out)]
    assert main(given, tiny_network) == 0
    printed = capsys.readouterr().out
    assert "network: tiny_v1" in printed
    tables = json.loads(out.read_text())["tables"]
    assert [t["title"].split(":")[0].split(",")[0] for t in tables] == [
        "People (CCP",
        "People",
        "Other subjects (DUTS-TR)",
        "Other subjects",
        "Drawn figures",
        "Drawn figures",
        "Mirrored pictures",
    ]
    assert tables[0]["methods"][0]["figures"]["by colour"] == 0
    assert {m["method"] for m in tables[-1]["methods"]} >= {"two equal subjects", "osie, 1 pictures"}


def attention_on_variant(done: dict[str, list[Trial]]) -> dict[str, float]:
    return {name: float(np.mean([t.attention for t in of_variant])) for name, of_variant in done.items()}


def test_the_shipped_network_looks_at_drawn_people_of_every_skin_tone() -> None:
    """Two figures alike but for their skin; the darker one is the variant, and 0.5 is even-handed.

    Measured with saliency_v8: the darker one gets 0.453 to 0.476 of the attention (saliency_v7: 0.444 to 0.461), a lean
    towards lighter drawn faces. A crop that has to take one of two equals is decided by any lean, however small: on
    these even grounds it nearly always takes the lighter one. So attention is bounded. On photos of people,
    recoloured one darker and one lighter, it takes either (`python -m benchmarks.quality.even_handed`).
    These bounds keep the lean from growing; tighten them when a network has less of it.
    """
    # every fourth figure, so that clothes and hair both vary
    done = run_trials({name: of_tones[::4] for name, of_tones in drawn_pairs().items()}, plain_backgrounds(), None)
    for name, attention in attention_on_variant(done).items():
        assert 0.445 < attention < 0.555, name
    everything = [t for of_tones in done.values() for t in of_tones]
    assert 0.35 < np.mean([t.kept_left for t in everything]) < 0.65  # measured 0.50: no lean to a side


def test_the_shipped_network_looks_at_one_person_darker_and_lighter() -> None:
    """A photo beside itself, both recoloured alike, one darker; measured 0.531 to 0.558 with saliency_v2."""
    from skimage import data

    pixels = np.asarray(data.astronaut())[:400, 60:360]
    person = Cutout(pixels, np.ones(pixels.shape[:2], np.float32))
    pairs = {
        f"gamma {gamma}, upper {upper}": [
            Pair("astronaut", brightened(person, 1 / gamma, upper), brightened(person, gamma, upper))
        ]
        for gamma in (1.3, 1.8)
        for upper in (0.5, 1.0)
    }
    for name, attention in attention_on_variant(run_trials(pairs, plain_backgrounds(), None)).items():
        assert 0.38 < attention < 0.62, name
