"""`eyefirst report`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from eyefirst.cli.batch import Picture, check_not_away, expand, for_each
from eyefirst.cli.guard import as_known, as_line, guarded, say_of_file
from eyefirst.cli.heatmap import Colormap
from eyefirst.cli.options import AsJson, Pictures, Revision
from eyefirst.errors import InvalidValueError


@guarded
def report_pictures(
    pictures: Pictures,
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE.html", help="The page to write.")],
    ratios: Annotated[
        list[str] | None,
        typer.Option(
            "--ratio",
            "-a",
            "--aspect",
            metavar="RATIO",
            help="Ratio of the crops shown. Repeat for more. [1:1, 16:9, 9:16]",
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Where the eye goes first",
    colormap: Annotated[Colormap, typer.Option(help="Colours of the maps.")] = Colormap.INFERNO,
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """Write a page that shows pictures, maps, boxes and crops side by side, with filters.

    With more than 40 pictures, they are files in a folder beside the page, such as report_files.

    \b
    Examples:
      eyefirst report album -o report.html
      eyefirst report 'album/*.jpg' --ratio 4:5 --colormap viridis -o report.html
    """
    from eyefirst.albums.report import DEFAULT_RATIOS, ReportRow, ReportWriter, report_row
    from eyefirst.handler import ImageRequestHandler

    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise InvalidValueError("the page is HTML", remedy="let the name end in .html", source=out)
    check_not_away(pictures, out)
    batch = expand(pictures)
    writer, count = ReportWriter(path, colormap=colormap.value), 0

    def look(picture: Picture) -> Iterable[str]:
        nonlocal count
        count += 1
        try:
            handler = ImageRequestHandler(picture.source())
            row = report_row(handler, picture.name, ratios or DEFAULT_RATIOS, revision=revision or None)
            say_of_file(handler)
        except Exception as error:
            writer.add(ReportRow(picture.name, error=as_known(error)))
            raise
        writer.add(row)
        return [as_line(row.to_dict())] if as_json else []

    try:
        for_each(batch, look, as_json=as_json)
    finally:
        if count:
            writer.close(title=title)
    if not as_json:
        print(path)
