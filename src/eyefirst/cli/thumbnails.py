"""`eyefirst thumbnails`."""

from __future__ import annotations

from typing import Annotated

import typer

from eyefirst.cli.guard import FAILED, guarded
from eyefirst.cli.options import Revision


@guarded
def thumbnail_pictures(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCES", help="Folders (walked), files, quoted globs, or - for a list of paths on standard input."
        ),
    ],
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Where thumbnails and their journal go.")],
    size: Annotated[list[str], typer.Option("--size", "-s", metavar="WxH", help="Exact; repeatable.")],
    format: Annotated[str, typer.Option(metavar="EXT", help="jpg, png, webp or avif.")] = "jpg",
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF.")] = 85,
    workers: Annotated[int, typer.Option(min=0, help="Threads; 0 is one per processor.")] = 0,
    tightness: Annotated[
        float, typer.Option(min=0, max=1, help="0: the largest frame; 1: just round what is salient.")
    ] = 0.0,
    pad: Annotated[
        str, typer.Option(metavar="STYLE", help="Where subjects cannot fit, add space: blur, extend or a CSS colour.")
    ] = "",
    product: Annotated[
        bool, typer.Option("--product", help="As catalogues do: the subject centred on a canvas, equal margins.")
    ] = False,
    margin: Annotated[
        float, typer.Option(min=0, max=0.45, help="Of --product: free share of the canvas's shorter side.")
    ] = 0.08,
    backdrop: Annotated[
        str,
        typer.Option(metavar="COLOUR", help="Of --product: keep the picture's own, transparent, or a colour."),
    ] = "keep",
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: whatever comes into the folders is done as well, until Ctrl-C.")
    ] = False,
    revision: Revision = "",
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a row a picture as JSON on standard output.")] = False,
) -> None:
    """Make thumbnails of many pictures, in parallel; a second run does only what is missing or changed.

    \\b
    Examples:
      eyefirst thumbnails album -o thumbs --size 320x320 --size 1200x630 --format webp
      eyefirst thumbnails album -o shop --size 800x800 --product --margin 0.1
      find /photos -name '*.jpg' | eyefirst thumbnails - -o thumbs -s 320x320 --jsonl
    """
    from eyefirst.albums.product import ProductSettings
    from eyefirst.albums.thumbnails import ThumbnailSettings, make_thumbnails
    from eyefirst.albums.watch import watched
    from eyefirst.cli.batch import album_tasks, show_rows
    from eyefirst.framing import FramingOptions
    from eyefirst.geometry import Size

    settings = ThumbnailSettings(
        sizes=tuple(Size.parse(s) for s in size),
        format=format,
        quality=quality,
        options=FramingOptions(tightness=tightness, pad=pad or None),
        product=ProductSettings(margin=margin, backdrop=backdrop) if product else None,
        revision=revision or None,
    )
    if watch:
        for tasks in watched(sources, outside=out):
            show_rows(make_thumbnails(tasks, out, settings, workers=workers or None), len(tasks), "new", jsonl=jsonl)
        return
    tasks = album_tasks(sources, outside=out)
    rows = make_thumbnails(tasks, out, settings, workers=workers or None)
    if show_rows(rows, len(tasks), "thumbnails", jsonl=jsonl)["failed"]:
        raise typer.Exit(FAILED)
