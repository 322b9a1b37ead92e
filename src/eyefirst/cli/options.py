"""Arguments that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eyefirst.files.formats import ENHANCED_QUALITY, QUALITY, THUMBNAIL_QUALITY

Pictures = Annotated[
    list[str],
    typer.Argument(
        metavar="PICTURES", help="Files, folders, quoted globs such as 'a/**/*.jpg', or - for standard input."
    ),
]
Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCES", help="Folders (walked), files, quoted globs, or - for a list of paths on standard input."
    ),
]
Workers = Annotated[int, typer.Option(min=0, help="Number of threads; 0 is one per processor.")]
Out = Annotated[
    str,
    typer.Option("--out", "-o", metavar="OUT", help="File for one result, such as wide.jpg; folder for several."),
]
AsJsonLines = Annotated[bool, typer.Option("--jsonl", help="Print a row for each picture as a line of JSON.")]
AsTable = Annotated[bool, typer.Option("--csv", help="Print a row for each picture as comma-separated values.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line on standard output.")]
_QUALITY = "Quality of JPEG, WebP and AVIF, 1 to 100."
Quality = Annotated[int | None, typer.Option(min=1, max=100, help=f"{_QUALITY} [{QUALITY}]")]
ThumbnailQuality = Annotated[int | None, typer.Option(min=1, max=100, help=f"{_QUALITY} [{THUMBNAIL_QUALITY}]")]
EnhancedQuality = Annotated[int | None, typer.Option(min=1, max=100, help=f"{_QUALITY} [{ENHANCED_QUALITY}]")]
Name = Annotated[
    str,
    typer.Option("--name", metavar="TEMPLATE", help="Names of results in a folder, such as '{stem}_{ratio}.{ext}'."),
]
Background = Annotated[
    str, typer.Option(metavar="COLOUR", help="Colour behind transparent pixels in a format without transparency.")
]


class MetadataChoice(StrEnum):
    """How much of a picture's metadata goes along."""

    KEEP = "keep"
    COPYRIGHT = "copyright"
    NONE = "none"


MetadataOption = Annotated[
    MetadataChoice,
    typer.Option(
        "--metadata",
        help="Metadata in results. copyright: with artist, credit and date; keep: all, with GPS; none: nothing.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files in the output folder that eyefirst did not write.")
]
NoEnlarge = Annotated[
    bool, typer.Option("--no-enlarge", help="Keep a result smaller than asked where the picture has too few pixels.")
]
Format = Annotated[
    str,
    typer.Option(
        metavar="EXT",
        help="jpg, png, webp, avif, gif, tif or bmp. By default as OUT ends; else jpg, "
        "png for transparency, webp for animations.",
    ),
]
FitSize = Annotated[
    str, typer.Option("--size", metavar="WxH", help="Size of the box that each result is resized to fit into.")
]


class PreferChoice(StrEnum):
    """What counts most where a frame cannot hold everything."""

    FACES = "faces"
    SUBJECTS = "subjects"
    ATTENTION = "attention"
    TEXT = "text"


class PortraitChoice(StrEnum):
    """How much of a person a portrait shows."""

    CLOSE_UP = "close-up"
    HEAD_AND_SHOULDERS = "head-and-shoulders"
    UPPER_BODY = "upper-body"


class FitChoice(StrEnum):
    """Whether a frame may be a little smaller than the largest one."""

    BREATHE = "breathe"
    LARGEST = "largest"


PreferOption = Annotated[
    PreferChoice | None, typer.Option("--prefer", help="What counts most where a frame cannot hold everything.")
]
PortraitOption = Annotated[
    PortraitChoice | None, typer.Option("--portrait", help="How close the main person is framed, if a face is found.")
]
FitOption = Annotated[
    FitChoice,
    typer.Option("--fit", help="breathe: up to 15 % smaller than the largest frame where that avoids a cut."),
]
Tightness = Annotated[
    float, typer.Option(min=0, max=1, help="Zoom: 0 is the largest frame, 1 the tightest round what is salient.")
]
BOX = "L,T,R,B"
Alternatives = Annotated[int, typer.Option("--alternatives", min=1, help="Largest number of frames for each ratio.")]
Margin = Annotated[
    float | None,
    typer.Option("--margin", min=0, max=1, help="Free space round what is kept, as a share of its size. [0.05]"),
]
MustKeep = Annotated[
    list[str] | None,
    typer.Option("--must-keep", metavar=BOX, help="Box in shares of the picture that must be inside; or: faces, text."),
]
Avoid = Annotated[
    list[str] | None,
    typer.Option("--avoid", metavar=BOX, help="Box in shares of the picture to stay clear of."),
]
Pad = Annotated[
    str, typer.Option(metavar="STYLE", help="Padding where subjects do not fit: blur, extend or a CSS colour.")
]
Ratios = Annotated[
    list[str] | None,
    typer.Option("--ratio", "-a", "--aspect", metavar="W:H", help="Ratio such as 16:9, 4/5 or 1.5. Repeat for more."),
]
Revision = Annotated[
    str, typer.Option(metavar="NAME", help="Revision of the network (see `eyefirst models`). By default the newest.")
]
