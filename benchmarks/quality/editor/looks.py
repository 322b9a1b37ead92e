"""The pictures of the trials: maps, faces, fixations and people's crops, read once and kept in a cache."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks.quality.editor.referee import Face, Referee
from eyefirst.face_maps import DetectedFace
from eyefirst.geometry import Box, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.network import load_network
from eyefirst.tools.planning import brightness_of

EYE_SETS = ("osie", "mit1003", "eyecrowd", "scene500")
FIRST_FIXATION_REMOVED = ("mit1003",)
FOLDS = 5

Map = NDArray[np.float32]
Known = dict[tuple[str, str], tuple[tuple[Face, ...], tuple[Box, ...]]]
"""The referee's faces and lines by set and id of a picture."""


@dataclass(frozen=True, slots=True)
class Vote:
    """Two crops of one picture, and how many people preferred each."""

    first: Box
    second: Box
    for_first: int
    for_second: int


@dataclass(frozen=True, eq=False)
class Look:
    """One picture as the trials see it.

    size: of the picture as it was published, for its aspect ratio. attention, objectness: (68, 68) float32 in 0..1, and
    own_faces, own_text: of eyefirst; brightness: as it frames. faces, lines: from the referee. subjects: (68, 68)
    float32 in 0..1, the objectness of another network, None where nobody ran it. fixations: (n, 2) x and y in 0..1.
    crop: what people chose. votes: pairs of crops.
    """

    set_name: str
    id: str
    size: Size
    attention: Map
    objectness: Map
    own_faces: tuple[DetectedFace, ...]
    brightness: Map
    own_text: tuple[Box, ...] = ()
    faces: tuple[Face, ...] = ()
    lines: tuple[Box, ...] = ()
    subjects: Map | None = None
    fixations: NDArray[np.float32] | None = None
    crop: Box | None = None
    votes: tuple[Vote, ...] = ()

    @property
    def fold(self) -> int:
        """Which of the parts of the cross-validation the picture is in, by a hash of its name."""
        return int(hashlib.sha256(f"{self.set_name}/{self.id}".encode()).hexdigest(), 16) % FOLDS

    def fixations_in(self, frame: Box) -> float:
        """Share of the fixations inside a frame."""
        if self.fixations is None or len(self.fixations) == 0:
            return 0.0
        x, y = self.fixations[:, 0], self.fixations[:, 1]
        return float(((x >= frame.left) & (x <= frame.right) & (y >= frame.top) & (y <= frame.bottom)).mean())


def load_looks(shards: Path, folder: Path) -> list[Look]:
    """Every picture with fixations or people's crops; the first call runs the networks and fills the cache.

    What the referee found is kept by itself, since it stays when our network changes.
    """
    revision = load_network().revision
    kept, judged = folder / f"looks-{revision}.pickle", folder / "referee.pickle"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        known: Known = pickle.loads(judged.read_bytes()) if judged.exists() else {}
        looks = list(_read_all(shards, known))
        judged.write_bytes(pickle.dumps({(look.set_name, look.id): (look.faces, look.lines) for look in looks}))
        kept.write_bytes(pickle.dumps(looks))
    found: list[Look] = pickle.loads(kept.read_bytes())
    return found


def look_at(picture: Image.Image) -> tuple[Map, Map, tuple[DetectedFace, ...], Map, tuple[Box, ...]]:
    """Attention, objectness, faces, brightness and blocks of text of an upright picture; maps are (68, 68) float32."""
    handler = ImageRequestHandler(picture)
    seen = handler.look()
    brightness = brightness_of(handler.image).values
    return seen.attention.heat_map.values, seen.objects.heat_map.values, seen.faces, brightness, seen.text_boxes


def open_picture(path: Path) -> Image.Image:
    """An upright RGB picture."""
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def _read_all(shards: Path, known: Known) -> Iterator[Look]:
    """known: what the referee found before."""
    referee = cache(Referee)
    subjects = zipfile.ZipFile(shards / "labels-u2net-0.zip")
    with_subjects = set(subjects.namelist())
    for shard in ("crop-FCDB-train-0.zip", "attention-large-0.zip"):
        archive = zipfile.ZipFile(shards / shard)
        names = [n for n in sorted(archive.namelist()) if "/images/" in n and not n.endswith("/")]
        notes = _notes(archive) | (_notes(zipfile.ZipFile(shards / "attention-0.zip")) if "attention" in shard else {})
        for count, name in enumerate(names):
            if count % 100 == 0:
                print(f"{shard}: {count} of {len(names)}", flush=True)
            set_name, picture_id = PurePosixPath(name).parts[0], PurePosixPath(name).stem
            picture = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
            seen = look_at(picture)
            found = known.get((set_name, picture_id)) or (referee().faces(picture), referee().lines(picture))
            label = f"{set_name}/{picture_id}.png"
            entry = notes.get(f"{set_name}/fixations", {}).get(picture_id)
            crop = notes.get(f"{set_name}/crops", {}).get(picture_id)
            about = entry or crop or {"width": picture.width, "height": picture.height}
            yield Look(
                set_name,
                picture_id,
                Size(int(about["width"]), int(about["height"])),
                *seen,
                *found,
                _map(subjects.read(label)) if label in with_subjects else None,
                _fixations(set_name, entry["observers"]) if entry else None,
                _box(crop["crops"][0][:4]) if crop else None,
                tuple(
                    Vote(_box(a), _box(b), int(for_a), int(for_b))
                    for a, b, for_a, for_b in notes.get(f"{set_name}/rankings", {}).get(picture_id, ())
                ),
            )


def _notes(archive: zipfile.ZipFile) -> dict[str, dict[str, Any]]:
    """Such as FCDB/crops and osie/fixations, each by the pictures' names."""
    return {n.removesuffix(".json"): json.loads(archive.read(n)) for n in archive.namelist() if n.endswith(".json")}


def _map(png: bytes) -> Map:
    return np.asarray(np.asarray(Image.open(io.BytesIO(png)).convert("L"), np.float32) / np.float32(255))


def _box(edges: list[float]) -> Box:
    left, top, right, bottom = (min(max(float(e), 0.0), 1.0) for e in edges)
    return Box(left, top, right, bottom)


def _fixations(set_name: str, observers: list[list[list[float]]]) -> NDArray[np.float32]:
    """All but each observer's first, which is where the picture's centre was; only those on the picture."""
    first = 0 if set_name in FIRST_FIXATION_REMOVED else 1
    points = np.array([f[:2] for o in observers for f in o[first:]], np.float32).reshape(-1, 2)
    return np.asarray(points[((points >= 0) & (points < 1)).all(axis=1)])
