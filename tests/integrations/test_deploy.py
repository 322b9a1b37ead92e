"""The files in examples/deploy: what they start, ask and draw is what the service has; nginx is run as it stands."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command

from eyefirst.cli import app
from eyefirst.server.metrics import Metrics
from eyefirst.server.run import SHUTDOWN_SECONDS
from eyefirst.server.settings import Settings
from eyefirst.server.signing import signed_address
from tests.server.conftest import KEY, root, serving

__all__ = ["root", "serving"]

yaml: Any = pytest.importorskip("yaml", reason="pyyaml reads the manifest")
DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"


def options_of(words: list[str]) -> dict[str, str]:
    """Options of `eyefirst serve` in a command line; fails for one that the command does not have."""
    command = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    known = {name for parameter in command.params for name in parameter.opts}
    given = [word for word in words if word.startswith("--")]
    assert set(given) <= known
    return {name: words[words.index(name) + 1] for name in given if words.index(name) + 1 < len(words)}


def test_the_unit_starts_and_ends_the_service_as_it_is() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / "eyefirst.service")
    service = unit["Service"]
    program, command, *words = shlex.split(service["ExecStart"])
    assert (Path(program).name, command) == ("eyefirst", "serve")
    options = options_of(words)
    assert Path(options["--signing-key-file"]).name == service["LoadCredential"].split(":")[0]
    assert "-HUP" in service["ExecReload"]
    assert int(service["TimeoutStopSec"]) > Settings().work_seconds + SHUTDOWN_SECONDS


def test_the_manifest_asks_what_the_service_answers() -> None:
    deployment, service = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    options = options_of(container["args"])
    assert options["--workers"] == container["resources"]["limits"]["cpu"]
    assert container["ports"][0]["containerPort"] == service["spec"]["ports"][0]["targetPort"] == Settings().port
    settings = Settings(host="0.0.0.0", hostnames=(options["--hostname"],), signing_keys=(KEY,))
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] == ("/readyz" if probe == "readinessProbe" else "/healthz")
        assert settings.answers_to(asked["httpHeaders"][0]["value"])
    assert not settings.answers_to("10.0.0.7:8000")  # what a probe says by itself
    waits = float(container["lifecycle"]["preStop"]["exec"]["command"][1]) + float(options["--seconds"])
    assert pod["terminationGracePeriodSeconds"] > waits + SHUTDOWN_SECONDS
    assert container["env"][0]["name"] == "EYEFIRST_SIGNING_KEY"
    mounts = {m["mountPath"] for m in container["volumeMounts"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] and mounts == {"/pictures", "/tmp"}
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_the_dashboard_draws_numbers_that_there_are() -> None:
    metrics = Metrics(lambda: 0)
    metrics.requests.labels("/v1/plan", "200").inc()
    metrics.seconds.labels("/v1/plan").observe(1)
    metrics.found.labels("plan").inc()
    text = metrics.exposition().decode()
    known = set(re.findall(r"^(\w+)[{ ]", text, re.M))
    labels = set(re.findall(r"(\w+)=\"", text))
    dashboard = json.loads((DEPLOY / "grafana.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(asked) >= 8
    for expression in asked:
        assert set(re.findall(r"\beyefirst_\w+", expression)) <= known, expression
        grouped = {name for group in re.findall(r"by \(([^)]*)\)", expression) for name in group.split(", ")}
        assert grouped | set(re.findall(r"(\w+)=~?\"", expression)) <= labels, expression


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[str]:
    """The example as it stands, with other ports and another folder; the address at which it serves."""
    program = shutil.which("nginx")
    if not program:
        pytest.skip("no nginx is here: install nginx-light")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in (
        ("127.0.0.1:8000", f"127.0.0.1:{upstream}"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("server_name img.example.com;", "server_name localhost;"),
        ("/var/cache/nginx/eyefirst", str(folder / "cache")),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "site.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(f"{n}_temp_path {folder}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {temporary} include {folder}/site.conf; }}"
    )
    with subprocess.Popen([program, "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf"]) as process:
        try:
            for _ in range(200):
                with socket.socket() as line:
                    if line.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.02)
            yield f"http://localhost:{port}"
        finally:
            process.terminate()


def test_nginx_keeps_pictures_and_shows_them_when_the_service_is_gone(serving: Any, root: Path, tmp_path: Path) -> None:
    place = tmp_path / "nginx"
    place.mkdir()
    with ExitStack() as outer, ExitStack() as service:
        _, port = service.enter_context(serving(Settings(root=root, signing_keys=(KEY,))))
        base = outer.enter_context(nginx(place, port))

        def get(address: str, accept: str = "image/webp,*/*") -> httpx.Response:
            return httpx.get(base + address, headers={"Accept": accept}, timeout=60)

        gone = signed_address("album/photo.jpg", key=KEY, w=33, max_age=1)
        first = get(gone)
        assert (first.status_code, first.headers["x-cache"]) == (200, "MISS")
        address = signed_address("album/photo.jpg", key=KEY, ratio="16:9", w=160)
        with ThreadPoolExecutor(5) as clients:
            answers = list(clients.map(get, [address] * 5))
        assert sorted(a.headers["x-cache"] for a in answers).count("MISS") == 1  # the others waited for it
        again = get(address, "image/apng,image/webp;q=0.9,*/*")  # another browser that reads WebP
        assert (again.headers["x-cache"], again.headers["content-type"]) == ("HIT", "image/webp")
        assert {a.content for a in answers} == {again.content}
        assert get(address, "image/avif,image/webp").headers["content-type"] == "image/avif"
        other = get(address, "image/*")
        assert (other.headers["x-cache"], other.headers["content-type"]) == ("MISS", "image/jpeg")
        known = httpx.get(base + address, headers={"Accept": "image/*", "If-None-Match": other.headers["etag"]})
        assert (known.status_code, known.headers["x-cache"]) == (304, "HIT")
        missing = signed_address("album/nothing.jpg", key=KEY, w=33)
        assert [(a.status_code, a.headers["x-cache"]) for a in map(get, [missing] * 2)] == [(404, "MISS"), (404, "HIT")]
        assert httpx.get(f"{base}/metrics").status_code == 404
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert "eyefirst_pictures_total 4.0" in text  # one for each picture and format
        time.sleep(1.1)  # so that it is too old now
        service.close()
        assert (get(gone).headers["x-cache"], get(gone).content) == ("STALE", first.content)
        assert get(signed_address("album/photo.jpg", key=KEY, w=34)).status_code == 502
