"""A store on S3, spoken to over real HTTP: moto answers as S3 does."""

from __future__ import annotations

import io
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
    """Buckets that count what they are asked for. denied: keys that are refused."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.asked: list[tuple[str, str]] = []
        self.denied: set[str] = set()
        self.stop: Any = None
        self.files: Any = None

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        key = environ["PATH_INFO"]
        self.asked.append((environ["REQUEST_METHOD"], key))
        if key in self.denied:
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"<Error><Code>AccessDenied</Code></Error>"]
        return self._app(environ, start)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    s3fs = pytest.importorskip("s3fs", reason="s3fs speaks to S3")
    moto = pytest.importorskip("moto.server", reason="moto answers as S3 does")
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: object) -> None:
            pass

    made = Bucket(moto.DomainDispatcherApplication(moto.create_backend_app))
    http = make_server("127.0.0.1", 0, made, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    keys |= {"AWS_MAX_ATTEMPTS": "1"}
    for name, value in (keys | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{http.server_port}"}).items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    made.files = s3fs.S3FileSystem(skip_instance_cache=True)
    made.files.mkdir("pictures")

    def stop() -> None:
        http.shutdown()
        thread.join(5)
        http.server_close()

    made.stop = stop
    yield made
    stop()
    s3fs.S3FileSystem.clear_instance_cache()


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    PillowImage.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()


def test_pictures_in_a_bucket(serving: Serving, bucket: Bucket, tmp_path: Path) -> None:
    bucket.files.pipe_file("pictures/album/red one.png", picture("red"))
    bucket.files.pipe_file("pictures/notes.txt", b"not a picture")
    bucket.files.pipe_file("pictures/secret.png", picture("green"))
    bucket.denied.add("/pictures/secret.png")
    settings = Settings(store="s3://pictures", result_cache=tmp_path / "results", body_bytes=2000)
    with connected(serving, settings) as client:

        def get(path: str, **headers: str) -> httpx.Response:
            bucket.asked.clear()
            return client.get(f"{ADDRESS}/{path}", headers=headers)

        first = get("album/red%20one.png")
        assert first.status_code == 200, first.text
        assert PillowImage.open(io.BytesIO(first.content)).getpixel((5, 5)) == (255, 0, 0)
        assert [method for method, _ in bucket.asked] == ["HEAD", "GET"]
        again = get("album/red%20one.png")  # it has not changed: only that is asked
        assert (again.content, [method for method, _ in bucket.asked]) == (first.content, ["HEAD"])
        assert get("album/red%20one.png", **{"If-None-Match": first.headers["etag"]}).status_code == 304
        bucket.files.pipe_file("pictures/album/red one.png", picture("blue"))
        changed = get("album/red%20one.png", **{"If-None-Match": first.headers["etag"]})
        assert changed.status_code == 200
        assert PillowImage.open(io.BytesIO(changed.content)).getpixel((5, 5)) == (0, 0, 255)

        for path, status, code in (
            ("album/none.png", 404, "picture_not_found"),
            ("album", 404, "picture_not_found"),
            ("secret.png", 404, "picture_not_found"),
            ("notes.txt", 415, "not_a_picture"),
            ("../other/a.png", 404, "picture_not_found"),
        ):
            answer = get(path.replace("..", "%2e%2e"))
            assert (answer.status_code, code_of(answer)) == (status, code), path
        bucket.files.pipe_file("pictures/large.png", bytes(3000))
        assert code_of(get("large.png")) == "body_too_large"
        assert [method for method, _ in bucket.asked] == ["HEAD"]
        bucket.stop()
        answer = get("album/red%20one.png")
        assert (answer.status_code, code_of(answer)) == (502, "origin")
