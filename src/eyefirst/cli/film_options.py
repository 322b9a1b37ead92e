"""Options that the commands for films share, and how those commands end when they are told to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from eyefirst.films.encoding import EncodeOptions

FilmRatio = Annotated[
    str, typer.Option("--ratio", "-a", "--aspect", metavar="W:H", help="Ratio of the result, such as 9:16 or 4/5.")
]
CodecName = Annotated[
    str,
    typer.Option("--codec", metavar="NAME", help="Codec: auto, h264, hevc or av1. Auto is h264, hevc above 8 bits."),
]
CodecQuality = Annotated[
    int | None,
    typer.Option("--quality", min=0, max=63, help="Constant rate factor of the codec; lower is better. [19 for h264]"),
]
CodecPreset = Annotated[
    str, typer.Option("--preset", metavar="NAME", help="Speed of the encoder, ultrafast to veryslow.")
]
Hardware = Annotated[bool, typer.Option("--hardware", help="Use a hardware encoder where there is one.")]


class Told(KeyboardInterrupt):
    """SIGTERM or SIGHUP: the command ends as with Ctrl-C. exit_code: 128 and the signal's number, as shells count."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(signal.Signals(number).name)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """End the block as Ctrl-C does when SIGTERM or SIGHUP comes, so that no half film is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before: dict[int, Any] = {}

    def stop(number: int, _: FrameType | None) -> None:
        raise Told(number)

    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def encode_options(
    codec: str, quality: int | None, preset: str, *, hardware: bool, chroma: str = "keep"
) -> EncodeOptions:
    """Return the options, checked. Raises InvalidValueError."""
    from eyefirst.films.encoding import EncodeOptions

    values: dict[str, Any] = {"codec": codec, "quality": quality, "preset": preset, "chroma": chroma}
    return EncodeOptions(hardware=hardware, **values)
