"""Formats, names, and what may be replaced."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from eyefirst.albums.walk import find_pictures
from eyefirst.errors import EyefirstError, InvalidValueError, OutputError
from eyefirst.files.encode import encode
from eyefirst.files.formats import FORMATS, GIF, JPEG, PNG, WEBP, format_for, format_named, format_of
from eyefirst.files.ledger import LEDGER, Ledger, own_results
from eyefirst.files.names import NameTemplate
from eyefirst.files.outputs import Outputs, names_a_file, write_picture
from eyefirst.geometry import Size
from eyefirst.image import Animation, load_animation, load_picture

PICTURE = PillowImage.new("RGB", (40, 30), "teal")


# --- formats


@pytest.mark.parametrize("name", ["wide.jxl", "wide.heic", "wide.pdf", "wide.psd", "wide.jgp", "a.b/wide.svg", "x.mp4"])
def test_a_format_that_cannot_be_written_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidValueError, match="jpg, png, webp"):
        names_a_file(name)
    with pytest.raises(InvalidValueError, match="jpg, png, webp"):
        format_of(Path(name))


@pytest.mark.parametrize("name", ["crops", "crops/", "2024.01", "photos.jpg/", "a.b/c", ".hidden"])
def test_a_folder_is_known_as_one(name: str) -> None:
    assert not names_a_file(name)


def test_a_folder_that_exists_is_one_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "album.jpg").mkdir()
    assert not names_a_file(str(tmp_path / "album.jpg"))
    assert names_a_file(str(tmp_path / "wide.JPG"))


@pytest.mark.parametrize("spelling", ["jpg", ".JPEG", "Tif", "tiff", "webp"])
def test_extensions_are_read_in_any_spelling(spelling: str) -> None:
    assert format_named(spelling) in FORMATS


def test_a_result_keeps_what_its_format_can_hold() -> None:
    assert format_for(source="JPEG", has_alpha=False, is_animated=False) is JPEG
    assert format_for(source="PNG", has_alpha=True, is_animated=False) is PNG
    assert format_for(source="WEBP", has_alpha=True, is_animated=False) is WEBP
    assert format_for(source="TGA", has_alpha=True, is_animated=False) is PNG
    assert format_for(source="GIF", has_alpha=True, is_animated=True) is WEBP
    assert format_for(source="GIF", has_alpha=True, is_animated=True, keep=True).name == "GIF"
    assert format_for(source="JPEG", has_alpha=True, is_animated=False, keep=True) is PNG
    assert format_for(source="PNG", has_alpha=False, is_animated=False, keep=True) is PNG


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.name)
def test_every_format_is_written_and_read_again(format: object) -> None:
    picture = PICTURE.convert("RGBA")
    picture.putalpha(128)
    found = load_picture(encode(picture, format, background="#ff0000"))  # type: ignore[arg-type]
    assert found.size == (40, 30)
    if not format.has_alpha:  # type: ignore[attr-defined]
        assert found.mode == "RGB"
        red = np.asarray(found)[..., 0].mean()
        assert red == pytest.approx(127, abs=3)


@pytest.mark.parametrize(("plays", "kind"), [(p, k) for p in (0, 1, 3) for k in ("gif", "webp", "png")])
def test_an_animation_plays_as_often_in_every_format(plays: int, kind: str) -> None:
    frames = tuple(PillowImage.new("RGB", (8, 8), c) for c in ("red", "lime", "blue"))
    data = encode(Animation(frames, (50, 60, 70), plays), format_named(kind))
    again = load_animation(data)
    assert again.plays == plays
    assert again.durations_ms == (50, 60, 70)
    assert len(again.frames) == 3


def test_an_animated_webp_keeps_its_transparency() -> None:
    frames = []
    for colour in ("red", "lime", "blue"):
        frame = PillowImage.new("RGBA", (300, 200))
        frame.paste(colour, (100, 60, 200, 140))
        frames.append(frame)
    data = encode(Animation(tuple(frames), (50, 50, 50), 0), WEBP)
    assert load_animation(data).frames[0].getchannel("A").getpixel((0, 0)) == 0
    assert PillowImage.open(io.BytesIO(data)).mode == "RGBA"


@pytest.mark.parametrize("quality", [np.int64(80), 80.0, Fraction(80)], ids=repr)
@pytest.mark.parametrize("kind", ["jpg", "webp", "avif"])
def test_a_quality_is_a_number_of_any_type(quality: Any, kind: str) -> None:
    picture = PillowImage.effect_noise((16, 16), 60).convert("RGB")
    assert encode(picture, format_named(kind), quality=quality) == encode(picture, format_named(kind), quality=80)


# --- names


@pytest.mark.parametrize(
    ("picture", "options", "words"),
    [
        (np.zeros((4, 4, 3), np.uint8), {}, "got ndarray; for an array use PIL.Image.fromarray"),
        ("photo.jpg", {}, "got str"),
        (PillowImage.new("RGB", (4, 4)), {"quality": 500}, "a quality in 1..100, got 500"),
        (PillowImage.new("CMYK", (4, 4)), {}, "convert it from CMYK to RGB first"),
        (PillowImage.new("RGB", (70_000, 2)), {}, "choose another size or format"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, picture: Any, options: dict[str, Any], words: str) -> None:
    name = "a.avif" if getattr(picture, "width", 0) > 4 else "a.png"
    with pytest.raises(EyefirstError, match=words):
        write_picture(picture, tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_names_follow_a_template() -> None:
    template = NameTemplate("{ratio}/{stem}_{width}x{height}-{rank}.{ext}")
    filled = template.fill(
        stem="a/cat", label="16x9_2", ratio="16x9", rank=2, size=Size(320, 180), ext="webp", source_ext="png"
    )
    assert filled == "16x9/a/cat_320x180-2.webp"


@pytest.mark.parametrize(
    "pattern",
    ["{ratio}.{ext}", "{stem}.jpg", "../{stem}.{ext}", "/{stem}.{ext}", "{stem}{colour}.{ext}", "{stem:>9}.{ext}",
     "{stem!r}.{ext}", "{stem", "{stem}/../x.{ext}", "a//{stem}.{ext}", "{0}{stem}.{ext}", "{stem.x}.{ext}"],
)  # fmt: skip
def test_a_template_that_could_lose_a_result_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidValueError, match=r"\{stem\}_\{label\}"):
        NameTemplate(pattern)


# --- what may be replaced


def test_a_chosen_name_never_replaces_what_others_wrote(tmp_path: Path) -> None:
    (tmp_path / "cat_1x1.jpg").write_bytes(b"somebody's work")
    outputs = Outputs(tmp_path)
    with pytest.raises(OutputError, match="--overwrite"):
        outputs.write(PICTURE, JPEG, stem="cat", label="1x1")
    assert (tmp_path / "cat_1x1.jpg").read_bytes() == b"somebody's work"
    Outputs(tmp_path, overwrite=True).write(PICTURE, JPEG, stem="cat", label="1x1")
    assert load_picture(tmp_path / "cat_1x1.jpg").size == (40, 30)


def test_a_chosen_name_replaces_what_eyefirst_wrote_until_somebody_changes_it(tmp_path: Path) -> None:
    for _ in range(2):
        path = Outputs(tmp_path).write(PICTURE, JPEG, stem="dog", label="1x1")
    with open(path, "ab") as file:
        file.write(b"edited")
    with pytest.raises(OutputError, match="did not write"):
        Outputs(tmp_path).write(PICTURE, JPEG, stem="dog", label="1x1")


def test_a_link_is_somebody_s_work_too(tmp_path: Path) -> None:
    (tmp_path / "dog_1x1.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="did not write"):
        Outputs(tmp_path).write(PICTURE, JPEG, stem="dog", label="1x1")


def test_a_named_file_is_replaced_unless_it_is_read(tmp_path: Path) -> None:
    target = tmp_path / "wide.jpg"
    target.write_bytes(b"old")
    Outputs(target, single=True).write(PICTURE, JPEG, stem="cat", label="1x1")
    assert load_picture(target).size == (40, 30)
    os.link(target, tmp_path / "same.jpg")
    with pytest.raises(OutputError, match="is read"):
        Outputs(target, single=True, inputs=[str(tmp_path / "same.jpg")]).write(PICTURE, JPEG, stem="c", label="x")


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    for out in (tmp_path / "a.jpg", tmp_path / "a.jpg" / "below"):
        with pytest.raises(OutputError, match="cannot be a folder: a file is there; name a folder"):
            Ledger(out)


def test_two_results_of_one_run_never_share_a_name(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, name="{stem}.{ext}")
    outputs.write(PICTURE, JPEG, stem="cat", label="1x1")
    with pytest.raises(OutputError, match="another result"):
        outputs.write(PICTURE, JPEG, stem="cat", label="16x9")
    outputs.write(PICTURE, JPEG, stem="caf\u00e9", label="1x1")
    with pytest.raises(OutputError, match="another result"):  # one name on a Mac
        outputs.write(PICTURE, JPEG, stem="cafe\u0301", label="1x1")


def test_names_that_are_no_text_are_kept_too(tmp_path: Path) -> None:
    stem = os.fsdecode(b"caf\xe9")
    try:
        (tmp_path / stem).touch()
    except OSError:
        pytest.skip("this file system wants names to be text")
    path = Path(Outputs(tmp_path).write(PICTURE, JPEG, stem=stem, label="1x1"))
    assert path.exists()
    assert own_results(tmp_path) == {str(path)}
    Outputs(tmp_path).write(PICTURE, JPEG, stem=stem, label="1x1")


@pytest.mark.parametrize("wrong", [{"keep": "x"}, {"background": "x"}])
def test_arguments_are_checked_where_they_have_no_effect(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="got 'x'"):
        write_picture(PICTURE, tmp_path / "a.jpg", **wrong)
    assert not list(tmp_path.iterdir())


def test_own_results_are_no_input(tmp_path: Path) -> None:
    write_picture(PICTURE, tmp_path / "photo.jpg")
    for _ in range(3):
        sources = [task.source for task in find_pictures([tmp_path])]
        assert sources == [str(tmp_path / "photo.jpg")]
        outputs = Outputs(tmp_path / "crops")
        outputs.write(PICTURE, JPEG, stem="photo", label="1x1")
        Outputs(tmp_path / "other").write(PICTURE, JPEG, stem="a/photo", label="1x1")
        Outputs(tmp_path).write(PICTURE, JPEG, stem="photo", label="1x1")
    assert find_pictures([tmp_path / "other" / "a"]) == []
    os.utime(tmp_path / "crops" / "photo_1x1.jpg", (1, 1))
    assert len(find_pictures([tmp_path])) == 1, "a copy with the same bytes is still a result"
    (tmp_path / "crops" / "photo_1x1.jpg").write_bytes((tmp_path / "photo.jpg").read_bytes() + b"edited")
    assert len(find_pictures([tmp_path])) == 2, "what was replaced by hand is the user's again"


def test_own_results_are_no_input_of_globs(tmp_path: Path) -> None:
    (tmp_path / "album" / "day").mkdir(parents=True)
    write_picture(PICTURE, tmp_path / "album" / "day" / "photo.jpg")
    for _ in range(3):
        said: list[str] = []
        for pattern in ("album/**/*.jpg", "al*/**", "album/*/*.jpg"):
            sources = [task.source for task in find_pictures([tmp_path / pattern], say=said.append)]
            assert sources == [str(tmp_path / "album" / "day" / "photo.jpg")]
        Outputs(tmp_path / "album" / "crops").write(PICTURE, JPEG, stem="day/photo", label="1x1")
        Outputs(tmp_path / "album" / "other").write(PICTURE, JPEG, stem="photo", label="1x1")
    assert said[0] == f"{tmp_path}/album/**/*.jpg: left out earlier results of eyefirst: 2"
    out = tmp_path / "album" / "out"
    out.mkdir()
    write_picture(PICTURE, out / "mine.jpg")
    assert len(find_pictures([tmp_path / "album" / "**" / "*.jpg"])) == 2
    assert len(find_pictures([tmp_path / "album" / "**" / "*.jpg"], outside=out)) == 1
    assert len(find_pictures([out / "*.jpg"], outside=out)) == 1, "the folder that is named itself is taken"


def test_two_stars_leave_out_what_a_walk_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("a", "a/@eaDir/a", "a/.hidden", "a/deep/er"):
        (tmp_path / folder).mkdir(parents=True)
        write_picture(PICTURE, tmp_path / folder / "p.jpg")
    for name in ("one", "two"):
        (tmp_path / "a" / name).symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    taken = [task.source for task in find_pictures(["a/**/*.jpg"], say=said.append)]
    assert taken == ["a/deep/er/p.jpg", "a/p.jpg"]
    assert said == [
        "a/@eaDir: is a folder of the system, and is left out",
        "a/one: is a link to a folder, and is not followed",
        "a/two: is a link to a folder, and is not followed",
    ]
    assert [t.source for t in find_pictures(["**/*.jpg"])] == taken
    assert [t.source for t in find_pictures(["**/er/*"])] == taken[:1]
    assert [t.source for t in find_pictures(["./**/d*/**/p.jpg"])] == ["./a/deep/er/p.jpg"]
    assert [t.source for t in find_pictures(["a/**/.hidden/p.jpg"])] == ["a/.hidden/p.jpg"]


def test_a_damaged_ledger_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b"no database at all, and longer than a header" * 9)
    with pytest.raises(OutputError, match="remove this file"):
        Outputs(tmp_path).write(PICTURE, JPEG, stem="cat", label="1x1")
    assert own_results(tmp_path) == set()


def test_one_ledger_waits_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyefirst.files.ledger.WAIT_SECONDS", 0.1)
    ledger = Ledger(tmp_path)
    other = sqlite3.connect(tmp_path / LEDGER, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutputError, match="another process"):
        ledger.write(tmp_path / "a.bin", b"x")
    other.execute("COMMIT")
    ledger.write(tmp_path / "a.bin", b"x")
    assert ledger.owns(tmp_path / "a.bin")
    other.close()
    ledger.close()


def test_a_kill_at_the_renaming_leaves_nothing_of_unknown_origin(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from eyefirst.files.ledger import Ledger\n"
        "real = pathlib.Path.replace\n"
        "def killed(self, target):\n"
        "    if sys.argv[2] == 'after': real(self, target)\n"
        "    os.kill(os.getpid(), 9)\n"
        "pathlib.Path.replace = killed\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "Ledger(folder).write(folder / 'a.bin', b'new')\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for when in ("before", "after"):
        ran = subprocess.run([sys.executable, "-c", code, str(tmp_path), when], env=environment, check=False)
        assert ran.returncode == -9
        ledger = Ledger(tmp_path)
        assert (tmp_path / "a.bin").exists() == (when == "after")
        ledger.check_free(tmp_path / "a.bin")
        ledger.close()


def test_a_picture_keeps_the_name_of_its_results(tmp_path: Path) -> None:
    for name in ("x.jpg", "x.png"):
        (tmp_path / name).touch()
    outputs = Outputs(tmp_path / "out")
    assert outputs.names([(str(tmp_path / "x.jpg"), "x")]) == ["x"]
    both = [(str(tmp_path / "x.jpg"), "x-jpg"), (str(tmp_path / "x.png"), "x-png")]
    assert outputs.names(both) == ["x", "x-png"]
    (tmp_path / "x.jpg").unlink()
    (tmp_path / "x.gif").touch()
    assert outputs.names([(str(tmp_path / "x.gif"), "x")]) == ["x"], "a name goes over when its picture is gone"


def test_a_pixel_of_a_gif_is_clear_where_it_is_mostly_clear() -> None:
    picture = PillowImage.new("RGBA", (256, 4), "red")
    picture.putalpha(PillowImage.linear_gradient("L").rotate(90).resize(picture.size))
    written = PillowImage.open(io.BytesIO(encode(picture, GIF))).convert("RGBA")
    kept = np.asarray(written.getchannel("A")) == 255
    assert (kept == (np.asarray(picture.getchannel("A")) >= 128)).all()
