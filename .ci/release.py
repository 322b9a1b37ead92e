"""Rehearses or makes a release: `make release`, and `make release FINAL=yes` for the real one.

Checks versions and the changelog, builds wheel and sdist, installs each into an empty environment of every Python
from 3.11 to 3.14 that is here, and tries it there, with the newest dependencies and once with the lowest. Writes
an SBOM and SHA-256 sums to dist/. It uploads nothing: the last lines say what is left for a person.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
TRIAL = """
import sys, warnings, eyefirst
from pathlib import Path
from PIL import Image, ImageDraw
assert "site-packages" in eyefirst.__file__, eyefirst.__file__
assert eyefirst.__version__ == sys.argv[1], eyefirst.__version__
assert Path(eyefirst.__file__).with_name("py.typed").exists()
picture = Image.new("RGB", (1200, 800), "grey")
ImageDraw.Draw(picture).ellipse((700, 200, 1000, 500), fill="red")
picture.save("photo.jpg")
wide = eyefirst.crop("photo.jpg", "3:1")
assert wide.size == (1200, 400), wide.size
plan = eyefirst.plan_crops("photo.jpg", ["1:1", "9:16"])
assert eyefirst.CropPlan.from_json(plan.to_json()) == plan
assert plan.frames["1:1"][0].box.left > 200, plan.frames["1:1"][0].box
print("crops, plans:", plan.revision)
"""


def main() -> int:
    """Return the exit status."""
    final = "--final" in sys.argv[1:]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    problems = [*_versions_that_differ(version), *_changelog_problems(version), *_worktree_problems()]
    for problem in problems:
        print(f"release: {problem}", file=sys.stderr)
    if problems and final:
        return 1
    with tempfile.TemporaryDirectory(prefix="eyefirst-release-") as folder:
        _release(version, Path(folder))
    print(f"\nAll well. Left to do: git tag v{version}, push the tag, upload the two files of dist/ with their SBOM.")
    print("This was a rehearsal: mend what is said above, then `make release FINAL=yes`." if problems else "")
    return 0


def _versions_that_differ(version: str) -> list[str]:
    told = {
        "src/eyefirst/__init__.py": r'__version__ = "(.*)"',
        "CITATION.cff": r"(?m)^version: (.*)$",
        "CHANGELOG.md": r"(?m)^## (\S+)",
    }
    problems = []
    for name, pattern in told.items():
        found = re.search(pattern, (ROOT / name).read_text())
        if found is None or found[1] != version:
            problems.append(f"{name} says {found and found[1]}, pyproject.toml says {version}")
    return problems


def _changelog_problems(version: str) -> list[str]:
    changes = (ROOT / "CHANGELOG.md").read_text()
    section = re.search(rf"(?ms)^## {re.escape(version)} \((.*?)\)\n(.*?)(?=^## |\Z)", changes)
    if section is None:
        return [f"CHANGELOG.md has no section '## {version} (date)'"]
    problems = []
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", section[1]):
        problems.append(f"CHANGELOG.md: expected a date such as (2031-05-01) behind {version}, got ({section[1]})")
    if "\n- " not in section[2]:
        problems.append(f"CHANGELOG.md says nothing about {version}")
    return problems


def _worktree_problems() -> list[str]:
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [f"not committed: {line[3:]}" for line in changed.stdout.splitlines()]


def _release(version: str, folder: Path) -> None:
    shutil.rmtree(DIST, ignore_errors=True)
    tools = _environment(sys.executable, folder / "tools", "build>=1.2", "twine>=6", "cyclonedx-bom>=5", "uv>=0.5")
    _run(tools, "-m", "build", "--outdir", DIST, ROOT)
    wheel, sdist = DIST / f"eyefirst-{version}-py3-none-any.whl", DIST / f"eyefirst-{version}.tar.gz"
    _run(tools, "-m", "twine", "check", "--strict", wheel, sdist)
    tried = None
    for number in PYTHONS:
        python = _python_of(number)
        if python is None:
            print(f"python{number} is not here: left out")
            continue
        for made in (wheel, sdist) if tried is None else (wheel,):
            name = f"{number}-{'wheel' if made is wheel else 'sdist'}"
            env = _environment(python, folder / name, str(made))
            _try(env, version, folder / f"{name}-files")
            tried = tried or env
    if tried is None:
        sys.exit(f"release: none of Python {', '.join(PYTHONS)} is here; install one of them")
    lowest = _environment(sys.executable, folder / "lowest")
    _run(tools, "-m", "uv", "pip", "install", "--quiet", "--python", lowest, "--resolution", "lowest-direct", wheel)
    _try(lowest, version, folder / "lowest-files")
    bill = DIST / f"eyefirst-{version}.cdx.json"
    _run(tools, "-m", "cyclonedx_py", "environment", "--output-file", bill, tried)
    sums = "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in (wheel, sdist, bill))
    (DIST / "SHA256SUMS").write_text(sums)
    print(sums)


def _python_of(number: str) -> str | None:
    """A Python of this version that runs: on the path, or of pyenv, whose commands on the path may be shut off."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for python in (shutil.which(f"python{number}"), *sorted(pyenv.glob(f"{number}.*/bin/python"), reverse=True)):
        if python and not subprocess.run([python, "-V"], capture_output=True, check=False).returncode:
            return str(python)
    return None


def _environment(python: str, folder: Path, *packages: str) -> Path:
    subprocess.run([python, "-m", "venv", folder], check=True)
    own = folder / "bin" / "python"
    if packages:
        _run(own, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *packages)
    return own


def _try(python: Path, version: str, folder: Path) -> None:
    folder.mkdir()
    (folder / "trial.py").write_text(TRIAL)
    print(f"{folder.name.removesuffix('-files')}:", end=" ", flush=True)
    for command in (
        ("-m", "pip", "--disable-pip-version-check", "check"),
        ("-W", "error", "trial.py", version),
        ("-W", "error", "-m", "eyefirst", "doctor"),
        ("-W", "error", "-m", "eyefirst", "crop", "photo.jpg", "--ratio", "16:9", "-o", "wide.webp"),
    ):
        done = subprocess.run([python, *command], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"release: {' '.join(command)} failed with {python}\n{done.stdout}{done.stderr}")
    print(subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.strip(), "works")


def _run(python: Path, *words: object) -> None:
    subprocess.run([python, *map(str, words)], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
