"""What every command shares: how it speaks, and how it ends."""

from __future__ import annotations

import functools
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import typer

from eyefirst.errors import (
    EyefirstError,
    InvalidPlanError,
    InvalidValueError,
    UnknownRevisionError,
    known_error,
    reason_of,
)

if TYPE_CHECKING:
    from rich.console import Console

    from eyefirst.handler import ImageRequestHandler

FAILED, USAGE, INTERRUPTED, READER_GONE = 1, 2, 130, 141
EXIT_CODES = (
    "Exit codes: 0 all well, 1 some picture failed, 2 wrong usage, 129, 130 or 143 interrupted by a signal, "
    "141 the reader of the output went away."
)

P = ParamSpec("P")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """The command, ending with one line and an exit code whatever happens; never with a traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):  # file names need not be text
            sys.stdout.reconfigure(errors="surrogateescape" if sys.stdout.encoding == "utf-8" else "backslashreplace")
        _SAID.clear()
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it exits
            raise typer.Exit(READER_GONE) from None
        except KeyboardInterrupt as stop:
            say("interrupted")
            raise typer.Exit(getattr(stop, "exit_code", INTERRUPTED)) from None
        except Exception as error:
            known = as_known(error)
            say(str(known))
            raise typer.Exit(
                USAGE if isinstance(known, (InvalidValueError, UnknownRevisionError)) else FAILED
            ) from None

    return run


def refuse(why: str, options: Mapping[str, object], *, remedy: str = "leave out one or the other") -> None:
    """Raise InvalidValueError where an option was given that would have no effect.

    why: the reason. options: by name, what was given; an empty or false value means that it was not. remedy:
    what to do instead.
    """
    given = [name for name, value in options.items() if value]
    if given:
        raise InvalidValueError(f"{why}, so {' and '.join(given)} would have no effect", remedy=remedy)


def given(context: typer.Context, *parameters: str) -> dict[str, bool]:
    """Return which options were given on the command line, by option; for `refuse`. parameters: their names."""
    options = {p.name: p.opts[0] for p in context.command.params}
    sources = {name: context.get_parameter_source(name) for name in parameters}
    return {options[name]: source is not None and source.name == "COMMANDLINE" for name, source in sources.items()}


def as_known(error: Exception) -> EyefirstError:
    """The error itself, or an unexpected one in the words of this package; with EYEFIRST_DEBUG it is raised."""
    if isinstance(error, EyefirstError):
        return error
    if os.environ.get("EYEFIRST_DEBUG", "0") not in ("", "0"):
        raise error
    known = known_error(error)
    known.remedy = "set EYEFIRST_DEBUG=1 to see the traceback, and report it"
    return known


@functools.cache
def words() -> Console:
    """Standard error; one console, so that lines and a progress bar do not mix."""
    from rich.console import Console  # only who speaks needs it

    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """One line of words."""
    words().print(f"eyefirst: {readable(text)}")


def say_of_file(handler: ImageRequestHandler) -> None:
    """Say once, after it was read, what was amiss with a picture's file, or that a raw file's preview was read."""
    for text in handler.warnings:
        say_once(text)


def say_once(text: str) -> None:
    """One line of words, unless this command said it before."""
    if text not in _SAID:
        _SAID.add(text)
        say(text)


_SAID: set[str] = set()
"""What this command has said of files."""


def readable(text: str) -> str:
    """On one line, and without control characters: a file's name may hold any."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def as_line(values: Mapping[str, object]) -> str:
    """One line of JSON in ASCII, which every terminal and pipe can carry."""
    return json.dumps(values)


def film_text(path: str) -> str:
    """The text of a saved plan. Raises InvalidPlanError."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidPlanError(
            f"cannot be read: {reason_of(error)}", remedy="give what was written", source=path
        ) from error


def film_plan(path: str) -> dict[str, object]:
    """What --json of a command for films printed, read back from a file. Raises InvalidPlanError."""
    try:
        values = json.loads(film_text(path))
    except (ValueError, RecursionError) as error:
        raise InvalidPlanError(f"cannot be read: {error}", remedy="give what --json printed", source=path) from error
    if not isinstance(values, dict):
        raise InvalidPlanError("is not the plan of a film", remedy="give what --json printed", source=path)
    return values
