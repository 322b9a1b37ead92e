"""First paint of the service's page in a headless Chromium, on loopback: `python -m benchmarks.speed.page`.

Each load is cold: a new profile, and so no cache and no connection. The browser says itself when it painted first and
when it first painted words or pictures (PerformancePaintTiming), counted from the start of the navigation. A line of
plain text from the same service is loaded in turn: what that takes is the browser's and the machine's own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import machine, record
from benchmarks.speed.server import serving

SCREENS: dict[str, dict[str, Any]] = {
    "desktop, 1300 x 900": {"viewport": {"width": 1300, "height": 900}},
    "phone, 390 x 844 at 3 x": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 3,
        "is_mobile": True,
        "has_touch": True,
    },
}
PLAIN = "a line of plain text"
PAINTS = """new Promise(done => {
    const look = () => {
        const paints = performance.getEntriesByType('paint');
        paints.length < 2 ? setTimeout(look, 20) : done(Object.fromEntries(paints.map(e => [e.name, e.startTime])));
    };
    look();
})"""
BYTES = """[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
    .reduce((sum, e) => sum + e.transferSize, 0)"""


@dataclass(frozen=True, slots=True)
class Load:
    """One load of the page. Times in milliseconds from the start of the navigation; bytes over the line."""

    first_paint: float
    first_contentful_paint: float
    bytes: int


def load(browser: Any, address: str, **screen: Any) -> Load:
    """Open the page in a new profile and wait until all of it is there."""
    context = browser.new_context(**screen)
    try:
        page = context.new_page()
        page.goto(address, wait_until="networkidle")
        paints = page.evaluate(PAINTS)
        return Load(paints["first-paint"], paints["first-contentful-paint"], page.evaluate(BYTES))
    finally:
        context.close()


def row(screen: str, loads: Sequence[Load]) -> tuple[str, ...]:
    """Medians of the loads, the slowest first paint, and the bytes."""
    paints = [one.first_paint for one in loads]
    contents = statistics.median(one.first_contentful_paint for one in loads)
    times = (statistics.median(paints), contents, max(paints))
    return (screen, *(f"{ms:.0f} ms" for ms in times), f"{max(one.bytes for one in loads) / 1e3:.1f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, default=20, help="of each screen")
    parser.add_argument("--record", action="store_true", help="write the figures into the docs")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - drives the browser, and is needed here alone

    state = machine()
    with sync_playwright() as playwright, serving(os.cpu_count() or 1) as service:
        path = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        address = f"http://127.0.0.1:{service.port}/"
        load(browser, address)  # so that all that the service and the browser load late has been
        found: dict[str, list[Load]] = {name: [] for name in (*SCREENS, PLAIN)}
        for _ in range(arguments.loads):
            for name, loads in found.items():
                place = f"{address}healthz" if name == PLAIN else address
                loads.append(load(browser, place, **SCREENS.get(name, {})))
        browser.close()
    rows = [row(name, loads) for name, loads in found.items()]
    table = Table(
        "screen", "first paint, median", "first content, median", "first paint, slowest", "bytes", title=state
    )
    for cells in rows:
        table.add_row(*cells)
    Console(width=110).print(table)
    if arguments.record:
        record("service-page", rows, state)


if __name__ == "__main__":
    main()
