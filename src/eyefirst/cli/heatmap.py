"""`eyefirst heatmap`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, refuse, say_of_file
from eyefirst.cli.options import AsJson, Format, Name, Out, Overwrite, Pictures, Quality, Revision
from eyefirst.errors import InvalidValueError


class Kind(StrEnum):
    """Which map; the names of `requests.KINDS`."""

    ATTENTION = "attention"
    OBJECTNESS = "objectness"
    FACES = "faces"
    TEXT = "text_rectangles"


class View(StrEnum):
    """What is drawn; the names of `drawing.VIEWS`."""

    COMBINED = "combined"
    BOXES = "boxes"
    MASK = "mask"


class Colormap(StrEnum):
    """The names of `colours.COLORMAPS`."""

    INFERNO = "inferno"
    MAGMA = "magma"
    VIRIDIS = "viridis"
    CIVIDIS = "cividis"
    GREY = "grey"


@guarded
def draw_heat_maps(
    pictures: Pictures,
    *,
    out: Out = "",
    kind: Annotated[
        Kind, typer.Option(help="Map of where people look, of subjects, of faces, or of text.")
    ] = Kind.ATTENTION,
    view: Annotated[View, typer.Option(help="Map, boxes, or both (combined), over the picture.")] = View.COMBINED,
    colormap: Annotated[Colormap | None, typer.Option(help="Colours of the map. [inferno]")] = None,
    opacity: Annotated[
        float | None, typer.Option(min=0, max=1, help="Opacity of the map where it is brightest. [0.75]")
    ] = None,
    name: Name = "",
    quality: Quality = None,
    format: Format = "",
    overwrite: Overwrite = False,
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """Draw heat maps over pictures, or print their values.

    \b
    Examples:
      eyefirst heatmap photo.jpg -o heat.jpg
      eyefirst heatmap 'album/*.jpg' --kind objectness --view mask -o maps
      eyefirst heatmap photo.jpg --json
    """
    from eyefirst.cli.outputs import drawings
    from eyefirst.drawing import draw_view
    from eyefirst.handler import ImageRequestHandler, all_pixels
    from eyefirst.heat_map import OPACITY
    from eyefirst.requests import KINDS

    if not (out or as_json):
        raise InvalidValueError(
            "there is nowhere to write to", remedy="add -o FILE or -o FOLDER, or --json for the values"
        )
    drawn_as = {"--colormap": colormap, "--opacity": opacity is not None}
    if view is View.BOXES:
        refuse("--view boxes draws no map", drawn_as)
    if not out:
        refuse("nothing is drawn without -o", drawn_as | {"--view": view is not View.COMBINED})
    request = KINDS[kind.value](revision=revision or None)
    batch = expand(pictures, outside=out or None)
    results = drawings(out, batch, format=format, name=name, quality=quality, overwrite=overwrite)

    def draw(picture: Picture) -> Iterable[str]:
        handler = ImageRequestHandler(picture.source(), expects=all_pixels if results else None)
        seen = handler.perform([request])[0]
        say_of_file(handler)
        written: list[str] = []
        if results:
            drawn = draw_view(
                handler.picture().picture,
                seen.heat_map,
                seen.faces if kind is Kind.FACES else seen.salient_objects,
                view=view.value,
                colormap=(colormap or Colormap.INFERNO).value,
                opacity=OPACITY if opacity is None else opacity,
            )
            written = [results.write(drawn, handler, picture, f"{kind.value}_map")]
        return [as_line({"picture": picture.name, **seen.to_dict()})] if as_json else written

    for_each(batch, draw, as_json=as_json)
