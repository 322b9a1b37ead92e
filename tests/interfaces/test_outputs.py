"""What the commands write: formats, names, trees, metadata, animations; and what they leave alone."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from skimage import data
from typer.testing import CliRunner

from eyefirst.cli import app
from eyefirst.image import load_animation, load_picture, read_metadata


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a photo with metadata, an animation, a transparent picture, an album in a tree."""
    cat = PillowImage.fromarray(data.chelsea())
    exif = PillowImage.Exif()
    exif[0x8298], exif[0x013B], exif[0x0112] = "(c) 2026 A. Cat", "A. Cat", 6
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    exif.get_ifd(0x8825)[3] = "E"
    exif.get_ifd(0x8825)[4] = (2.0, 17.0, 40.0)
    cat.save(tmp_path / "cat.jpg", exif=exif, comment=b"a comment", quality=90)
    frames = [cat.resize((150, 100)), cat.resize((150, 100)).rotate(90), cat.resize((150, 100)).rotate(180)]
    frames[0].save(tmp_path / "once.gif", save_all=True, append_images=frames[1:], duration=90)
    clear = cat.convert("RGBA")
    clear.putalpha(PillowImage.linear_gradient("L").resize(clear.size))
    clear.save(tmp_path / "clear.png")
    for name in ("tree/a/1.jpg", "tree/b/1.jpg", "tree/[2024] x/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cat.resize((150, 100)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, stdin: bytes = b"") -> tuple[int, list[str], str]:
    result = CliRunner().invoke(app, list(words), input=stdin, prog_name="eyefirst")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout.splitlines(), result.stderr


# --- formats


@pytest.mark.parametrize("name", ["wide.jxl", "wide.heic", "wide.pdf", "wide.psd", "wide.jgp"])
@pytest.mark.parametrize("command", [("crop", "-a", "16:9"), ("heatmap",), ("objects",), ("enhance",)])
def test_a_format_that_is_not_written_makes_no_folder(name: str, command: tuple[str, ...], folder: Path) -> None:
    """A6."""
    code, _, words = run(command[0], "cat.jpg", *command[1:], "-o", name)
    assert code == 2
    assert "jpg, png, webp" in words
    assert not (folder / name).exists()


def test_thumbnails_want_a_folder(folder: Path) -> None:
    """A6."""
    code, _, words = run("thumbnails", "cat.jpg", "-s", "20x20", "-o", "small.jpg")
    assert code == 2
    assert "name a folder" in words
    assert not (folder / "small.jpg").exists()
    assert run("thumbnails", "cat.jpg", "-s", "20x20", "-o", "small.jpg/")[0] == 0
    assert run("thumbnails", "cat.jpg", "-s", "20x20", "-o", "small.jpg")[0] == 0


def test_a_format_and_a_name_that_disagree_are_refused(folder: Path) -> None:
    code, _, words = run("crop", "cat.jpg", "-a", "1:1", "-o", "x.png", "--format", "jpg")
    assert code == 2
    assert "leave out --format" in words


def test_transparency_is_kept_or_laid_on_the_stated_colour(folder: Path) -> None:
    assert run("crop", "clear.png", "-a", "1:1", "-o", "out")[1] == ["out/clear_1x1.png"]
    assert load_picture("out/clear_1x1.png").mode == "RGBA"
    assert run("enhance", "clear.png", "-o", "better", "--sharpen", "1")[1] == ["better/clear_enhanced.png"]
    assert load_picture("better/clear_enhanced.png").mode == "RGBA"
    run("crop", "clear.png", "-a", "1:1", "-o", "red.jpg", "--background", "red")
    top = np.asarray(load_picture("red.jpg"))[0].mean(0)
    assert top[0] > 240 and top[1] < 20


# --- animations


@pytest.mark.parametrize(
    "words",
    [
        ("crop", "once.gif", "-a", "1:1", "-o", "x.webp"),
        ("crop", "once.gif", "--to", "attention", "-o", "x.gif"),
        ("enhance", "once.gif", "--background", "grey", "-o", "x.gif"),
        ("enhance", "once.gif", "-o", "x.png"),
    ],
)
def test_every_frame_of_an_animation_is_kept(words: tuple[str, ...], folder: Path) -> None:
    """P3 and P5."""
    code, (written,), _ = run(*words)
    assert code == 0
    made = load_animation(written)
    assert (len(made.frames), made.plays) == (3, 1)
    assert made.durations_ms == (90, 90, 90)


def test_a_saved_plan_keeps_every_frame_too(folder: Path) -> None:
    _, (plan,), _ = run("crop", "once.gif", "-a", "1:1", "--json")
    assert run("render", "-", "-o", "y.webp", stdin=plan.encode())[0] == 0
    run("crop", "once.gif", "-a", "1:1", "-o", "x.webp")
    assert Path("x.webp").read_bytes() == Path("y.webp").read_bytes()


@pytest.mark.parametrize("command", [("crop", "-a", "1:1"), ("crop", "--to", "union"), ("enhance",)])
def test_one_frame_of_an_animation_is_said(command: tuple[str, ...], folder: Path) -> None:
    code, _, words = run(command[0], "once.gif", *command[1:], "-o", "x.jpg")
    assert code == 0
    assert "the first of 3 frames is kept" in words


@pytest.mark.parametrize("command", [("heatmap",), ("objects",), ("faces",)])
def test_a_drawing_on_an_animation_is_a_still(command: tuple[str, ...], folder: Path) -> None:
    """P3."""
    for out in ("out", "x.webp"):
        code, _, words = run(*command, "once.gif", "-o", out)
        assert code == 0
        assert words == "eyefirst: once.gif: the first of 3 frames is drawn\n"
    assert [p.suffix for p in Path("out").glob("once*")] == [".jpg"]


@pytest.mark.parametrize(
    "command",
    [("crop", "-a", "1:1", "-a", "1:2", "--format", "avif"), ("thumbnails", "-s", "20x20", "--format", "avif")],
)
def test_an_animation_that_ends_and_becomes_avif_is_said(command: tuple[str, ...], folder: Path) -> None:
    """P5."""
    code, _, words = run(command[0], "once.gif", *command[1:], "-o", "out")
    assert code == 0
    assert words.count("once.gif: the AVIF plays for ever, the animation once") == 1
    assert {load_animation(p).plays for p in Path("out").glob("once*")} == {0}


@pytest.mark.parametrize("command", [("crop", "-a", "1:1"), ("thumbnails", "-s", "20x20", "--format", "gif")])
def test_lost_frames_of_an_animation_are_said(command: tuple[str, ...], folder: Path) -> None:
    (folder / "short.gif").write_bytes((folder / "once.gif").read_bytes()[:-4000])
    code, _, words = run(command[0], "short.gif", *command[1:], "-o", "out")
    assert code == 0
    assert words.count("short.gif: only 2 of 3 frames can be read") == 1


# --- sizes


def test_enlarging_is_said_and_can_be_forbidden(folder: Path) -> None:
    _, _, words = run("crop", "once.gif", "-a", "3:2", "--size", "900x600", "-o", "big.webp")
    assert "enlarged 6.0 times" in words
    assert load_animation("big.webp").frames[0].size == (900, 600)
    _, _, words = run("crop", "once.gif", "-a", "3:2", "--size", "900x600", "--no-enlarge", "-o", "big.webp")
    assert "enlarged" not in words
    assert load_animation("big.webp").frames[0].size == (150, 100)


@pytest.mark.parametrize("size", ["70000x70000", "1000000x1000000"])
def test_a_result_that_is_too_large_is_one_clear_error(size: str, folder: Path) -> None:
    """P10."""
    for words in (
        ("crop", "cat.jpg", "-a", "1:1", "--size", size, "-o", "x.jpg"),
        ("thumbnails", "cat.jpg", "-s", size, "-o", "thumbs"),
        ("thumbnails", "cat.jpg", "-s", size, "--product", "-o", "thumbs"),
    ):
        code, _, said = run(*words)
        assert code == 1
        assert "more than the limit" in said
        assert "unexpected" not in said


# --- names and trees


def test_the_tree_of_a_folder_is_kept(folder: Path) -> None:
    """A8: by crop and by render."""
    _, written, _ = run("crop", "tree", "-a", "1:1", "-o", "out")
    assert written == ["out/[2024] x/2_1x1.jpg", "out/a/1_1x1.jpg", "out/b/1_1x1.jpg"]
    _, plans, _ = run("crop", "tree", "-a", "1:1", "--json")
    Path("plans.jsonl").write_text("\n".join(plans))
    _, rendered, _ = run("render", "plans.jsonl", "-o", "out2")
    assert rendered == [w.replace("out/", "out2/") for w in written]


def test_the_tree_below_a_glob_is_kept_and_brackets_are_a_name(folder: Path) -> None:
    """A14."""
    assert run("crop", "tree/**/*.jpg", "-a", "1:1", "-o", "out")[1] == [
        "out/[2024] x/2_1x1.jpg",
        "out/a/1_1x1.jpg",
        "out/b/1_1x1.jpg",
    ]
    assert run("crop", "tree/[2024] x/*.jpg", "-a", "1:1", "-o", "out3")[1] == ["out3/2_1x1.jpg"]


def test_names_follow_a_template(folder: Path) -> None:
    words = ("tree/a", "-a", "1:1", "-a", "3:2", "--size", "60x60", "--name", "{ratio}/{stem}_{width}.{ext}")
    assert run("crop", *words, "-o", "out")[1] == ["out/1x1/1_60.jpg", "out/3x2/1_60.jpg"]
    code, _, said = run("crop", "tree/a", "-a", "1:1", "-a", "3:2", "--name", "{stem}.{ext}", "-o", "out4")
    assert code == 1
    assert "another result" in said


def test_a_second_run_replaces_its_own_and_takes_nothing_of_it_for_input(folder: Path) -> None:
    """A3: three runs into the album itself."""
    for _ in range(3):
        code, written, _ = run("crop", "tree", "-a", "1:1", "-o", "tree/crops")
        assert (code, len(written)) == (0, 3)
        code, written, _ = run("crop", "tree", "-a", "2:1", "-o", "tree/wide")
        assert (code, len(written)) == (0, 3)


def test_what_others_wrote_stays_without_a_word_of_the_user(folder: Path) -> None:
    """A2."""
    (folder / "out").mkdir()
    (folder / "out" / "cat_1x1.jpg").write_bytes(b"mine")
    code, written, words = run("crop", "cat.jpg", "once.gif", "-a", "1:1", "-o", "out")
    assert (code, written) == (1, ["out/once_1x1.webp"])
    assert "--overwrite" in words
    assert (folder / "out" / "cat_1x1.jpg").read_bytes() == b"mine"
    assert run("crop", "cat.jpg", "-a", "1:1", "-o", "out", "--overwrite")[0] == 0
    assert load_picture("out/cat_1x1.jpg").mode == "RGB"


# --- lists


def test_lists_may_be_ended_by_nul_and_begin_with_a_mark(folder: Path) -> None:
    lines = "tree/a/1.jpg\r\ntree/b/1.jpg\n"
    listings = [b"tree/a/1.jpg\0tree/b/1.jpg\0", lines.encode("utf-8-sig"), lines.encode("utf-16")]
    for listed in (*listings, b"\xfe\xff" + lines.encode("utf-16-be")):
        out = f"plans{len(listed)}.jsonl"
        assert run("plan", "-", "-a", "1:1", "-o", out, stdin=listed)[0] == 0
        assert len(Path(out).read_text().splitlines()) == 2


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("listed", ["tree/a/1.jpg", "tree/\u0430\u0430\u0430\u0430\u0430\u0430\u0430.jpg\n" * 2])
def test_a_list_of_single_characters_is_refused(listed: str, encoding: str, folder: Path) -> None:
    """A14. Else "/" would be walked."""
    code, _, words = run("thumbnails", "-", "-s", "20x20", "-o", "thumbs", stdin=listed.encode(encoding))
    assert code == 2
    assert "write the list as UTF-8" in words
    assert not (folder / "thumbs").exists()


def test_linked_and_system_folders_are_said(folder: Path) -> None:
    (folder / "tree" / "@eaDir").mkdir()
    (folder / "tree" / "@eaDir" / "1.jpg").write_bytes((folder / "tree/a/1.jpg").read_bytes())
    os.symlink(folder / "tree" / "a", folder / "tree" / "link")
    _, rows, words = run("crop", "tree", "-a", "1:1", "--json")
    assert len(rows) == 3
    assert "is a link to a folder" in words
    assert "folder of the system" in words


# --- metadata


@pytest.mark.parametrize("format", ["jpg", "png", "webp", "tif"])
def test_copyright_survives_and_the_place_does_not(format: str, folder: Path) -> None:
    """P22."""
    for keep in ("copyright", "keep", "none"):
        name = f"{keep}.{format}"
        assert run("crop", "cat.jpg", "-a", "1:1", "-o", name, "--metadata", keep)[0] == 0
        found = read_metadata(name)
        assert (found.copyright, found.artist) == (("(c) 2026 A. Cat", "A. Cat") if keep != "none" else ("", ""))
        assert (found.gps is not None) == (keep == "keep")
        with PillowImage.open(name) as written:
            assert written.getexif().get(0x0112, 1) == 1
            assert "comment" not in written.info
    run("crop", "cat.jpg", "-a", "1:1", "-o", f"default.{format}")
    assert read_metadata(f"default.{format}") == read_metadata(f"copyright.{format}")


@pytest.mark.parametrize("format", ["gif", "bmp"])
@pytest.mark.parametrize("command", [("crop", "-a", "1:1"), ("thumbnails", "-s", "20x20")])
def test_metadata_that_is_lost_is_said(command: tuple[str, ...], format: str, folder: Path) -> None:
    """P22."""
    words = (command[0], "cat.jpg", *command[1:], "--format", format, "-o", "out")
    code, _, said = run(*words)
    assert code == 0
    assert said.count("holds no metadata, so copyright, artist") == 1
    assert "holds no metadata" not in run(*words, "--metadata", "none", "--overwrite")[2]
    code, _, said = run(*words, "--metadata", "keep")
    assert code == 2
    assert "holds no metadata, so --metadata keep" in said
    assert "metadata" not in run(command[0], "tree/a/1.jpg", *command[1:], "--format", format, "-o", "out")[2]


# --- options without effect


@pytest.mark.parametrize(
    "words",
    [
        ("crop", "cat.jpg", "-a", "1:1", "--json", "--quality", "50"),
        ("crop", "cat.jpg", "-a", "1:1", "--json", "--name", "{stem}.{ext}"),
        ("crop", "cat.jpg", "--to", "best", "--pad", "blur", "-o", "x.jpg"),
        ("crop", "cat.jpg", "-a", "1:1", "--name", "{stem}.{ext}", "-o", "x.jpg"),
        ("objects", "cat.jpg", "--quality", "50"),
        ("heatmap", "cat.jpg", "--json", "--format", "png"),
        ("enhance", "cat.jpg", "--sharpen", "1"),
        ("enhance", "cat.jpg", "--strength", "0.5", "-o", "x.jpg"),
        ("crop", "cat.jpg", "-a", "1:1", "--no-enlarge", "-o", "x.jpg"),
        ("crop", "cat.jpg", "--to", "best", "--no-enlarge", "-o", "x.jpg"),
        ("render", "plan.json", "--no-enlarge", "-o", "x.jpg"),
        ("crop", "cat.jpg", "-a", "1:1", "--background", "red", "-o", "x.png"),
        ("crop", "cat.jpg", "-a", "1:1", "--background", "red", "--format", "webp", "-o", "out"),
        ("render", "plan.json", "--background", "red", "--format", "png", "-o", "out"),
    ],
)
def test_an_option_without_effect_is_refused(words: tuple[str, ...], folder: Path) -> None:
    """S6."""
    code, _, said = run(*words)
    assert code == 2
    assert "leave out" in said or "leave it out" in said


@pytest.mark.parametrize(
    "words",
    [
        ("crop", "cat.jpg", "-a", "1:1", "--size", "20x20", "--size", "30x30", "-o", "x.jpg"),
        ("crop", "cat.jpg", "-a", "1:1", "--pad", "blur", "--pad", "red", "-o", "x.jpg"),
        ("heatmap", "cat.jpg", "-o", "x.jpg", "--out", "y.jpg"),
    ],
)
def test_a_second_value_is_refused(words: tuple[str, ...], folder: Path) -> None:
    """S6."""
    code, _, said = run(*words)
    assert code == 2
    assert "is given twice" in said
    assert not (folder / "x.jpg").exists()


def test_a_colour_is_checked_before_any_work(folder: Path) -> None:
    code, _, said = run("crop", "cat.jpg", "-a", "1:1", "--background", "banana", "-o", "out")
    assert code == 2
    assert "expected a CSS colour, got 'banana'" in said
    assert not (folder / "out").exists()


def test_only_what_was_asked_is_done(folder: Path) -> None:
    """S5: a background is changed, and the subject neither sharpened nor lit."""
    dark = PillowImage.fromarray(data.chelsea()).point(lambda v: v // 4)
    dark.save("dark.png")
    run("enhance", "dark.png", "--background", "grey", "-o", "grey.png")
    before, after = (np.asarray(load_picture(n).convert("L"), np.float32) for n in ("dark.png", "grey.png"))
    assert np.abs(after - before).max() <= 2, "colour goes, light and sharpness stay"


def test_a_jpeg_without_its_end_is_cropped_with_a_word(folder: Path) -> None:
    """P18."""
    file = io.BytesIO()
    PillowImage.fromarray(data.chelsea()).save(file, "JPEG")
    Path("no_eoi.jpg").write_bytes(file.getvalue()[:-2])
    code, _, words = run("crop", "no_eoi.jpg", "-a", "1:1", "-o", "x.jpg")
    assert code == 0
    assert "end marker" in words
