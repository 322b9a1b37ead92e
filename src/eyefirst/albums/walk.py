"""From folders and files to the pictures of an album, each with the name of its results."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eyefirst.files.ledger import own_results

PICTURE_SUFFIXES = frozenset(
    f".{s}"
    for s in ("jpg", "jpeg", "jpe", "png", "webp", "gif", "avif", "tif", "tiff", "bmp", "heic", "heif", "jp2", "qoi")
)
"""What counts as a picture when a folder is walked; a file that is named is tried whatever its name."""
SYSTEM_FOLDERS = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", "System Volume Information"})
"""Folders that a NAS or an operating system keeps beside pictures; their files are no pictures of the user."""


@dataclass(frozen=True, slots=True)
class Task:
    """One picture, and the path of its thumbnails below the output folder, without size and extension."""

    source: str
    target: str


def find_pictures(
    sources: Iterable[str | os.PathLike[str]],
    *,
    outside: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Task]:
    """Return the pictures in folders, which are walked, the files that are named, and those that a glob matches.

    Folders and globs are sorted; each picture comes once.

    outside: a folder that is left out of the walk, such as that of the results. Left out as well: hidden folders,
    those of the system, and files that eyefirst wrote. say: is told, in words, of linked folders, which are not
    followed, and of folders of the system.

    Results keep the folders below each source. Pictures that differ only in their extension carry it in the name of
    their results; of those with one name from several sources, the second gets -2.
    """
    found: dict[str, str] = {}
    for source in (os.fspath(s) for s in sources):
        if os.path.isdir(source):
            for path in sorted(_walk(source, outside, say)):
                found.setdefault(path, os.path.relpath(path, source))
        elif is_glob(source) and (matching := matches_of(source)):
            for path in matching:
                found.setdefault(path, os.path.relpath(path, _fixed_part(source)))
        else:
            found.setdefault(source, os.path.basename(source))
    return [Task(path, target) for path, target in zip(found, _targets(list(found.values())), strict=True)]


def _targets(names: list[str]) -> list[str]:
    """A target for each relative name, no two alike, also on file systems that do not tell A from a."""
    stems = [os.path.splitext(name)[0] for name in names]
    groups: dict[str, list[str]] = {}
    for stem, name in zip(stems, names, strict=True):
        groups.setdefault(stem.casefold(), []).append(name.casefold())
    targets: list[str] = []
    used: set[str] = set()
    for stem, name in zip(stems, names, strict=True):
        group = groups[stem.casefold()]
        given = name.replace(".", "-") if len(set(group)) == len(group) > 1 else stem
        target, number = given, 1
        while target.casefold() in used:
            number += 1
            target = f"{given}-{number}"
        used.add(target.casefold())
        targets.append(target)
    return targets


def is_glob(source: str) -> bool:
    """Whether a source is a pattern such as 'album/**/*.jpg', and not a file or folder of that very name."""
    return bool(set("*?[") & set(source)) and not os.path.lexists(source)


def matches_of(pattern: str) -> list[str]:
    """Return the files that a glob matches, sorted, without eyefirst's own results.

    Folders that exist under the very name that the pattern gives, brackets included, are taken as they are.
    """
    fixed = _fixed_part(pattern)
    rest = os.path.relpath(pattern, fixed) if fixed != os.curdir else pattern
    paths = glob.glob(os.path.join(glob.escape(fixed), rest) if fixed != os.curdir else rest, recursive=True)
    own = own_results(fixed) | own_results_above(fixed)
    return sorted(p for p in paths if not os.path.isdir(p) and (not own or os.path.abspath(p) not in own))


def _fixed_part(pattern: str) -> str:
    """The leading folders of a glob that exist as they are written; "." for none."""
    fixed = ""
    for part in Path(pattern).parts[:-1]:
        step = os.path.join(fixed, part)
        if not os.path.isdir(step):
            break
        fixed = step
    return fixed or os.curdir


def _walk(folder: str, outside: str | os.PathLike[str] | None, say: Callable[[str], None]) -> Iterator[str]:
    left_out = os.path.realpath(outside) if outside else None
    own = own_results_above(folder)
    for here, folders, files in os.walk(folder):
        if left_out and os.path.realpath(here) == left_out and here != folder:
            folders.clear()
            continue
        own |= own_results(here)
        for name in sorted(folders):
            if os.path.islink(os.path.join(here, name)):
                say(f"{os.path.join(here, name)}: is a link to a folder, and is not followed")
            elif name in SYSTEM_FOLDERS:
                say(f"{os.path.join(here, name)}: is a folder of the system, and is left out")
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in SYSTEM_FOLDERS)
        for name in files:
            path = os.path.join(here, name)
            if is_picture(name) and (not own or os.path.abspath(path) not in own):
                yield path


def own_results_above(folder: str) -> set[str]:
    """Return what eyefirst wrote into the folders above this one, as absolute paths."""
    found: set[str] = set()
    here = os.path.abspath(folder)
    while (parent := os.path.dirname(here)) != here:
        here = parent
        found |= own_results(here)
    return found


def is_picture(path: str) -> bool:
    """Whether a walk would take the file, by its name."""
    name = os.path.basename(path)
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES
