"""From arguments to pictures, one after the other; a bad one is a row, not a crash."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import typer

from eyefirst.cli.guard import FAILED, as_known, as_line, say, words
from eyefirst.errors import EyefirstError, InvalidValueError, PictureNotFoundError

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
    """A path, or the bytes of standard input; or the error that came instead of one."""

    name: str
    data: bytes | None = None
    error: EyefirstError | None = None

    def source(self) -> str | bytes:
        """What the tools take."""
        if self.error:
            raise self.error
        return self.name if self.data is None else self.data


def expand(arguments: Sequence[str], *, walk: bool = True) -> list[Picture]:
    """Files as given, folders walked if asked to, globs sorted, `-` read from standard input; each once."""
    found: dict[str, Picture] = {}
    for argument in arguments:
        if argument in found:
            continue
        if argument == STDIN:
            found[STDIN] = Picture(STDIN, data=_standard_input())
        elif set("*?[") & set(argument) and not os.path.exists(argument):
            paths = sorted(p for p in glob.glob(argument, recursive=True) if not os.path.isdir(p))
            found |= {path: Picture(path) for path in paths if path not in found}
            if not paths:
                nothing = PictureNotFoundError("nothing matches", remedy="check the pattern", source=argument)
                found[argument] = Picture(argument, error=nothing)
        elif walk and os.path.isdir(argument):
            paths = _pictures_in(argument)
            found |= {path: Picture(path) for path in paths if path not in found}
            if not paths:
                nothing = PictureNotFoundError("holds no pictures", remedy="check the folder", source=argument)
                found[argument] = Picture(argument, error=nothing)
        else:
            found[argument] = Picture(argument)
    return list(found.values())


def _pictures_in(folder: str) -> list[str]:
    from eyefirst.tools.thumbnails import find_pictures  # it brings the network along

    return [task.source for task in find_pictures([folder])]


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise InvalidValueError("nothing comes in on standard input", remedy="e.g. eyefirst ... - < photo.jpg")
    return sys.stdin.buffer.read()


def for_each(items: Sequence[Item], work: Callable[[Item], Iterable[str]], *, as_json: bool) -> None:
    """Prints what `work` returns for each item, or its error; exits with 1 if there was any."""
    failed = False
    with _progress(len(items)) as advance:
        for item in items:
            try:
                lines = list(work(item))
            except Exception as error:
                failed = True
                known = as_known(error)
                if known.source in ("", "<bytes>"):
                    known.source = item.name
                say(str(known))
                lines = [as_line({"error": known.to_dict(), "picture": item.name})] if as_json else []
            for line in lines:
                print(line, flush=True)
            advance()
    if failed:
        raise typer.Exit(FAILED)


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
