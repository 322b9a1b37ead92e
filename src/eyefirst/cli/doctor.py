"""`eyefirst doctor`."""

from __future__ import annotations

import importlib.util
import io
import platform
import time
from importlib.metadata import PackageNotFoundError, version

import typer

from eyefirst import __version__
from eyefirst.cli.guard import FAILED, as_line, guarded, say
from eyefirst.cli.options import AsJson

PACKAGES = ("numpy", "pillow", "onnxruntime", "typer", "rich")


@guarded
def examine(as_json: AsJson = False) -> None:
    """Check this installation: versions, picture formats, weights, and one real run.

    \b
    Examples:
      eyefirst doctor
      eyefirst doctor --json
    """
    problems: list[str] = []
    report: dict[str, object] = {
        "eyefirst": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **_versions(problems),
    }
    for part in (_network, _formats):
        try:
            report |= part(problems)
        except Exception as error:  # whatever is broken here is what the user wants to know
            problems.append(str(error))
    report |= {"problems": problems, "ok": not problems}
    print(as_line(report) if as_json else _described(report))
    for problem in problems:
        say(problem)
    if problems:
        raise typer.Exit(FAILED)


def _versions(problems: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
            problems.append(f"{name} is not installed; pip install {name}")
    return found


def _network(_problems: list[str]) -> dict[str, object]:
    """The default network, its file checked, and the time of one run."""
    import numpy as np

    from eyefirst.network import OnnxNetwork, default_revision, load_network
    from eyefirst.weight_store import find_weights

    revision = default_revision()
    find_weights(revision)
    network = load_network(revision)
    pictures = np.full((1, network.input_side, network.input_side, 3), 128, np.uint8)
    network.predict(pictures)  # the first run also reserves memory
    start = time.perf_counter()
    network.predict(pictures)
    return {
        "network": revision,
        "weights_verified": True,
        "providers": list(network.providers) if isinstance(network, OnnxNetwork) else [],
        "run_ms": round(1000 * (time.perf_counter() - start), 1),
    }


def _formats(problems: list[str]) -> dict[str, object]:
    """Which formats are written and read here: found by doing both."""
    from PIL import Image as PillowImage

    from eyefirst.files.formats import FORMATS
    from eyefirst.image import load_picture

    formats = {}
    for kind in sorted(f.name for f in FORMATS):
        file = io.BytesIO()
        can = {"read": False, "write": False}
        try:
            PillowImage.new("RGB", (16, 16), "teal").save(file, kind)
            can["write"] = True
            load_picture(file.getvalue())
            can["read"] = True
        except Exception as error:
            problems.append(f"{kind} does not work here: {error}; pip install --upgrade pillow")
        formats[kind] = can
    for name, package in (("HEIC", "pillow_heif"), ("JPEG XL", "imagecodecs")):
        formats[name] = {"read": importlib.util.find_spec(package) is not None, "write": False}
    return {"formats": formats}


def _described(report: dict[str, object]) -> str:
    lines = []
    for name, value in report.items():
        if name == "formats" and isinstance(value, dict):
            for verb in ("read", "write"):
                lines.append(f"formats to {verb}: {', '.join(kind for kind, can in value.items() if can[verb])}")
        elif name not in ("problems", "ok"):
            lines.append(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    return "\n".join([*lines, "all well" if report["ok"] else "something is wrong"])
