"""`eyefirst sign`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from eyefirst.cli.guard import guarded
from eyefirst.cli.options import Avoid, FitSize, MustKeep
from eyefirst.cli.serve import SIGNING_KEY, keys_of
from eyefirst.errors import InvalidValueError

FLAGS = ("ratio", "size", "must_keep", "avoid", "format", "quality", "preset", "expires")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
Option = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="NAME=VALUE", help="Further option of the address, such as w=640. Repeat for more."
    ),
]
Expires = Annotated[
    str,
    typer.Option(
        metavar="TIME", help="Time for which the address is good: 90s, 15m, 12h or 30d, rounded up. Default: for ever."
    ),
]
Base = Annotated[
    str, typer.Option(metavar="URL", help="Site to put before the address, such as https://img.example.com.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help=f"File whose first line is the key that signs. Or set {SIGNING_KEY}."),
]


@guarded
def sign_addresses(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATHS", help="Paths of pictures below the service's root, or addresses at an allowed origin."
        ),
    ],
    *,
    ratio: Annotated[
        str, typer.Option("--ratio", "-a", "--aspect", metavar="W:H", help="Ratio such as 16:9, 4/5 or 1.5.")
    ] = "",
    size: FitSize = "",
    must_keep: MustKeep = None,
    avoid: Avoid = None,
    format: Annotated[
        str, typer.Option(metavar="EXT", help="jpg, png, webp, avif, gif, tif or bmp. By default the browser chooses.")
    ] = "",
    quality: Annotated[
        str, typer.Option(help="Quality 1 to 100 of JPEG, WebP and AVIF, or by format: jpg:80_avif:55.")
    ] = "",
    option: Option = None,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="Name of a preset of the service (`eyefirst serve --preset`).")
    ] = "",
    expires: Expires = "",
    base: Base = "",
    signing_key_file: KeyFile = None,
) -> None:
    """Sign addresses at which `eyefirst serve` cuts pictures.

    \b
    Examples:
      eyefirst sign album/cat.jpg --ratio 16:9 --size 1200x675 --signing-key-file key
      eyefirst sign album/cat.jpg --size 320x320 --expires 30d --base https://img.example.com
    """
    from eyefirst.server.signing import signed_address

    key, moment = signing_key(signing_key_file), moment_after(expires)
    further = options_in(option or (), reserved=FLAGS)
    for path in paths:
        address = signed_address(
            path,
            key=key,
            ratio=ratio,
            size=size,
            must_keep=must_keep or (),
            avoid=avoid or (),
            format=format,
            quality=quality,
            preset=preset,
            expires=moment,
            **further,
        )
        print(base.rstrip("/") + address, flush=True)


def signing_key(file: Path | None) -> str:
    """Return the key that signs: a file's first, or the environment's. Raises InvalidValueError."""
    keys = keys_of(file, SIGNING_KEY)
    if not keys:
        raise InvalidValueError("there is no signing key", remedy=f"set {SIGNING_KEY}, or add --signing-key-file")
    return keys[0]


def moment_after(text: str) -> int | None:
    """Return the end of "30d" from now, in seconds since 1970; None for an empty text. Raises InvalidValueError."""
    from eyefirst.server.signing import expiry_after

    if not text:
        return None
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not match:
        raise InvalidValueError(
            f"expected a time such as 15m, 12h or 30d, got {text!r}", remedy="leave it out for never"
        )
    seconds = int(match[1]) * SECONDS[match[2]]
    if not seconds:
        raise InvalidValueError("expected a time of at least 1s", remedy="leave it out for never")
    return expiry_after(seconds)


def options_in(pairs: Sequence[str], *, reserved: Sequence[str]) -> dict[str, Any]:
    """Return names and values of "NAME=VALUE". reserved: names that have a flag. Raises InvalidValueError."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name in (*reserved, *found):
            raise InvalidValueError(
                f"expected NAME=VALUE, each once and none that has a flag of its own; got {pair!r}",
                remedy="for example w=640",
            )
        found[name] = [value] if name in ("must_keep", "avoid") else value
    return found
