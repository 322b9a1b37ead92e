"""The house: a picture moves down the list and never back up."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "eyefirst"

LAYERS = [
    "errors",
    "numeric",
    "written",
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
    "maps",
    "background",
    "handler",
    "tools",
    "albums",
    "films",
    "integrations",
    "server",
    "cli",
    "__main__",
]
ROOMS = {
    "image": [
        "picture",
        "arrays",
        "source",
        "formats",
        "exif",
        "orientation",
        "containers",
        "tiff",
        "colour_spaces",
        "colour",
        "jpeg",
        "jpeg_xl",
        "codecs",
        "decoding",
        "borders",
        "animation",
        "thumbhash",
        "metadata",
    ],
    "framing": ["options", "content", "spans", "score", "judge", "search", "portrait", "framer"],
    "files": ["formats", "encode", "whole", "names", "ledger", "outputs"],
    "tools": ["planning", "crop", "matte", "product", "soft_mask", "cutout", "camera_guidance", "enhance"],
    "albums": ["walk", "journal", "catalogue", "thumbnails", "manifest", "plans", "prune", "watch", "best", "report"],
    "films": [
        "planes",
        "tone_mapping",
        "frames",
        "restarts",
        "streams",
        "reader",
        "sound",
        "encoding",
        "carried",
        "writer",
        "cuts",
        "sights",
        "shots",
        "path",
        "reframe_plan",
        "timeline",
        "fcpxml",
        "wishes",
        "moves",
        "people",
        "axis",
        "losses",
        "shot_camera",
        "joins",
        "order",
        "reframe",
        "live",
        "pan_plan",
        "pan",
    ],
    "server": [
        "settings",
        "pool",
        "watermark",
        "cuts",
        "addresses",
        "signing",
        "srcset",
        "caches",
        "sources",
        "stores",
        "bodies",
        "metrics",
        "queries",
        "problems",
        "openapi",
        "service",
        "images",
        "upkeep",
        "thumbor",
        "imgproxy",
        "foreign",
        "guard",
        "app",
        "protocol",
        "run",
    ],
}
"""The order inside a room: a file imports only from those before it. `__init__` gives all of them their names."""
ONLY_HOME = {"onnxruntime": "network.py", "av": "films/reader.py"}
ONLY_IN = {
    **dict.fromkeys(("fastapi", "starlette", "uvicorn", "prometheus_client"), "server"),
    **dict.fromkeys(("ray", "thumbor", "wagtail", "django"), "integrations"),
}
NEVER = {"torch", "training", "benchmarks", "tests"}
MOST_LINES = 400
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


@pytest.mark.parametrize("room", ROOMS)
def test_inside_a_room_a_file_imports_only_from_above(room: str) -> None:
    order = ROOMS[room]
    assert {p.stem for p in (PACKAGE / room).glob("*.py")} - {"__init__"} <= set(order), "a file has no place in ROOMS"
    for name in (p.stem for p in (PACKAGE / room).glob("*.py") if p.stem != "__init__"):
        for module in imports_of(PACKAGE / room / f"{name}.py"):
            parts = module.split(".")
            if parts[:2] == ["eyefirst", room] and len(parts) > 2 and parts[2] in order:
                assert order.index(parts[2]) < order.index(name), f"{room}/{name}.py imports {module} from below"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_can_be_read_at_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_the_docs_tell_the_order_of_the_house() -> None:
    journey = (PACKAGE.parents[1] / "docs" / "journey.md").read_text()
    table = journey[journey.index("| file |") : journey.index("\n## ", journey.index("| file |"))]
    told = [name.removesuffix(".py").removesuffix("/") for name in re.findall(r"^\| `([\w/.]+)`", table, re.M)]
    assert told == [layer for layer in LAYERS if layer != "__main__"]
