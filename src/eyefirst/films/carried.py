"""What goes along with the pictures of a film: sound, subtitles, chapters and metadata.

Packets are copied where the new file can hold them. Sound that it cannot hold is coded anew, and text subtitles
are rewritten. Whatever is changed or left out is said in plain words.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Protocol

from eyefirst.films.reader import VideoReader

OWN_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "creation_time")
"""Metadata that belongs to the file it was written in."""
STREAM_TAGS = ("language", "title", "handler_name")
PLAIN_TAGS = [
    "title",
    "artist",
    "album",
    "album_artist",
    "author",
    "comment",
    "composer",
    "copyright",
    "date",
    "description",
    "genre",
    "grouping",
    "keywords",
    "lyrics",
    "network",
    "show",
    "episode_id",
    "season_number",
    "episode_sort",
    "synopsis",
    "track",
    "year",
    "location",
    "make",
    "model",
]
"""Tags that MP4 keeps without Apple's keys."""
TEXT_SUBTITLES = ("subrip", "srt", "ass", "ssa", "webvtt", "text", "mov_text")
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
BIT_RATE = 96_000
"""Of one channel of sound that is coded anew."""
ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\nPlayResX: 384\nPlayResY: 288\nScaledBorderAndShadow: yes\n\n[V4+ Styles]\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    b"Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, "
    b"MarginV, Encoding\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\n\n"
    b"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)
"""White text, as FFmpeg's own encoders of text subtitles start from."""
MOV_LANGUAGES = {
    "deu": "ger", "nld": "dut", "ell": "gre", "isl": "ice", "zho": "chi", "sqi": "alb", "hye": "arm", "kat": "geo",
    "mkd": "mac", "swe": "sve", "fre": "fra", "rum": "ron", "cze": "ces", "slo": "slk",
}  # fmt: skip
"""QuickTime's languages, as FFmpeg names them, where that is not the usual code of ISO 639-2."""


class _Way(Protocol):
    """How the packets of one stream reach the new file."""

    def take(self, packet: Any) -> Iterator[Any]:
        """Packets to write for a packet that was read."""

    def last(self) -> Iterator[Any]:
        """Packets to write at the end."""


class _Copied:
    """Packets as they are. One whose time does not rise, as where pieces were joined, is left out."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._last = stream, None

    def take(self, packet: Any) -> Iterator[Any]:
        if packet.dts is None:
            packet.dts = packet.pts
        if packet.dts is None or (self._last is not None and packet.dts <= self._last):
            return
        self._last = packet.dts
        packet.stream = self._stream
        yield packet

    def last(self) -> Iterator[Any]:
        yield from ()


class _CodedAnew:
    """Sound, decoded and coded by another codec."""

    def __init__(self, av: Any, source: Any, stream: Any, rate: int, layout: str) -> None:
        self._av, self._source, self._stream = av, source, stream
        context = stream.codec_context
        context.layout = layout
        self._format, self._layout, self._rate = context.format.name, layout, rate
        self._resampler: Any = None
        self.lost = 0

    @property
    def is_silent(self) -> bool:
        """Whether nothing could be decoded."""
        return self._resampler is None

    def take(self, packet: Any) -> Iterator[Any]:
        try:
            frames = packet.decode()
        except self._av.error.FFmpegError:
            self.lost += 1
            return
        for frame in frames:
            if self._resampler is None:
                self._resampler = self._av.AudioResampler(self._format, self._layout, self._rate)
            if frame.pts is not None:  # clocks as coarse as AVI's would give several parts one time
                frame.pts = round(frame.pts * frame.time_base * frame.sample_rate)
                frame.time_base = Fraction(1, frame.sample_rate)
            for part in self._resampler.resample(frame):
                yield from self._stream.encode(part)

    def last(self) -> Iterator[Any]:
        if self._resampler is not None:
            for part in self._resampler.resample(None):
                yield from self._stream.encode(part)
            yield from self._stream.encode(None)


class _Rewritten:
    """Text subtitles, in the form of another kind of file. for_mp4: as mov_text; else as SubRip."""

    def __init__(self, av: Any, source: Any, stream: Any, *, for_mp4: bool) -> None:
        self._av, self._stream, self._for_mp4 = av, stream, for_mp4
        self._codec = source.codec_context.codec.canonical_name

    def take(self, packet: Any) -> Iterator[Any]:
        text = plain_text(bytes(packet), self._codec)
        if not text or packet.pts is None:
            return
        data = text.encode("utf-8")
        made = self._av.Packet((len(data).to_bytes(2, "big") + data) if self._for_mp4 else data)
        made.pts = made.dts = packet.pts
        made.time_base, made.duration = packet.time_base, packet.duration or 0
        made.stream = self._stream
        yield made

    def last(self) -> Iterator[Any]:
        yield from ()


class Carried:
    """The streams of another film that go along into a new one. `warnings`: what is changed or left out, and why."""

    def __init__(self, av: Any, container: Any, kind: str, suffix: str, like: VideoReader) -> None:
        self._av, self._container, self._kind, self._suffix, self._like = av, container, kind, suffix, like
        self._ways: dict[int, _Way] = {}
        self._sources = [like.stream]
        self.warnings: list[str] = []

    @property
    def streams(self) -> tuple[Any, ...]:
        """The other film's streams whose packets `take` wants."""
        return tuple(s for s in self._like.container.streams if s.index in self._ways)

    def add(self) -> None:
        """Make the streams, chapters and metadata of the new file, before its first packet is written."""
        like = self._like
        for stream in like.container.streams:
            if stream.index != like.stream.index:
                self._add_stream(stream)
        start = like.start
        with contextlib.suppress(self._av.error.FFmpegError, ValueError, KeyError):
            if chapters := like.container.chapters():
                for chapter in chapters:
                    for edge in ("start", "end"):
                        chapter[edge] -= round(start / Fraction(chapter["time_base"]))
                self._container.set_chapters(chapters)
        self._container.metadata.update(own_tags(like.container.metadata))

    def take(self, packet: Any) -> Iterator[Any]:
        """Return the packets to write for a packet of one of the streams."""
        way = self._ways.get(packet.stream.index)
        if way is not None:
            yield from way.take(packet)

    def last(self) -> Iterator[Any]:
        """Return the packets to write at the end."""
        for index, way in self._ways.items():
            yield from way.last()
            if isinstance(way, _CodedAnew) and way.lost:
                words = "cannot be decoded and is left out" if way.is_silent else f"lacks {way.lost} damaged packets"
                self._say(f"audio stream {index} {words}")

    def compare(self, written: Any) -> None:
        """Say which metadata and flags of streams the new file lacks, now that it is written and opened again."""
        lost_tags(self._like.container.metadata, written.metadata, self._say)
        made = [s for s in written.streams if s.type != "data"]  # chapters of MP4
        if len(made) != len(self._sources):  # MP4 has no streams without packets
            return
        for before, after in zip(self._sources, made, strict=True):
            lost = before.disposition & ~after.disposition
            if names := [flag.name for flag in type(lost) if flag & lost]:
                self._say(f"flags of {before.type} stream {before.index} are not carried over: {', '.join(names)}")

    def _add_stream(self, stream: Any) -> None:
        name = f"{stream.type} stream {stream.index}"
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else None
        if stream.type not in ("audio", "subtitle"):
            self._say(f"{name} is not carried over")
            return
        if codec is None or (stream.type == "audio" and not stream.codec_context.sample_rate):
            self._say(f"{name} is damaged and left out")
            return
        named = f"{name} ({codec})"
        try:
            if self._can_copy(stream, codec):
                made = self._container.add_stream_from_template(stream)
                way: _Way = _Copied(made)
            elif stream.type == "audio":
                made, way = self._coded_anew(stream, codec, named)
            elif codec in TEXT_SUBTITLES:
                made, way = self._rewritten(stream, codec, named)
            else:
                self._say(f"{named} cannot be held by {self._suffix}: write .mkv to keep it")
                return
        except (self._av.error.FFmpegError, ValueError) as error:
            self._say(f"{named} is left out: {error}")
            return
        made.metadata.update({k: v for k, v in stream.metadata.items() if k.lower() in STREAM_TAGS})
        if self._kind == "mov" and (language := stream.metadata.get("language")) in MOV_LANGUAGES:
            made.metadata["language"] = MOV_LANGUAGES[language]
        if self._kind != "matroska" and "title" in stream.metadata:
            made.metadata["handler_name"] = stream.metadata["title"]  # where MP4's readers look for a track's name
        made.disposition = stream.disposition
        self._ways[stream.index] = way
        self._sources.append(stream)

    def _can_copy(self, stream: Any, codec: str) -> bool:
        if codec not in self._container.supported_codecs:
            return False
        if self._kind == "mp4" and codec.startswith("pcm_"):
            return False  # newer files may hold it, but next to no player knows
        return can_hold(self._av, self._kind, stream)

    def _coded_anew(self, stream: Any, codec: str, named: str) -> tuple[Any, _Way]:
        context = stream.codec_context
        is_plain = codec.startswith("pcm_")
        target = "pcm_s16le" if is_plain and self._kind != "mp4" else "aac"
        rate = context.sample_rate if target != "aac" or context.sample_rate in AAC_RATES else 48_000
        count = context.layout.nb_channels if context.layout else context.channels
        layout = LAYOUTS.get(count, "stereo")
        made = self._container.add_stream(target, rate=rate, layout=layout)
        if target == "aac":
            made.codec_context.bit_rate = BIT_RATE * (count if count in LAYOUTS else 2)
        hint = ": write .mkv or .mov to keep it" if is_plain and self._kind == "mp4" else ""
        fewer = "" if count in LAYOUTS else f", and its {count} channels become 2"
        self._say(f"{named} is coded anew as {target}{fewer}, as {self._suffix} cannot hold it{hint}")
        return made, _CodedAnew(self._av, stream, made, rate, layout)

    def _rewritten(self, stream: Any, codec: str, named: str) -> tuple[Any, _Way]:
        target = "subrip" if self._kind == "matroska" else "mov_text"
        made = self._container.add_stream(target)
        made.codec_context.subtitle_header = ASS_HEADER
        made.time_base = stream.time_base
        if codec in ("ass", "ssa"):
            self._say(f"{named} becomes plain text: its styles are left out")
        return made, _Rewritten(self._av, stream, made, for_mp4=target == "mov_text")

    def _say(self, words: str) -> None:
        if words not in self.warnings:
            self.warnings.append(words)


def can_hold(av: Any, kind: str, stream: Any) -> bool:
    """Return whether a kind of file can hold a stream: it is tried with a file in memory."""
    try:
        with av.open(io.BytesIO(), "w", format=kind) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError, OSError):
        return False
    return True


def own_tags(metadata: dict[str, str]) -> dict[str, str]:
    """Return a file's metadata without what belongs to that file alone."""
    return {k: v for k, v in metadata.items() if k.lower() not in OWN_TAGS or k == "creation_time"}


def needs_keys(metadata: dict[str, str]) -> bool:
    """Return whether MP4 and MOV keep these tags only as Apple's keys."""
    return any(k.lower() not in (*PLAIN_TAGS, *OWN_TAGS) for k in metadata)


def lost_tags(before: dict[str, str], after: dict[str, str], say: Callable[[str], object]) -> None:
    """Say which metadata of one file another one lacks."""
    known = {k.lower() for k in after}
    lost = sorted(k for k in own_tags(before) if k.lower() not in known and k.lower() not in OWN_TAGS)
    if lost:
        say(f"metadata is not carried over: {', '.join(lost)}")


def plain_text(data: bytes, codec: str) -> str:
    """Return the words of one packet of text subtitles, without marks."""
    if codec == "mov_text":
        return data[2 : 2 + int.from_bytes(data[:2], "big")].decode("utf-8", "replace").strip()
    text = data.decode("utf-8", "replace").strip("\x00\r\n ")
    codes = r"\{\\[^}]*\}"  # those of ASS that SubRip knows too, such as {\an8}
    if codec in ("ass", "ssa"):
        codes, text = r"\{[^}]*\}", text.split(",", 8)[-1]
        text = text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    text = re.sub(codes, "", text)
    return re.sub(r"</?(?:i|b|u|s|font|c|v|ruby|rt|lang)\b[^>]*>", "", text).replace("\r\n", "\n").strip()
