"""The public sets' own layouts, each in miniature: read, checked, and made into a store."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from training.datasets.layouts import LAYOUTS, SAMPLES_PER_POINT
from training.datasets.records import Record, is_held_back
from training.datasets.store import LABEL_SIDE, main, open_store

savemat: Callable[..., None] = pytest.importorskip("scipy.io", reason="scipy reads MATLAB files").savemat

WIDTH, HEIGHT = 80, 60
LOOKS = [(40.0, 30.0), (61.0, 16.0), (21.0, 45.0)]
"""Pixels counted from 1, the first at the centre; on the pictures below nobody looks elsewhere."""
AWAY = [((x - 0.5) / WIDTH, (y - 0.5) / HEIGHT) for x, y in LOOKS[1:]]


def write_picture(path: Path, seed: int, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    Image.fromarray(blocks).resize((WIDTH, HEIGHT)).save(path, **options)
    return path


def write_grey(path: Path, values: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def left_half() -> NDArray[np.uint8]:
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[:, : WIDTH // 2] = 255
    return values


def lit(points: list[tuple[float, float]]) -> NDArray[np.uint8]:
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y in points:
        values[int(y) - 1, int(x) - 1] = 255
    return values


def cell(items: list[Any]) -> NDArray[np.object_]:
    """A column of a MATLAB cell array."""
    column = np.empty((len(items), 1), object)
    for i, item in enumerate(items):
        column[i, 0] = item
    return column


def write_duts(root: Path) -> None:
    for i, name in enumerate(("ILSVRC2012_test_00000004", "n04285008_4037")):
        write_picture(root / "DUTS-TR" / "DUTS-TR-Image" / f"{name}.jpg", i)
        write_grey(root / "DUTS-TR" / "DUTS-TR-Mask" / f"{name}.png", left_half())
    write_picture(root / "DUTS-TE" / "DUTS-TE-Image" / "sun_a.jpg", 2)
    write_grey(root / "DUTS-TE" / "DUTS-TE-Mask" / "sun_a.png", left_half())


def write_ecssd(root: Path) -> None:
    write_picture(root / "images" / "0001.jpg", 10)
    write_grey(root / "ground_truth_mask" / "0001.png", left_half())


def write_osie(root: Path, names: tuple[str, ...] = ("1001", "1002"), observers: int = 2) -> None:
    x, y = (np.array([values]) for values in zip(*LOOKS, strict=True))
    subject = {"fix_x": x, "fix_y": y, "fix_duration": np.full((1, 3), 200.0)}
    entries = [{"img": f"{name}.jpg", "subjects": cell([subject] * observers)} for name in names]
    (root / "data" / "eye").mkdir(parents=True)
    savemat(root / "data" / "eye" / "fixations.mat", {"fixations": cell(entries)})
    for i, name in enumerate(names):
        write_picture(root / "data" / "stimuli" / f"{name}.jpg", 20 + i)


def write_mit1003(root: Path) -> None:
    for i, name in enumerate(("i05june05_static_street_boston_p1010764", "i1000978947")):
        write_picture(root / "ALLSTIMULI" / f"{name}.jpeg", 30 + i)
    write_grey(root / "ALLFIXATIONMAPS" / "i05june05_static_street_boston_p1010764_fixPts.jpg", lit(LOOKS[1:]))
    write_grey(root / "ALLFIXATIONMAPS" / "i1000978947_fixMap.jpg", left_half())


def salicon_picture(root: Path, part: str) -> str:
    name = f"COCO_{part}2014_000000123855"
    write_picture(root / "images" / part / f"{name}.jpg", {"train": 40, "val": 41}[part])
    return name


def write_salicon(root: Path) -> None:
    """Fixations for train, the cursor's samples for val."""
    name = salicon_picture(root, "train")
    gaze = np.zeros((2, 1), [("location", "O"), ("timestamp", "O"), ("fixations", "O")])
    for i, looks in enumerate((LOOKS, LOOKS[1:])):  # the second worker's start went unrecorded
        gaze[i, 0] = (np.ones((9, 2)), np.arange(9)[:, None], np.array(looks, np.uint16))
    path = root / "fixations" / "train" / f"{name}.mat"
    path.parent.mkdir(parents=True)
    savemat(path, {"image": name, "resolution": np.array([[HEIGHT, WIDTH]], np.uint16), "gaze": gaze})
    name = salicon_picture(root, "val")
    rows_columns = [[y, x] for x, y in LOOKS for _ in range(SAMPLES_PER_POINT)]
    tables = {
        "images": [{"id": 7, "file_name": f"{name}.jpg", "height": HEIGHT, "width": WIDTH}],
        "annotations": [{"id": 1, "image_id": 7, "worker_id": 3, "fixations": rows_columns}],
    }
    (root / "annotations").mkdir()
    (root / "annotations" / "fixations_val2014.json").write_text(json.dumps(tables))


def write_cat2000(root: Path) -> None:
    for i, category in enumerate(("Action", "Satelite")):
        part = root / "trainSet"
        write_picture(part / "Stimuli" / category / "001.jpg", 50 + i)
        write_picture(part / "Stimuli" / category / "Output" / "001_SaliencyMap.jpg", 60 + i)
    (part / "FIXATIONLOCS" / "Action").mkdir(parents=True)
    savemat(part / "FIXATIONLOCS" / "Action" / "001.mat", {"fixLocs": (lit(LOOKS) > 0).astype(np.uint8)})
    write_grey(part / "FIXATIONMAPS" / "Satelite" / "001.jpg", left_half())


WRITERS: dict[str, Callable[[Path], None]] = {
    "DUTS": write_duts,
    "ECSSD": write_ecssd,
    "OSIE": write_osie,
    "MIT1003": write_mit1003,
    "SALICON": write_salicon,
    "CAT2000": write_cat2000,
}


def read(name: str, root: Path) -> dict[str, Record]:
    WRITERS[name](root)
    records = list(LAYOUTS[name](root))
    for record in records:
        picture = record.picture()
        assert (picture.mode, picture.size) == ("RGB", (WIDTH, HEIGHT))
        assert record.group == record.id
    return {record.key: record for record in records}


def looks_of(record: Record) -> list[list[tuple[float, float]]]:
    assert record.fixations is not None
    return [[(float(x), float(y)) for x, y in observer] for observer in record.fixations.observers]


def near(points: list[tuple[float, float]]) -> Any:
    return [pytest.approx(p, abs=1e-6) for p in points]


def is_left_half(label: Image.Image) -> bool:
    values = np.asarray(label, np.float32)
    assert values.shape == (HEIGHT, WIDTH)
    return bool(values[:, : WIDTH // 2 - 8].min() > 200 and values[:, WIDTH // 2 + 8 :].max() < 50)


def test_every_layout_has_a_miniature_here() -> None:
    assert WRITERS.keys() == LAYOUTS.keys()


def test_duts_holds_two_sets_with_masks(tmp_path: Path) -> None:
    records = read("DUTS", tmp_path)
    assert list(records) == ["DUTS-TR/ILSVRC2012_test_00000004", "DUTS-TR/n04285008_4037", "DUTS-TE/sun_a"]
    assert all(r.mask is not None and is_left_half(r.mask()) for r in records.values())


def test_one_part_of_duts_will_do(tmp_path: Path) -> None:
    write_duts(tmp_path)
    assert [r.key for r in LAYOUTS["DUTS"](tmp_path / "DUTS-TE")] == ["DUTS-TE/sun_a"]


def test_ecssd_has_masks(tmp_path: Path) -> None:
    record = read("ECSSD", tmp_path)["ECSSD/0001"]
    assert record.mask is not None
    assert is_left_half(record.mask())


@pytest.mark.parametrize("names", [("1001", "1002"), ("1001",)])
@pytest.mark.parametrize("observers", [1, 2])
def test_osie_leaves_the_first_fixation_out(tmp_path: Path, names: tuple[str, ...], observers: int) -> None:
    write_osie(tmp_path, names, observers)
    records = {r.key: r for r in LAYOUTS["OSIE"](tmp_path)}
    assert list(records) == [f"osie/{name}" for name in names]
    assert looks_of(records["osie/1001"]) == [near(AWAY)] * observers


def test_mit1003_takes_points_or_else_the_map(tmp_path: Path) -> None:
    with_points, with_map = read("MIT1003", tmp_path).values()
    assert with_points.key == "mit1003/i05june05_static_street_boston_p1010764"
    assert [sorted(looks_of(with_points)[0])] == [near(sorted(AWAY))]
    assert with_map.fixations is None
    assert with_map.density is not None
    assert is_left_half(with_map.density())


def test_salicon_leaves_a_start_near_the_centre_out(tmp_path: Path) -> None:
    records = read("SALICON", tmp_path)
    assert looks_of(records["SALICON/COCO_train2014_000000123855"]) == [near(AWAY), near(AWAY)]
    assert looks_of(records["SALICON/COCO_val2014_000000123855"]) == [near(AWAY)]


def test_salicon_falls_back_on_maps(tmp_path: Path) -> None:
    name = salicon_picture(tmp_path, "train")
    write_grey(tmp_path / "maps" / "train" / f"{name}.png", left_half())
    (record,) = LAYOUTS["SALICON"](tmp_path)
    assert record.density is not None
    assert is_left_half(record.density())


def test_salicon_refuses_samples_the_other_way_round(tmp_path: Path) -> None:
    write_salicon(tmp_path)
    path = tmp_path / "annotations" / "fixations_val2014.json"
    tables = json.loads(path.read_text())
    tables["annotations"][0]["fixations"] = [[HEIGHT + 10, 5]]
    path.write_text(json.dumps(tables))
    with pytest.raises(ValueError, match=r"expected samples as \[row, column\]"):
        list(LAYOUTS["SALICON"](tmp_path))


def test_cat2000_names_the_category_and_skips_the_authors_own_output(tmp_path: Path) -> None:
    records = read("CAT2000", tmp_path)
    assert list(records) == ["CAT2000/Action/001", "CAT2000/Satelite/001"]
    everyone = looks_of(records["CAT2000/Action/001"])
    assert [sorted(everyone[0])] == [near(sorted([((40 - 0.5) / WIDTH, (30 - 0.5) / HEIGHT), *AWAY]))]
    density = records["CAT2000/Satelite/001"].density
    assert density is not None
    assert is_left_half(density())


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_wrong_folder_says_what_was_expected_and_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "holiday.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"expected .*/\*\.jpe?g with .* missing; the folder holds holiday.txt"):
        list(LAYOUTS[name](tmp_path))
    with pytest.raises(FileNotFoundError, match="the folder holds nothing"):
        list(LAYOUTS[name](tmp_path / "nowhere"))


def test_a_missing_partner_is_named(tmp_path: Path) -> None:
    write_duts(tmp_path)
    (tmp_path / "DUTS-TR" / "DUTS-TR-Mask" / "n04285008_4037.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"DUTS-TR-Mask/n04285008_4037\.png is missing"):
        list(LAYOUTS["DUTS"](tmp_path))


def test_a_matlab_file_of_something_else_is_named(tmp_path: Path) -> None:
    write_cat2000(tmp_path)
    savemat(tmp_path / "trainSet" / "FIXATIONLOCS" / "Action" / "001.mat", {"other": np.ones(3)})
    with pytest.raises(ValueError, match=r"expected the variable fixLocs in .*001\.mat, found other"):
        list(LAYOUTS["CAT2000"](tmp_path))


def write_shard(folder: Path) -> None:
    """One shard with one picture that OSIE's own layout holds too."""
    folder.mkdir()
    picture = write_picture(folder / "1001.png", 20)
    fixations = {"1001": {"width": 800, "height": 600, "observers": [[[0.5, 0.5, 90], [0.1, 0.2, 90]]]}}
    with zipfile.ZipFile(folder / "attention-0.zip", "w") as archive:
        archive.write(picture, "osie/images/1001.png")
        archive.writestr("osie/fixations.json", json.dumps(fixations))


def test_a_store_is_built_from_all_layouts_and_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_shard(tmp_path / "shards")
    arguments = [str(tmp_path / "shards"), str(tmp_path / "store")]
    for name, write in WRITERS.items():
        write(tmp_path / name)
        arguments += ["--set", f"{name}={tmp_path / name}"]
    main(arguments)
    assert "12 of 12 pictures" in capsys.readouterr().out
    store = open_store(tmp_path / "store")
    rows = {f"{r.set_name}/{r.id}": (i, r) for i, r in enumerate(store.rows)}
    assert len(rows) == 12
    fixations = rows["osie/1001"][1].fixations
    assert fixations is not None
    assert len(fixations.observers) == 1, "the shards' record of a picture comes first"
    for i, row in rows.values():
        assert row.aspect == pytest.approx(WIDTH / HEIGHT)
        assert row.has_mask == row.set_name.startswith(("DUTS", "ECSSD"))
        assert row.has_density != row.has_mask
        assert row.held_back == is_held_back(row.set_name, row.id)
        assert store.labels[i, int(row.has_density)].max() == 1
    i = rows["osie/1002"][0]
    y, x = np.unravel_index(int(store.labels[i, 1].argmax()), (LABEL_SIDE, LABEL_SIDE))
    assert min(np.hypot((x + 0.5) / LABEL_SIDE - a, (y + 0.5) / LABEL_SIDE - b) for a, b in AWAY) < 0.01


def test_the_store_takes_shards_alone_sets_alone_and_not_neither(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shard(tmp_path / "shards")
    main([str(tmp_path / "shards"), str(tmp_path / "one")])
    assert len(open_store(tmp_path / "one").rows) == 1
    write_ecssd(tmp_path / "ecssd")
    main([str(tmp_path / "two"), "--set", f"ECSSD={tmp_path / 'ecssd'}"])
    assert [r.set_name for r in open_store(tmp_path / "two").rows] == ["ECSSD"]
    for wrong, message in ((["x"], "got neither"), (["x", "--set", "ECSD=y"], "one of DUTS, ECSSD")):
        with pytest.raises(SystemExit):
            main(wrong)
        assert message in capsys.readouterr().err
