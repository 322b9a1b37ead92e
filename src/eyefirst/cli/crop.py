"""`eyefirst crop`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, refuse, say, say_of_file
from eyefirst.cli.options import (
    Alternatives,
    AsJson,
    Avoid,
    Background,
    FitChoice,
    FitOption,
    FitSize,
    Format,
    Margin,
    MetadataChoice,
    MetadataOption,
    MustKeep,
    Name,
    NoEnlarge,
    Out,
    Overwrite,
    Pad,
    Pictures,
    PortraitOption,
    PreferOption,
    Quality,
    Ratios,
    Revision,
    Tightness,
)
from eyefirst.errors import InvalidValueError


class Target(StrEnum):
    """What `--to` cuts to: the recipes of Apple's article."""

    ATTENTION = "attention"
    BEST = "best"
    UNION = "union"


@guarded
def crop_pictures(
    pictures: Pictures,
    *,
    ratios: Ratios = None,
    out: Out = "",
    size: FitSize = "",
    alternatives: Alternatives = 1,
    tightness: Tightness = 0.0,
    margin: Margin = None,
    must_keep: MustKeep = None,
    avoid: Avoid = None,
    pad: Pad = "",
    prefer: PreferOption = None,
    portrait: PortraitOption = None,
    fit: FitOption = FitChoice.BREATHE,
    to: Annotated[
        Target | None, typer.Option(help="Instead of a ratio, cut to this box (best: the best subject, union: all).")
    ] = None,
    no_enlarge: NoEnlarge = False,
    name: Name = "",
    quality: Quality = None,
    background: Background = "white",
    format: Format = "",
    overwrite: Overwrite = False,
    metadata: MetadataOption = MetadataChoice.COPYRIGHT,
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """Crop pictures to one or more ratios, keeping what matters.

    \b
    Examples:
      eyefirst crop photo.jpg --ratio 16:9 -o wide.jpg
      eyefirst crop 'album/**/*.jpg' -a 1:1 -a 9:16 --size 1080x1920 -o crops
      eyefirst crop photo.jpg -a 4:5 --alternatives 3 --json > plan.json
      eyefirst crop photo.jpg --to union --margin 0.1 -o subject.jpg
    """
    from eyefirst.cli.outputs import Results
    from eyefirst.handler import ImageRequestHandler, all_pixels
    from eyefirst.tools.crop import crop_box, crops_of
    from eyefirst.tools.planning import CropOrder

    if to:
        refuse(
            "--to makes no plan",
            {
                "--ratio": ratios,
                "--alternatives": alternatives > 1,
                "--tightness": tightness,
                "--must-keep": must_keep,
                "--avoid": avoid,
                "--pad": pad,
                "--prefer": prefer,
                "--portrait": portrait,
                "--fit": fit is not FitChoice.BREATHE,
                "--json": as_json,
            },
        )
    elif not (ratios or size):
        raise InvalidValueError(
            "no ratio was asked for", remedy="add --ratio 16:9, or --size 320x320, or --to attention"
        )
    if not out:
        refuse(
            "nothing is written without -o",
            {
                "--quality": quality,
                "--format": format,
                "--name": name,
                "--overwrite": overwrite,
                "--metadata": metadata is not MetadataChoice.COPYRIGHT,
                "--no-enlarge": no_enlarge,
                "--size": size and ratios,
                "--background": background != "white",
            },
        )
    if not size:
        refuse("only --size enlarges", {"--no-enlarge": no_enlarge}, remedy="add --size, or leave it out")
    order = CropOrder.parse(
        ratios=ratios or ("1:1" if to else size,),
        size=size,
        enlarge=not no_enlarge,
        alternatives=alternatives,
        tightness=tightness,
        margin=margin,
        must_keep=must_keep or (),
        avoid=avoid or (),
        pad=pad,
        prefer=prefer.value if prefer else None,
        portrait=portrait.value if portrait else None,
        fit=fit.value,
        revision=revision,
    )
    if not (out or as_json):
        raise InvalidValueError(
            "there is nowhere to write to",
            remedy="add -o FILE or -o FOLDER" + ("" if to else ", or --json for the plan"),
        )
    batch = expand(pictures, outside=out or None)
    single = len(batch) == 1 and (to is not None or (len(order.ratios) == 1 and alternatives == 1))
    results = (
        Results(
            out,
            batch,
            single=single,
            format=format,
            name=name,
            quality=quality,
            background=background,
            overwrite=overwrite,
            keep=metadata.value,
        )
        if out
        else None
    )

    def cut(picture: Picture) -> Iterable[str]:
        if to and results:
            handler = ImageRequestHandler(picture.source(), expects=all_pixels)
            animated = results.is_animated(handler)
            made = crop_box(
                handler,
                to.value,
                size=order.size,
                enlarge=order.enlarge,
                margin=margin or 0.0,
                revision=order.revision,
                animated=animated,
            )
            return [results.write(made, handler, picture, to.value)]
        handler = order.handler(picture.source()) if results else ImageRequestHandler(picture.source())
        plan = order.plan(handler)
        say_of_file(handler)
        written: list[str] = []
        if results:
            animated = results.is_animated(handler)
            crops = crops_of(plan, handler, size=order.size, enlarge=order.enlarge, animated=animated)
            written = results.write_crops(crops, handler, picture)
            for ratio, frames in plan.frames.items():
                for warning in dict.fromkeys(w for frame in frames for w in frame.warnings):
                    say(f"{picture.name}: {ratio}: {warning}")
        return [as_line(plan.to_dict())] if as_json else written

    for_each(batch, cut, as_json=as_json)
