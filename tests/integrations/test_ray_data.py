"""What one actor does, in this process; and a real local cluster of several nodes, in one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from eyefirst.albums.thumbnails import ThumbnailSettings
from eyefirst.errors import PictureNotFoundError
from eyefirst.geometry import Size
from eyefirst.image import load_picture, read_metadata
from eyefirst.plan import CropPlan
from eyefirst.tools.crop import render_plan
from eyefirst.tools.planning import plan_crops

pytest.importorskip("ray", reason="needs the extra [ray]")
pytest.importorskip("pyarrow", reason="needs the extra [ray]")

from eyefirst.integrations.ray_data import CropStage, list_pictures, thumbnail_name

ROOT = Path(__file__).parents[2]
SETTINGS = ThumbnailSettings(sizes=(Size(48, 48), Size(64, 32)), format="webp")


@pytest.fixture
def album(tmp_path: Path, photo_path: Path) -> Path:
    folder = tmp_path / "album"
    (folder / "sub").mkdir(parents=True)
    exif = PillowImage.Exif()
    exif[0x8298] = "(c) 2026 A. Cat"
    load_picture(photo_path).resize((300, 200)).save(folder / "a.jpg", exif=exif)
    load_picture(photo_path).resize((200, 300)).save(folder / "sub" / "a.png")
    (folder / "sub" / "bad.jpg").write_bytes(b"no picture")
    (folder / ".hidden.jpg").write_bytes(b"left out")
    (folder / "notes.txt").write_text("left out")
    return folder


def test_one_actor_makes_thumbnails_plans_and_rows(album: Path, tmp_path: Path) -> None:
    paths = list_pictures([str(album)])
    assert paths == [str(album / "a.jpg"), str(album / "sub" / "a.png"), str(album / "sub" / "bad.jpg")]
    stage = CropStage(SETTINGS, str(tmp_path / "out"), root=str(album))
    batch = stage({"path": np.array(paths)})
    assert list(batch["status"]) == ["made", "made", "failed"]
    assert batch["error_code"][2] == "not_a_picture"
    assert [load_picture(f).size for f in batch["files"][1]] == [(48, 48), (64, 32)]
    assert batch["files"][1][0].endswith("out/sub/a-png_48x48.webp")
    assert [read_metadata(f).copyright for f in batch["files"][0]] == ["(c) 2026 A. Cat"] * 2
    plan = CropPlan.from_json(str(batch["plan"][0]))
    assert plan.to_dict()["frames"] == plan_crops(paths[0], ["1:1", "2:1"]).to_dict()["frames"]
    assert render_plan(plan, paths[0])["1:1"][0].size == (200, 200)
    assert not list(tmp_path.rglob("*.part"))


def test_names_below_the_output_folder_never_collide() -> None:
    paths = ["r/a.jpg", "r/a.png", "r/a.jpg.gif", "r/a-jpg.gif", "r/b/a.jpg", "r/../x.jpg"]
    names = [thumbnail_name(p, "r") for p in paths]
    assert len(set(names)) == len(paths)
    assert names[0] == "a-jpg"
    assert not any(n.startswith(("/", "..")) for n in names)
    assert thumbnail_name("s3://bucket/a.jpg") == "bucket/a-jpg"


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureNotFoundError, match="nowhere"):
        list_pictures([str(tmp_path / "nowhere")])


def test_a_node_that_dies_in_the_middle_loses_and_doubles_nothing(tmp_path: Path) -> None:
    album, out = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    random = np.random.default_rng(0)
    for i in range(160):
        picture = PillowImage.fromarray(random.integers(0, 255, (12, 16, 3), np.uint8)).resize((640, 480))
        picture.save(album / f"p{i:03}.jpg")
    (album / "p007.jpg").write_bytes(b"broken")
    command = [sys.executable, "-m", "tests.integrations.lose_a_node", str(album), str(out)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    killed, rows = json.loads(ran.stdout.splitlines()[-1])
    assert 60 <= killed < 318  # of the 2 x 159 that come
    assert sorted(r["path"] for r in rows) == sorted(str(p) for p in album.glob("*.jpg"))
    assert Counter(r["status"] for r in rows) == {"made": 159, "failed": 1}
    assert len(list(out.glob("*.webp"))) == 318
    assert all(json.loads(r["plan"])["frames"] for r in rows if r["status"] == "made")
