"""How a film is coded: codec, quality and preset as a person asks for them, and what they mean for a given film."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from eyefirst.errors import InvalidValueError
from eyefirst.films.frames import ColourTags, VideoInfo
from eyefirst.films.reader import pyav
from eyefirst.geometry import Size
from eyefirst.numeric import as_whole

Codec = Literal["auto", "h264", "hevc", "av1"]
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]
Chroma = Literal["keep", "4:2:0"]
CODECS, PRESETS, CHROMAS = (get_args(kind) for kind in (Codec, Preset, Chroma))
SOFTWARE = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
HARDWARE = ("nvenc", "videotoolbox", "qsv", "amf", "v4l2m2m")
"""Endings of FFmpeg's hardware encoders that take frames from memory, the first that opens is used."""
CONSTANT_RATE_FACTOR = {"h264": 19, "hevc": 20, "av1": 27}
"""Values that look about alike."""
HIGHEST_CRF = {"h264": 51, "hevc": 51, "av1": 63}
SUBSAMPLED = {"4:2:0": "420", "4:2:2": "422", "4:4:4": "444"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOptions:
    """How a film is coded.

    codec: "auto" is H.264, and HEVC for more than 8 bits; "h264" writes 8 bits, unless the film has high dynamic
    range. quality: the encoder's constant rate factor, lower is better; None is 19 for H.264. preset: slower ones make
    smaller files. hardware: use a hardware encoder where there is one. chroma: "keep" keeps 4:2:2 and 4:4:4, which few
    phones and browsers play; "4:2:0" converts.
    """

    codec: Codec = "auto"
    quality: int | None = None
    preset: Preset = "medium"
    hardware: bool = False
    chroma: Chroma = "keep"

    def __post_init__(self) -> None:
        for name, given, known in (
            ("codec", self.codec, CODECS),
            ("preset", self.preset, PRESETS),
            ("chroma", self.chroma, CHROMAS),
        ):
            if given not in known:
                raise InvalidValueError(
                    f"expected a {name} of {', '.join(known)}, got {given!r}", remedy="choose one of them"
                )
        highest = HIGHEST_CRF.get(self.codec, 51)
        quality = as_whole(self.quality)
        if self.quality is not None and (quality is None or not 0 <= quality <= highest):
            raise InvalidValueError(
                f"expected a quality of 0..{highest}, got {self.quality!r}", remedy="19 looks like the source"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the options by name, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Coding:
    """What the encoder is told about one film. warnings: what it changes, in plain words."""

    codec: str
    encoder: str
    pixel_format: str
    colours: ColourTags
    options: dict[str, str]
    bits: int
    warnings: tuple[str, ...] = ()


def coding_of(options: EncodeOptions, like: VideoInfo | None, size: Size) -> Coding:
    """Return how a film is coded. like: the film whose pixels it takes; None: RGB pictures come."""
    if like is None:
        codec = "h264" if options.codec == "auto" else options.codec
        return _coding(options, codec, "4:2:0", 8, ColourTags(1, 1, 1, 1), [])
    is_hdr = like.transfer != "sdr"
    kept = 8 if options.codec == "h264" else 10  # few players of H.264 know more than 8 bits
    bits = 10 if is_hdr or min(like.bits, kept) > 8 else 8
    codec = ("hevc" if bits > 8 else "h264") if options.codec == "auto" else options.codec
    name = {"h264": "H.264", "hevc": "HEVC", "av1": "AV1"}[codec]
    warnings = []
    if is_hdr:
        warnings.append(f"high dynamic range is kept as 10-bit {name}; mastering metadata is not carried over")
    elif bits > 8:
        warnings.append(f"10 bits are kept, as {name}; --codec h264 writes 8 bits, for older players")
    if like.bits > bits:
        warnings.append(f"{like.bits} bits become {bits}")
    chroma = like.chroma
    if chroma == "rgb":
        warnings.append("the film is RGB, and is converted to BT.709 in 4:2:0")
        chroma = "4:2:0"
    elif chroma == "grey":
        chroma = "4:2:0"
    elif chroma != "4:2:0":
        if options.chroma == "4:2:0" or options.hardware or codec == "av1":
            warnings.append(f"{chroma} is converted to 4:2:0")
            chroma = "4:2:0"
        else:
            warnings.append(f"{chroma} is kept, which few phones and browsers play; --chroma 4:2:0 converts it")
    return _coding(options, codec, chroma, bits, _colours(like, size), warnings)


def _coding(
    options: EncodeOptions, codec: str, chroma: str, bits: int, colours: ColourTags, warnings: list[str]
) -> Coding:
    format = f"yuv{SUBSAMPLED[chroma]}p" + ("10le" if bits > 8 else "")
    encoder = SOFTWARE[codec]
    quality = str(CONSTANT_RATE_FACTOR[codec] if options.quality is None else options.quality)
    settings = {"crf": quality, "preset": options.preset}
    if codec == "av1":
        settings["preset"] = str(12 - PRESETS.index(options.preset))
        settings["svtav1-params"] = "enable-overlays=0"
    if codec == "hevc":
        settings["x265-params"] = "log-level=error"
    if options.hardware:
        found = _hardware(codec)
        if found:
            encoder, settings = found, {"cq": quality} if found.endswith("nvenc") else {"global_quality": quality}
            warnings.append(f"coded by {found}; --preset is for software encoders")
        else:
            warnings.append(f"there is no hardware encoder of {codec} here: {encoder} is used")
    return Coding(codec, encoder, format, colours, settings, bits, tuple(warnings))


def _colours(like: VideoInfo, size: Size) -> ColourTags:
    """The film's own tags; those of BT.709 for RGB, and a matrix where players would guess another one."""
    tags = like.colours
    if like.chroma == "rgb":
        primaries, transfer = (1 if t == 2 else t for t in (tags.primaries, tags.transfer))
        return ColourTags(primaries, transfer, 1, 1)
    if tags.matrix == 2 and _is_hd(like.size) != _is_hd(size):
        return ColourTags(tags.primaries, tags.transfer, 1 if _is_hd(like.size) else 6, tags.range)
    return tags


def _is_hd(size: Size) -> bool:
    return min(size.width, size.height) >= 720


def _hardware(codec: str) -> str | None:
    """The first hardware encoder that opens on this machine."""
    av = pyav()
    for ending in HARDWARE:
        name = f"{codec}_{ending}"
        try:
            context = av.CodecContext.create(name, "w")
            context.width, context.height, context.pix_fmt = 320, 240, "yuv420p"
            context.time_base = "1/25"
            context.open()
        except Exception:
            continue
        return name
    return None
