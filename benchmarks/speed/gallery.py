"""A page of 60 addresses in a real Chromium, cold and warm, on loopback: `python -m benchmarks.speed.gallery [PHOTO]`.

Two services with empty folders of results answer in turn: one page's pictures are negotiated, so that the browser gets
AVIF, and the other's are WebP alone. A page is opened cold, then by a visitor who was never there, whom the service
answers from its folder, and then again by the same browser, which answers itself.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import machine, record
from benchmarks.speed.server import photo_of, serving

PICTURES = 60
PAGES = {"AVIF or WebP": "ratio=4:3,w=400", "WebP alone": "ratio=4:3,w=400,format=webp"}
DRAWN = "[...document.images].filter(i => i.complete && i.naturalWidth).length"


@dataclass(frozen=True, slots=True)
class Visit:
    """One page load. drawn: pictures that the browser shows. ok: answers of 200. cached: those of its own cache."""

    seconds: float
    drawn: int
    ok: int
    cached: int
    types: dict[str, int]


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """A server for pages: another site than the service's, as a media site has it."""
    kind = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(kind, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def page_of(port: int, options: str, pictures: int) -> str:
    """The HTML of a page with so many pictures of a service."""
    place = f"http://127.0.0.1:{port}/v1/image/unsigned/{options}"
    tags = "".join(f'<img width="160" height="120" src="{place}/{i}.jpg" alt="">' for i in range(pictures))
    return f"<!doctype html><title>gallery</title>{tags}"


def visit(context: Any, address: str) -> Visit:
    """Open a page and wait until every picture is there, or has failed."""
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    answers: list[dict[str, Any]] = []
    cached: set[str] = set()
    devtools.on("Network.responseReceived", lambda event: answers.append(event | event["response"]))
    devtools.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    began = time.perf_counter()
    page.goto(address, wait_until="load", timeout=180_000)
    seconds = time.perf_counter() - began
    drawn = page.evaluate(DRAWN)
    page.close()
    pictures = [a for a in answers if a["type"] == "Image" and "/v1/image/" in a["url"]]
    kept = sum(a.get("fromDiskCache", False) or a["requestId"] in cached for a in pictures)
    types = dict(Counter(a["mimeType"] for a in pictures))
    return Visit(seconds, drawn, sum(a["status"] == 200 for a in pictures), kept, types)


def measure(browser: Any, photo: bytes, pictures: int = PICTURES, workers: int = 0) -> dict[str, list[Visit]]:
    """For each of PAGES: cold; a new visitor; the same visitor again."""
    found = {}
    with tempfile.TemporaryDirectory() as name, site(Path(name) / "pages") as pages:
        for part in ("pages", "pictures"):
            (Path(name) / part).mkdir()
        for i in range(pictures):
            (Path(name) / "pictures" / f"{i}.jpg").write_bytes(photo + i.to_bytes(2, "big"))
        for title, options in PAGES.items():
            kept = f"{name}/{options}"
            words = ("--root", f"{name}/pictures", "--result-cache", kept, "--cors", pages, "--seconds", "120")
            with serving(workers or os.cpu_count() or 1, 1, *words) as service:
                (Path(name) / "pages" / "page.html").write_text(page_of(service.port, options, pictures))
                visits = []
                for times in (1, 2):
                    context = browser.new_context()
                    visits += [visit(context, f"{pages}/page.html") for _ in range(times)]
                    context.close()
                found[title] = visits
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, nargs="?")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--record", action="store_true", help="write the figures into the docs")
    arguments = parser.parse_args()
    state = machine()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - drives the browser, and is needed here alone

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        photo = photo_of(Path(name), arguments.photo)
        path = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        found = measure(browser, photo, arguments.pictures)
        browser.close()
    table = Table("page", "visit", "s", "drawn", "200", "from the browser's cache", "types")
    for title, visits in found.items():
        for name, one in zip(("cold", "a new visitor", "the same again"), visits, strict=True):
            types = ", ".join(f"{count} {kind.removeprefix('image/')}" for kind, count in one.types.items())
            table.add_row(title, name, f"{one.seconds:.2f}", str(one.drawn), str(one.ok), str(one.cached), types)
    first, second = (visits[0].seconds for visits in found.values())
    table.add_section()
    table.add_row("cold, against WebP alone", f"{first / second:.2f}")
    Console(width=110).print(table)
    if arguments.record:
        whole = f"of {arguments.pictures}"
        by_visit = zip(("cold", "a new visitor", "the same again"), *found.values(), strict=True)
        rows = [
            (name, *(cell for one in both for cell in (f"{one.seconds:.1f} s", f"{one.drawn} {whole}")))
            for name, *both in by_visit
        ]
        record("service-gallery", rows, state)


if __name__ == "__main__":
    main()
