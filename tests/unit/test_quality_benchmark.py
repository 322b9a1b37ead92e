"""The measuring code of benchmarks/quality, on a few drawn pictures."""

import io
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from benchmarks.quality.__main__ import main
from benchmarks.quality.attention import attention_table, other_points
from benchmarks.quality.crops import gap_table, human_crop_table, kept_fixations
from benchmarks.quality.cutouts import cutout_table
from benchmarks.quality.held_back import HeldBack, Sample, density, open_held_back, resized
from benchmarks.quality.methods import Method, all_methods, centre_crop, halves
from benchmarks.quality.objects import box_of, box_table, is_single_subject, mask_table, nothing_table
from benchmarks.quality.ours import Loaded
from benchmarks.quality.tables import Line, Table
from PIL import Image
from training.datasets.records import is_held_back
from training.metrics import Map

from eyefirst.framing import Placement
from eyefirst.geometry import AspectRatio, Box, PixelBox, Point, Size

WIDTH, HEIGHT = 60, 40
SUBJECT = Box(0.7, 0.25, 0.9, 0.75)


@dataclass
class KnowsTheSubject:
    """Stands for the network and the public functions: it always sees the drawn subject."""

    name: str = "fake"

    def attention(self, sample: Sample) -> Map:
        return _lit(SUBJECT)

    def objectness(self, sample: Sample) -> Map:
        return _lit(SUBJECT)

    def frames(self, picture: Image.Image, ratios: Sequence[Fraction]) -> list[PixelBox]:
        found = []
        for ratio in ratios:
            size = AspectRatio(ratio).largest_in(Size(picture.width, picture.height))
            left = min(max(round(0.8 * picture.width - size.width / 2), 0), picture.width - size.width)
            top = (picture.height - size.height) // 2
            found.append(PixelBox(left, top, left + size.width, top + size.height))
        return found

    def anchor(self, picture: Image.Image, placement: Placement) -> Point:
        return Point(1.0 if placement == "share" else 0.8, 0.5)

    def subjects(self, picture: Image.Image) -> Box | None:
        return SUBJECT if np.asarray(picture).max() > 200 else None


OURS = Loaded(KnowsTheSubject())
ABSENT = Loaded(None, "not available: no weights")


def _lit(box: Box) -> Map:
    at = (np.arange(68) + 0.5) / 68
    rows, columns = (at > box.top) & (at < box.bottom), (at > box.left) & (at < box.right)
    return np.outer(rows, columns).astype(np.float32)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _ids(set_name: str, held_back: int, training: int) -> list[str]:
    """Names of which so many fall on either side."""
    sides: dict[bool, list[str]] = {True: [], False: []}
    for number in range(400):
        sides[is_held_back(set_name, f"p{number}")].append(f"p{number}")
    return sides[True][:held_back] + sides[False][:training]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise (so that no two count as duplicates) with a bright subject at the right."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    pixels = SUBJECT.to_pixels(Size(WIDTH, HEIGHT))
    mask[pixels.top : pixels.bottom, pixels.left : pixels.right] = True
    with zipfile.ZipFile(folder / "all.zip", "w") as archive, zipfile.ZipFile(folder / "crop-a.zip", "w") as crops:
        for set_name in ("osie", "DUTS-TR", "nothing", "FCDB"):
            fixations, human = {}, {}
            for name in _ids(set_name, 3, 2):
                pixels_rgb = rng.integers(0, 180, (HEIGHT, WIDTH, 3), np.uint8)
                if set_name != "nothing":
                    pixels_rgb[mask] = 250
                target = crops if set_name == "FCDB" else archive
                target.writestr(f"{set_name}/images/{name}.png", _png(Image.fromarray(pixels_rgb)))
                looked = rng.random((4, 6, 2)) * (SUBJECT.width, SUBJECT.height) + (SUBJECT.left, SUBJECT.top)
                fixations[name] = {"observers": [[[0.5, 0.5, 1], *o] for o in looked.tolist()]}
                human[name] = {"crops": [[0.5, 0.0, 1.0, 1.0, None]]}
                if set_name == "DUTS-TR":
                    archive.writestr(f"{set_name}/masks/{name}.png", _png(Image.fromarray(mask)))
            if set_name == "osie":
                archive.writestr("osie/fixations.json", json.dumps(fixations))
            if set_name == "FCDB":
                crops.writestr("FCDB/crops.json", json.dumps(human))
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "arrays"


@pytest.fixture(scope="module")
def data(shards: Path, store: Path) -> HeldBack:
    return open_held_back(shards, store)


def _line(table: Table, name: str) -> Line:
    return next(line for line in table.lines if line.method == name)


def _figure(table: Table, name: str, column: str) -> float:
    figure = _line(table, name).figures[table.columns.index(column)]
    assert figure is not None
    return figure


def test_the_store_is_built_where_it_is_missing_and_only_held_back_pictures_are_given(data: HeldBack) -> None:
    assert len(data.samples("osie")) == 3
    assert all(is_held_back("osie", s.record.group) for s in data.samples("osie"))
    assert len(data.samples("osie", 2)) == 2
    assert len(data.training_points("osie")) == 2 * 4 * 6  # the start point at the centre is left out
    assert len(data.human_crops) == 5


def test_shards_that_lack_a_picture_of_the_store_are_refused(data: HeldBack, store: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("x/images/a.png", _png(Image.new("RGB", (4, 4))))
    with pytest.raises(FileNotFoundError, match="give the shards it was built from"):
        open_held_back(tmp_path, store)


def test_attention_of_one_who_knows(data: HeldBack) -> None:
    table = attention_table(data, "osie", [m for m in all_methods(data, OURS) if not m.windows_only], None)
    assert _figure(table, "fake", "NSS") > 2
    assert _figure(table, "fake", "AUC-J") > 0.9
    assert _figure(table, "even spread", "NSS") == 0
    assert _figure(table, "even spread", "AUC-J") == pytest.approx(0.5)
    assert _figure(table, "centre prior", "gain") == pytest.approx(0, abs=1e-9)
    # everyone looks at the same place in all pictures, so shuffled fixations cannot be told apart
    assert 0.3 < _figure(table, "fake", "sAUC") < 0.7
    assert _line(table, "half of the observers").figures[table.columns.index("KL")] is None


def test_gap_closed(data: HeldBack) -> None:
    table = gap_table(data, ["osie"], all_methods(data, OURS), None)
    assert _figure(table, "centre crop", "osie") == 0
    assert _figure(table, "fake", "osie") == pytest.approx(1)
    assert _figure(table, "eyefirst.plan_crops", "osie") > 0.9
    for place in ("CSS", "Thumbor"):
        assert _figure(table, f"eyefirst, one point as {place} places it", "osie") > 0.9
    assert _figure(table, "half of the observers", "osie") > 0.9
    assert _figure(table, "best window of all", "kept") >= _figure(table, "fake", "kept")


def test_kept_fixations_of_the_centre_crop(data: HeldBack) -> None:
    kept = kept_fixations(Method("c", "c", corners=centre_crop), data.samples("osie"))
    assert kept.method == kept.centre < kept.best


def test_objectness(data: HeldBack) -> None:
    table = mask_table(data, "DUTS-TR", OURS, None)
    assert _figure(table, "fake", "max F") > 0.9
    assert _figure(table, "fake", "MAE") < 0.05
    assert _figure(table, "full frame", "MAE") == pytest.approx(0.9)
    boxes = box_table(data, "DUTS-TR", OURS, None)
    assert _figure(boxes, "eyefirst, union of boxes", "IoU") == pytest.approx(1)
    assert _figure(boxes, "full frame", "IoU") == pytest.approx(SUBJECT.area)


@pytest.mark.filterwarnings("ignore")
def test_objectness_by_pysodmetrics_agrees(data: HeldBack) -> None:
    pytest.importorskip("py_sod_metrics")
    table = mask_table(data, "DUTS-TR", OURS, None)
    ours, theirs = table.lines[0].figures, table.lines[1].figures
    assert ours == pytest.approx(theirs, abs=0.005)  # they round levels down, we to the nearest


def test_nothing(data: HeldBack) -> None:
    assert _figure(nothing_table(data, OURS, None), "fake", "share with a box") == 0


def test_human_crops(data: HeldBack) -> None:
    table = human_crop_table(data, all_methods(data, OURS), None)
    assert _figure(table, "whole picture", "IoU") == pytest.approx(0.5)
    assert _figure(table, "centre crop", "IoU") == pytest.approx(1 / 3)  # halves that share a quarter
    # the window that holds most of the subject may lie anywhere between .4 and .5
    assert _figure(table, "eyefirst.plan_crops", "IoU") == pytest.approx(1)


def test_what_is_not_there_is_said(data: HeldBack, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cv2", "pyvips", "smartcrop"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    methods = all_methods(data, ABSENT)
    notes = {line.method: line.note for line in gap_table(data, ["osie"], methods, None).lines}
    assert notes["eyefirst"] == notes["eyefirst.plan_crops"] == "not available: no weights"
    assert "pip install pyvips pyvips-binary" in notes["libvips attention"]
    assert "pip install smartcrop" in notes["smartcrop.py"]
    assert "pip install opencv" in notes["OpenCV spectral residual"]
    assert mask_table(data, "DUTS-TR", ABSENT, None).lines[0].note == "not available: no weights"


def test_the_command(
    data: HeldBack, shards: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    given = [
        "--shards",
        str(shards),
        "--store",
        str(store),
        "--json",
        str(out),
        "--methods",
        "ours,plan,centre,uniform",
    ]
    assert main(given, OURS) == 0
    printed = capsys.readouterr().out
    assert "Gap closed" in printed
    tables = json.loads(out.read_text())["tables"]
    assert (
        len(tables) == 13
    )  # four eye sets, gaps, masks, boxes and cut-outs twice, nothing, human crops; some are empty
    assert {m["method"] for m in tables[0]["methods"]} == {"fake", "even spread"}
    with pytest.raises(SystemExit):
        main([*given, "--sets", "osie,nowhere"], OURS)
    assert "nowhere" in capsys.readouterr().err


def test_shuffled_points_are_of_other_pictures_and_always_the_same(data: HeldBack) -> None:
    samples = tuple(data.samples("osie"))
    others = other_points(samples, 0)
    own = {tuple(p) for p in samples[0].points.tolist()}
    assert len(others) == 2 * 4 * 6
    assert not own & {tuple(p) for p in others.tolist()}
    other_points.cache_clear()
    assert np.array_equal(others, other_points(samples, 0))


def test_halves_have_no_observer_in_common(data: HeldBack) -> None:
    first, second = halves(data.samples("osie")[0])
    assert len(first) == len(second) == 12
    assert not {tuple(p) for p in first.tolist()} & {tuple(p) for p in second.tolist()}


def test_maps_keep_their_place_when_resized() -> None:
    big = resized(_lit(SUBJECT), 136, 136)
    y, x = np.argwhere(big > 0.5).mean(axis=0) / 135
    assert (x, y) == pytest.approx((0.8, 0.5), abs=0.01)
    assert density(np.array([[0.8, 0.5]], np.float32)).argmax() in {67 * 136 + 108, 68 * 136 + 108}


def test_single_subjects() -> None:
    mask = np.zeros((20, 20), bool)
    assert not is_single_subject(mask)
    mask[2:12, 2:12] = True
    assert is_single_subject(mask)
    mask[15, 15] = True  # a speck is 1 %
    assert is_single_subject(mask)
    mask[15:18, 15:18] = True
    assert not is_single_subject(mask)
    assert box_of(mask) == Box(0.1, 0.1, 0.9, 0.9)


def test_a_figure_that_is_no_number_is_null_in_json() -> None:
    table = Table("t", ("a", "b"), (Line("m", (math.nan, 1.0)),))
    assert table.to_dict()["methods"] == [{"method": "m", "note": "", "figures": {"a": None, "b": 1.0}}]


def test_a_cut_out_of_one_bright_subject_is_near_its_mask(data: HeldBack) -> None:
    table = cutout_table(data, "DUTS-TR", 2)
    assert [line.method for line in table.lines] == ["map, bicubic", "cut-out, whole look alone", "cut-out"]
    assert _figure(table, "cut-out", "IoU at 0.5") > _figure(table, "map, bicubic", "IoU at 0.5") - 0.05
    assert _figure(table, "cut-out", "boundary") < 0.5
