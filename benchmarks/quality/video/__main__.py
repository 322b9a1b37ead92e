"""Command line: python -m benchmarks.quality.video [--clips FOLDER] [--ratio 9:16] [--costs]."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.quality.video.clips import SCENES, film
from benchmarks.quality.video.measure import costs, fully_inside, path_figures
from eyefirst.errors import EyefirstError
from eyefirst.films.reframe import plan_reframe
from eyefirst.films.shots import watch

HEADER = "film | camera | kept | centre | best | gap closed | speed | raw | jerk | raw | fully inside"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table of the drawn scenes, and of the films of a folder."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality.video")
    parser.add_argument("--clips", type=Path, help="a folder of films")
    parser.add_argument("--ratio", default="9:16")
    parser.add_argument("--scenes", nargs="*", default=[s.name for s in SCENES])
    parser.add_argument("--costs", action="store_true", help="time each film too")
    options = parser.parse_args(arguments)
    print(HEADER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        films = [(s.name, film(s, folder / f"{s.name}.mp4"), s) for s in SCENES if s.name in options.scenes]
        found = sorted(options.clips.iterdir()) if options.clips else []
        for title, path, scene in [*films, *((p.name, p, None) for p in found if p.is_file())]:
            try:
                footage = watch(path)
                plan = plan_reframe(footage, options.ratio)
            except EyefirstError as error:
                print(f"{title} | left out: {error.reason}")
                continue
            f = path_figures(footage, plan)
            kinds = " ".join(s.kind for s in plan.shots)
            inside = f"{fully_inside(plan, scene.subjects_at, scene.seconds):.3f}" if scene else "-"
            print(
                f"{title} | {kinds} | {f.kept:.3f} | {f.kept_by_centre:.3f} | {f.kept_by_best:.3f} | "
                f"{f.gap_closed:.2f} | {f.speed:.3f} | {f.raw_speed:.3f} | {f.jerk:.2f} | {f.raw_jerk:.0f} | {inside}"
            )
            if options.costs:
                c = costs(path, options.ratio, folder)
                print(
                    f"{title} | {c.frames} frames: {c.frames / (c.analysis + c.writing):.0f} a second, decode and "
                    f"encode alone {c.frames / c.alone:.0f}; analysis {c.analysis:.2f} s, writing {c.writing:.2f} s, "
                    f"alone {c.alone:.2f} s: analysis adds {100 * c.added_by_analysis:.0f} %, all {100 * c.added:.0f} %"
                )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
