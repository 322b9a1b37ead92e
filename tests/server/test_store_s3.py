"""A store on S3, spoken to over real HTTP: moto answers as S3 does."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image as PillowImage

from eyefirst.server.settings import Settings
from tests.server.conftest import Serving, code_of, connected

ADDRESS = "/v1/image/unsigned/w=20,format=png"


class Bucket:
    """A bucket that counts what it is asked for. denied: keys that it refuses."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.asked: list[tuple[str, str]] = []
        self.denied: set[str] = set()

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        key = environ["PATH_INFO"]
        self.asked.append((environ["REQUEST_METHOD"], key))
        if key in self.denied:
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        return self._app(environ, start)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    pytest.importorskip("s3fs", reason="s3fs speaks to S3")
    server = pytest.importorskip("moto.server", reason="moto answers as S3 does")
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    made = Bucket(server.DomainDispatcherApplication(server.create_backend_app))
    http = make_server("127.0.0.1", 0, made, threaded=True)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    place = f"http://127.0.0.1:{http.server_port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": place,
        "FSSPEC_S3_ENDPOINT_URL": place,
    }.items():
        monkeypatch.setenv(name, value)
    httpx.put(f"{place}/pictures")
    yield made
    http.shutdown()
    thread.join(5)
    http.server_close()
