"""How large the project is: what a clone checks out, and what an installation downloads."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREE_BYTES = 40_000_000
WHEEL_BYTES = 6_000_000


def test_the_checked_out_tree_is_small() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no clone of the repository")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    assert sum(f.stat().st_size for f in files if f.exists()) < TREE_BYTES


def test_the_wheel_is_small(tmp_path: Path) -> None:
    """A wheel is a zip of the package: the same files, packed the same way."""
    with zipfile.ZipFile(tmp_path / "wheel.zip", "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in (ROOT / "src" / "eyefirst").rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                wheel.write(path, path.relative_to(ROOT))
    assert (tmp_path / "wheel.zip").stat().st_size < WHEEL_BYTES


def test_only_the_newest_weights_are_here() -> None:
    packaged = [p.name for p in (ROOT / "src" / "eyefirst" / "weights").iterdir() if p.is_dir()]
    trained = [p.stem for p in (ROOT / "training" / "weights").glob("*.safetensors")]
    assert packaged == trained
    assert len(packaged) == 1
