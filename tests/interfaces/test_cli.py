"""The command line, mostly inside this process; a few real ones where the process itself matters."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from typer.testing import CliRunner

import eyefirst
from eyefirst.cli import app
from eyefirst.cli.heatmap import Colormap, View
from eyefirst.colours import COLORMAPS
from eyefirst.drawing import VIEWS
from eyefirst.films.reader import VideoReader
from eyefirst.network import OnnxNetwork, Prediction
from tests.make_clips import make_clip

ROOT = Path(__file__).parents[2]
FILM_COMMANDS = ("reframe", "watch", "shots")
COMMANDS = (
    "crop",
    "heatmap",
    "objects",
    "render",
    "best",
    "report",
    "sidecar",
    "text",
    "camera",
    "enhance",
    "cutout",
    "pan",
    "serve",
    "sign",
    "srcset",
    "models",
    "doctor",
)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(*words: str, stdin: bytes = b"") -> Ran:
    result = CliRunner().invoke(app, list(words), input=stdin, prog_name="eyefirst")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def real(*words: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, "-m", "eyefirst", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def pictures() -> dict[str, PillowImage.Image]:
    from skimage import data
    from sklearn.datasets import load_sample_image

    arrays = {"photo.jpg": data.astronaut(), "album/flower.jpg": load_sample_image("flower.jpg")}
    arrays |= {"album/trip/china.jpg": load_sample_image("china.jpg"), "cat.png": data.chelsea()}
    return {name: PillowImage.fromarray(array) for name, array in arrays.items()}


@pytest.fixture
def folder(tmp_path: Path, pictures: dict[str, PillowImage.Image], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder, with four real photos."""
    (tmp_path / "album" / "trip").mkdir(parents=True)
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not list(tmp_path.rglob("*.part")), "a half file was left"


def size_of(path: str) -> tuple[int, int]:
    with PillowImage.open(path) as picture:
        return picture.size


# --- crop


def test_one_picture_one_ratio_one_file(folder: Path) -> None:
    ran = run("crop", "photo.jpg", "--aspect", "16:9", "-o", "new/wide.webp")
    assert (ran.code, ran.out) == (0, "new/wide.webp\n")
    assert size_of("new/wide.webp") == (512, 288)
    with PillowImage.open("new/wide.webp") as picture:
        assert picture.format == "WEBP"


def test_crop_writes_what_python_cuts(folder: Path) -> None:
    run("crop", "photo.jpg", "--aspect", "3:1", "-o", "cut.png")
    with PillowImage.open("cut.png") as written:
        assert written.tobytes() == eyefirst.crop("photo.jpg", "3:1").tobytes()


def test_the_folder_s_names(folder: Path) -> None:
    ran = run("crop", "photo.jpg", "cat.png", "-a", "16:9", "-a", "1:1", "--alternatives", "2", "-o", "crops")
    written = {Path(line).name for line in ran.out.splitlines()}
    assert written == {p.name for p in (folder / "crops").iterdir() if not p.name.startswith(".")}
    assert {"photo_16x9.jpg", "photo_1x1.jpg", "cat_16x9.jpg", "cat_16x9_2.jpg", "cat_1x1_2.jpg"} <= written
    assert ran.code == 0


def test_pictures_of_one_name_do_not_collide(folder: Path) -> None:
    for name in ("a/photo.jpg", "b/PHOTO.jpg", "b/photo-2.jpg"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((folder / "photo.jpg").read_bytes())
    ran = run("crop", "photo.jpg", "b/photo-2.jpg", "a/photo.jpg", "b/PHOTO.jpg", "-a", "1:1", "-o", "out")
    assert ran.out.split() == [
        "out/photo_1x1.jpg",
        "out/photo-2_1x1.jpg",
        "out/photo-3_1x1.jpg",
        "out/PHOTO-4_1x1.jpg",
    ]


def test_an_input_is_never_replaced(folder: Path) -> None:
    before = (folder / "photo.jpg").read_bytes()
    os.link("photo.jpg", "album/photo_1x1.jpg")
    ran = run("crop", "photo.jpg", "-a", "1:1", "-o", "photo.jpg")
    assert ran.code == 1
    assert "would replace a picture" in ran.err
    ran = run("crop", "photo.jpg", "cat.png", "-a", "1:1", "-o", "album")
    assert ran.code == 1
    assert ran.out.split() == ["album/cat_1x1.jpg"]
    assert (folder / "photo.jpg").read_bytes() == before


def test_size_fits_each_ratio(folder: Path) -> None:
    run("crop", "photo.jpg", "-a", "16:9", "-a", "1:1", "--size", "320x320", "-o", "out")
    assert size_of("out/photo_16x9.jpg") == (320, 180)
    assert size_of("out/photo_1x1.jpg") == (320, 320)
    run("crop", "photo.jpg", "--size", "120x63", "-o", "small.jpg")
    assert size_of("small.jpg") == (120, 63)


@pytest.mark.parametrize("target", ["attention", "best", "union"])
def test_the_article_s_recipes(folder: Path, target: Any) -> None:
    ran = run("crop", "album/flower.jpg", "--to", target, "--margin", "0.1", "--format", "png", "-o", "out")
    assert ran.out == f"out/flower_{target}.png\n"
    with PillowImage.open(f"out/flower_{target}.png") as written:
        expected = eyefirst.crop_to("album/flower.jpg", target, margin=0.1)
        assert written.tobytes() == expected.tobytes()


def test_json_is_python_s_plan(folder: Path) -> None:
    options = ("--tightness", "0.4", "--margin", "0.1", "--must-keep", "0.2,0.1,0.6,0.5", "--avoid", "0,0.9,1,1")
    ran = run(
        "crop", "photo.jpg", "-a", "16:9", "-a", "4/5", "--alternatives", "2", "--pad", "white", *options, "--json"
    )
    plan = eyefirst.plan_crops(
        "photo.jpg",
        ["16:9", "4/5"],
        2,
        tightness=0.4,
        margin=0.1,
        must_keep=[eyefirst.Box(0.2, 0.1, 0.6, 0.5)],
        avoid=[eyefirst.Box(0, 0.9, 1, 1)],
        pad="white",
    )
    assert ran.rows == [plan.to_dict()]
    also = run("crop", "photo.jpg", "-a", "16:9", "--json", "-o", "wide.jpg", "--revision", plan.revision)
    assert also.rows == [eyefirst.plan_crops("photo.jpg", "16:9").to_dict()]
    assert size_of("wide.jpg") == (512, 288)


def test_standard_input(folder: Path) -> None:
    data = (folder / "photo.jpg").read_bytes()
    assert run("crop", "-", "-a", "1:1", "--json", stdin=data).rows == [eyefirst.plan_crops(data, "1:1").to_dict()]
    assert run("crop", "-", "-a", "16:9", "-o", "out", stdin=data).out == "out/stdin_16x9.jpg\n"
    empty = run("crop", "-", "-a", "1:1", "--json")
    assert empty.code == 1
    assert empty.rows[0]["picture"] == empty.rows[0]["error"]["source"] == "-"


def test_globs_are_ours_sorted_and_recursive(folder: Path) -> None:
    (folder / "odd[1].jpg").write_bytes((folder / "photo.jpg").read_bytes())
    ran = run("crop", "odd[1].jpg", "album/**/*.jpg", "album/*.jpg", "-a", "1:1", "--json")
    names = [row["picture"]["name"] for row in ran.rows]
    assert names == ["odd[1].jpg", "album/flower.jpg", "album/trip/china.jpg"]


def test_a_lossy_frame_is_said_aloud(folder: Path) -> None:
    ran = run("crop", "cat.png", "-a", "1:4", "-o", "tall.jpg")
    assert re.fullmatch(r"(eyefirst: cat\.png: 1:4: \d+ % of .* is outside.*\n)+", ran.err)


# --- bad pictures and bad words


@pytest.mark.parametrize(
    "words",
    [
        ("crop", "-a", "1:1", "-a", "16:9", "-o", "out/"),
        ("crop", "-a", "1:1", "--json"),
        ("heatmap", "--json"),
        ("objects",),
        ("faces", "--json"),
        ("enhance",),
        ("camera",),
        ("report", "-o", "page.html"),
        ("sidecar",),
        ("plan", "-a", "1:1", "-o", "plans.jsonl"),
        ("thumbnails", "-s", "32x32", "-o", "thumbs"),
        ("best",),
        ("pan", "--json", "-s", "32x32"),
    ],
)
def test_what_is_amiss_with_a_file_is_said_once_by_every_command(folder: Path, words: tuple[str, ...]) -> None:
    (folder / "cut.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:-2])
    ran = run(words[0], "cut.jpg", *words[1:])
    assert ran.err.count("ends without the end marker of a JPEG") == 1, ran.err


@pytest.mark.parametrize("words", [("crop", "-a", "1:1", "--json"), ("best",), ("pan", "--json", "-s", "32x32")])
def test_a_pattern_that_matches_nothing_is_said(folder: Path, words: tuple[str, ...]) -> None:
    assert "none*.jpg: " in run(words[0], "none*.jpg", "photo.jpg", *words[1:]).err


@pytest.mark.parametrize(
    ("sources", "said", "is_made"),
    [
        (("nodir",), "nodir: there is no such file", False),
        (("nodir", "gone.jpg"), "gone.jpg: left out: there is no such file", False),
        (("none*.jpg",), "none*.jpg: nothing matches", False),
        (("void",), "void: holds no pictures", False),
        (("photo.jpg", "nodir"), "nodir: left out: there is no such file", True),
        (("photo.jpg", "none*.jpg"), "none*.jpg: nothing matches", True),
    ],
)
def test_a_film_of_photos_says_what_is_missing(
    folder: Path, sources: tuple[str, ...], said: str, is_made: bool
) -> None:
    (folder / "void").mkdir()
    ran = run("pan", *sources, "--json", "-s", "32x32")
    assert (ran.code, bool(ran.out)) == (1, is_made)
    assert said in ran.err


def test_plans_and_manifests_are_left_where_a_folder_is_away(folder: Path) -> None:
    thumbs = ("thumbnails", "-s", "32x32", "-o", "t", "--manifest", "m.json")
    assert run(*thumbs, "album").code == 0
    assert run("plan", "album", "-a", "1:1", "-o", "plans.jsonl").code == 0
    before = [(folder / name).read_bytes() for name in ("m.json", "plans.jsonl")]
    (folder / "empty").mkdir()
    for away in ("missing", "empty"):
        for command in (thumbs, ("plan", "-a", "1:1", "-o", "plans.jsonl")):
            ran = run(*command, "album", away)
            assert f"{away}: is missing or empty, so {command[-1]} is left as it is" in ran.err
    assert before == [(folder / name).read_bytes() for name in ("m.json", "plans.jsonl")]


def test_a_bad_picture_is_a_row(folder: Path) -> None:
    (folder / "text.jpg").write_text("not a picture")
    (folder / "half.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:20000])
    (folder / "void").mkdir()
    ran = run("crop", "text.jpg", "gone.jpg", "half.jpg", "none*.jpg", "void", "cat.png", "-a", "1:1", "--json")
    assert ran.code == 1
    assert [row["error"]["code"] for row in ran.rows[:-1]] == [
        "not_a_picture",
        "picture_not_found",
        "truncated_picture",
        "picture_not_found",
        "picture_not_found",
    ]
    assert [row["picture"] for row in ran.rows[:-1]] == ["text.jpg", "gone.jpg", "half.jpg", "none*.jpg", "void"]
    assert ran.rows[-1] == eyefirst.plan_crops("cat.png", "1:1").to_dict()
    assert len(ran.err.splitlines()) == 5
    assert all(re.fullmatch(r"eyefirst: [^;]+: [^;]+; .+", line) for line in ran.err.splitlines())


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("crop", "photo.jpg", "-a", "1:1"), "add -o FILE"),
        (("crop", "photo.jpg", "-o", "out"), "add --ratio"),
        (("crop", "photo.jpg", "-a", "wide", "--json"), "16:9"),
        (("crop", "photo.jpg", "-a", "1:1", "--size", "big", "-o", "out"), "WIDTHxHEIGHT"),
        (("crop", "photo.jpg", "-a", "1:1", "--pad", "nocolour", "--json"), "#f4f4f4"),
        (("crop", "photo.jpg", "-a", "1:1", "--must-keep", "0,0,9,9", "--json"), "0..1"),
        (("crop", "photo.jpg", "-a", "1:1", "--revision", "v0", "--json"), "saliency_v18"),
        (("crop", "photo.jpg", "-a", "1:1", "--format", "psd", "-o", "out"), "webp"),
        (("crop", "photo.jpg", "-a", "1:1", "-o", "-"), "name a file or a folder"),
        (("crop", "photo.jpg", "cat.png", "-a", "1:1", "-o", "out.jpg"), "name a folder"),
        (("crop", "photo.jpg", "--to", "best", "-a", "1:1", "-o", "out"), "leave out"),
        (("heatmap", "photo.jpg"), "or --json"),
        (("heatmap", "photo.jpg", "--view", "boxes", "--opacity", "1", "-o", "out"), "--opacity would have no effect"),
        (("heatmap", "photo.jpg", "--json", "--colormap", "grey"), "--colormap would have no effect"),
        (("crop", "photo.jpg", "-a", "1:1", "--quality", "50", "-o", "out.png"), "--quality would have no effect"),
        (("crop", "photo.jpg", "-a", "1:1", "--size", "9x9", "--json"), "--size would have no effect"),
        (("enhance", "photo.jpg", "--quality", "50"), "--quality would have no effect"),
        (("sidecar", "-"), "name files or folders"),
        (("sidecar", "photo.jpg", "-a", "wide"), "16:9"),
        (("heatmap", "photo.jpg", "--revision", "v0", "--json"), "saliency_v18"),
    ],
)
def test_wrong_usage_is_one_line_with_a_remedy(folder: Path, words: tuple[str, ...], hint: str) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert hint in ran.err


@pytest.mark.parametrize(
    "words", [(), ("crop",), ("paint",), ("crop", "photo.jpg", "--alternatives", "0"), ("heatmap", "x", "--view", "y")]
)
def test_what_the_parser_refuses_is_wrong_usage_too(folder: Path, words: tuple[str, ...]) -> None:
    assert run(*words).code == 2


def test_an_output_that_cannot_be_written_is_one_line(folder: Path) -> None:
    ran = run("crop", "photo.jpg", "-a", "1:1", "-o", "photo.jpg/inside")
    assert ran.code == 1
    assert re.fullmatch(r"eyefirst: photo\.jpg/inside: cannot be a folder: a file is there; name a folder\n", ran.err)


def test_the_unexpected_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom\nand more")

    monkeypatch.setattr("eyefirst.tools.planning.plan_from", broken)
    ran = run("crop", "photo.jpg", "-a", "1:1", "--json")
    assert ran.code == 1
    assert ran.rows[0]["error"]["code"] == "error"
    assert re.fullmatch(r"eyefirst: photo\.jpg: unexpected RuntimeError: boom.*EYEFIRST_DEBUG=1.*\n", ran.err)
    monkeypatch.setenv("EYEFIRST_DEBUG", "1")
    with pytest.raises(RuntimeError):
        run("crop", "photo.jpg", "-a", "1:1", "--json")


def test_an_interrupt_ends_with_130(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eyefirst.tools.planning.plan_from", interrupted)
    ran = run("crop", "photo.jpg", "-a", "1:1", "--json")
    assert (ran.code, ran.err) == (130, "eyefirst: interrupted\n")


# --- the other commands


def test_heatmap(folder: Path) -> None:
    ran = run("heatmap", "photo.jpg", "cat.png", "--kind", "objectness", "-o", "maps")
    assert ran.out.split() == ["maps/photo_objectness_map.jpg", "maps/cat_objectness_map.jpg"]
    assert size_of("maps/photo_objectness_map.jpg") == (512, 512)
    drawn = set()
    for view in View:
        colours = () if view is View.BOXES else ("--colormap", "grey")
        assert run("heatmap", "photo.jpg", "--view", view.value, *colours, "-o", "heat.png").code == 0
        drawn.add((folder / "heat.png").read_bytes())
    assert len(drawn) == 3
    rows = run("heatmap", "photo.jpg", "cat.png", "--json").rows
    assert rows == [{"picture": name, **eyefirst.attention(name).to_dict()} for name in ("photo.jpg", "cat.png")]


def test_choices_are_those_of_the_tools() -> None:
    assert tuple(Colormap) == COLORMAPS
    assert tuple(View) == VIEWS


def test_objects(folder: Path) -> None:
    found = eyefirst.objects("album/flower.jpg")
    assert run("objects", "album/flower.jpg", "--json").rows == [{"picture": "album/flower.jpg", **found.to_dict()}]
    PillowImage.new("RGB", (300, 200), "grey").save("blank.png")
    ran = run("objects", "album/flower.jpg", "blank.png", "-o", "annotated")
    box = found.salient_objects[0].box.to_pixels(eyefirst.Size(640, 427))
    assert f"{box.left} {box.top} {box.right} {box.bottom}" in ran.out
    assert f"{found.salient_objects[0].confidence:.2f}" in ran.out
    assert "union" in ran.out
    assert "no subject stands out" in ran.out
    assert size_of("annotated/flower_objects.jpg") == (640, 427)


def test_render_gives_what_crop_gives(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("photo.jpg", "cat.png", "-a", "1:1", "-a", "16:9", "--alternatives", "2", "--format", "png")
    planned = run("crop", *words, "--json", "-o", "a")
    (folder / "plans.jsonl").write_text(planned.out)
    monkeypatch.setattr("eyefirst.network.load_network", lambda *_: pytest.fail("render needs no network"))
    ran = run("render", "plans.jsonl", "--format", "png", "-o", "b", "--json")
    assert ran.code == 0
    assert [row["picture"] for row in ran.rows] == ["photo.jpg", "cat.png"]
    files = sorted(p.name for p in (folder / "a").iterdir() if not p.name.startswith("."))
    assert files == sorted(Path(f).name for row in ran.rows for f in row["files"])
    for name in files:
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes()


def test_render_keeps_the_results_of_other_pictures(folder: Path) -> None:
    for place in ("one", "two"):
        (folder / place / "plans").mkdir(parents=True)
        PillowImage.open("photo.jpg").save(f"{place}/photo.jpg")
        os.chdir(folder / place)
        plan = run("crop", "photo.jpg", "-a", "1:1", "-a", "1:2", "--json").out
        os.chdir(folder)
        (folder / place / "plans" / "plan.json").write_text(plan * 2)
    (folder / "photo.jpg").unlink()
    for _ in range(2):
        assert run("render", "one/plans/plan.json", "-o", "out").out.split() == [
            f"out/photo{n}_{ratio}.jpg" for n in ("", "-2") for ratio in ("1x1", "1x2")
        ]
        ran = run("render", "two/plans/plan.json", "-o", "out", "--size", "50x50")
        assert ran.out.split() == [f"out/photo-jpg{n}_{ratio}.jpg" for n in ("", "-2") for ratio in ("1x1", "1x2")]


def test_render_one_frame_from_standard_input(folder: Path) -> None:
    plan = eyefirst.plan_crops("photo.jpg", "1:2")
    ran = run("render", "-", "-o", "tall.jpg", "--size", "100x100", stdin=plan.to_json().encode())
    assert ran.out == "tall.jpg\n"
    assert size_of("tall.jpg") == (50, 100)
    pretty = json.dumps(plan.to_dict(), indent=2).encode()
    assert run("render", "-", "-o", "tall.jpg", stdin=pretty).code == 0
    opened = eyefirst.plan_crops(PillowImage.open("photo.jpg"), "1:2").to_json().encode()
    assert run("render", "-", "--picture", "photo.jpg", "-o", "tall.jpg", stdin=opened).code == 0


def test_render_refuses_another_picture(folder: Path) -> None:
    plan = eyefirst.plan_crops("photo.jpg", "1:1").to_json().encode()
    PillowImage.open("photo.jpg").save("again.jpg", quality=50)
    ran = run("render", "-", "--picture", "again.jpg", "-o", "out", stdin=plan)
    assert ran.code == 1
    assert re.fullmatch(r"eyefirst: again\.jpg: is not the picture that was planned.*\n", ran.err)
    ran = run("render", "-", "--picture", "photo.jpg", "-o", "photo.jpg", stdin=plan)
    assert "would replace" in ran.err


def test_render_bad_plans_are_rows(folder: Path) -> None:
    good = eyefirst.plan_crops("photo.jpg", "1:1").to_json()
    nameless = eyefirst.plan_crops((folder / "photo.jpg").read_bytes(), "1:1").to_json()
    failed = run("crop", "text.txt", "-a", "1:1", "--json").out
    (folder / "plans.jsonl").write_text("\n".join([good, "{", "[]", '{"schema": "x"}', nameless, failed]))
    (folder / "empty.json").write_text("")
    ran = run("render", "plans.jsonl", "empty.json", "gone.json", "cat.png", "-o", "out", "--json")
    assert ran.code == 1
    assert [row.get("picture") for row in ran.rows] == [
        "photo.jpg",
        "plans.jsonl:2",
        "plans.jsonl:3",
        "plans.jsonl:4",
        "<bytes>",
        "text.txt",
        "empty.json",
        "gone.json",
        "cat.png",
    ]
    assert all(row["error"]["code"] == "invalid_plan" for row in ran.rows[1:])
    assert len(ran.err.splitlines()) == 8
    assert "text.txt: was not planned: there is no such file" in ran.err


def test_models(folder: Path) -> None:
    rows = run("models", "--json").rows
    assert [row["revision"] for row in rows] == list(eyefirst.known_revisions())
    assert [row["default"] for row in rows] == [False] * (len(rows) - 1) + [True]
    assert rows[-1]["metadata"]["revision"] == rows[-1]["revision"]
    assert rows[-1]["sha256"] in run("models").out


def test_doctor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (report,) = run("doctor", "--json").rows
    assert report["ok"]
    assert report["weights_verified"]
    assert report["providers"] == ["CPUExecutionProvider"]
    assert report["formats"]["JPEG"] == {"read": True, "write": True}
    assert "all well" in run("doctor").out

    def missing(_: str) -> None:
        raise eyefirst.EyefirstError("weights are gone", remedy="reinstall eyefirst")

    monkeypatch.setattr("eyefirst.weight_store.find_weights", missing)
    ran = run("doctor")
    assert ran.code == 1
    assert ran.err == "eyefirst: weights are gone; reinstall eyefirst\n"


# --- help and documents


@pytest.mark.parametrize("command", [(), *((c,) for c in (*COMMANDS, *FILM_COMMANDS))])
def test_every_help_works_and_names_the_exit_codes(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = run(*command, "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out
    assert "Exit codes" in ran.out
    assert "\\b" not in ran.out
    assert "…" not in ran.out  # nothing is cut off in a narrow window


def examples() -> list[str]:
    """Every line that the page and the help texts show."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "cli.md").read_text(), re.DOTALL)
    for path in sorted((ROOT / "src" / "eyefirst" / "cli").glob("*.py")):
        functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        blocks += [ast.get_docstring(node) or "" for node in functions]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    # `serve` does not end by itself: tests/server starts services
    return [line for line in lines if line.startswith("eyefirst ") and not line.startswith("eyefirst serve")]


def test_every_example_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "key").write_text("a-signing-key-for-the-tests")
    monkeypatch.setenv("EYEFIRST_SIGNING_KEY", "a-signing-key-for-the-tests")
    (folder / "moved").mkdir()
    (folder / "moved" / "photo.jpg").write_bytes((folder / "photo.jpg").read_bytes())
    (folder / "plan.json").write_text(eyefirst.plan_crops("photo.jpg", "1:1").to_json())
    make_clip(folder / "talk.mp4", seconds=2)
    lines = examples()
    assert len(lines) > 30
    for line in lines:
        data = b""
        for part in line.split("|"):
            words = shlex.split(part)
            target = words.pop() if words[-2:-1] == [">"] else ""
            if words[-2:-1] == ["<"]:
                data = Path(words.pop()).read_bytes()
            ran = run(*(w for w in words[1:] if w not in "<>"), stdin=data)
            assert ran.code == 0, f"{line}: {ran.err}"
            data = ran.out.encode()
            if target:
                Path(target).write_bytes(data)


# --- real processes


def test_a_real_process(folder: Path) -> None:
    data = (folder / "photo.jpg").read_bytes()
    ran = real("crop", "-", os.fsdecode(b"bad\xff\nname.jpg"), "-a", "1:1", "--json", cwd=folder, input=data)
    first, second = (json.loads(line) for line in ran.stdout.splitlines())
    assert first == eyefirst.plan_crops(data, "1:1").to_dict()
    assert second["error"]["code"] == "picture_not_found"
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        command = [sys.executable, "-m", "eyefirst", "models", "--json"]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        ran = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, env=environment, check=False)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys, eyefirst.cli as c\n"
        "try: c.main()\n"
        "except SystemExit as e: assert e.code == 0\n"
        "assert not {'numpy', 'onnxruntime', 'PIL'} & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, env=environment, check=False, text=True
    )
    assert (ran.stdout, ran.stderr) == (f"eyefirst {eyefirst.__version__}\n", "")


# --- films


@pytest.fixture
def talk(folder: Path) -> str:
    pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
    return str(make_clip(folder / "talk.mp4", seconds=1))


def test_reframe_plans_and_renders_what_was_planned(talk: str, folder: Path) -> None:
    ran = run(
        "reframe",
        talk,
        "-a",
        "1:1",
        "--json",
        "--strip",
        "new/strip.png",
        "--path-only",
        "new/path.cmd",
        "--timeline",
        "new/t.otio",
    )
    assert ran.code == 0
    (plan,) = ran.rows
    assert plan == eyefirst.plan_reframe(talk, "1:1").to_dict()
    assert Path("new/path.cmd").read_text().startswith("0.0000 crop x ")
    assert "sendcmd=f=new/path.cmd,crop=w=180:h=180" in ran.err
    assert size_of("new/strip.png")[0] > 200
    Path("plan.json").write_text(json.dumps(plan))
    assert run("reframe", "plan.json", "-o", "square.mp4").out == "square.mp4\n"
    assert run("reframe", "new/t.otio", "--json").rows == [plan]
    assert {p.name for p in folder.glob("*.mp4")} == {"talk.mp4", "square.mp4"}


def test_the_command_that_follows_a_path_can_be_copied(talk: str, folder: Path) -> None:
    Path(talk).rename(folder / "it's a talk.mp4")
    ran = run("reframe", "it's a talk.mp4", "-a", "1:1", "--path-only", "a b.cmd")
    command = shlex.split(ran.err.splitlines()[0].partition("follow it with ")[2])
    assert command == ["ffmpeg", "-i", "it's a talk.mp4", "-vf", "sendcmd=f=a b.cmd,crop=w=180:h=180:exact=1"]


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("reframe", "talk.mp4"), 2, "add -o OUT.mp4"),
        (("reframe", "talk.mp4", "-o", "out.gif"), 2, "use one of mp4, m4v, mov, mkv"),
        (("reframe", "talk.mp4", "-a", "1:1", "-a", "9:16", "-o", "out.mp4"), 2, "name a folder"),
        (("reframe", "talk.mp4", "-a", "1:1", "-a", "9:16", "--strip", "s.png"), 2, "--strip would have no effect"),
        (
            ("reframe", "talk.mp4", "-a", "1:1", "-a", "9:16", "-s", "90x90", "-o", "o"),
            2,
            "expected a size of the ratio",
        ),
        (("reframe", "talk.mp4", "-o", "out", "--format", "gif"), 2, "end in .mp4"),
        (("reframe", "talk.mp4", "other.mp4", "--shot", "1=left", "-o", "out"), 2, "film by film"),
        (("reframe", "talk.mp4", "--strip", "strip.psd"), 2, "webp"),
        (("reframe", "talk.mp4", "-o", "talk.mp4"), 1, "would replace"),
        (("reframe", "talk.mp4", "--json", "--must-keep", "0,0,1,1@9"), 2, "5-12.5"),
        (("reframe", "talk.mp4", "--json", "-a", "wide"), 2, "16:9"),
        (("reframe", "none.mp4", "--json"), 1, "no such file"),
        (("reframe", "talk.mp4", "-a", "1:1", "--json", "--revision", "v0"), 2, "saliency_v18"),
        (("reframe", "photo.jpg", "-o", "v.mp4"), 1, "is a still picture, not a film; `eyefirst crop`"),
        (("watch", "photo.jpg", "-o", "v.mkv"), 1, "is a still picture, not a film; `eyefirst crop`"),
        (("shots", "photo.jpg"), 1, "is a still picture, not a film; `eyefirst crop`"),
        (("reframe", "none.fcpxml", "--json"), 2, "cannot be read"),
        (("reframe", "talk.mp4", "--timeline", "t.edl"), 2, ".otio or .fcpxml"),
        (("reframe", "none.json", "--json"), 2, "cannot be read"),
        (("shots", "none.mp4"), 1, "no such file"),
        (("shots", "talk.mp4", "--seconds", "2", "--width", "64"), 2, "--seconds and --width would have no effect"),
        (("reframe", "p.json", "--json", "--layout", "crop"), 2, "--layout would have no effect"),
        (("reframe", "p.json", "--json", "-a", "1:1", "--rate", "3"), 2, "--ratio and --rate would have no effect"),
        (("reframe", "p.json", "--json", "--safe-area", "tiktok"), 2, "--safe-area would have no effect"),
        (("reframe", "p.otio", "--json", "--speed", "1", "--acceleration", "1"), 2, "--speed and --acceleration would"),
        (("reframe", "talk.mp4", "--json", "--codec", "h264", "--quality", "9"), 2, "--codec and --quality would have"),
        (("reframe", "talk.mp4", "--json", "--hardware", "--name", "a.mp4"), 2, "--name and --hardware would have"),
        (("reframe", "talk.mp4", "--json", "--shot", "1=left", "--shot", "1=right"), 2, "shot 1 is given twice"),
        (("reframe", "talk.mp4", "--json", "--must-keep", "0,0,1,1@50-60"), 2, "nothing to keep at 50 s"),
        (("pan", "p.json", "--json", "--seconds", "1", "--fps", "10"), 2, "--fps and --seconds would have no effect"),
        (("pan", "p.json", "--json", "-s", "320x180", "--order", "time"), 2, "--size and --order would have no effect"),
        (
            ("pan", ".", "--json", "--preset", "slow", "--sound", "a.mp3"),
            2,
            "--sound and --preset would have no effect",
        ),
        (("shots", "talk.mp4", "--cover", "c.psd"), 2, "webp"),
    ],
)
def test_films_are_refused_in_one_line(talk: str, words: tuple[str, ...], code: int, hint: str) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (code, "")
    assert len(ran.err.splitlines()) == 1
    assert hint in ran.err


def test_one_analysis_serves_all_ratios_of_each_film(
    folder: Path, tiny_network: OnnxNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
    runs: list[int] = []

    class Counting:
        revision, input_side = tiny_network.revision, tiny_network.input_side

        def predict(self, pictures: NDArray[np.uint8]) -> Prediction:
            runs.append(len(pictures))
            return tiny_network.predict(pictures)

    monkeypatch.setattr("eyefirst.films.shots.load_network", lambda _: Counting())
    (folder / "bad.mp4").write_bytes(b"no film")
    (folder / "b").mkdir()
    talk = str(make_clip(folder / "talk.mp4", place=lambda t: [(0.2 + t / 2, 0.5)], seconds=1))
    make_clip(folder / "b" / "talk.mp4", place=lambda t: [(0.2 + t / 2, 0.5)], seconds=0.5)
    ran = run("reframe", talk, "bad.mp4", "b/talk.mp4", "-a", "1:1", "-a", "9:16", "-a", "4:5", "-o", "out")
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "bad.mp4: is not a film" in ran.err
    assert ran.out.splitlines() == [
        f"out/{stem}_{ratio}.mp4" for stem in ("talk", "talk-mp4") for ratio in ("1x1", "9x16", "4x5")
    ]
    assert runs == [1] * (4 + 3)  # three looks a second and the last frame, of a second and of half a second
    with VideoReader("out/talk-mp4_9x16.mp4") as reader:
        assert reader.info.size.as_tuple == (100, 180)
    again = run(
        "reframe", talk, "-a", "9:16", "-o", "out", "--name", "{stem}_{width}x{height}.{ext}", "--format", "mkv"
    )
    assert again.out == "out/talk_100x180.mkv\n"
    (folder / "out" / "talk_1x1.mp4").write_bytes(b"mine")
    kept = run("reframe", talk, "-a", "1:1", "-o", "out")
    assert (kept.code, (folder / "out" / "talk_1x1.mp4").read_bytes()) == (1, b"mine")
    assert "eyefirst did not write it" in kept.err


@pytest.mark.parametrize("missing", ["av", "scipy"])
def test_a_missing_extra_is_named_before_any_work(talk: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("eyefirst.films.reader.VideoReader.__init__", lambda *_: pytest.fail("work was begun"))
    for words in (("reframe", talk, "-o", "out.mp4"), ("shots", talk)):
        ran = run(*words)
        assert (ran.code, len(ran.err.splitlines())) == (1, 1)
        assert "pip install '.[video]'" in ran.err


def test_shots_are_listed_and_told_as_json(talk: str) -> None:
    ran = run("shots", talk, "--cover", "cover.jpg")
    assert re.match(r".*shot 1: 00:00:00\.000 - 00:00:01\.0\d\d: rank 1, ", ran.out)
    assert size_of("cover.jpg") == (320, 180)
    (values,) = run("shots", talk, "--json").rows
    assert [s["rank"] for s in values["shots"]] == [1]


def test_an_interrupted_film_leaves_nothing(talk: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eyefirst.films.writer.VideoWriter.write_cut", interrupted)
    before = {p.name for p in folder.iterdir()}
    ran = run("reframe", talk, "-o", "out.mp4")
    assert (ran.code, ran.err) == (130, "eyefirst: interrupted\n")
    assert {p.name for p in folder.iterdir()} == before


# --- report


def test_report_is_one_page_and_a_bad_picture_is_a_row(folder: Path) -> None:
    (folder / "bad.jpg").write_bytes(b"no picture")
    ran = run("report", "photo.jpg", "bad.jpg", "-a", "4:5", "-o", "new/page.html")
    assert ran.code == 1
    page = Path("new/page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 1
    assert "is not a picture" in page
    assert "bad.jpg" in ran.err


def test_report_wants_a_page_s_name(folder: Path) -> None:
    ran = run("report", "photo.jpg", "-o", "page.jpg")
    assert ran.code == 2
    assert "end in .html" in ran.err


def test_sidecars_of_a_batch(folder: Path) -> None:
    (folder / "bad.jpg").write_bytes(b"no picture")
    ran = run("sidecar", "photo.jpg", "bad.jpg", "album", "-a", "4:5", "--json")
    assert ran.code == 1
    rows = [row.get("status") or row["error"]["code"] for row in ran.rows]
    assert rows == ["made", "not_a_picture", "made", "made"]
    assert ran.rows[0] == {"picture": "photo.jpg", "sidecar": "photo.jpg.xmp", "status": "made"}
    assert "eyefirst:crop-4x5" in (folder / "photo.jpg.xmp").read_text()
    assert not (folder / "bad.jpg.xmp").exists()
    assert [row["status"] for row in run("sidecar", "photo.jpg", "-a", "4:5", "--json").rows] == ["kept"]


def test_two_photos_never_share_a_sidecar(folder: Path) -> None:
    PillowImage.open("photo.jpg").save("photo.png")
    ran = run("sidecar", "photo.jpg", "photo.png", "--short-name", "--workers", "1")
    assert (ran.code, ran.out) == (1, "photo.xmp\n")
    assert "photo.xmp: is the sidecar of" in ran.err


def test_a_folder_is_walked(folder: Path) -> None:
    ran = run("objects", "album", "--json")
    assert ran.code == 0
    assert sorted(Path(row["picture"]).name for row in ran.rows) == ["china.jpg", "flower.jpg"]
    (folder / "empty").mkdir()
    ran = run("objects", "empty")
    assert ran.code == 1
    assert "holds no pictures" in ran.err
