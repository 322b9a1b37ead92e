"""The container file without a container engine: what it copies, installs, starts, asks and stops is all there."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the service comes with the extra 'server'")
pytest.importorskip("uvicorn", reason="the service comes with the extra 'server'")

from eyefirst.server.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
LINES = [line.split(maxsplit=1) for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def said(word: str) -> list[str]:
    """What stands behind an instruction, each time."""
    return [rest for first, rest in LINES if first == word]


def entry_point() -> list[str]:
    (words,) = said("ENTRYPOINT")
    found: list[str] = json.loads(words)
    return found


def health_check() -> list[str]:
    (words,) = said("HEALTHCHECK")
    found: list[str] = json.loads(words[words.index("[") :])
    return found


def test_what_the_build_needs_is_copied() -> None:
    copied = [source for words in said("COPY") if "--from" not in words for source in shlex.split(words)[:-1]]
    assert all((ROOT / source).exists() for source in copied)
    project = PROJECT["project"]
    needed = ["pyproject.toml", project["readme"], *project["license-files"]]
    needed += [Path(p).parts[0] for p in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
    assert set(needed) <= set(copied)


def test_python_and_the_extra_are_those_of_the_project() -> None:
    versions = {tuple(map(int, v)) for v in re.findall(r"python:(\d+)\.(\d+)", TEXT)}
    least = tuple(map(int, re.findall(r"\d+", PROJECT["project"]["requires-python"])))
    assert len(versions) == 1, "the environment is copied from one stage to the other"
    assert versions.pop() >= least
    (extra,) = re.findall(r"'\.\[(\w+)\]'", TEXT)
    assert extra in PROJECT["project"]["optional-dependencies"]


def test_it_runs_the_command_of_the_project_as_nobody_in_particular() -> None:
    command, *_ = entry_point()
    assert Path(command).name in PROJECT["project"]["scripts"]
    assert said("USER")[-1] not in ("root", "0")
    assert said("EXPOSE") == [str(Settings().port)]
    assert f":{Settings().port}/healthz" in " ".join(health_check())


def test_it_starts_answers_its_own_health_check_and_stops(tmp_path: Path) -> None:
    """The very entry point, with another folder and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [str(tmp_path) if w == "/pictures" else w for w in entry_point()[1:]]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EYEFIRST_")}
    environment["PYTHONPATH"] = str(ROOT / "src")
    command = [sys.executable, "-m", "eyefirst", *words, "--port", port]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert "EYEFIRST_API_KEY" in refused.stderr
    environment["EYEFIRST_API_KEY"] = "a-key-of-at-least-16-bytes"
    ask = [sys.executable, *(w.replace(f":{Settings().port}/", f":{port}/") for w in health_check()[1:])]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as service:
        try:
            for _ in range(100):
                well = subprocess.run(ask, capture_output=True, timeout=60, check=False).returncode == 0
                if well or service.poll() is not None:
                    break
                time.sleep(0.1)
            assert well
            service.send_signal(signal.Signals[said("STOPSIGNAL")[0]])
            assert service.wait(30) in (0, 130)
        finally:
            service.kill()
