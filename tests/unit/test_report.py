from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from skimage import data
from typer.testing import CliRunner

from eyefirst.albums.report import ReportRow, report_row, write_report
from eyefirst.cli import app
from eyefirst.errors import NotAPictureError, OutputError


def rows_of(page: str) -> list[dict[str, object]]:
    found = re.search(r'<script type="application/json" id="rows">(.*?)</script>', page, re.S)
    assert found
    rows: list[dict[str, object]] = json.loads(found[1])
    return rows


def page_of(folder: Path, row: ReportRow, *, title: str = "Album", colormap: str = "inferno") -> str:
    write_report([row], folder / "page.html", title=title, colormap=colormap)
    return (folder / "page.html").read_text(encoding="utf-8")


def test_a_page_holds_what_was_seen(tmp_path: Path) -> None:
    row = report_row(data.astronaut(), "astronaut.png", ["1:1", "9:16"])
    (shown,) = rows_of(page_of(tmp_path, row))
    assert row.plan is not None
    assert shown["name"] == "astronaut.png"
    assert shown["size"] == "512x512"
    assert set(shown["frames"]) == {"1:1", "9:16"}  # type: ignore[call-overload]
    assert len(shown["boxes"]["objectness"]) == len(row.plan.objects)  # type: ignore[index]
    assert row.picture is not None
    assert max(row.picture.size) == 360


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script>%ROWS%"
    error = NotAPictureError("is not a picture", remedy="open it <b>in a viewer</b>", source=hostile)
    page = page_of(tmp_path, ReportRow(hostile, error=error), title="<i>%LEGEND%</i>")
    assert "<script>alert" not in page
    assert "<i>" not in page
    (shown,) = rows_of(page)
    assert shown["name"] == hostile
    assert "not a picture" in str(shown["error"])


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_report([], tmp_path / "file" / "page.html", title="Album")


def test_transparent_pictures_are_shown_too(tmp_path: Path) -> None:
    pixels = np.zeros((60, 90, 4), np.uint8)
    pixels[20:40, 30:60] = 255
    row = report_row(PillowImage.fromarray(pixels), "alpha.png")
    assert "data:image/jpeg;base64," in page_of(tmp_path, row, colormap="viridis")


def test_a_large_report_has_its_pictures_beside_it(tmp_path: Path) -> None:
    row = report_row(PillowImage.fromarray(data.astronaut()[::8, ::8]), "a.png", ["1:1"])
    write_report([row] * 60, tmp_path / "my report.html", title="Album")
    page = (tmp_path / "my report.html").read_text()
    assert len(page) < 200_000
    assert "data:image" not in page
    rows = rows_of(page)
    assert len(rows) == 60
    for shown in rows:
        for address in (shown[what] for what in ("picture", "attention", "objectness")):
            assert (tmp_path / str(address).replace("%20", " ")).is_file()
    write_report([row] * 45, tmp_path / "my report.html", title="Album")
    assert len(list((tmp_path / "my report_files").glob("*.*g"))) == 45 * 3, "no files of pictures that are gone"
    (tmp_path / "my report_files" / "000001.jpg").write_bytes(b"the user's")
    write_report([row], tmp_path / "my report.html", title="Album")
    assert [p.name for p in (tmp_path / "my report_files").glob("*.*g")] == ["000001.jpg"]
    write_report([row] * 2, tmp_path / "small.html", title="Album")
    assert "data:image" in (tmp_path / "small.html").read_text()
    assert not (tmp_path / "small_files").exists()


def test_a_folder_that_is_away_leaves_the_report(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    page = tmp_path / "r.html"
    for source in ("gone", "empty"):
        page.unlink(missing_ok=True)
        for text in ("holds no pictures|no such file", "is missing or empty"):
            ran = CliRunner().invoke(app, ["report", str(tmp_path / source), "-o", str(page)])
            assert ran.exit_code == 1
            assert re.search(text, ran.output)
            if "missing" not in text:
                page.write_text("of yesterday")
        assert page.read_text() == "of yesterday"
