"""`eyefirst text`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

import typer

from eyefirst.cli.batch import Picture, expand, for_each
from eyefirst.cli.guard import as_line, guarded, readable, say, say_of_file
from eyefirst.cli.options import AsJson, Pictures, Revision


@guarded
def read_text(
    pictures: Pictures,
    *,
    rest: Annotated[bool, typer.Option("--rest", help="Read the rest too, after what people look at.")] = False,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=1, help="Leave out lines that are read with less confidence.")
    ] = 0.5,
    revision: Revision = "",
    as_json: AsJson = False,
) -> None:
    """Read the text that people look at, most salient first.

    Scripts that can be read: Latin letters, digits, Chinese and Japanese. Text in any other script, such as Thai,
    Arabic or Devanagari, comes out as wrong letters, or not at all. Lines below a confidence of 0.8 are marked with ?.

    \b
    Examples:
      eyefirst text photo.jpg --confidence 0.8
      eyefirst text 'album/*.jpg' --rest --json
    """
    from eyefirst.handler import ImageRequestHandler, all_pixels
    from eyefirst.requests import TextRecognitionRequest

    request = TextRecognitionRequest(rest=rest, revision=revision or None)
    batch = expand(pictures)

    def look(picture: Picture) -> Iterable[str]:
        handler = ImageRequestHandler(picture.source(), expects=all_pixels)
        seen = handler.perform([request])[0]
        say_of_file(handler)
        seen = replace(seen, texts=tuple(t for t in seen.texts if t.confidence >= confidence))
        if unsure := sum(not t.is_sure for t in seen.texts):
            many = "1 line is" if unsure == 1 else f"{unsure} lines are"
            say(f"{picture.name}: {many} unsure: perhaps symbols, or a script that is not read")
        if as_json:
            return [as_line({"picture": picture.name, **seen.to_dict()})]
        lines = [
            f"{t.saliency:6.1f}  {t.confidence:.2f}{' ' if t.is_sure else '?'} {readable(t.text)}" for t in seen.texts
        ]
        return [f"{readable(picture.name)}: {len(lines)} found; saliency, confidence, text", *lines]

    for_each(batch, look, as_json=as_json)
