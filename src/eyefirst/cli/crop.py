"""`eyefirst crop`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, say
from eyefirst.cli.options import AsJson, FitSize, Format, Out, Pictures, Quality, Revision
from eyefirst.errors import InvalidValueError


class Target(StrEnum):
    """The article's recipes."""

    ATTENTION = "attention"
    BEST = "best"
    UNION = "union"


BOX = "L,T,R,B"


@guarded
def crop_pictures(
    pictures: Pictures,
    *,
    aspect: Annotated[
        list[str] | None, typer.Option("--aspect", "-a", metavar="W:H", help="16:9, 4/5, 1.5 ...; repeatable.")
    ] = None,
    out: Out = "",
    size: FitSize = "",
    alternatives: Annotated[int, typer.Option(min=1, help="Frames a ratio, at most.")] = 1,
    tightness: Annotated[
        float, typer.Option(min=0, max=1, help="0: the largest frame; 1: just round what is salient.")
    ] = 0.0,
    margin: Annotated[
        float | None, typer.Option(min=0, max=1, help="Free space round what is kept, as a share of it.")
    ] = None,
    must_keep: Annotated[
        list[str] | None,
        typer.Option(metavar=BOX, help="A box, in shares of the picture, that must be inside; or: text."),
    ] = None,
    avoid: Annotated[
        list[str] | None, typer.Option(metavar=BOX, help="A box, in shares of the picture, to stay clear of.")
    ] = None,
    pad: Annotated[
        str, typer.Option(metavar="STYLE", help="Where subjects cannot fit, add space: blur, extend or a CSS colour.")
    ] = "",
    to: Annotated[
        Target | None, typer.Option(help="Instead of a ratio: cut to this box (the best or all of the subjects).")
    ] = None,
    quality: Quality = 88,
    format: Format = "",
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """Crop pictures to one or more shapes, keeping what matters.

    \b
    Examples:
      eyefirst crop photo.jpg --aspect 16:9 -o wide.jpg
      eyefirst crop 'album/**/*.jpg' -a 1:1 -a 9:16 --size 1080x1920 -o crops
      eyefirst crop photo.jpg -a 4:5 --alternatives 3 --json > plan.json
      eyefirst crop photo.jpg --to union --margin 0.1 -o subject.jpg
    """
    from eyefirst.cli.outputs import Outputs
    from eyefirst.geometry import Size
    from eyefirst.handler import ImageRequestHandler
    from eyefirst.tools.crop import CropOrder, crop_to, render_animation, render_plan

    fit = Size.parse(size) if size else None
    if to:
        ignored = {
            "--aspect": aspect,
            "--alternatives": alternatives > 1,
            "--tightness": tightness,
            "--must-keep": must_keep,
            "--avoid": avoid,
            "--pad": pad,
            "--json": as_json,
        }
        if any(ignored.values()):
            names = ", ".join(name for name, given in ignored.items() if given)
            raise InvalidValueError(f"--to makes no plan, got {names} as well", remedy="leave out one or the other")
    elif not (aspect or size):
        raise InvalidValueError(
            "no shape was asked for", remedy="add --aspect 16:9, or --size 320x320, or --to attention"
        )
    order = CropOrder.parse(
        aspect=aspect or ("1:1" if to else size,),
        size=size,
        alternatives=alternatives,
        tightness=tightness,
        margin=margin,
        must_keep=must_keep or (),
        avoid=avoid or (),
        pad=pad,
        revision=revision,
    )
    if not (out or as_json):
        raise InvalidValueError(
            "there is nowhere to write to",
            remedy="add -o FILE or -o FOLDER" + ("" if to else ", or --json for the plan"),
        )
    batch = expand(pictures)
    single = len(batch) == 1 and (to is not None or (len(order.ratios) == 1 and alternatives == 1))
    outputs = Outputs(out, batch, single=single, format=format, quality=quality, size=fit) if out else None

    def cut(picture: Picture) -> Iterable[str]:
        source = picture.source()
        if to and outputs:
            return [
                outputs.write(
                    crop_to(source, to.value, margin=margin or 0.0, revision=revision or None), picture, to.value
                )
            ]
        handler = ImageRequestHandler(source)
        plan = order.plan(handler)
        written: list[str] = []
        if outputs:
            render = render_animation if handler.image.frame_count > 1 else render_plan
            written = outputs.write_frames(render(plan, source, size=fit), picture)
            for ratio, frames in plan.frames.items():
                for warning in dict.fromkeys(w for frame in frames for w in frame.warnings):
                    say(f"{picture.name}: {ratio}: {warning}")
        return [as_line(plan.to_dict())] if as_json else written

    for_each(batch, cut, as_json=as_json)
