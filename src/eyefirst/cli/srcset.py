"""`eyefirst srcset`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from eyefirst.cli.guard import guarded, say
from eyefirst.cli.options import AsJson
from eyefirst.cli.sign import Base, Expires, KeyFile, Option, moment_after, options_in, signing_key
from eyefirst.errors import InvalidValueError


@guarded
def print_responsive_image(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="Path of a picture below the service's root, or an address at an allowed origin."
        ),
    ],
    *,
    ratio: Annotated[
        str,
        typer.Option(
            "--ratio", "-a", "--aspect", metavar="W:H", help="Ratio of the crops. Default: the whole picture."
        ),
    ] = "",
    widths: Annotated[
        str, typer.Option(metavar="W,W", help="Widths of the results in pixels, separated by commas.")
    ] = "320,640,1280",
    formats: Annotated[
        str,
        typer.Option(
            metavar="EXT,EXT",
            help="Formats, the best first: avif,webp,jpg. Default: one address for all, the browser chooses.",
        ),
    ] = "",
    sizes: Annotated[str, typer.Option(help="HTML's attribute sizes: how wide the page shows the picture.")] = "100vw",
    picture_size: Annotated[
        str,
        typer.Option(
            metavar="WxH", help="Size of the picture itself: without --ratio, it gives the tag its width and height."
        ),
    ] = "",
    alt: Annotated[str, typer.Option(metavar="TEXT", help="What the picture shows, in words.")] = "",
    option: Option = None,
    expires: Expires = "",
    base: Base = "",
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Write addresses for a service without a signing key.")
    ] = False,
    as_json: AsJson = False,
    signing_key_file: KeyFile = None,
) -> None:
    """Print the HTML of a picture in several widths, cut by `eyefirst serve`.

    \b
    Examples:
      eyefirst srcset album/cat.jpg --ratio 16:9 --widths 320,640,1280
      eyefirst srcset album/cat.jpg --ratio 4:5 --formats avif,webp,jpg --base https://img.example.com
      eyefirst srcset album/cat.jpg --picture-size 4000x3000
    """
    from eyefirst.server.srcset import responsive_image

    further = options_in(option or (), reserved=("ratio", "w", "expires"))
    made = responsive_image(
        path,
        _widths(widths),
        key=None if unsigned else signing_key(signing_key_file),
        base=base,
        ratio=ratio,
        formats=[part.strip() for part in formats.split(",") if part.strip()],
        sizes=sizes,
        picture_size=picture_size,
        expires=moment_after(expires),
        **further,
    )
    if made.height is None:
        say("the tag has no width and height, so the page moves while it loads; add --picture-size, or --ratio")
    print(json.dumps(made.to_dict()) if as_json else made.to_html(alt), flush=True)


def _widths(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(p.isascii() and p.isdigit() and len(p) <= 6 and int(p) for p in parts):
        raise InvalidValueError(f"expected widths such as 320,640,1280, got {text!r}", remedy="give whole pixels")
    return [int(part) for part in parts]
