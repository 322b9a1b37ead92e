"""The code blocks of the README and the docs are run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from skimage import data

from tests.make_clips import make_clip

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
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
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    assert blocks, f"{page.name} shows no Python"
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "training").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
