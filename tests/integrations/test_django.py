"""The example for Django, served by its own development server in a process of its own."""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import numpy as np
import pytest
from PIL import Image as PillowImage

import eyefirst

pytest.importorskip("django", reason="`make test-stacks` brings Django")

ROOT = Path(__file__).parents[2]


class Site:
    """A browser without eyes: keeps cookies, sends forms."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.browser: OpenerDirector = build_opener(HTTPCookieProcessor())

    def get(self, path: str) -> bytes:
        with self.browser.open(self.base + path, timeout=60) as answer:
            found: bytes = answer.read()
        return found

    def upload(self, name: str, data: bytes) -> str:
        """The page that comes after a file was sent with the form of the first one."""
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("/").decode())
        assert found
        token, edge = found[1].encode(), b"----edge"
        body = b"--%b\r\nContent-Disposition: form-data; name=csrfmiddlewaretoken\r\n\r\n%b\r\n" % (edge, token)
        head = b"--%b\r\nContent-Disposition: form-data; name=file; filename=%b\r\n\r\n" % (edge, name.encode())
        body += head + data + b"\r\n--%b--\r\n" % edge
        kind = f"multipart/form-data; boundary={edge.decode()}"
        with self.browser.open(Request(self.base + "/", body, {"Content-Type": kind}), timeout=60) as answer:
            page: bytes = answer.read()
        return page.decode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("django")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PHOTOS_FOLDER": str(folder)}
    command = [sys.executable, str(ROOT / "examples" / "django_photos.py"), "runserver", f"127.0.0.1:{port}"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([*command, "--noreload"], env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            found = Site(f"http://127.0.0.1:{port}")
            for _ in range(300):
                try:
                    found.get("/")
                    break
                except URLError:
                    assert process.poll() is None, (folder / "log").read_text()
                    time.sleep(0.1)
            yield found
        finally:
            process.terminate()


def test_an_upload_is_planned_and_shown(site: Site, photo_path: Path) -> None:
    page = site.upload("photo.jpg", photo_path.read_bytes())
    plan = eyefirst.plan_crops(photo_path, ["1:1", "16:9"])
    assert f"object-position: {plan.object_position}" in page
    assert site.get("/1/original") == photo_path.read_bytes()


@pytest.mark.filterwarnings("ignore::eyefirst.errors.EnlargedWarning")
def test_thumbnails_are_those_of_the_plan(site: Site, photo_path: Path) -> None:
    site.upload("again.jpg", photo_path.read_bytes())
    for name, size in (("square", (320, 320)), ("wide", (640, 360))):
        cut = PillowImage.open(io.BytesIO(site.get(f"/1/{name}.webp")))
        assert cut.size == size
        ours = eyefirst.thumbnail(photo_path, size)
        apart = np.abs(np.asarray(cut.convert("RGB"), np.int16) - np.asarray(ours, np.int16)).mean()
        assert apart < 5
    with pytest.raises(HTTPError, match="404"):
        site.get("/1/huge.webp")


def test_a_bad_file_is_said_beside_the_field(site: Site, photo_path: Path) -> None:
    page = site.upload("half.jpg", photo_path.read_bytes()[:20000])
    assert "a part of its pixels is missing" in page
    assert "half" not in site.get("/").decode()
