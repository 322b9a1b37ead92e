"""A service for tests, on a real socket of this machine."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the service comes with the extra 'server'")
pytest.importorskip("uvicorn", reason="the service comes with the extra 'server'")

import httpx

from eyefirst.server.settings import Settings

Serving = Callable[[Settings], AbstractContextManager[tuple[str, int]]]
KEY = "a-signing-key-for-the-tests"
READY = "body:not(.working) #shelf figure:nth-child(6)"
"""What the page shows when it has done all that was asked."""
Open = Callable[..., Any]


def code_of(answer: httpx.Response) -> str:
    """The stable code of an answer that is a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


@pytest.fixture
def root(tmp_path: Path, photo_path: Path) -> Path:
    """A folder of pictures, with a secret beside it and links that lead there."""
    folder = tmp_path / "root"
    (folder / "album").mkdir(parents=True)
    (folder / "album" / "photo.jpg").write_bytes(photo_path.read_bytes())
    (folder / "album" / "notes.txt").write_text("not a picture")
    (folder / ".hidden.jpg").write_bytes(photo_path.read_bytes())
    (tmp_path / "secret.jpg").write_bytes(photo_path.read_bytes())
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "inside.jpg").symlink_to(folder / "album" / "photo.jpg")
    (folder / "up").symlink_to(tmp_path)
    return folder


@pytest.fixture
def client(root: Path, serving: Serving) -> Iterator[httpx.Client]:
    """A service on loopback with a root folder and without keys."""
    with connected(serving, Settings(root=root, workers=2)) as found:
        yield found


@pytest.fixture
def signing(root: Path, serving: Serving) -> Iterator[httpx.Client]:
    """A service with a signing key."""
    with connected(serving, Settings(root=root, signing_keys=(KEY,))) as found:
        yield found


@contextmanager
def connected(serving: Serving, settings: Settings) -> Iterator[httpx.Client]:
    """A client of a service of these settings."""
    with serving(settings) as (host, port), httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as found:
        yield found


@pytest.fixture(scope="session")
def serving() -> Serving:
    """Starts a service on a free port of this machine; gives host and port."""
    import uvicorn

    from eyefirst.server.run import config_of, listen

    @contextmanager
    def start(settings: Settings) -> Iterator[tuple[str, int]]:
        settings = replace(settings, port=0)
        with listen(settings) as bound:
            server = uvicorn.Server(config_of(settings))
            thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
            thread.start()
            until = time.monotonic() + 30
            while not server.started:
                assert thread.is_alive() and time.monotonic() < until, "the service did not start"
                time.sleep(0.01)
            try:
                yield "127.0.0.1", bound.getsockname()[1]
            finally:
                server.should_exit = True
                thread.join(20)
                assert not thread.is_alive(), "the service did not stop"

    return start


def chromium() -> str | None:
    """A Chromium of this machine; None for the one that playwright installed, if it did."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    with api.sync_playwright() as playwright:
        path = chromium() or playwright.chromium.executable_path
        if not os.path.exists(path):
            pytest.skip("no Chromium is here: install one, or run `playwright install chromium`")
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def visit(browser: Any, serving: Serving) -> Iterator[Open]:
    """Opens the page; whatever it logs as an error, or fetches from elsewhere, fails the test."""
    faults: list[str] = []
    with serving(Settings(workers=2)) as (host, port):
        contexts = []

        def visit(width: int = 1300, height: int = 900, **options: Any) -> Any:
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            contexts.append(context)
            page = context.new_page()
            page.on("pageerror", lambda error: faults.append(f"error: {error}"))
            page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
            page.on("request", lambda r: faults.append(r.url) if _is_elsewhere(r.url, port) else None)
            page.goto(f"http://{host}:{port}/")
            return page

        yield visit
        for context in contexts:
            context.close()
    expected = "Failed to load resource"  # the browser's own words about a refused picture
    assert not [fault for fault in faults if expected not in fault]


def _is_elsewhere(url: str, port: int) -> bool:
    return not url.startswith((f"http://127.0.0.1:{port}/", "blob:", "data:"))
