"""A service for tests, on a real socket of this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the service comes with the extra 'server'")
pytest.importorskip("uvicorn", reason="the service comes with the extra 'server'")

import httpx

from eyefirst.server.settings import Settings

Serving = Callable[[Settings], AbstractContextManager[tuple[str, int]]]
KEY = "a-signing-key-for-the-tests"


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
