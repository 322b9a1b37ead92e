"""What `import eyefirst` gives, and what it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import eyefirst

SOURCE = Path(eyefirst.__file__)


def test_all_is_sorted_and_every_name_loads() -> None:
    assert eyefirst.__all__ == sorted(eyefirst.__all__)
    assert set(eyefirst._HOME) == set(eyefirst.__all__)
    for name in eyefirst.__all__:
        assert getattr(eyefirst, name).__doc__ or name in ("Detector", "Network")


def test_the_type_checker_sees_the_same_names() -> None:
    tree = ast.parse(SOURCE.read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {alias.name for n in block.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    assert seen == set(eyefirst.__all__)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, eyefirst; print([m for m in ('numpy', 'PIL', 'onnxruntime', 'typer', 'rich') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
