"""Shows `name: what it is.` in docstrings as a list, one line for each parameter or field."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Lists(griffe.Extension):
    """Changes docstrings as the reference is read; the sources stay."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Parameters."""
        _as_list(func, {p.name for p in func.parameters})

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Fields, and parameters of `__init__`."""
        init = cls.members.get("__init__")
        names = {p.name for p in init.parameters} if isinstance(init, griffe.Function) else set()
        _as_list(cls, names | set(cls.members))


def _as_list(thing: griffe.Object, names: set[str]) -> None:
    if thing.docstring is None:
        return
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True)) or "-"
    begins = re.compile(rf"(?:^|(?<=[.;] ))((?:{known})(?:(?:, | and )(?:{known}))*): ")
    parts = thing.docstring.value.split("\n\n")
    for i, part in enumerate(parts):
        text = " ".join(part.split()) if not part.startswith(" ") else part
        if begins.search(text):
            before, *items = begins.split(text)
            lines = [f"- **{name}**: {words.strip()}" for name, words in zip(items[::2], items[1::2], strict=True)]
            parts[i] = "\n".join([before.strip(), "", *lines]).strip()
    thing.docstring.value = "\n\n".join(parts)
