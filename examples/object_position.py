"""A page on which CSS crops one photo to many shapes: `python examples/object_position.py PHOTO OUT.html`.

Containers of a planned ratio show exactly the planned frame; one value serves those of any other shape. The browser
gets the one file, and cuts.
"""

from __future__ import annotations

import html
import os
import sys
from pathlib import Path

import eyefirst

RATIOS = ("1:1", "16:9", "9:16", "3:1")
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>object-position</title>
<style>
  body {{ display: flex; flex-wrap: wrap; gap: 1rem; align-items: start; }}
  img {{ object-fit: cover; height: 240px; }}
  figure {{ margin: 0; }}
  #any {{ width: 60vw; height: 30vh; object-position: {any}; }}
</style>
{figures}
<figure><img id="any" src="{source}" alt=""><figcaption>any shape: {any}</figcaption></figure>
"""
FIGURE = (
    '<figure><img src="{source}" alt="" style="aspect-ratio: {css_ratio}; object-position: {position}">'
    "<figcaption>{ratio}: {position}</figcaption></figure>"
)


def main(photo: Path, out: Path) -> None:
    plan = eyefirst.plan_crops(photo, RATIOS, fit="largest")  # as `object-fit: cover` cuts
    source = html.escape(Path(os.path.relpath(photo, out.parent)).as_posix(), quote=True)
    figures = [
        FIGURE.format(
            source=source, ratio=ratio, css_ratio=ratio.replace(":", " / "), position=plan.frame_position(frames[0])
        )
        for ratio, frames in plan.frames.items()
    ]
    out.write_text(PAGE.format(source=source, figures="\n".join(figures), any=plan.object_position), encoding="utf-8")
    print(out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/object_position.py PHOTO OUT.html")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
