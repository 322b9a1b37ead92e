"""Small films for the tests: a bright red square on dark ground, whose place over time is known."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, SIDE = 320, 180, 60
SUBTITLES = b"1\n00:00:00,500 --> 00:00:01,500\nhello\n"
Place = Callable[[float], Sequence[tuple[float, float]]]
"""Where the middles of squares are at a time, in 0..1."""


def still(_: float) -> Sequence[tuple[float, float]]:
    return [(0.8, 0.5)]


def draw(
    places: Sequence[tuple[float, float]], ground: int = 30, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> NDArray[np.uint8]:
    pixels = np.full((size[1], size[0], 3), ground, np.uint8)
    pixels[::8, :, 2] += 12  # something for the encoder and for sharpness
    for x, y in places:
        left, top = round(x * size[0] - SIDE / 2), round(y * size[1] - SIDE / 2)
        square = pixels[max(top, 0) : max(top + SIDE, 0), max(left, 0) : max(left + SIDE, 0)]
        square[:] = (255, 40, 40)
        square[4:-4:8] = (200, 30, 30)  # something to be sharp
    return pixels


def make_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    rate: Fraction = Fraction(24000, 1001),
    place: Place = still,
    ground: Callable[[float], int] = lambda _: 30,
    sound: bool = True,
    subtitles: bool = False,
    times: Sequence[Fraction] | None = None,
    turned: int = 0,
    transfer: int = 1,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    """Writes a film. times: of the frames, where they are uneven. turned: degrees, as players are told to turn it."""
    import av

    shown = list(times) if times is not None else [i / rate for i in range(round(seconds * rate))]
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "a red square"
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": "10", "preset": "ultrafast"}
        stream.codec_context.color_trc = transfer
        base = Fraction(1, 24000)
        stream.codec_context.time_base = stream.time_base = base
        if turned:
            stream.set_display_rotation(turned)
        voice = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        words = None
        if subtitles:
            with av.open(io.BytesIO(SUBTITLES), "r", format="srt") as text:
                words = container.add_stream_from_template(text.streams[0])
                words.metadata["language"] = "eng"
                for packet in text.demux(text.streams[0]):
                    if packet.dts is not None:
                        packet.stream = words
                        container.mux(packet)
        for time in shown:
            pixels = draw(place(float(time)), ground(float(time)), size)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round(time / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if voice is not None:
            length = float(shown[-1]) + 0.1
            wave = np.sin(np.arange(int(length * 48000)) / 20).astype(np.float32)[None] / 4
            for start in range(0, wave.shape[1], 1024):
                part = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[:, start : start + 1024]), "fltp", "mono")
                part.sample_rate, part.pts = 48000, start
                container.mux(voice.encode(part))
            container.mux(voice.encode())
    return path
