"""What the page to try loads: pinned files, and the package itself."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from eyefirst.weight_store import known_weights

SITE = Path(__file__).parents[2] / "docs" / ".site"


@pytest.fixture(scope="module")
def parts() -> Any:
    spec = importlib.util.spec_from_file_location("site_parts", SITE / "parts.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_package_goes_along_with_the_newest_network_beside_it(parts: Any) -> None:
    own = parts.own_parts()
    newest = known_weights()[-1]
    assert own.keys() == {"eyefirst.zip", f"{newest.revision}.onnx"}
    assert parts.sha256_of(own[f"{newest.revision}.onnx"]) == newest.sha256
    names = set(zipfile.ZipFile(io.BytesIO(own["eyefirst.zip"])).namelist())
    assert {"eyefirst/__init__.py", "eyefirst/framing/framer.py", "eyefirst/weights/index.json"} <= names
    assert not [n for n in names if n.startswith(("eyefirst/server", "eyefirst/cli")) or n.endswith(".onnx")]
    assert parts.own_parts() == own


def test_every_pin_names_its_package_in_one_version(parts: Any) -> None:
    for pin in json.loads((SITE / "parts.json").read_text()):
        assert ("npm" in pin) != ("pypi" in pin)
        assert len(pin["sha256"]) == 64
        assert "==" in pin["pypi"] if "pypi" in pin else pin["npm"].count("@") == 1


PIN: dict[str, Any] = {
    "file": "a.wasm",
    "npm": "a@1.0.0",
    "member": "package/a.wasm",
    "sha256": "0" * 64,
    "packed": False,
}


def test_another_file_than_the_pinned_one_is_refused(
    parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_members", lambda *_: [b"something else"])
    with pytest.raises(parts.PartsError, match=r"a\.wasm from a@1\.0\.0 is not the pinned one"):
        parts.fetched([PIN], tmp_path)
    assert not list(tmp_path.iterdir())
    pin = PIN | {"sha256": parts.sha256_of(b"something else")}
    assert parts.fetched([pin], tmp_path) == {"a.wasm": b"something else"}
    (tmp_path / pin["sha256"]).write_bytes(b"damaged")
    with pytest.raises(parts.PartsError, match="damaged; remove it"):
        parts.fetched([pin], tmp_path)


def test_a_wheel_that_pyodide_does_not_name_is_refused(parts: Any) -> None:
    named = {"packages": {"a": {"file_name": "a.whl", "sha256": parts.sha256_of(b"wheel")}}}
    lock = {"pyodide-lock.json": json.dumps(named).encode()}
    parts._check_wheels(lock | {"a.whl": b"wheel", "b.zip": b"anything"})
    for other in ({"a.whl": b"other"}, {"b.whl": b"wheel"}):
        with pytest.raises(parts.PartsError, match="not the wheel that Pyodide's lock file names"):
            parts._check_wheels(lock | other)


def test_without_a_network_nothing_is_listed(parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr=b"npm warn old\nnpm error network is unreachable\nmore")

    monkeypatch.setattr(parts.subprocess, "run", refuse)
    monkeypatch.setattr(parts.shutil, "which", lambda name: name)
    (tmp_path / "parts.json").write_text("{}")
    with pytest.raises(parts.PartsError, match="cannot be fetched: npm error network is unreachable"):
        parts.build(tmp_path)
    assert not (tmp_path / "parts.json").exists()
