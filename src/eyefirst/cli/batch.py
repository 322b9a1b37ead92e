"""From arguments to pictures, one after the other; a bad one is a row, not a crash."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import typer

from eyefirst.cli.guard import FAILED, as_known, as_line, say, words
from eyefirst.errors import EyefirstError, InvalidValueError, PictureNotFoundError

if TYPE_CHECKING:
    from eyefirst.albums.journal import AlbumRow, Status
    from eyefirst.albums.walk import Task

STDIN = "-"


class Named(Protocol):
    """Whatever has a name for its row."""

    @property
    def name(self) -> str:
        """As the user wrote it."""
        ...


Item = TypeVar("Item", bound=Named)


@dataclass(frozen=True, slots=True)
class Picture:
    """A path, or the bytes of standard input; or the error that came instead of one.

    stem: the name of its results below the output folder, without extension. number: 2 for the second results of
    this picture in one run, such as those of another plan.
    """

    name: str
    data: bytes | None = None
    error: EyefirstError | None = None
    stem: str = ""
    number: int = 1

    def source(self) -> str | bytes:
        """Return what the tools take. Raises the error that came instead of the picture."""
        if self.error:
            raise self.error
        return self.name if self.data is None else self.data


def expand(arguments: Sequence[str], *, walk: bool = True, outside: str | None = None) -> list[Picture]:
    """Return files as given, folders walked if asked to, globs sorted, `-` read from standard input; each once.

    outside: a folder whose pictures are left out of a walk, such as that of the results.
    """
    from eyefirst.albums.walk import find_pictures, is_glob  # late: it brings decoders along

    named = [a for a in dict.fromkeys(arguments) if a != STDIN and (walk or not os.path.isdir(a))]
    tasks = {task.source: task for task in find_pictures(named, outside=outside, say=_say_of_walk)}
    every, found = list(tasks), list[Picture]()
    for argument in dict.fromkeys(arguments):
        if argument == STDIN:
            found.append(Picture(STDIN, data=_standard_input(), stem="stdin"))
            continue
        is_empty = False
        inside = [argument]
        if walk and os.path.isdir(argument):
            inside = [source for source in every if source.startswith(os.path.join(argument, ""))]
            is_empty = not inside
        elif is_glob(argument):
            is_empty = argument in tasks  # it matches nothing, and stands for itself
            inside = [] if is_empty else [source for source, task in tasks.items() if task.given == argument]
        found += [Picture(source, stem=tasks.pop(source).target) for source in inside if source in tasks]
        if is_empty:
            reason, remedy = ("nothing matches", "check the pattern")
            if os.path.isdir(argument):
                reason, remedy = ("holds no pictures", "check the folder")
            found.append(Picture(argument, error=PictureNotFoundError(reason, remedy=remedy, source=argument)))
        elif not walk and os.path.isdir(argument):
            found.append(Picture(argument))
    return found


def _say_of_walk(text: str) -> None:
    """Say what a walk leaves out. That a folder holds nothing is said by the folder's own row."""
    if "holds no pictures" not in text:
        say(text)


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise InvalidValueError("nothing comes in on standard input", remedy="for example eyefirst ... - < photo.jpg")
    return sys.stdin.buffer.read()


def for_each(
    items: Sequence[Item],
    work: Callable[[Item], Iterable[str]],
    *,
    as_json: bool,
    workers: int = 1,
    what: str = "picture",
    bar: bool = True,
) -> None:
    """Prints what `work` returns for each item, or its error, in order; exits with 1 if there was any.

    what: the key of an item's name in an error's JSON. bar: show how many are done; False where `work` shows one.
    """
    failed = False
    with _progress(len(items) if bar else 0) as advance, closing(_in_order(items, work, workers)) as done:
        for item, lines_of in done:
            try:
                lines = list(lines_of())
            except Exception as error:
                failed = True
                known = as_known(error)
                if known.source in ("", "<bytes>"):
                    known.source = item.name
                say(str(known))
                lines = [as_line({"error": known.to_dict(), what: item.name})] if as_json else []
            for line in lines:
                print(line, flush=True)
            advance()
    if failed:
        raise typer.Exit(FAILED)


def _in_order(
    items: Sequence[Item], work: Callable[[Item], Iterable[str]], workers: int
) -> Generator[tuple[Item, Callable[[], Iterable[str]]], None, None]:
    """Each item with a call that gives its lines or raises; several workers are a few items ahead."""
    if workers == 1:
        yield from ((item, partial(work, item)) for item in items)
        return
    with ThreadPoolExecutor(workers, "eyefirst") as pool:
        waiting: deque[tuple[Item, Future[Iterable[str]]]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > 2 * workers:
                    done, future = waiting.popleft()
                    yield done, future.result
            yield from ((done, future.result) for done, future in waiting)
        finally:
            pool.shutdown(cancel_futures=True)


def album_tasks(sources: Sequence[str], *, outside: str | None = None) -> list[Task]:
    """Return what `thumbnails` and `plan` work on: folders, files, globs; or a list of paths on standard input."""
    from eyefirst.albums.walk import find_pictures  # late: it brings decoders along

    if STDIN in sources and len(sources) > 1:
        raise InvalidValueError(
            "- stands alone: the list comes on standard input", remedy="leave out the other sources"
        )
    named = _listed_paths() if STDIN in sources else sources
    if not named:
        say("no paths came in on standard input")
    return find_pictures(named, outside=outside, say=say)


def away_sources(sources: Sequence[str]) -> list[str]:
    """Return the folders that are missing or empty: a file that lists all results must not lose theirs."""
    from eyefirst.albums.walk import is_away  # late: it brings decoders along

    return [source for source in sources if source != STDIN and is_away(source)]


def check_not_away(sources: Sequence[str], out: str) -> None:
    """Raise PictureNotFoundError where a source is missing or empty and `out` shows the pictures of an earlier run."""
    if os.path.lexists(out) and (away := away_sources(sources)):
        raise PictureNotFoundError(
            f"is missing or empty, so {out} is left as it is",
            remedy="check the folder; to go on without it, leave it out or name another file",
            source=away[0],
        )


def _listed_paths() -> list[str]:
    """The paths on standard input, one a line, or ended by NUL as `find -print0` writes them. They need not be text.

    UTF-16 is read where its mark says so. Raises InvalidValueError where the mark is missing: every character would
    be a path, and "/" the whole disk.
    """
    data = _standard_input().removeprefix(b"\xef\xbb\xbf")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = os.fsencode(data.decode("utf-16", "replace"))
    elif b"\0\n\0" in data or 0 < len(data) <= 3 * data.count(b"\0"):
        raise InvalidValueError("the list seems to be UTF-16 without its mark", remedy="write the list as UTF-8")
    parts = data.split(b"\0") if b"\0" in data else data.splitlines()
    return [os.fsdecode(part) for part in parts if part.strip()]


COLUMNS = ("picture", "status", "seconds", "files", "focal_x", "focal_y", "warnings", "error", "reason", "remedy")


def _cells(row: AlbumRow, *, framed: bool) -> tuple[object, ...]:
    """The cells of a row in a table; files are separated by "|". framed: results are cut at the plan's frames."""
    plan, error = row.plan or {}, row.error or {}
    planned = plan.get("frames", {}) if framed else {}
    focal = plan.get("focal_point", {})
    place = [f"{focal[axis]:.4f}" if axis in focal else "" for axis in "xy"]
    warnings = dict.fromkeys(row.warnings) | dict.fromkeys(
        f"{ratio}: {text}" for ratio, frames in planned.items() for f in frames for text in f["warnings"]
    )
    cells = (row.picture, row.status, f"{row.seconds:.4f}", "|".join(row.files), *place)
    return *cells, "; ".join(warnings), error.get("code", ""), error.get("reason", ""), error.get("remedy", "")


def show_rows(
    rows: Generator[AlbumRow, None, None],
    total: int,
    what: str,
    *,
    jsonl: bool,
    csv: bool = False,
    framed: bool = True,
    header: bool = True,
) -> dict[Status, int]:
    """Show rows as they come: a bar, errors in words, JSON or CSV lines if wanted. Return how many of each status.

    framed: results are cut at the frames of the plans, so a table repeats the warnings of the frames. header: begin a
    table with the names of its columns.
    """
    import csv as tables

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    counts: dict[Status, int] = {"made": 0, "kept": 0, "failed": 0}
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with (
        Progress(*columns, console=words(), disable=not sys.stderr.isatty()) as progress,
        closing(rows),
    ):
        table = tables.writer(sys.stdout) if csv else None
        if table and header:
            table.writerow(COLUMNS)
        bar = progress.add_task(what, total=total, rate="")
        for row in rows:
            counts[row.status] += 1
            if row.error:
                say(f"{row.error['source']}: {row.error['reason']}; {row.error['remedy']}")
            for warning in row.warnings:
                say(f"{row.picture}: {warning}")
            if jsonl:
                print(as_line(row.to_dict()), flush=True)
            elif table:
                table.writerow(_cells(row, framed=framed))
                sys.stdout.flush()
            speed = progress.tasks[bar].speed
            progress.update(bar, advance=1, rate=f"{speed:.1f}/s" if speed else "")
    say(", ".join(f"{count} {status}" for status, count in counts.items()))
    return counts


@contextmanager
def _progress(count: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, unless the lines on standard output already show how far it is."""
    if count < 2 or not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda: None
        return
    from rich.progress import Progress  # only on a terminal

    with Progress(console=words(), transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("pictures", total=count)
        yield lambda: bar.advance(task)
