"""`eyefirst cutout`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import guarded, say
from eyefirst.cli.options import MetadataChoice, MetadataOption, Name, Overwrite, Pictures, Quality, Revision


@guarded
def cut_out_subjects(
    pictures: Pictures,
    *,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="OUT", help="A picture's file where there is one result; otherwise a folder."
        ),
    ],
    backdrop: Annotated[
        str, typer.Option(metavar="COLOUR", help="What lies behind: transparent, blur, or a CSS colour.")
    ] = "transparent",
    shadow: Annotated[bool, typer.Option("--shadow", help="Keep a soft shadow on an even backdrop.")] = False,
    name: Name = "",
    quality: Quality = None,
    format: Annotated[
        str,
        typer.Option(
            metavar="EXT",
            help="jpg, png, webp, avif, gif, tif or bmp. By default png for a transparent result, else jpg.",
        ),
    ] = "",
    overwrite: Overwrite = False,
    metadata: MetadataOption = MetadataChoice.COPYRIGHT,
    revision: Revision = "",
) -> None:
    """Cut the subject out of pictures, with a soft edge, at full resolution.

    \b
    Examples:
      eyefirst cutout photo.jpg -o subject.png
      eyefirst cutout photo.jpg --backdrop blur -o portrait.jpg
      eyefirst cutout album --backdrop '#f4f4f4' --shadow -o cut
    """
    from eyefirst.cli.outputs import Results
    from eyefirst.files.formats import format_named, format_of
    from eyefirst.files.outputs import names_a_file
    from eyefirst.handler import ImageRequestHandler, all_pixels
    from eyefirst.tools.cutout import check_cutout, cutout_all

    clear = backdrop == "transparent"
    named = format_of(Path(out)) if names_a_file(out) else format_named(format) if format else None
    check_cutout(backdrop, shadow, named)
    batch = expand(pictures, outside=out)
    results = Results(
        out,
        batch,
        single=len(batch) == 1,
        format=format or ("png" if clear and not named else ""),
        name=name,
        quality=quality,
        overwrite=overwrite,
        keep=metadata.value,
    )

    def cut(picture: Picture) -> Iterable[str]:
        handler = ImageRequestHandler(picture.source(), expects=all_pixels)
        made = cutout_all(
            handler,
            backdrop=backdrop,
            shadow=shadow,
            revision=revision or None,
            animated=results.is_animated(handler),
            say=lambda text: say(f"{picture.name}: {text}"),
        )
        return [results.write(made, handler, picture, "cutout")]

    for_each(batch, cut, as_json=False)
