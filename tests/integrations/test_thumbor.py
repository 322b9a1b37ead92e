"""A real Thumbor on a real socket of this machine, with and without the detector."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image as PillowImage
from skimage import data

import eyefirst

pytest.importorskip("thumbor", reason="needs the extra [thumbor]: `make test-stacks` brings it")

ROOT = Path(__file__).parents[2]
OURS = "eyefirst.integrations.thumbor_detector"
KEEPS, FORGETS = "thumbor.storages.file_storage", "thumbor.storages.no_storage"
Get = Callable[[str], bytes]
Serving = Callable[..., AbstractContextManager[Get]]
LOGS: list[str] = []
"""What each Thumbor that has ended had written."""


def corner_picture() -> PillowImage.Image:
    """A face in the lower right of a plain wall: a centre crop of 1:3 misses it, and one of 3:1 too."""
    wall = PillowImage.new("RGB", (1200, 900), "#b9b4aa")
    wall.paste(PillowImage.fromarray(data.astronaut()[0:300, 80:380]), (880, 590))
    return wall


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    wall = corner_picture()
    wall.save(folder / "wall.jpg", quality=95)
    wall.resize((4800, 3600)).save(folder / "large.jpg", quality=90)
    exif = PillowImage.Exif()
    exif[274] = 6
    wall.transpose(PillowImage.Transpose.ROTATE_90).save(folder / "turned.jpg", quality=95, exif=exif)
    wall.convert("L").save(folder / "grey.png")
    wall.quantize(64).save(folder / "palette.png")
    clear = PillowImage.new("RGBA", wall.size, (0, 0, 0, 0))
    clear.paste(wall.crop((880, 590, 1180, 890)), (880, 590))
    clear.save(folder / "clear.png")
    return folder


@pytest.fixture(scope="module")
def serving(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Serving:
    @contextmanager
    def serve(**changes: Any) -> Iterator[Get]:
        settings = {
            "LOADER": "thumbor.loaders.file_loader",
            "FILE_LOADER_ROOT_PATH": str(pictures),
            "STORAGE": FORGETS,
            "SECURITY_KEY": "a-signing-key-for-the-tests",
            "DETECTORS": [OURS],
            "RESPECT_ORIENTATION": True,
            "QUALITY": 95,
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = tmp_path_factory.mktemp("thumbor")
        (folder / "thumbor.conf").write_text("".join(f"{k} = {v!r}\n" for k, v in (settings | changes).items()))
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        command = [sys.executable, "-m", "thumbor.server", "-i", "127.0.0.1", "-p", str(port), "-c", "thumbor.conf"]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log) as process,
        ):
            try:

                def get(path: str) -> bytes:
                    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                        found: bytes = answer.read()
                    return found

                for _ in range(300):
                    try:
                        get("/healthcheck")
                        break
                    except URLError:
                        assert process.poll() is None, (folder / "log").read_text()
                        time.sleep(0.1)
                yield get
            finally:
                process.terminate()
        LOGS.append((folder / "log").read_text())

    return serve


@pytest.fixture(scope="module")
def exact(serving: Serving) -> Iterator[Get]:
    """A Thumbor that keeps no focal points."""
    with serving() as get:
        yield get


def meta(get: Get, path: str) -> dict[str, Any]:
    """What Thumbor would do: its operations and the focal points."""
    found: dict[str, Any] = json.loads(get(f"/unsafe/meta/{path}"))["thumbor"]
    return found


def crop_of(told: dict[str, Any]) -> tuple[int, int, int, int]:
    (cut,) = [o for o in told["operations"] if o["type"] == "crop"]
    return cut["left"], cut["top"], cut["right"], cut["bottom"]


def kept(picture: Path, edges: tuple[int, int, int, int]) -> float:
    """Share of the attention inside a crop."""
    handler = eyefirst.ImageRequestHandler(picture)
    seen = handler.perform([eyefirst.AttentionSaliencyRequest()])[0]
    return seen.heat_map.mass_in(eyefirst.PixelBox(*edges).normalized(handler.image.size))


@pytest.mark.parametrize("size", ["300x900", "900x300", "400x400", "900x506"])
def test_a_smart_crop_is_the_planned_frame(exact: Get, pictures: Path, size: str) -> None:
    wall = PillowImage.open(pictures / "wall.jpg")  # as Thumbor decodes it: at full size
    planned = eyefirst.plan_crops(wall, size, fit="largest").frames[size][0].box
    told = meta(exact, f"{size}/smart/wall.jpg")
    assert crop_of(told) == pytest.approx((planned.left, planned.top, planned.right, planned.bottom), abs=8)
    plain = crop_of(meta(exact, f"{size}/wall.jpg"))
    assert kept(pictures / "wall.jpg", crop_of(told)) > kept(pictures / "wall.jpg", plain) + 0.1


def test_what_counts_most_is_a_setting(serving: Serving, exact: Get, pictures: Path) -> None:
    size = "900x300"
    crowd = PillowImage.new("RGB", (1200, 900), "#b9b4aa")
    crowd.paste(PillowImage.fromarray(data.astronaut()[0:300, 80:380]).resize((200, 200)), (500, 30))
    crowd.paste(PillowImage.fromarray(data.coffee()).resize((600, 400)), (300, 470))
    crowd.save(pictures / "crowd.jpg", quality=95)
    as_decoded = PillowImage.open(pictures / "crowd.jpg")
    planned = eyefirst.plan_crops(as_decoded, size, prefer="faces", fit="largest").frames[size][0].box
    with serving(EYEFIRST_PREFER="faces") as get:
        told = crop_of(meta(get, f"{size}/smart/crowd.jpg"))
    assert told == pytest.approx((planned.left, planned.top, planned.right, planned.bottom), abs=8)
    assert abs(told[1] - crop_of(meta(exact, f"{size}/smart/crowd.jpg"))[1]) > 50


def test_the_pixels_are_those_of_the_planned_crop(exact: Get, pictures: Path) -> None:
    smart, plain = (PillowImage.open(io.BytesIO(exact(f"/unsafe/300x900/{how}wall.jpg"))) for how in ("smart/", ""))
    wall = PillowImage.open(pictures / "wall.jpg")  # as Thumbor decodes it: at full size
    ours = eyefirst.thumbnail(wall, (300, 900), fit="largest")
    assert smart.size == (300, 900)
    assert difference(smart, ours) < 4
    assert difference(plain, ours) > 10


def difference(one: PillowImage.Image, other: PillowImage.Image) -> float:
    """Mean of what the pixels differ by, 0..255."""
    return float(np.abs(np.asarray(one.convert("RGB"), np.int16) - np.asarray(other.convert("RGB"), np.int16)).mean())


@pytest.mark.parametrize("name", ["turned.jpg", "large.jpg", "grey.png", "palette.png", "clear.png"])
def test_every_kind_of_picture_keeps_its_subject(exact: Get, name: str) -> None:
    scale = 4 if name == "large.jpg" else 1
    left, _, right, _ = (edge / scale for edge in crop_of(meta(exact, f"300x900/smart/{name}")))
    assert left < 930
    assert right > 1130  # the face


def test_weights_are_whole_and_say_where_they_come_from(exact: Get) -> None:
    (point,) = meta(exact, "300x900/smart/wall.jpg")["focal_points"]
    assert isinstance(point["z"], int)
    assert point["z"] >= 1
    assert point["origin"] == "eyefirst"


def test_a_manual_crop_is_looked_at_alone(exact: Get) -> None:
    """The face lies outside of this part, which is a plain wall: so its own middle it is, not the picture's."""
    told = meta(exact, "0x0:600x600/200x300/smart/wall.jpg")
    (point,) = told["focal_points"]
    assert 200 < point["x"] < 400
    (_, second) = [o for o in told["operations"] if o["type"] == "crop"]
    assert second["right"] - second["left"] == 400


def test_without_smart_or_without_a_frame_nothing_is_cut(exact: Get) -> None:
    assert "crop" not in [o["type"] for o in meta(exact, "fit-in/300x300/smart/wall.jpg")["operations"]]
    assert "crop" not in [o["type"] for o in meta(exact, "300x0/smart/wall.jpg")["operations"]]


def test_kept_points_serve_every_ratio(serving: Serving, pictures: Path, tmp_path: Path) -> None:
    """The second request finds the point of the first, which was for another ratio."""
    with serving(STORAGE=KEEPS, FILE_STORAGE_ROOT_PATH=str(tmp_path)) as get:
        tall, wide = (crop_of(meta(get, f"{size}/smart/wall.jpg")) for size in ("300x900", "900x300"))
    (stored,) = tmp_path.rglob("*.detectors.txt")
    (point,) = json.loads(stored.read_text())
    assert isinstance(point["z"], int)
    assert point["z"] >= 1
    picture = pictures / "wall.jpg"
    assert kept(picture, tall) > kept(picture, (450, 0, 750, 900)) + 0.2
    assert kept(picture, wide) > kept(picture, (0, 300, 1200, 700)) + 0.2
    assert point["x"] > 840
    assert point["y"] > 540


def test_an_error_gives_the_next_detector_its_turn(serving: Serving) -> None:
    pieces = "tests.integrations.thumbor_pieces"
    with serving(ENGINE=pieces, DETECTORS=[OURS, pieces]) as get:
        (point,) = meta(get, "300x900/smart/palette.png")["focal_points"]
    assert point["origin"] == "second"
    assert "[eyefirst] no focal point of palette.png" in LOGS[-1]


def test_in_thumbor_s_thread_pool_the_answers_are_the_same(serving: Serving, exact: Get) -> None:
    paths = [f"{size}/smart/{name}" for size in ("300x900", "900x300") for name in ("wall.jpg", "grey.png")]
    with serving(ENGINE_THREADPOOL_SIZE=2) as get, ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: crop_of(meta(get, path)), paths * 2))
    assert together == [crop_of(meta(exact, path)) for path in paths] * 2
