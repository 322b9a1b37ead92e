"""Orphans: results of pictures that are gone, or of earlier options. They are removed on request only."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from eyefirst.albums.journal import Journal
from eyefirst.albums.walk import holds_something
from eyefirst.files.ledger import Ledger
from eyefirst.files.whole import remove_stale


def prune_results(out: str | os.PathLike[str], sources: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Remove the orphans in an output folder and return their paths.

    Only files that eyefirst wrote and nobody changed since are removed. A picture counts as gone where its file is
    missing, and its folder or one of the sources above it still holds something: a drive that is not mounted, which
    may leave an empty folder, takes nothing along. Half-written files that a killed run left go too.
    """
    folder, removed = Path(out), list[Path]()
    roots = [os.path.join(os.path.abspath(s), "") for s in sources if holds_something(s)]
    with closing(Journal(folder, "")) as journal:
        ledger = journal.ledger
        for target, source in ledger.run("SELECT target, source FROM made"):
            if _is_gone(os.fsdecode(source), roots):
                with ledger.transaction():
                    ledger.run("DELETE FROM made WHERE target = ? AND source = ?", (target, source))
                    ledger.run("DELETE FROM names WHERE source = ?", (source,))
        for (key,) in ledger.run("SELECT path FROM results"):
            if _is_current(ledger, key):
                continue
            with ledger.transaction():
                if _is_current(ledger, key):  # another process made it just now
                    continue
                if ledger.remove(path := ledger.path_of(key)):
                    removed.append(path)
                ledger.run("DELETE FROM results WHERE path = ?", (key,))
    for part in folder.rglob(".*.part"):
        remove_stale(part)
    emptied = {parent for path in removed for parent in path.parents if folder in parent.parents}
    for parent in sorted(emptied, key=lambda p: len(p.parts), reverse=True):
        with contextlib.suppress(OSError):  # not empty
            parent.rmdir()
    return removed


def _is_gone(picture: str, roots: Sequence[str]) -> bool:
    if os.path.lexists(picture):
        return False
    return holds_something(os.path.dirname(picture)) or any(picture.startswith(root) for root in roots)


def _is_current(ledger: Ledger, key: bytes) -> bool:
    """Whether a file is among those of the target that it was last made for."""
    rows = ledger.run(
        "SELECT made.files FROM results JOIN made ON made.target = results.target WHERE results.path = ?", (key,)
    )
    return any(os.fsencode(name) == key for (files,) in rows for name, _ in json.loads(files))
