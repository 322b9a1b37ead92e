"""The code blocks of the README and the docs are run."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import figures
from benchmarks.figures import Figure, all_figures, as_page
from skimage import data
from typer.testing import CliRunner

import eyefirst
from eyefirst.cli import app
from eyefirst.errors import EyefirstError
from eyefirst.network import default_revision
from tests.make_clips import make_clip

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in (
            "python",
            "vision",
            "text",
            "camera",
            "enhance",
            "cutout",
            "pan",
            "video",
            "http",
            "addresses",
            "css",
            "sidecars",
            "framing",
            "errors",
            "coming-from",
            "tutorials/first-crop",
            "tutorials/responsive-site",
        )
    ),
    ROOT / "docs" / "inputs.md",
]
"""docs/models.md: tests/unit/test_mapped_network.py"""
NEEDS = {"text": "rapidocr", "camera": "cv2", "enhance": "cv2", "pan": "av", "video": "av"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    Image.fromarray(data.astronaut()).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem], reason=f"{NEEDS[page.stem]} comes with the extra {page.stem!r}")
    if page.stem == "video":
        make_clip(tmp_path / "talk.mp4")
    if page.stem == "responsive-site":
        (tmp_path / "album").mkdir()
        shutil.copy("photo.jpg", "album")
        command = re.findall(r"^eyefirst (thumbnails .*)$", page.read_text(), re.M)[0]
        assert CliRunner().invoke(app, shlex.split(command)).exit_code == 0
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    assert blocks, f"{page.name} shows no Python"
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)


def test_the_site_shows_every_page_and_every_public_name() -> None:
    """`make site` checks the rest: links, anchors, and that each name has a docstring."""
    shown = re.findall(r"^ +- [^:\n]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    own = {name for name in shown if not name.startswith("project/")}
    assert own == {str(p.relative_to(ROOT / "docs")) for p in ROOT.glob("docs/**/*.md")}
    assert all((ROOT / name.removeprefix("project/")).exists() for name in set(shown) - own)
    told = [
        n for p in ROOT.glob("docs/reference/*.md") for n in re.findall(r"^::: eyefirst\.(\w+)$", p.read_text(), re.M)
    ]
    assert sorted(told) == eyefirst.__all__


@pytest.mark.parametrize("figure", all_figures(), ids=lambda f: f.id)
def test_a_page_says_what_the_file_of_figures_says(figure: Figure) -> None:
    page = (ROOT / figure.page).read_text()
    assert figure.is_quoted_in(page), "change docs/figures.json and the page together"
    if figure.rows:
        other = (figure.rows[0][0], *("9.99" for _ in figure.rows[0][1:]))
        assert not replace(figure, rows=(other, *figure.rows[1:])).is_quoted_in(page)
    assert not replace(figure, text=(*figure.text, "recall 9.99")).is_quoted_in(page)


def test_a_benchmark_writes_its_figures_into_the_file_and_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("figures.json", "http.md"):
        shutil.copy(ROOT / "docs" / name, tmp_path / "docs")
    for name, place in (("ROOT", ""), ("FILE", "docs/figures.json"), ("PAGE", "docs/figures.md")):
        monkeypatch.setattr(figures, name, tmp_path / place)
    figures.record("service-thumbor", [("eyefirst", "7.1", "80", "90"), ("Thumbor 7", "6", "5", "4")], "two processors")
    page = (tmp_path / "docs" / "http.md").read_text()
    assert (
        "|\n| eyefirst | 7.1 | 80 | 90 |\n| Thumbor 7 | 6 | 5 | 4 |\n| machine: two processors |  |  |  |\n\n" in page
    )
    assert (ROOT / "docs" / "http.md").read_text().count("\n") == page.count("\n")
    held = {f.id: f for f in all_figures()}
    assert held["service-thumbor"].is_quoted_in(page) and held["service-attack"].is_quoted_in(page)
    assert held["service-thumbor"].network == default_revision()
    assert held["service-thumbor"].command in (tmp_path / "docs" / "figures.md").read_text()
    with pytest.raises(ValueError, match="4 cells"):
        figures.record("service-thumbor", [("eyefirst", "7.1")], "two processors")


def test_every_figure_of_the_readme_is_in_the_file_of_figures() -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme[readme.index("## Figures") : readme.index("## Read on")]
    told = " ".join(" ".join([*f.text, *(c for row in f.rows for c in row)]) for f in all_figures())
    assert set(re.findall(r"\d*\.\d+", section)) <= set(re.findall(r"\d*\.\d+", told))
    assert (ROOT / "docs" / "figures.md").read_text() == as_page(all_figures()), "run `make figures`"


LINKED = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("training/*.md")])


def anchors_of(page: Path) -> set[str]:
    """The addresses of a page's headings, as MkDocs and code hosts make them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", t.lower()).strip()) for t in titles}


@pytest.mark.parametrize("page", LINKED, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)|<img[^>]* src=\"([^\"]+)", text):
        path, _, anchor = (target[0] or target[1]).partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        linked = page.parent / path if path else page
        assert linked.exists(), f"links to {path}"
        assert not anchor or linked.suffix != ".md" or anchor in anchors_of(linked), f"links to {path}#{anchor}"


def errors_of_the_package() -> list[type[EyefirstError]]:
    """EyefirstError and all classes below it."""
    found = [EyefirstError]
    for kind in found:
        found += [k for k in kind.__subclasses__() if k.__module__ == "eyefirst.errors" and k not in found]
    return found


def test_every_error_has_a_remedy_at_an_address_that_stays() -> None:
    status_of = pytest.importorskip("eyefirst.server.problems").status_of
    sections = re.split(r"^### ", (ROOT / "docs" / "errors.md").read_text(), flags=re.M)[1:]
    told = {section.split("\n", 1)[0]: " ".join(section.split()) for section in sections}
    kinds = errors_of_the_package()
    assert sorted(told) == sorted(kind.code for kind in kinds)
    for kind in kinds:
        assert told[kind.code].startswith(f"{kind.code} `{kind.__name__}`"), f"name the class of {kind.code}"
        status = re.search(r"HTTP (\d+)", told[kind.code])
        assert status is None or int(status[1]) == status_of(kind("reason")), kind.code
