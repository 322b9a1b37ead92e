"""Results as tables: on the terminal with rich, and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable


@dataclass(frozen=True)
class Line:
    """One method's figures, in the order of the table's columns; None where it has none."""

    method: str
    figures: tuple[float | None, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Table:
    """One measurement of several methods."""

    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    caption: str = ""

    def to_dict(self) -> dict[str, object]:
        """For JSON; a figure that is not a number becomes null."""
        return {
            "title": self.title,
            "caption": self.caption,
            "methods": [
                {
                    "method": line.method,
                    "note": line.note,
                    "figures": {c: _finite(f) for c, f in zip(self.columns, line.figures, strict=False)},
                }
                for line in self.lines
            ],
        }


def show(table: Table, console: Console) -> None:
    """Prints one table; notes stand in place of figures."""
    drawn = RichTable(title=table.title, caption=table.caption, title_justify="left", caption_justify="left")
    drawn.add_column("method", no_wrap=True)
    for column in table.columns:
        drawn.add_column(column, justify="right")
    notes = []
    for line in table.lines:
        figures = [_text(f) for f in line.figures] or ["-"] * len(table.columns)
        drawn.add_row(line.method, *figures)
        if line.note:
            notes.append(f"{line.method}: {line.note}")
    console.print(drawn)
    for note in notes:
        console.print(f"  {note}", markup=False, highlight=False)
    console.print()


def _text(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


def _finite(figure: float | None) -> float | None:
    return figure if figure is not None and math.isfinite(figure) else None
