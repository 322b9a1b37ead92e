"""Health, metrics and the page."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from eyefirst import __version__
from eyefirst.server import openapi
from eyefirst.server.images import is_known
from eyefirst.server.service import POLICY, Service, to_json

INDEX = "index.html"
STYLE_LINK = b'<link rel="stylesheet" href="/page/style.css">'
"""Stands in the page's source where the style is put."""
PAGE = {
    INDEX: "text/html; charset=utf-8",
    **dict.fromkeys(
        ("page.js", "shared.js", "frame.js", "wishes.js", "code.js", "camera.js"), "text/javascript; charset=utf-8"
    ),
    "icon.svg": "image/svg+xml",
    "sample.jpg": "image/jpeg",
    "sample_map.png": "image/png",
}


def add_upkeep(app: FastAPI, service: Service) -> None:
    """Add the routes."""
    page, policy = _page()
    packed = {n: gzip.compress(page[n], mtime=0) for n, kind in PAGE.items() if kind.startswith("text/")}
    tags = {name: hashlib.sha256(data).hexdigest()[:32] for name, data in page.items()}

    async def show(request: Request, name: str = INDEX) -> Response:
        if name not in page:
            raise HTTPException(404)
        headers = {"ETag": f'W/"{tags[name]}"', "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if name == INDEX:
            headers["Content-Security-Policy"] = policy
        if is_known(f'"{tags[name]}"', request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        data = page[name]
        if name in packed and re.search(r"\bgzip\b(?!;\s*q=0)", request.headers.get("accept-encoding", "")):
            data, headers["Content-Encoding"] = packed[name], "gzip"
        return Response(data, media_type=PAGE[name], headers=headers)

    app.add_api_route("/", show, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/page/{name}", show, methods=["GET", "HEAD"], include_in_schema=False)

    async def healthz() -> dict[str, str]:
        return {"status": "alive", "version": __version__}

    async def readyz() -> Response:
        free = service.pool.capacity - service.pool.held
        body = {"ready": service.is_ready and free > 0, "free": free}
        return Response(to_json(body), 200 if body["ready"] else 503, media_type="application/json")

    async def metrics(request: Request) -> Response:
        service.authorize(request)
        return Response(service.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    not_now: dict[int | str, dict[str, Any]] = {503: {"description": "Not now."}}
    app.get("/healthz", summary="Whether the process lives")(healthz)
    app.get("/readyz", summary="Whether it can take work", responses=not_now)(readyz)
    app.get("/metrics", summary="Numbers for Prometheus", responses=openapi.problems(), response_class=Response)(
        metrics
    )
    for path, answer in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)):
        app.add_api_route(path, answer, methods=["HEAD"], include_in_schema=False)


def _page() -> tuple[dict[str, bytes], str]:
    """The files of the page, and its content security policy.

    The style stands inside the page, named by its hash in the policy: the first paint then waits for one answer.
    """
    folder = files("eyefirst.server") / "page"
    page = {name: (folder / name).read_bytes() for name in PAGE}
    style = (folder / "style.css").read_bytes()
    page[INDEX] = page[INDEX].replace(STYLE_LINK, b"<style>" + style + b"</style>")
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    return page, (
        f"{POLICY}; script-src 'self'; style-src 'sha256-{digest}'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'"
    )
