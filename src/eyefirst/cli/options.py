"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Pictures = Annotated[
    list[str],
    typer.Argument(
        metavar="PICTURES", help="Files, folders, quoted globs such as 'a/**/*.jpg', or - for standard input."
    ),
]
Out = Annotated[
    str,
    typer.Option("--out", "-o", metavar="OUT", help="A picture's file where there is one result; otherwise a folder."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line on standard output.")]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF.")]
Format = Annotated[
    str, typer.Option(metavar="EXT", help="jpg, png, webp, avif, gif, tiff or bmp; by default as OUT ends, or jpg.")
]
FitSize = Annotated[str, typer.Option("--size", metavar="WxH", help="Resize each result so that it just fits in this.")]
Revision = Annotated[str, typer.Option(metavar="NAME", help="Pin a network's revision (see `eyefirst models`).")]
