"""Thumbnails of albums, beside the croppers in use: `python -m benchmarks.speed.albums [--photos FOLDER]`.

Everyone makes the same JPEGs of 320 x 320 at quality 80 from the same files with the same number of workers, each in
a process of its own that stays alive. Rounds go A B C ... A B C ..., and the median of the ratios round by round is
quoted. Rivals: pip install pyvips pyvips-binary smartcrop; npm install sharp, in a folder that --node names.
Memory is the peak of the process over the whole run.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
from rich.console import Console
from rich.table import Table

from eyefirst.albums.thumbnails import ThumbnailSettings, make_thumbnails
from eyefirst.albums.walk import find_pictures
from eyefirst.cut import cut_frame
from eyefirst.files.outputs import write_picture
from eyefirst.geometry import AspectRatio, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import decode
from eyefirst.network import default_revision
from eyefirst.requests import AttentionSaliencyRequest, ObjectnessSaliencyRequest
from eyefirst.tools.planning import plan_from

SIDE, QUALITY = 320, 80
KINDS = {
    "12 MP JPEG": ((4000, 3000), "jpg"),
    "6 MP JPEG": ((3000, 2000), "jpg"),
    "3 MP JPEG": ((2000, 1500), "jpg"),
    "0.5 MP JPEG": ((816, 612), "jpg"),
    "3 MP WebP": ((2000, 1500), "webp"),
    "3 MP PNG": ((2000, 1500), "png"),
}
OURS, FLOOR = "eyefirst", "Pillow, reduced decode + encode (floor)"
SHARP = """
const sharp = require('sharp'), fs = require('fs'), path = require('path');
const [workers, side, quality] = process.argv.slice(2, 5).map(Number);
sharp.concurrency(1); sharp.cache(false);
require('readline').createInterface({input: process.stdin}).on('line', async (line) => {
  const [source, out] = line.split('\\t'), files = fs.readdirSync(source);
  const started = process.hrtime.bigint();
  await Promise.all(Array.from({length: workers}, async () => {
    for (let f; (f = files.pop()) !== undefined;)
      await sharp(path.join(source, f)).resize(side, side, {position: sharp.strategy.attention})
        .jpeg({quality}).toFile(path.join(out, f + '.jpg'));
  }));
  console.log(Number(process.hrtime.bigint() - started) / 1e9);
});
"""

One = Callable[[str, str], None]


def eyefirst_album(source: str, out: str, workers: int) -> None:
    """Ours, the way users call it."""
    settings = ThumbnailSettings(sizes=(Size(SIDE, SIDE),), quality=QUALITY)
    rows = list(make_thumbnails(find_pictures([source]), out, settings, workers=workers))
    assert all(r.status == "made" for r in rows), rows


def pillow_floor(file: str, target: str) -> None:
    """The least that anyone who uses Pillow has to do: decode at a reduced size, encode."""
    with PIL.Image.open(file) as picture:
        picture.draft("RGB", (SIDE, SIDE))
        small = picture.convert("RGB").reduce(max(min(picture.size) // SIDE, 1)).crop((0, 0, SIDE, SIDE))
    small.save(target, quality=QUALITY)


def pillow_centre(file: str, target: str) -> None:
    """The centre crop."""
    with PIL.Image.open(file) as picture:
        picture.draft("RGB", (SIDE, SIDE))
        fitted = PIL.ImageOps.fit(picture.convert("RGB"), (SIDE, SIDE))
    fitted.save(target, quality=QUALITY)


def vips(file: str, target: str, crop: str) -> None:
    """Libvips' own smart crops."""
    import pyvips  # noqa: PLC0415 - a rival

    pyvips.Image.thumbnail(file, SIDE, height=SIDE, crop=crop).write_to_file(target, Q=QUALITY)


def smartcrop_py(file: str, target: str) -> None:
    """smartcrop.py, as its page shows it."""
    from smartcrop import SmartCrop  # noqa: PLC0415 - a rival

    with PIL.Image.open(file) as opened:
        picture = opened.convert("RGB")
    box = SmartCrop().crop(picture, 100, 100)["top_crop"]
    edges = (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
    picture.crop(edges).resize((SIDE, SIDE), PIL.Image.Resampling.LANCZOS).save(target, quality=QUALITY)


ONE_BY_ONE: dict[str, tuple[str, One]] = {
    FLOOR: ("", pillow_floor),
    "Pillow, centre": ("", pillow_centre),
    "libvips attention (pyvips)": ("pyvips", partial(vips, crop="attention")),
    "libvips entropy (pyvips)": ("pyvips", partial(vips, crop="entropy")),
    "smartcrop.py": ("smartcrop", smartcrop_py),
}
SLOW = ("smartcrop.py",)
"""Given fewer files."""


def serve(name: str, workers: int) -> None:
    """Answers each line `source<TAB>out` with the seconds that its thumbnails took."""
    pool: Executor = ProcessPoolExecutor(workers) if name in SLOW else ThreadPoolExecutor(workers)
    with pool:
        for line in sys.stdin:
            source, out = line.rstrip("\n").split("\t")
            started = time.perf_counter()
            if name == OURS:
                eyefirst_album(source, out, workers)
            else:
                files = sorted(os.listdir(source))
                one = ONE_BY_ONE[name][1]
                targets = [f"{out}/{f}.jpg" for f in files]
                list(pool.map(one, [f"{source}/{f}" for f in files], targets))
            print(time.perf_counter() - started, flush=True)


@dataclass
class Rival:
    """A process that makes thumbnails when told to."""

    name: str
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, name: str, command: list[str]) -> Rival:
        environment = os.environ | {"VIPS_CONCURRENCY": "1"}
        process = subprocess.Popen(command, text=True, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return cls(name, process)

    def run(self, source: Path) -> float:
        """Seconds a picture; checks that every picture came out at the right size."""
        assert self.process.stdin
        assert self.process.stdout
        count = len(os.listdir(source))
        with tempfile.TemporaryDirectory() as out:
            self.process.stdin.write(f"{source}\t{out}\n")
            self.process.stdin.flush()
            seconds = float(self.process.stdout.readline())
            made = list(Path(out).glob("*.jpg"))
            assert len(made) == count, f"{self.name}: {len(made)} of {count}"
            assert all(PIL.Image.open(f).size == (SIDE, SIDE) for f in made), self.name
        return seconds / count

    def stop(self) -> None:
        """Its input ends, so that it ends too, and with it the workers that it started."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)

    def peak_megabytes(self) -> float:
        """Of the process and its children."""
        pids = [self.process.pid]
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
            pids += [int(pid) for pid in children.split()]
        kilobytes = 0
        for pid in pids:
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return kilobytes / 1024


def rivals(workers: int, node: Path | None) -> list[Rival]:
    """Whoever is installed, ourselves first."""
    here = [sys.executable, "-m", "benchmarks.speed.albums", "--workers", str(workers), "--serve"]
    names = [OURS, *(n for n, (needs, _) in ONE_BY_ONE.items() if not needs or importlib.util.find_spec(needs))]
    found = [Rival.start(name, [*here, name]) for name in names]
    if node and shutil.which("node"):
        (node / "album.js").write_text(SHARP)
        command = ["node", str(node / "album.js"), str(workers), str(SIDE), str(QUALITY)]
        found.append(Rival.start("sharp attention (Node)", command))
    return found


def photographs(given: Path | None) -> list[PIL.Image.Image]:
    """Real photos to make the files of: those of a folder, or scikit-learn's and scikit-image's."""
    if given:
        return [PIL.Image.open(t.source).convert("RGB") for t in find_pictures([given])][:12]
    from skimage import data  # noqa: PLC0415
    from sklearn.datasets import load_sample_images  # noqa: PLC0415

    return [PIL.Image.fromarray(a) for a in (*load_sample_images().images, data.astronaut(), data.chelsea())]


def write_album(folder: Path, photos: list[PIL.Image.Image], size: tuple[int, int], extension: str, count: int) -> None:
    """Photos cut and enlarged to one size, with a sensor's grain: compressed files are then as large as real ones."""
    folder.mkdir(parents=True)
    for i in range(count):
        enlarged = PIL.ImageOps.fit(photos[i % len(photos)], size, PIL.Image.Resampling.BICUBIC)
        grain = np.random.default_rng(i).normal(0, 5, (*size[::-1], 1))
        pixels = np.clip(np.asarray(enlarged) + grain, 0, 255).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{i:03}.{extension}", quality=90)


def stages(file: Path, runs: int = 15) -> list[tuple[str, float]]:
    """Milliseconds of each stage for one picture in one thread: medians."""
    size, ratio = Size(SIDE, SIDE), AspectRatio.parse("1:1")
    spent: dict[str, list[float]] = {}

    @contextlib.contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        spent.setdefault(name, []).append(1e3 * (time.perf_counter() - started))

    with tempfile.TemporaryDirectory() as out:
        for _ in range(runs):
            with timed("decode, reduced"):
                decoded = decode(str(file), at_least=lambda _: Size(427, SIDE))
            with timed("prepare for the network"):
                handler = ImageRequestHandler(decoded.image())
            with timed("network, maps, boxes"):
                handler.perform([AttentionSaliencyRequest(), ObjectnessSaliencyRequest()])
            with timed("framing"):
                plan = plan_from(handler, ratio)
            with timed("cut and resize"):
                cut = cut_frame(decoded.picture, plan.frames[ratio][0], planned=decoded.size, size=size)
            with timed("encode and write"):
                write_picture(cut, Path(out) / "t.jpg", quality=QUALITY)
    return [(name, statistics.median(times[1:])) for name, times in spent.items()]


def compare(
    folder: Path, photos: list[PIL.Image.Image], present: list[Rival], count: int, rounds: int
) -> Iterator[Table]:
    """One table of all kinds of files, and one of the stages."""
    names = [r.name for r in present]
    table = Table("files", *names, title=f"Pictures a second; in brackets our rate as a multiple; {rounds} rounds")
    for kind, (size, extension) in KINDS.items():
        few, many = folder / f"{kind} few", folder / kind
        write_album(many, photos, size, extension, count)
        write_album(few, photos, size, extension, max(count // 6, 2))
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for number in range(rounds + 1):
            for rival in present:
                spent = rival.run(few if rival.name in SLOW or number == 0 else many)
                if number:  # the first round is a warm-up
                    seconds[rival.name].append(spent)
        cells = []
        for name in names:
            ratio = statistics.median(b / a for a, b in zip(seconds[OURS], seconds[name], strict=True))
            cells.append(f"{1 / statistics.median(seconds[name]):.1f}" + ("" if name == OURS else f" ({ratio:.2f})"))
        table.add_row(kind, *cells)
    table.add_row("peak memory, MB", *(f"{r.peak_megabytes():.0f}" for r in present))
    yield table
    by_stage = Table("stage", "ms", "share", title="One 12 MP JPEG, one thread")
    parts = stages(next((folder / "12 MP JPEG").iterdir()))
    total = sum(ms for _, ms in parts)
    for name, ms in parts:
        by_stage.add_row(name, f"{ms:.1f}", f"{ms / total:.0%}")
    yield by_stage


def conditions(workers: int, node: Path | None) -> str:
    """What was measured and where, in one line: versions, the network, workers, and other load on the machine."""
    parts = [f"eyefirst {metadata.version('eyefirst')} with {default_revision()}", f"Pillow {PIL.__version__}"]
    for package in ("opencv-python-headless", "imagecodecs", "smartcrop"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            parts.append(f"{package} {metadata.version(package)}")
    if importlib.util.find_spec("pyvips"):
        import pyvips  # noqa: PLC0415 - a rival

        parts.append("libvips " + ".".join(str(pyvips.version(place)) for place in range(3)))
    if node and shutil.which("node"):
        asked = "const v = require('sharp').versions; console.log(`sharp ${v.sharp} on libvips ${v.vips}`)"
        parts.append(subprocess.check_output(["node", "-e", asked], cwd=node, text=True).strip())
    load = os.getloadavg()[0]
    return f"{'; '.join(parts)}. {workers} workers, {os.cpu_count()} processors, load before {load:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photos to make the files of")
    parser.add_argument("--node", type=Path, help="a folder in which `npm install sharp` was run")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--count", type=int, default=24, help="files of each kind")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.workers)
        return
    Console(width=200).print(conditions(arguments.workers, arguments.node), highlight=False)
    present = rivals(arguments.workers, arguments.node)
    try:
        with tempfile.TemporaryDirectory() as name:
            tables = compare(Path(name), photographs(arguments.photos), present, arguments.count, arguments.rounds)
            for table in tables:
                Console(width=200).print(table)
    finally:
        for rival in present:
            rival.stop()


if __name__ == "__main__":
    main()
