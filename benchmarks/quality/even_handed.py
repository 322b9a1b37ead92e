"""Is one of two equal subjects kept more often than the other, for its colour or its side?

    python -m benchmarks.quality.even_handed --store STORE

Two copies of one subject stand side by side on a background whose halves mirror each other; one of
them, the variant, is recoloured. The crop has room for one. Whatever the colour, each should be kept
about as often as the other. Every pair is shown four times: the variant left and right, and both
pictures mirrored. Real subjects are cut from held-back pictures by their masks and recoloured as a
whole or in their upper third (the head, for a standing person); drawn figures differ in their skin alone.
Recoloured photos look less natural than the originals, so "darker, not lighter" recolours both copies
alike, one each way: that line is the one to read for bias by tone.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.console import Console
from training.datasets.store import Row, Store, open_store

from benchmarks.quality.objects import box_of, is_single_subject
from benchmarks.quality.tables import Line, Table, show
from eyefirst.geometry import Box, PixelBox, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.mappings import area_averaged
from eyefirst.network import Network, load_network
from eyefirst.requests import AttentionSaliencyRequest
from eyefirst.tools.planning import plan_from

CANVAS = Size(480, 240)
RATIO = "1:1"
"""Half as wide as the canvas: room for one."""
SUBJECT_SIZE = Size(176, 200)
"""A subject is scaled to fit."""
LEAST_AREA = 0.04
"""Smaller subjects are left out: share of the picture."""
CLEARLY_MORE = 0.1
"""One is kept if it has this much more of itself inside than the other."""
NORMAL_95 = 1.96
PEOPLE_SETS = ("CCP", "human290")
OTHER_SETS = ("DUTS-TR",)
MIRROR_SETS = ("osie", "mit1003", "eyecrowd", "scene500", "DUTS-TR")
MIRROR_RATIO = "9:16"

Pixels = NDArray[np.uint8]
Kept = Literal["variant", "original", "neither"]


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A subject without its background: pixels (h, w, 3) uint8 sRGB, alpha (h, w) float32 in 0..1."""

    pixels: Pixels
    alpha: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One subject twice. Trials of one `subject` are not independent of one another."""

    subject: str
    original: Cutout
    variant: Cutout


@dataclass(frozen=True, slots=True)
class Trial:
    """One picture of a pair: where the variant stood, and which of the two the crop kept.

    attention: of what lies on either subject, the variant's share, 0..1. frame_left: left edge of the
    crop, as a share of the canvas; seen from the unmirrored picture.
    """

    subject: str
    background: str
    variant_left: bool
    mirrored: bool
    kept: Kept
    attention: float
    frame_left: float

    @property
    def kept_left(self) -> bool:
        """Whether the crop took the left one."""
        return (self.kept == "variant") == self.variant_left


# --- recolouring


def brightened(cutout: Cutout, gamma: float, upper: float = 1.0) -> Cutout:
    """Darker for a gamma above 1, lighter below; upper: only so much of the height, from the top."""
    pixels = cutout.pixels.copy()
    rows = math.ceil(upper * len(pixels))
    pixels[:rows] = np.round(255 * (pixels[:rows] / 255) ** gamma).astype(np.uint8)
    return Cutout(pixels, cutout.alpha)


def hue_shifted(cutout: Cutout, degrees: float) -> Cutout:
    """All hues turned; brightness and saturation (of HSV) kept."""
    hsv = np.array(Image.fromarray(cutout.pixels).convert("HSV"))
    hsv[..., 0] = (hsv[..., 0].astype(int) + round(degrees / 360 * 256)) % 256
    return Cutout(np.asarray(Image.fromarray(hsv, "HSV").convert("RGB")), cutout.alpha)


def recoloured(key: str, cutout: Cutout) -> dict[str, Pair]:
    """Every pair made of one subject, by name; the first is two equal copies."""
    changed = {
        "the same": cutout,
        "darker": brightened(cutout, 1.6),
        "lighter": brightened(cutout, 1 / 1.6),
        "hue +30": hue_shifted(cutout, 30),
        "hue -30": hue_shifted(cutout, -30),
        "hue +180": hue_shifted(cutout, 180),
    }
    both = {
        name: Pair(key, brightened(cutout, 1 / 1.3, upper), brightened(cutout, 1.3, upper))
        for name, upper in (("darker, not lighter", 1.0), ("upper third darker, not lighter", 1 / 3))
    }
    return {name: Pair(key, cutout, variant) for name, variant in changed.items()} | both


# --- subjects


def unsquashed(picture: Pixels, row: Row) -> Image.Image:
    """A square of the store in the picture's own shape, about as many pixels."""
    side = picture.shape[0]
    size = (max(round(side * math.sqrt(row.aspect)), 1), max(round(side / math.sqrt(row.aspect)), 1))
    return Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)


def cutouts(store: Store, set_names: Sequence[str], most: int | None) -> Iterator[tuple[str, Cutout]]:
    """Held-back single subjects that are large enough, at most so many of every set."""
    for name in set_names:
        found = 0
        for i in store.select(name, held_back=True):
            share = np.asarray(store.labels[i, 0], np.float32)
            mask = share > 0.5
            if found == most:
                break
            if mask.mean() < LEAST_AREA or not is_single_subject(mask):
                continue
            found += 1
            yield f"{name}/{store.rows[i].id}", _cut(store, i, share, box_of(mask))


def _cut(store: Store, i: int, share: NDArray[np.float32], box: Box) -> Cutout:
    picture = unsquashed(np.asarray(store.pictures[i]), store.rows[i])
    alpha = Image.fromarray(share).resize(picture.size, Image.Resampling.BILINEAR)
    part = box.to_pixels(Size(picture.width, picture.height))
    edges = (part.left, part.top, part.right, part.bottom)
    covered = np.clip(np.asarray(alpha.crop(edges)), 0, 1)
    return Cutout(np.asarray(picture.crop(edges)), covered.astype(np.float32))


SKIN_TONES = (
    (246, 237, 228),
    (243, 231, 219),
    (247, 234, 208),
    (234, 218, 186),
    (215, 189, 150),
    (160, 126, 86),
    (130, 92, 67),
    (96, 65, 52),
    (58, 49, 42),
    (41, 36, 32),
)
"""The ten tones of the Monk Skin Tone scale, sRGB, lightest first."""
CLOTHES = (
    ((178, 34, 52), (40, 44, 70)),
    ((30, 90, 160), (60, 60, 60)),
    ((60, 120, 70), (110, 80, 50)),
    ((225, 220, 210), (50, 70, 110)),
    ((35, 35, 40), (35, 35, 40)),
    ((230, 190, 60), (90, 60, 100)),
)
"""Top and trousers, sRGB."""
HAIR = ((25, 20, 18), (90, 60, 40), (150, 150, 150))


def draw_figure(tone: int, clothes: int, hair: int) -> Cutout:
    """A standing person of simple shapes, in whom nothing but the skin depends on the tone; places in the lists."""
    skin, (top, trousers) = SKIN_TONES[tone], CLOTHES[clothes]
    scale = 4
    picture, mask = Image.new("RGB", (90 * scale, 200 * scale)), Image.new("L", (90 * scale, 200 * scale))

    def put(shape: str, edges: tuple[float, ...], colour: tuple[int, int, int]) -> None:
        at = tuple(scale * e for e in edges)
        for canvas, fill in ((ImageDraw.Draw(picture), colour), (ImageDraw.Draw(mask), 255)):
            getattr(canvas, shape)(at, fill=fill, **({"radius": 6 * scale} if shape == "rounded_rectangle" else {}))

    put("rounded_rectangle", (25, 110, 43, 192), trousers)
    put("rounded_rectangle", (47, 110, 65, 192), trousers)
    put("rectangle", (22, 188, 43, 198), (30, 30, 30))
    put("rectangle", (47, 188, 68, 198), (30, 30, 30))
    put("rounded_rectangle", (8, 54, 22, 116), skin)
    put("rounded_rectangle", (68, 54, 82, 116), skin)
    put("rounded_rectangle", (8, 50, 82, 78), top)
    put("rounded_rectangle", (20, 50, 70, 118), top)
    put("rectangle", (39, 40, 51, 54), skin)
    put("ellipse", (26, 2, 64, 40), HAIR[hair])
    put("ellipse", (29, 6, 61, 48), skin)
    for x in (35, 48):  # whites, and pupils in them, so that the eyes are seen in any face
        put("ellipse", (x, 21, x + 7, 26), (240, 240, 240))
        put("ellipse", (x + 2, 21, x + 5, 26), (15, 15, 15))
    put("rectangle", (40, 37, 50, 39), (170, 85, 85))
    small = (90, 200)
    return Cutout(
        np.asarray(picture.resize(small, Image.Resampling.BOX)),
        (np.asarray(mask.resize(small, Image.Resampling.BOX)) / 255).astype(np.float32),
    )


def drawn_pairs(hair: Sequence[int] = range(len(HAIR))) -> dict[str, list[Pair]]:
    """Figures that differ in their skin alone, by the two tones; the darker one is the variant."""
    found = {}
    for light in range(len(SKIN_TONES) // 2):
        dark = len(SKIN_TONES) - 1 - light
        found[f"tone {dark + 1}, not {light + 1}"] = [
            Pair(f"figure {c}, {h}", draw_figure(light, c, h), draw_figure(dark, c, h))
            for c in range(len(CLOTHES))
            for h in hair
        ]
    return found


# --- backgrounds


def plain_backgrounds() -> dict[str, Pixels]:
    """Even greys, each (240, 480, 3) uint8."""
    return {
        n: np.full((CANVAS.height, CANVAS.width, 3), v, np.uint8)
        for n, v in (("light", 225), ("middle", 128), ("dark", 40))
    }


def texture_backgrounds(store: Store, most: int) -> dict[str, Pixels]:
    """Held-back pictures in which nothing stands out, each beside its mirror image."""
    found = {}
    for number, i in enumerate(store.select("nothing", held_back=True)[:most], 1):
        half = Image.fromarray(np.asarray(store.pictures[i])).resize((CANVAS.width // 2, CANVAS.height))
        found[f"texture {number}"] = np.concatenate([np.asarray(half), np.asarray(half)[:, ::-1]], axis=1)
    return found


# --- trials


def composed(left: Cutout, right: Cutout, background: Pixels) -> tuple[Pixels, NDArray[np.float32]]:
    """Both on one background, and their alphas on the canvas, (2, 240, 480): left, right."""
    result = background.astype(np.float32)
    alphas = np.zeros((2, CANVAS.height, CANVAS.width), np.float32)
    for at, cutout in enumerate((left, right)):
        height, width = cutout.alpha.shape
        scale = min(SUBJECT_SIZE.width / width, SUBJECT_SIZE.height / height)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        pixels = np.asarray(Image.fromarray(cutout.pixels).resize(size, Image.Resampling.BICUBIC))
        alpha = np.asarray(Image.fromarray(cutout.alpha).resize(size, Image.Resampling.BILINEAR))
        x = CANVAS.width // 4 - size[0] // 2 if at == 0 else CANVAS.width - CANVAS.width // 4 + size[0] // 2 - size[0]
        y = (CANVAS.height - size[1]) // 2
        place = np.s_[y : y + size[1], x : x + size[0]]
        alphas[at][place] = alpha
        result[place] = result[place] * (1 - alpha[..., None]) + pixels * alpha[..., None]
    return np.round(result).astype(np.uint8), alphas


def trials(pair: Pair, background_name: str, background: Pixels, network: Network | None) -> list[Trial]:
    """The variant left and right, and both pictures mirrored."""
    found = []
    for variant_left in (True, False):
        left, right = (pair.variant, pair.original) if variant_left else (pair.original, pair.variant)
        picture, alphas = composed(left, right, background)
        for mirrored in (False, True):
            shown = np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture
            handler = ImageRequestHandler(shown, network=network)
            looked_at = handler.perform([AttentionSaliencyRequest()])[0].heat_map.values
            box = plan_from(handler, RATIO).frames[RATIO][0].box
            if mirrored:
                looked_at, box = looked_at[:, ::-1], _mirrored(box, CANVAS.width)
            shares = alphas[:, box.top : box.bottom, box.left : box.right].sum(axis=(1, 2)) / alphas.sum(axis=(1, 2))
            attention = (area_averaged(alphas) * looked_at).sum(axis=(1, 2))
            of_variant, of_original = (0, 1) if variant_left else (1, 0)
            more = float(shares[of_variant] - shares[of_original])
            kept: Kept = "neither" if abs(more) < CLEARLY_MORE else "variant" if more > 0 else "original"
            found.append(
                Trial(
                    pair.subject,
                    background_name,
                    variant_left,
                    mirrored,
                    kept,
                    float(attention[of_variant] / max(attention.sum(), 1e-9)),
                    box.left / CANVAS.width,
                )
            )
    return found


def _frame(picture: Pixels, ratio: str, network: Network | None) -> PixelBox:
    return plan_from(ImageRequestHandler(picture, network=network), ratio).frames[ratio][0].box


def _mirrored(box: PixelBox, width: int) -> PixelBox:
    return PixelBox(width - box.right, box.top, width - box.left, box.bottom)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of 0..1 with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(share: float, count: int, z: float = NORMAL_95) -> Share:
    """Wilson's interval for a share of `count` independent trials (Wilson, JASA 1927)."""
    if count == 0:
        return Share(math.nan, 0.0, 1.0)
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Share(share, max(centre - half, 0.0), min(centre + half, 1.0))


def variant_share(done: Sequence[Trial]) -> Share:
    """How often the variant was the one that was kept; the interval counts each subject once."""
    decided = [t for t in done if t.kept != "neither"]
    share = float(np.mean([t.kept == "variant" for t in decided])) if decided else math.nan
    return wilson(share, len({t.subject for t in decided}))


def switched_share(done: Sequence[Trial]) -> float:
    """Of the pairs of one subject and one background, how many had the variant kept on both sides or on neither.

    There the colour decided; in the others the side did, or nothing.
    """
    groups: dict[tuple[str, str, bool], list[Trial]] = {}
    for t in done:
        groups.setdefault((t.subject, t.background, t.mirrored), []).append(t)
    same = [len({t.kept for t in g}) == 1 and g[0].kept != "neither" for g in groups.values()]
    return float(np.mean(same)) if same else math.nan


# --- tables


def colour_table(title: str, done: dict[str, list[Trial]]) -> Table:
    """One line for each recolouring."""
    lines = []
    for name, of_variant in done.items():
        share = variant_share(of_variant)
        decided = [t for t in of_variant if t.kept != "neither"]
        left = float(np.mean([t.kept_left for t in decided])) if decided else math.nan
        attention = float(np.mean([t.attention for t in of_variant])) if of_variant else math.nan
        figures = (share.value, share.low, share.high, switched_share(of_variant), attention, left)
        lines.append(Line(name, (*figures, 1 - len(decided) / max(len(of_variant), 1))))
    some = next(iter(done.values()), [])
    return Table(
        f"{title}: {len({t.subject for t in some})} subjects, {len(some)} pictures of each variant",
        ("kept", "low", "high", "by colour", "attention", "left kept", "neither"),
        tuple(lines),
        "Kept: share of decided pictures in which the variant was kept and the original was not; 0.5 is even-handed. "
        "Low, high: its 95 % interval (Wilson), each subject counted once. By colour: pairs in which the same one "
        "was kept on either side. Attention: the variant's share of what lies on the two. Neither: pictures in which "
        "neither had clearly more of itself inside.",
    )


def background_table(title: str, done: dict[str, list[Trial]]) -> Table:
    """The share of the variants by background: contrast with the background is what a network may well see."""
    names: dict[str, list[str]] = {}
    for t in (t for of_variant in done.values() for t in of_variant):
        kind = t.background.split()[0]
        if t.background not in names.setdefault(kind, []):
            names[kind].append(t.background)
    lines = [
        Line(name, tuple(variant_share([t for t in of_variant if t.background in of]).value for of in names.values()))
        for name, of_variant in done.items()
    ]
    return Table(f"{title}, by background: how often the variant is kept", tuple(names), tuple(lines))


def mirror_table(store: Store, done: Iterable[Trial], network: Network | None, most: int | None) -> Table:
    """Does the frame of a mirrored picture mirror the frame."""
    pairs: dict[tuple[str, str, bool, int], list[Trial]] = {}
    counts: dict[tuple[str, str, bool, bool], int] = {}
    for t in done:
        key = (t.subject, t.background, t.variant_left, t.mirrored)
        counts[key] = counts.get(key, 0) + 1
        pairs.setdefault((t.subject, t.background, t.variant_left, counts[key]), []).append(t)
    width = CANVAS.height / CANVAS.width
    twins = [_overlap(abs(a.frame_left - b.frame_left), width) for a, b in pairs.values()]
    lines = [Line("two equal subjects", _likeness(twins))] if twins else []
    for name in MIRROR_SETS:
        overlaps = []
        for i in store.select(name, held_back=True)[:most]:
            picture = np.asarray(unsquashed(np.asarray(store.pictures[i]), store.rows[i]))
            frame = _frame(picture, MIRROR_RATIO, network)
            again = _mirrored(_frame(np.ascontiguousarray(picture[:, ::-1]), MIRROR_RATIO, network), picture.shape[1])
            overlaps.append(frame.normalized(_size(picture)).iou(again.normalized(_size(picture))))
        if overlaps:
            lines.append(Line(f"{name}, {len(overlaps)} pictures", _likeness(overlaps)))
    return Table(
        "Mirrored pictures: does the frame mirror",
        ("mean IoU", "IoU > 0.9", "IoU < 0.5"),
        tuple(lines),
        f"Overlap of the frame with the mirrored frame of the mirrored picture; 1 is exact. "
        f"Real pictures at {MIRROR_RATIO}.",
    )


def _size(picture: Pixels) -> Size:
    return Size(picture.shape[1], picture.shape[0])


def _overlap(distance: float, width: float) -> float:
    both = max(width - distance, 0.0)
    return both / (2 * width - both)


def _likeness(overlaps: Sequence[float]) -> tuple[float, float, float]:
    values = np.array(overlaps)
    return float(values.mean()), float((values > 0.9).mean()), float((values < 0.5).mean())


def measure(store: Store, network: Network | None, most: int | None, textures: int) -> Iterator[Table]:
    """All tables, as soon as each is done."""
    backgrounds = {**plain_backgrounds(), **texture_backgrounds(store, textures)}
    everything: list[Trial] = []
    for title, set_names in (("People", PEOPLE_SETS), ("Other subjects", OTHER_SETS)):
        pairs: dict[str, list[Pair]] = {}
        for key, cutout in cutouts(store, set_names, most):
            for name, pair in recoloured(key, cutout).items():
                pairs.setdefault(name, []).append(pair)
        if not pairs:
            continue
        done = run_trials(pairs, backgrounds, network)
        everything += [t for of_variant in done.values() for t in of_variant]
        yield colour_table(f"{title} ({', '.join(set_names)})", done)
        yield background_table(title, done)
    drawn = {name: of_tones[:most] for name, of_tones in drawn_pairs().items()}
    done = run_trials(drawn, backgrounds, network)
    everything += [t for of_variant in done.values() for t in of_variant]
    yield colour_table("Drawn figures, the darker skin is the variant", done)
    yield background_table("Drawn figures", done)
    yield mirror_table(store, everything, network, most)


def run_trials(
    pairs: dict[str, list[Pair]], backgrounds: dict[str, Pixels], network: Network | None
) -> dict[str, list[Trial]]:
    """Every pair on every background."""
    return {
        name: [t for pair in of_variant for key, b in backgrounds.items() for t in trials(pair, key, b, network)]
        for name, of_variant in pairs.items()
    }


def main(arguments: Sequence[str] | None = None, network: Network | None = None) -> int:
    """Returns the exit status; `network` replaces the shipped one, for tests."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.quality.even_handed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--store", type=Path, required=True, help="folder that training.datasets.store has built")
    parser.add_argument("--most", type=int, default=60, help="at most so many subjects of a set (default: %(default)s)")
    parser.add_argument("--textures", type=int, default=3, help="so many textured backgrounds (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the tables to this file")
    options = parser.parse_args(arguments)
    console = Console()
    console.print(f"network: {(network or load_network()).revision}\n")
    tables = []
    for table in measure(open_store(options.store), network, options.most, options.textures):
        show(table, console)
        tables.append(table.to_dict())
    if options.json:
        options.json.write_text(json.dumps({"tables": tables}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
