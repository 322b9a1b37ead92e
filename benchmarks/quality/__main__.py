"""Command line: which data, which methods, where to write."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.quality.attention import attention_table
from benchmarks.quality.calibration import attention_calibration, objectness_calibration
from benchmarks.quality.crops import gap_table, human_crop_table
from benchmarks.quality.cutouts import cutout_table
from benchmarks.quality.held_back import HeldBack, open_held_back
from benchmarks.quality.methods import Method, all_methods
from benchmarks.quality.objects import box_table, mask_table, nothing_table
from benchmarks.quality.ours import Loaded, load_ours
from benchmarks.quality.tables import Table, show

EYE_SETS = ("osie", "mit1003", "eyecrowd", "scene500")
MASK_SETS = ("DUTS-TR", "ECSSD")
OBJECT_SETS = (*MASK_SETS, "nothing")
ALL_SETS = (*EYE_SETS, *OBJECT_SETS, "FCDB")


def measure(
    data: HeldBack,
    ours: Loaded,
    methods: Sequence[Method],
    set_names: Sequence[str],
    most: int | None,
    u2net: Path | None = None,
) -> Iterator[Table]:
    """Every table that the named sets allow, as soon as it is done."""
    eye_sets = [name for name in EYE_SETS if name in set_names]
    with_maps = [m for m in methods if not m.windows_only]
    for name in eye_sets:
        yield attention_table(data, name, with_maps, most)
    if eye_sets:
        yield gap_table(data, eye_sets, methods, most)
    for name in MASK_SETS:
        if name in set_names:
            yield mask_table(data, name, ours, most)
            yield box_table(data, name, ours, most)
            if not ours.missing:
                yield cutout_table(data, name, most, u2net)
    if "nothing" in set_names:
        yield nothing_table(data, ours, most)
    if "FCDB" in set_names:
        yield human_crop_table(data, methods, most)


def calibrate(data: HeldBack, ours: Loaded, set_names: Sequence[str], most: int | None) -> Iterator[Table]:
    """Whether the maps mean what they say, on the named sets."""
    object_sets = [name for name in OBJECT_SETS if name in set_names]
    if object_sets:
        yield from objectness_calibration(data, object_sets, ours, most)
    eye_sets = [name for name in EYE_SETS if name in set_names]
    if eye_sets:
        yield attention_calibration(data, eye_sets, ours, most)


def main(arguments: Sequence[str] | None = None, ours: Loaded | None = None) -> int:
    """Returns the exit status; `ours` replaces the shipped network, for tests."""
    options = _parser().parse_args(arguments)
    data = open_held_back(options.shards, options.store)
    ours = ours or load_ours()
    methods = all_methods(data, ours)
    known = [m.key for m in methods]
    unknown = [k for k in options.methods or () if k not in known] + [s for s in options.sets if s not in ALL_SETS]
    if unknown:
        _parser().error(
            f"expected methods among {', '.join(known)} and sets among {', '.join(ALL_SETS)}; got {', '.join(unknown)}"
        )
    chosen = [m for m in methods if options.methods is None or m.key in options.methods]
    console = Console()
    tables = []
    found = (
        calibrate(data, ours, options.sets, options.most)
        if options.calibration
        else measure(data, ours, chosen, options.sets, options.most, options.u2net)
    )
    for table in found:
        show(table, console)
        tables.append(table)
    if options.json:
        options.json.write_text(json.dumps({"tables": [t.to_dict() for t in tables]}, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder that holds the *.zip shards")
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("build/store"),
        help="folder of the arrays that training.datasets.store makes; built if missing (default: %(default)s)",
    )
    parser.add_argument("--sets", type=_names, default=list(ALL_SETS), help=f"of {','.join(ALL_SETS)} (default: all)")
    parser.add_argument("--methods", type=_names, help="such as ours,plan,prior,residual,smartcrop (default: all)")
    parser.add_argument("--calibration", action="store_true", help="only whether the maps mean what they say")
    parser.add_argument("--most", type=int, help="at most so many pictures of every set")
    parser.add_argument("--u2net", type=Path, help="file of the published U2-Net, to compare cut-outs with")
    parser.add_argument("--json", type=Path, help="also write the tables to this file")
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    raise SystemExit(main())
