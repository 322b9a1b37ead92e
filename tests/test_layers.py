"""The house: a picture moves down the list and never back up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "eyefirst"

LAYERS = [
    "errors",
    "geometry",
    "colours",
    "registry",
    "image",
    "weight_store",
    "mappings",
    "network",
    "heat_map",
    "boxes",
    "face_maps",
    "detectors",
    "reading",
    "framing",
    "plan",
    "cut",
    "drawing",
    "files",
    "requests",
    "observations",
    "handler",
    "tools",
    "albums",
    "films",
    "integrations",
    "server",
    "cli",
    "__main__",
]
ONLY_HOME = {"onnxruntime": "network.py", "av": "films/video_io.py"}
ONLY_IN = {
    **dict.fromkeys(("fastapi", "starlette", "uvicorn", "prometheus_client"), "server"),
    **dict.fromkeys(("ray", "thumbor", "wagtail", "django"), "integrations"),
}
NEVER = {"torch", "training", "benchmarks", "tests"}
FILES = sorted(p for p in PACKAGE.rglob("*.py"))


def imports_of(path: Path, *, typing_only: bool = True) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer_of(module: str) -> int | None:
    parts = module.split(".")
    return LAYERS.index(parts[1]) if parts[0] == "eyefirst" and len(parts) > 1 and parts[1] in LAYERS else None


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_from_above(path: Path) -> None:
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if name == "__init__":
        return
    assert name in LAYERS, f"{name} has no place in the house: add it to LAYERS where a picture passes it"
    own = LAYERS.index(name)
    for module in imports_of(path):
        layer = layer_of(module)
        assert layer is None or layer < own or LAYERS[layer] == name, f"{path.name} imports {module} from below"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_imports_have_one_home(path: Path) -> None:
    roots = {module.split(".")[0] for module in imports_of(path)}
    assert not roots & NEVER
    for heavy, home in ONLY_HOME.items():
        assert heavy not in roots or str(path.relative_to(PACKAGE)) == home
    for heavy, room in ONLY_IN.items():
        assert heavy not in roots or path.relative_to(PACKAGE).parts[0] == room
