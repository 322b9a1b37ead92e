"""Command line: learn the weights, measure frames, measure each term's absence, or draw sheets for looking."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.quality.editor import fit as fitting
from benchmarks.quality.editor.looks import FOLDS, Look, load_looks
from benchmarks.quality.editor.measures import COLUMNS
from benchmarks.quality.editor.sheets import draw_sheets, photos_in
from benchmarks.quality.editor.ways import Way, by_framer, centre, judged
from benchmarks.quality.tables import Line, Table, show
from eyefirst.framing import WEIGHTS, FramingOptions

CAPTION = (
    "Gaps: 0 is the centre crop, 1 the best window. Fixations: mean of four sets. Annotators: by the IoU with "
    "people's own crop. Heads, subjects, lines of text: of those that a frame could hold, shares whole, cut, left out. "
    "Large faces: where no frame can hold the head, how much is shown of what a frame could show of the face."
)
SWITCHED = (
    ("subject_whole", "subject_cut"),
    ("head_whole", "head_cut"),
    ("subject_end",),
    ("face_seen",),
    ("word_whole", "word_cut"),
    ("contrast_kept",),
    ("edge_tones",),
    ("objectness_cut",),
    ("balance",),
    ("upper",),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    console = Console(width=160)
    if options.command == "sheets":
        for path in draw_sheets(photos_in(options.folders, options.cache), options.out):
            console.print(str(path))
        return 0
    looks = load_looks(options.shards, options.cache)[:: options.every]
    if options.command == "fit":
        for table in _fit(looks):
            show(table, console)
        return 0
    ways = _ways() if options.command == "measure" else _ablations()
    lines = [Line(name, judged(looks, way).figures()) for name, way in ways]
    show(Table(f"Editor's measures, {len(looks)} pictures", COLUMNS, tuple(lines), CAPTION), console)
    return 0


def _ways() -> Iterator[tuple[str, Way]]:
    yield "centre", centre
    yield "eyefirst", by_framer()
    yield "eyefirst, fit=largest", by_framer(options=FramingOptions(fit="largest"))
    yield "eyefirst, the referee's faces", by_framer(faces="referee")
    yield "eyefirst, no faces", by_framer(faces="none")
    yield "eyefirst, no text", by_framer(text=False)


def _ablations() -> Iterator[tuple[str, Way]]:
    yield "all terms", by_framer()
    for names in SWITCHED:
        yield "without " + ", ".join(names), by_framer(replace(WEIGHTS, **dict.fromkeys(names, 0.0)))


def _fit(looks: Sequence[Look]) -> Iterator[Table]:
    choices, votes = fitting.gather(looks)
    weights, size = fitting.fit(choices, votes)
    folds = [fitting.fit(choices, votes, np.array([f for f in range(FOLDS) if f != fold])) for fold in range(FOLDS)]
    yield fitting.weights_table([weights, *(w for w, _ in folds)])
    held = [fitting.vote_accuracy(votes, w, s, fold) for fold, (w, s) in enumerate(folds)]
    yield Table(
        "Voted pairs in the order that people chose, folds that the weights never saw",
        ("share", "area"),
        (Line("score", (float(np.mean(held)), size)),),
        "Area: what the score gains with the logarithm of a frame's area, by the votes alone.",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.quality.editor", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("fit", "print the weights that the data ask for"),
        ("measure", "frames of several ways, by all measures"),
        ("ablation", "the same without each term"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("--shards", type=Path, required=True, help="folder that holds the *.zip shards")
        command.add_argument("--cache", type=Path, default=Path("build/editor"), help="folder for maps and faces")
        command.add_argument("--every", type=int, default=1, help="use one in so many pictures, for a quick look")
    sheets = commands.add_parser("sheets", help="draw contact sheets of the crops of photos")
    sheets.add_argument("folders", type=Path, nargs="+", help="folders of photos")
    sheets.add_argument("--out", type=Path, default=Path("build/sheets"), help="folder of the sheets")
    sheets.add_argument("--cache", type=Path, help="folder that keeps what the networks saw")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
