"""Readers for the public sets as their authors published them: a folder in, `Record`s out.

Folders and field names are those of the authors' own tools and of pysaliency's loaders. A set that the
shards hold too keeps the shards' name and ids, so that the same pictures are held back. Pictures are
taken as stored, without EXIF orientation, because that is what the labels refer to. MATLAB counts
pixels from 1: the centre of pixel k lies at k - 0.5 of the side.

| reader | central start point |
|---|---|
| OSIE | observers began at the centre: the first fixation of each is dropped, as the shards' reader does |
| MIT1003 | already dropped by the authors; the published points carry no order |
| SALICON | the cursor began near the centre: the first point is dropped where it lies there |
| CAT2000 | kept: the published points carry no order; the set's own centre prior takes it up in training |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from training.datasets.records import Fixations, Record

Reader = Callable[[Path], Iterator[Record]]
Points = NDArray[np.float32]

START_RADIUS = 0.1
"""A first point of SALICON so near to the centre, as a share of the sides, is where the cursor was put."""
SAMPLES_PER_POINT = 16
"""SALICON's annotations hold about a hundred samples of the cursor a worker: the first of every so many is kept."""


def read_duts(folder: Path) -> Iterator[Record]:
    """DUTS-TR and DUTS-TE, whichever is there, as the sets of these names (Wang et al., CVPR 2017)."""
    layout = _Layout(folder, "DUTS-TR/DUTS-TR-Image/*.jpg with DUTS-TR/DUTS-TR-Mask/*.png, or DUTS-TE alike")
    parts = {
        name: part
        for name in ("DUTS-TR", "DUTS-TE")
        for part in (name, ".")
        if (folder / part / f"{name}-Image").is_dir()
    }
    if not parts:
        raise layout.misses("DUTS-TR/DUTS-TR-Image")
    for name, part in parts.items():
        yield from _masked(layout, name, f"{part}/{name}-Image", f"{part}/{name}-Mask")


def read_ecssd(folder: Path) -> Iterator[Record]:
    """ECSSD: a set for measuring, never for training (Shi, Yan, Xu, Jia, TPAMI 2016)."""
    layout = _Layout(folder, "images/*.jpg with ground_truth_mask/*.png")
    yield from _masked(layout, "ECSSD", "images", "ground_truth_mask")


def read_osie(folder: Path) -> Iterator[Record]:
    """OSIE as `osie`: 15 observers in viewing order (Xu et al., JoV 2014)."""
    layout = _Layout(folder, "data/stimuli/*.jpg with data/eye/fixations.mat")
    path = layout.file("data/eye/fixations.mat")
    entries = {str(entry["img"]): entry for entry in _several(_mat(path, "fixations")["fixations"])}
    for picture in layout.files("data/stimuli", "*.jpg"):
        if picture.name not in entries:
            raise layout.misses(f"an entry for {picture.name} in data/eye/fixations.mat")
        size_wh = _size(picture)
        looks = (_paired(s["fix_x"], s["fix_y"]) for s in _several(entries[picture.name]["subjects"]))
        observers = tuple(_fractions(points, size_wh)[1:] for points in looks)
        yield _looked_at("osie", picture.stem, picture, Fixations(observers))


def read_mit1003(folder: Path) -> Iterator[Record]:
    """MIT1003 as `mit1003`: all observers' fixations as one (Judd et al., ICCV 2009).

    Points come from the authors' `_fixPts.jpg`, whose single white pixels survive JPEG; where one is
    missing, the blurred `_fixMap.jpg` is the label. The raw samples in DATA/<observer>/*.mat are not
    read: they need the authors' own fixation detector, in MATLAB.
    """
    layout = _Layout(folder, "ALLSTIMULI/*.jpeg with ALLFIXATIONMAPS/*_fixPts.jpg or *_fixMap.jpg")
    for picture in layout.files("ALLSTIMULI", "*.jpeg"):
        points = folder / "ALLFIXATIONMAPS" / f"{picture.stem}_fixPts.jpg"
        if points.is_file():
            lit = np.asarray(_read(points, "L")) > 127
            yield _looked_at("mit1003", picture.stem, picture, Fixations((_centres(lit),)))
        else:
            blurred = layout.file(f"ALLFIXATIONMAPS/{picture.stem}_fixMap.jpg")
            yield _looked_at("mit1003", picture.stem, picture, density=blurred)


def read_salicon(folder: Path) -> Iterator[Record]:
    """SALICON, the parts train and val: cursors instead of eyes (Jiang et al., CVPR 2015).

    Labels are, in this order: the workers' fixations in fixations/<part>/*.mat; the cursor's samples in
    annotations/fixations_<part>2014.json (release 2015r1), thinned; the blurred maps/<part>/*.png.
    """
    layout = _Layout(
        folder,
        "images/{train,val}/*.jpg with fixations/{train,val}/*.mat, annotations/fixations_{train,val}2014.json"
        " or maps/{train,val}/*.png",
    )
    parts = [part for part in ("train", "val") if (folder / "images" / part).is_dir()]
    if not parts:
        raise layout.misses("images/train")
    for part in parts:
        has_fixations = (folder / "fixations" / part).is_dir()
        annotations = folder / "annotations" / f"fixations_{part}2014.json"
        annotated = _cursors(annotations) if annotations.is_file() and not has_fixations else None
        for picture in layout.files(f"images/{part}", "*.jpg"):
            if has_fixations:
                fixations = _gaze(layout.file(f"fixations/{part}/{picture.stem}.mat"))
                yield _looked_at("SALICON", picture.stem, picture, fixations)
            elif annotated is not None:
                if picture.name not in annotated:
                    raise layout.misses(f"an entry for {picture.name} in {annotations.relative_to(folder)}")
                yield _looked_at("SALICON", picture.stem, picture, Fixations(tuple(annotated[picture.name])))
            else:
                blurred = layout.file(f"maps/{part}/{picture.stem}.png")
                yield _looked_at("SALICON", picture.stem, picture, density=blurred)


def read_cat2000(folder: Path) -> Iterator[Record]:
    """CAT2000's training part, ids such as Action/001: all observers' fixations as one (Borji, Itti, 2015).

    The pictures keep the grey bars that the observers saw round them. Where the points are missing, the
    blurred map is the label.
    """
    layout = _Layout(
        folder, "trainSet/Stimuli/<category>/*.jpg with trainSet/FIXATIONLOCS/<category>/*.mat or FIXATIONMAPS/*.jpg"
    )
    part = "trainSet" if (folder / "trainSet").is_dir() else "."
    for picture in layout.files(f"{part}/Stimuli", "*/*.jpg"):
        category = picture.parent.name
        picture_id = f"{category}/{picture.stem}"
        points = folder / part / "FIXATIONLOCS" / category / f"{picture.stem}.mat"
        if points.is_file():
            lit = np.asarray(_mat(points, "fixLocs")["fixLocs"]) > 0
            yield _looked_at("CAT2000", picture_id, picture, Fixations((_centres(lit),)))
        else:
            blurred = layout.file(f"{part}/FIXATIONMAPS/{category}/{picture.name}")
            yield _looked_at("CAT2000", picture_id, picture, density=blurred)


LAYOUTS: dict[str, Reader] = {
    "DUTS": read_duts,
    "ECSSD": read_ecssd,
    "OSIE": read_osie,
    "MIT1003": read_mit1003,
    "SALICON": read_salicon,
    "CAT2000": read_cat2000,
}
"""What `--set NAME=FOLDER` of `training.datasets.store` may name."""


@dataclass(frozen=True)
class _Layout:
    """A set's folder, and in words what it should hold."""

    folder: Path
    expected: str

    def files(self, part: str, pattern: str) -> list[Path]:
        """At least one file, in the order of names."""
        found = sorted((self.folder / part).glob(pattern))
        if not found:
            raise self.misses(f"{part}/{pattern}")
        return found

    def file(self, part: str) -> Path:
        if not (self.folder / part).is_file():
            raise self.misses(part)
        return self.folder / part

    def misses(self, what: str) -> FileNotFoundError:
        names = sorted(p.name for p in self.folder.iterdir()) if self.folder.is_dir() else []
        found = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return FileNotFoundError(
            f"expected {self.expected} in {self.folder}; {what} is missing; the folder holds {found or 'nothing'}"
        )


def _masked(layout: _Layout, set_name: str, pictures: str, masks: str) -> Iterator[Record]:
    for picture in layout.files(pictures, "*.jpg"):
        mask = layout.file(f"{masks}/{picture.stem}.png")
        yield Record(
            set_name=set_name,
            id=picture.stem,
            picture=partial(_read, picture, "RGB"),
            mask=partial(_read, mask, "L"),
            group=picture.stem,
        )


def _looked_at(
    set_name: str, picture_id: str, picture: Path, fixations: Fixations | None = None, density: Path | None = None
) -> Record:
    return Record(
        set_name=set_name,
        id=picture_id,
        picture=partial(_read, picture, "RGB"),
        fixations=fixations,
        density=partial(_read, density, "L") if density else None,
        group=picture_id,
    )


def _gaze(path: Path) -> Fixations:
    """One array per worker, from the struct array `gaze` and `resolution` (height, width)."""
    mat = _mat(path, "gaze", "resolution")
    height, width = (int(n) for n in mat["resolution"])
    workers = (_fractions(_pairs(w["fixations"]), (width, height)) for w in _several(mat["gaze"]))
    return Fixations(tuple(_without_start(points) for points in workers))


def _cursors(path: Path) -> dict[str, list[Points]]:
    """File names to one array per worker; the samples are [row, column]."""
    tables = json.loads(path.read_text())
    images = {image["id"]: image for image in tables["images"]}
    workers: dict[str, list[Points]] = {}
    for annotation in tables["annotations"]:
        image = images[annotation["image_id"]]
        rows_columns = _pairs(annotation["fixations"])
        if (rows_columns[:, 0] > image["height"]).any():
            raise ValueError(f"expected samples as [row, column] in {path}; {image['file_name']} has rows below it")
        points = _fractions(rows_columns[::SAMPLES_PER_POINT, ::-1], (image["width"], image["height"]))
        workers.setdefault(image["file_name"], []).append(_without_start(points))
    return workers


def _without_start(points: Points) -> Points:
    near = len(points) and np.hypot(*(points[0] - 0.5)) < START_RADIUS
    return points[1:] if near else points


def _fractions(points: Points, size_wh: tuple[int, int]) -> Points:
    """(n, 2) x, y in pixels counted from 1 -> fractions of the picture, top-left origin."""
    return ((points - 0.5) / np.array(size_wh, np.float32)).astype(np.float32)


def _centres(lit: NDArray[np.bool_]) -> Points:
    """(h, w) -> the centres of the lit pixels, (n, 2) x, y fractions."""
    rows, columns = np.nonzero(lit)
    return _fractions(np.stack([columns, rows], axis=1).astype(np.float32) + 1, (lit.shape[1], lit.shape[0]))


def _pairs(values: ArrayLike) -> Points:
    return np.asarray(values, np.float32).reshape(-1, 2)


def _paired(x: ArrayLike, y: ArrayLike) -> Points:
    return np.stack([np.ravel(x), np.ravel(y)], axis=1).astype(np.float32)


def _several(value: Any) -> list[Any]:
    """What MATLAB kept as a cell or struct array; one element alone comes without its list."""
    return value if isinstance(value, list) else [value]


def _mat(path: Path, *names: str) -> dict[str, Any]:
    """The variables of a MATLAB file, structs as dictionaries."""
    from scipy.io import loadmat  # type: ignore[import-untyped]  # noqa: PLC0415 - sets with masks do without

    variables: dict[str, Any] = loadmat(path, simplify_cells=True)
    for name in names:
        if name not in variables:
            found = ", ".join(k for k in variables if not k.startswith("__"))
            raise ValueError(f"expected the variable {name} in {path}, found {found or 'none'}")
    return variables


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def _read(path: Path, mode: str) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert(mode)
