"""From folders and files to the pictures of an album, each with the name of its results."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eyefirst.files.ledger import own_results
from eyefirst.files.names import name_key, shortened

PICTURE_SUFFIXES = frozenset(
    f".{s}"
    for s in (
        "jpg",
        "jpeg",
        "jpe",
        "png",
        "webp",
        "gif",
        "avif",
        "tif",
        "tiff",
        "bmp",
        "heic",
        "heif",
        "jp2",
        "jxl",
        "qoi",
    )
)
"""What counts as a picture when a folder is walked; a file that is named is tried whatever its name."""
RAW_SUFFIXES = frozenset((".3fr", ".ari", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq"))
RAW_SUFFIXES |= {".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl"}
RAW_SUFFIXES |= {".sr2", ".srf", ".srw", ".x3f"}
"""Raw files of cameras. A walk leaves them out, and says so."""
OTHER_SUFFIXES = frozenset((".ai", ".eps", ".exr", ".hdr", ".jxr", ".pdf", ".ppm", ".pgm", ".psb", ".psd"))
OTHER_SUFFIXES |= {".svg", ".svgz", ".tga", ".xcf"}
"""Pictures of other kinds. A walk leaves them out, and says so."""
SYSTEM_FOLDERS = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", "System Volume Information"})
"""Folders that a NAS or an operating system keeps beside pictures; their files are no pictures of the user."""


@dataclass(frozen=True, slots=True)
class Task:
    """One picture, and the path of its thumbnails below the output folder, without size and extension.

    given: the folder, glob or file by which it was found first; a glob that matches nothing stands for itself.
    """

    source: str
    target: str
    given: str = ""


def find_pictures(
    sources: Iterable[str | os.PathLike[str]],
    *,
    outside: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Task]:
    """Return the pictures in folders, which are walked, the files that are named, and those that a glob matches.

    Folders and globs are sorted; each picture comes once.

    outside: a folder that is left out of the walk, such as that of the results. Left out as well: hidden folders,
    those of the system, and files that eyefirst wrote; "**" in a glob is a walk too. say: is told, in words, of what
    is left out of a walk: linked folders, which are not followed, folders of the system, raw files, pictures of other
    kinds, and eyefirst's own results; and of folders without pictures.

    Results keep the folders below each source. Pictures that differ only in their extension carry it in the name of
    their results; of those with one name from several sources, the second gets -2.
    """
    found: dict[str, tuple[str, str]] = {}
    for source in (os.fspath(s) for s in sources):
        if os.path.isdir(source):
            inside = sorted(_walk(source, outside, say))
            for path in inside:
                found.setdefault(path, (os.path.relpath(path, source), source))
            if not inside:
                say(f"{source}: holds no pictures that can be used")
        elif is_glob(source) and (matching := matches_of(source, outside=outside, say=say)):
            for path in matching:
                found.setdefault(path, (os.path.relpath(path, _fixed_part(source)), source))
        else:
            found.setdefault(source, (os.path.basename(source), source))
    targets = _targets([name for name, _ in found.values()])
    return [Task(path, target, given) for (path, (_, given)), target in zip(found.items(), targets, strict=True)]


def _targets(names: list[str]) -> list[str]:
    """A target for each relative name, no two alike on any file system."""
    parts = [(shortened(stem), extension) for stem, extension in map(os.path.splitext, names)]
    keys = [name_key(stem) for stem, _ in parts]
    counts = Counter(keys)
    alike: dict[str, set[str]] = {key: set() for key, count in counts.items() if count > 1}
    for key, name in zip(keys, names, strict=True):
        if key in alike:
            alike[key].add(name_key(name))
    targets: list[str] = []
    used: set[str] = set()
    for (stem, extension), key in zip(parts, keys, strict=True):
        told_apart = key in alike and len(alike[key]) == counts[key]
        given = f"{stem}-{extension.lstrip('.')}" if told_apart and extension else stem
        target, number = given, 1
        while name_key(target) in used:
            number += 1
            target = f"{given}-{number}"
        used.add(name_key(target))
        targets.append(target)
    return targets


def is_glob(source: str) -> bool:
    """Whether a source is a pattern such as 'album/**/*.jpg', and not a file or folder of that very name."""
    return bool(set("*?[") & set(source)) and not os.path.lexists(source)


def matches_of(
    pattern: str,
    *,
    outside: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Return the files that a glob matches, sorted, without eyefirst's own results.

    Folders that exist under the very name that the pattern gives, brackets included, are taken as they are. "**"
    leaves out the folders that a walk leaves out. outside, say: as for `find_pictures`.
    """
    fixed = _fixed_part(pattern)
    rest = os.path.relpath(pattern, fixed) if fixed != os.curdir else pattern
    whole = os.path.join(glob.escape(fixed), rest) if fixed != os.curdir else rest
    paths = {p for p in _expanded(whole, say) if not os.path.isdir(p)}
    if outside and not _is_in(fixed, outside):
        paths = {p for p in paths if not _is_in(os.path.dirname(p), outside)}
    folders = {fixed}
    for path in paths:
        folder = os.path.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    own = own_results_above(fixed).union(*map(own_results, folders))
    results = {p for p in paths if own and os.path.abspath(p) in own}
    _say_what_was_left_out(pattern, Counter(), len(results), say)
    return sorted(paths - results)


def _expanded(pattern: str, say: Callable[[str], None]) -> Iterator[str]:
    """What a glob matches; "**" is walked here, because that of Python follows links, in circles too."""
    slash = f"[/{re.escape(os.sep)}]"
    stars = re.search(rf"(?:^|(?<={slash}))\*\*(?:{slash}|$)", pattern)
    if not stars:
        yield from glob.glob(pattern)
        return
    head, rest = pattern[: stars.start()], pattern[stars.end() :] or "*"
    for top in glob.glob(head) if head else [os.curdir]:
        for here, folders, _ in os.walk(top):
            folders[:] = _folders_to_walk(here, folders, say)
            below = here if head else os.path.relpath(here, top)
            yield from _expanded(os.path.join(glob.escape(below), rest) if below != os.curdir else rest, say)


def _is_in(folder: str, other: str | os.PathLike[str]) -> bool:
    """Whether a folder is another, or lies below it."""
    there = os.path.realpath(other)
    return os.path.join(os.path.realpath(folder), "").startswith(os.path.join(there, ""))


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
    results, others = 0, Counter[str]()
    for here, folders, files in os.walk(folder):
        if left_out and os.path.realpath(here) == left_out and here != folder:
            folders.clear()
            continue
        own |= own_results(here)
        folders[:] = _folders_to_walk(here, folders, say)
        for name in files:
            path = os.path.join(here, name)
            suffix = os.path.splitext(name)[1].lower()
            if is_picture(name):
                if own and os.path.abspath(path) in own:
                    results += 1
                elif is_device(path):
                    say(f"{path}: is a pipe, a socket or a device, and is left out")
                else:
                    yield path
            elif suffix in RAW_SUFFIXES | OTHER_SUFFIXES and not name.startswith("."):
                others[suffix] += 1
    _say_what_was_left_out(folder, others, results, say)


def _folders_to_walk(here: str, folders: list[str], say: Callable[[str], None]) -> list[str]:
    """The folders of a folder that are walked, sorted: no hidden ones, links or folders of the system."""
    taken = []
    for name in sorted(folders):
        if os.path.islink(os.path.join(here, name)):
            say(f"{os.path.join(here, name)}: is a link to a folder, and is not followed")
        elif name in SYSTEM_FOLDERS:
            say(f"{os.path.join(here, name)}: is a folder of the system, and is left out")
        elif not name.startswith("."):
            taken.append(name)
    return taken


def _say_what_was_left_out(folder: str, others: Counter[str], results: int, say: Callable[[str], None]) -> None:
    for suffixes, what, remedy in (
        (
            RAW_SUFFIXES,
            "raw files",
            "name them, as in 'album/*.nef', and their previews are read; or use the JPEGs of the camera",
        ),
        (OTHER_SUFFIXES, "pictures of other kinds", "name a file to try it"),
    ):
        if left := {suffix: n for suffix, n in sorted(others.items()) if suffix in suffixes}:
            kinds = ", ".join(f"{n} {suffix}" for suffix, n in left.items())
            say(f"{folder}: left out {what} ({kinds}); {remedy}")
    if results:
        say(f"{folder}: left out earlier results of eyefirst: {results}")


def is_device(path: str) -> bool:
    """Whether a name is a pipe, a socket or a device: reading it may wait for ever."""
    try:
        mode = os.stat(path).st_mode
    except OSError:  # a link to nowhere fails later, as a row
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_away(source: str) -> bool:
    """Whether a source seems to be a folder that is missing or empty, as at a drive that is not mounted."""
    return not (os.path.isfile(source) or is_picture(source) or set("*?[") & set(source) or holds_something(source))


def holds_something(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is there and not empty."""
    try:
        with os.scandir(folder) as entries:
            return any(entries)
    except OSError:
        return False


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
