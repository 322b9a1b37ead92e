"""Does the network find the faces that a large detector finds, and those of darker skin as well as of lighter?

    python -m benchmarks.quality.faces --store STORE

The large detector is CenterFace at each picture's full size; its answers are in the store (training.datasets.faces).
A face is found where intersection over union is at least one half. For the second question, people cut from held-back
photos stand alone on plain and textured backgrounds, as they are, lighter, and darker; only their brightness differs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from training.datasets.store import Store, open_store
from training.metrics import LEAST_FACE, SURE_FACE, FaceScores

from benchmarks.quality.even_handed import (
    CANVAS,
    PEOPLE_SETS,
    SUBJECT_SIZE,
    Cutout,
    Pixels,
    brightened,
    cutouts,
    plain_backgrounds,
    texture_backgrounds,
)
from benchmarks.quality.tables import Line, Table, show
from eyefirst.face_maps import decode_faces, overlaps
from eyefirst.network import Network, load_network

SIZES = (LEAST_FACE, 0.1, 0.2)
"""Smaller side of the smallest faces that count, as shares of the picture's shorter side."""
SHADES = {"lighter": 1 / 1.6, "as they are": 1.0, "darker": 1.6, "much darker": 2.2}
SAME = 0.4
"""Least intersection over union of a face on a recoloured person with the face on the person as it is."""


def found_faces(network: Network, squashed: Pixels) -> NDArray[np.float64]:
    """(n, 5): edges in 0..1 and confidence of the faces in (272, 272, 3) uint8, the most confident first."""
    faces = network.predict(squashed[None]).faces
    if faces is None:
        raise SystemExit(f"expected a network with a map of faces; {network.revision} has none")
    boxes = [(*f.box, f.confidence) for f in decode_faces(faces[0])]
    return np.array(boxes, np.float64).reshape(-1, 5)


def size_table(store: Store, network: Network, most: int | None) -> Table:
    """Recall and precision over all held-back pictures in which the large detector has looked for faces."""
    if store.faces is None:
        raise SystemExit("expected a store with faces; make them with `python -m training.datasets.faces SHARDS STORE`")
    scores = {size: FaceScores(least_size=size) for size in SIZES}
    chosen = [i for i, row in enumerate(store.rows) if row.held_back and not np.isnan(store.faces[i, 0, 0])]
    for i in chosen[:most]:
        truth, aspect = np.asarray(store.faces[i], np.float64), store.rows[i].aspect
        found = found_faces(network, np.asarray(store.pictures[i]))
        for score in scores.values():
            score.add(found, truth[truth[:, 4] > 0], aspect)
    return Table(
        f"Faces: {len(chosen[:most])} held-back pictures",
        ("recall", "precision", "faces"),
        tuple(
            Line(f"of at least {size:.0%} of the shorter side", (score.recall, score.precision, float(score.there)))
            for size, score in scores.items()
        ),
        "Against CenterFace at full size. Its doubtful faces and smaller ones may be found or not.",
    )


def empty_table(store: Store, network: Network, most: int | None) -> Table:
    """Pictures in which nothing stands out, and yet a face is seen."""
    chosen = store.select("nothing", held_back=True)[:most]
    seen = [len(found_faces(network, np.asarray(store.pictures[i]))) > 0 for i in chosen]
    lines = (Line(network.revision, (float(np.mean(seen)),)),) if seen else ()
    return Table(f"Nothing stands out: {len(chosen)} held-back pictures", ("share with a face",), lines)


def skin_table(store: Store, network: Network, most: int | None, textures: int) -> Table:
    """Recall of the faces of people cut from photos, by brightness; the same people, places and backgrounds."""
    backgrounds = {**plain_backgrounds(), **texture_backgrounds(store, textures)}
    recall: dict[str, list[bool]] = {name: [] for name in SHADES}
    people = 0
    for key, cutout in cutouts(store, PEOPLE_SETS, most):
        where = _face_of(store, key)
        if where is None:
            continue
        people += 1
        for background in backgrounds.values():
            for name, gamma in SHADES.items():
                shown, truth = _alone(brightened(cutout, gamma), where, background)
                found = found_faces(network, shown)
                recall[name].append(bool(len(found)) and bool(overlaps(truth, found).max() >= SAME))
    shares = {name: float(np.mean(hits)) if hits else float("nan") for name, hits in recall.items()}
    plain = shares["as they are"]
    return Table(
        f"Faces of {people} people cut from photos, on {len(backgrounds)} backgrounds",
        ("recall", "less than as they are"),
        tuple(Line(f"{name} (gamma {SHADES[name]:.2f})", (share, plain - share)) for name, share in shares.items()),
        "The whole person is made darker or lighter, skin, hair and clothes alike.",
    )


def _face_of(store: Store, key: str) -> NDArray[np.float64] | None:
    """The large detector's surest face inside the cutout of this picture, as shares of the cutout; None without one."""
    i = next(k for k, row in enumerate(store.rows) if row.key == key)
    assert store.faces is not None
    faces = np.asarray(store.faces[i], np.float64)
    faces = faces[faces[:, 4] >= SURE_FACE]
    mask = np.asarray(store.labels[i, 0], np.float32) > 0.5
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    edges = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / mask.shape[0]
    corner, size = np.tile(edges[:2], 2), np.tile(edges[2:] - edges[:2], 2)
    inside = (faces[:, :4] - corner) / size
    kept: NDArray[np.intp] = (
        np.flatnonzero(((inside > -0.05) & (inside < 1.05)).all(axis=1)) if len(faces) else np.zeros(0, np.intp)
    )
    if not len(kept):
        return None
    return np.asarray(inside[kept[np.argmax(faces[kept, 4])]], np.float64)


def _alone(cutout: Cutout, where: NDArray[np.float64], background: Pixels) -> tuple[Pixels, NDArray[np.float64]]:
    """The person in the middle of the background, squashed for the network; and where the face is, in 0..1."""
    height, width = cutout.alpha.shape
    scale = min(SUBJECT_SIZE.width / width, SUBJECT_SIZE.height / height)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    pixels = np.asarray(Image.fromarray(cutout.pixels).resize(size, Image.Resampling.BICUBIC), np.float32)
    alpha = np.asarray(Image.fromarray(cutout.alpha).resize(size, Image.Resampling.BILINEAR))[..., None]
    side = CANVAS.height
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    result = background[:, :side].astype(np.float32)
    place = np.s_[top : top + size[1], left : left + size[0]]
    result[place] = result[place] * (1 - alpha) + pixels * alpha
    shown = Image.fromarray(np.round(result).astype(np.uint8)).resize((272, 272), Image.Resampling.BILINEAR)
    edges = (where * np.tile(size, 2) + np.tile([left, top], 2)) / side
    return np.asarray(shown), edges


def measure(store: Store, network: Network, most: int | None, textures: int) -> Iterator[Table]:
    """All tables, as soon as each is done."""
    yield size_table(store, network, most)
    yield empty_table(store, network, most)
    yield skin_table(store, network, most, textures)


def main(arguments: Sequence[str] | None = None, network: Network | None = None) -> int:
    """Returns the exit status; `network` replaces the shipped one, for tests."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.quality.faces",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--store", type=Path, required=True, help="folder that training.datasets.store has built")
    parser.add_argument("--most", type=int, help="at most so many pictures of a kind (default: all)")
    parser.add_argument("--textures", type=int, default=3, help="so many textured backgrounds (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the tables to this file")
    options = parser.parse_args(arguments)
    network = network or load_network()
    console = Console()
    console.print(f"network: {network.revision}\n")
    tables = []
    for table in measure(open_store(options.store), network, options.most, options.textures):
        show(table, console)
        tables.append(table.to_dict())
    if options.json:
        options.json.write_text(json.dumps({"tables": tables}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
