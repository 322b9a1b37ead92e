"""Every figure that README and docs quote: how it is made, and the cheap ones made anew. `make figures` runs it.

docs/figures.json is the one place for these figures. A figure has a command, a date, the network that was measured,
what it needs, and the page that quotes it: as a table (`head`, `rows`), as words (`text`), or as a table that stands
on its page alone (`starts`, its first words). `tests/test_docs.py` compares the pages with the file.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from eyefirst.network import default_revision
from eyefirst.weight_store import find_weights

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "figures.json"
PAGE = ROOT / "docs" / "figures.md"
INTRODUCTION = """# Figures

Each figure that these docs quote, with its command and its date. The file `docs/figures.json` holds them, and a test
compares the pages with it. `make figures` writes this page. The last column is the network that was measured.
"""


@dataclass(frozen=True)
class Figure:
    """One figure, or one table of them."""

    id: str
    title: str
    page: str
    command: str
    date: str
    network: str
    needs: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: tuple[str, ...] = ()
    starts: str = ""

    def is_quoted_in(self, page: str) -> bool:
        """Say whether a page says what the file says."""
        words = " ".join(page.split())
        table = "\n".join(map(_line, (self.head, *self.rows))) if self.head else ""
        lines = [_line(_cells(row)) for row in page.split("\n") if row[:1] == "|"]
        told = "\n".join(line for line in lines if line.strip("-|"))
        return table in told and all(part in words for part in self.text) and f"\n{self.starts}" in page


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def _line(cells: Sequence[str]) -> str:
    return "|".join(cells)


def all_figures() -> list[Figure]:
    """Every figure of the file."""
    return [Figure(**{k: _frozen(v) for k, v in f.items()}) for f in json.loads(FILE.read_text())["figures"]]


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def machine() -> str:
    """Say how many processors there are and how many other programs want, in a few words for a table."""
    return f"{os.cpu_count()} processors, load before {os.getloadavg()[0]:.1f}"


def record(id: str, rows: Sequence[Sequence[str]], state: str) -> None:
    """Put rows that were measured now into the file, and in the place of the former ones on their page.

    state: of the machine, as `machine` says it; the last row.
    """
    held = json.loads(FILE.read_text())
    figure = next(f for f in held["figures"] if f["id"] == id)
    head = figure["head"]
    cells = [*map(list, rows), [f"machine: {state}", *[""] * (len(head) - 1)]]
    if any(len(row) != len(head) for row in cells):
        raise ValueError(f"expected rows of {len(head)} cells, as {head}")
    figure |= {"rows": cells, "date": datetime.now(UTC).date().isoformat(), "network": default_revision()}
    page = ROOT / figure["page"]
    lines = page.read_text().split("\n")
    first = 2 + next(i for i, line in enumerate(lines) if line[:1] == "|" and _cells(line) == head)
    last = next(i for i in range(first, len(lines)) if lines[i][:1] != "|")
    page.write_text("\n".join([*lines[:first], *(f"| {' | '.join(row)} |" for row in cells), *lines[last:]]))
    FILE.write_text(f'{{\n"figures": {json.dumps(held["figures"], indent=1, ensure_ascii=False)}\n}}\n')
    PAGE.write_text(as_page(all_figures()))


def as_page(figures: list[Figure]) -> str:
    """docs/figures.md."""
    lines = [INTRODUCTION, "| figure | command | needs | date | network |", "|---|---|---|---|---|"]
    for f in figures:
        where = f.page.removeprefix("docs/") if f.page.startswith("docs/") else f"../{f.page}#figures"
        lines.append(f"| [{f.title}]({where}) | `{f.command}` | {f.needs} | {f.date} | {f.network} |")
    return "\n".join(lines) + "\n"


def cheap() -> dict[str, str]:
    """Figures that take no data and no quiet machine."""
    code = "import time; s = time.perf_counter(); import eyefirst; print(round(1000 * (time.perf_counter() - s), 1))"
    times = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in (ROOT / "src" / "eyefirst").rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                wheel.write(path, path.relative_to(ROOT))
    return {
        "network": f"{default_revision()}, {find_weights(default_revision()).stat().st_size / 1e6:.1f} MB",
        "wheel": f"{packed.tell() / 1e6:.1f} MB",
        "import eyefirst": f"{min(float(t.stdout) for t in times):.1f} ms, least of 5",
    }


def main() -> None:
    """Print all figures, make the cheap ones, write the page."""
    figures = all_figures()
    table = Table("figure", "command", "needs", "date", "network")
    for f in figures:
        table.add_row(f.title, f.command, f.needs, f.date, f.network)
    console = Console(width=200)
    console.print(table)
    for name, value in cheap().items():
        console.print(f"{name}: {value}")
    for f in figures:
        if not f.is_quoted_in((ROOT / f.page).read_text()):
            console.print(f"[red]{f.page} does not say what the file says of {f.id}")
    PAGE.write_text(as_page(figures))
    console.print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
