"""Counts how often a picture is opened, hashed, decoded and looked at: `python -m tests.counts` prints the table.

The seams are the one function that opens a file, the one that hashes, the one that decodes a frame, and `predict` of
the network.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image as PillowImage

DOCS = Path(__file__).parents[1] / "docs" / "journey.md"


@dataclass
class Counts:
    """How often each was done to one picture."""

    opened: int = 0
    hashed: int = 0
    decoded: int = 0
    run: int = 0


@dataclass(frozen=True)
class Command:
    """The words of a command, or the route of the service. at_full_size: its cut may need more pixels than planned."""

    words: tuple[str, ...]
    at_full_size: bool = False


COMMANDS = {
    "crop": Command(("crop", "photo.jpg", "-a", "1:1", "-o", "out/crop.jpg"), at_full_size=True),
    "crop --size": Command(("crop", "photo.jpg", "-a", "16:9", "--size", "320x180", "-o", "out/small.jpg")),
    "crop --json": Command(("crop", "photo.jpg", "-a", "16:9", "-a", "1:1", "--json")),
    "crop --to": Command(("crop", "photo.jpg", "--to", "union", "-o", "out/to.jpg"), at_full_size=True),
    "crop, PNG": Command(("crop", "photo.png", "-a", "1:1", "-o", "out/png.png")),
    "crop --tightness": Command(
        ("crop", "photo.jpg", "-a", "1:1", "--tightness", "1", "--size", "160x160", "-o", "out/tight.jpg"),
        at_full_size=True,
    ),
    "thumbnails": Command(("thumbnails", "photo.jpg", "-o", "out/thumbs", "-s", "320x320", "-s", "160x90")),
    "thumbnails --product": Command(
        ("thumbnails", "photo.jpg", "-o", "out/shop", "-s", "320x320", "--product"), at_full_size=True
    ),
    "plan": Command(("plan", "photo.jpg", "-a", "1:1", "-o", "out/plans.jsonl")),
    "objects": Command(("objects", "photo.jpg", "-o", "out/objects.jpg"), at_full_size=True),
    "heatmap": Command(("heatmap", "photo.jpg", "-o", "out/heat.jpg"), at_full_size=True),
    "camera": Command(("camera", "photo.jpg"), at_full_size=True),
    "enhance": Command(("enhance", "photo.jpg", "-o", "out/better.jpg", "--json"), at_full_size=True),
    "text": Command(("text", "photo.jpg"), at_full_size=True),
    "crop --must-keep text": Command(
        ("crop", "photo.jpg", "-a", "1:1", "--must-keep", "text", "-o", "out/text.jpg"), at_full_size=True
    ),
    "report": Command(("report", "photo.jpg", "-o", "out/report.html")),
    "sidecar": Command(("sidecar", "photo.jpg")),
    "pan --json": Command(("pan", "photo.jpg", "--json", "--seconds", "1")),
    "POST /v1/crop": Command(("/v1/crop?ratio=1:1&size=320x320",)),
    "POST /v1/plan": Command(("/v1/plan?ratio=1:1",)),
    "POST /v1/saliency": Command(("/v1/saliency",)),
}


def counted(folder: Path) -> dict[str, Counts]:
    """Run every command on a photo of its own, in a folder, and count."""
    from skimage import data

    photo = PillowImage.fromarray(data.astronaut()).resize((1600, 1600))
    found = {}
    for number, (name, command) in enumerate(COMMANDS.items()):
        place = folder / str(number)
        place.mkdir()
        photo.save(place / "photo.jpg", quality=90)
        photo.resize((800, 800)).save(place / "photo.png")
        with contextlib.chdir(place), counting() as counts:
            _run(command.words, place)
        found[name] = counts
    return found


@contextlib.contextmanager
def counting() -> Iterator[Counts]:
    """Count at the seams while the block runs."""
    from eyefirst.image import decoding, source
    from eyefirst.network import OnnxNetwork

    counts = Counts()

    def double(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            setattr(counts, name, getattr(counts, name) + 1)
            return real(*args, **kwargs)

        return call

    with (
        mock.patch.object(source, "_read_path", double("opened", source._read_path)),
        mock.patch.object(source, "_hash", double("hashed", source._hash)),
        mock.patch.object(decoding, "_decode_pixels", double("decoded", decoding._decode_pixels)),
        mock.patch.object(OnnxNetwork, "predict", double("run", OnnxNetwork.predict)),
    ):
        yield counts


def _run(words: tuple[str, ...], place: Path) -> None:
    if words[0].startswith("/"):
        _post(words[0], (place / "photo.jpg").read_bytes())
        return
    from typer.testing import CliRunner

    from eyefirst.cli import app

    ran = CliRunner().invoke(app, list(words))
    assert ran.exit_code == 0, ran.output


def _post(address: str, body: bytes) -> None:
    """One request to the service, without a socket."""
    import asyncio

    import httpx

    from eyefirst.server.app import create_app
    from eyefirst.server.settings import Settings

    async def ask() -> None:
        transport = httpx.ASGITransport(app=create_app(Settings()))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = await client.post(address, content=body)
            assert answer.status_code == 200, answer.text

    asyncio.run(ask())


def table(found: dict[str, Counts]) -> str:
    """The table of the docs."""
    lines = ["| command or route | opened | hashed | decoded | run |", "|---|---|---|---|---|"]
    for name, counts in found.items():
        lines.append(f"| `{name}` | {counts.opened} | {counts.hashed} | {counts.decoded} | {counts.run} |")
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, contextlib.redirect_stdout(io.StringIO()):
        result = table(counted(Path(made)))
    sys.stdout.write(result + "\n")
