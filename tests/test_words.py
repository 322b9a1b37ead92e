"""Plain words: no long sentence, no word that the house avoids, in docs, help, docstrings and errors.

`python -m tests.test_words` lists what is found; `make check` runs it.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("training/README.md")])
SOURCES = sorted((ROOT / "src" / "eyefirst").rglob("*.py"))
MOST_WORDS = 30
AVOIDED = {
    r"simply|just|easily|obviously|of course|clearly": "leave it out",
    r"leverag\w+|utili[sz]\w+": "use",
    r"in order to": "to",
    r"e\.g\.|i\.e\.|etc\.": "such as; that is; name all of them",
    r"those which|that which|such as is": "repeat the noun",
    r"pictures of nothing|recipes? of the article": "a word of the field",
    r"thereof|whereby|herein|albeit|hitherto|lest": "a plain word",
    r"very easy|blazing(ly)?|powerful|seamless(ly)?|robust(ly)?|state of the art": "a figure",
}
_AVOIDED = [(re.compile(rf"\b({words})(?!\w)", re.IGNORECASE), instead) for words, instead in AVOIDED.items()]


def sentences(text: str) -> Iterator[str]:
    """Sentences of prose: no code, no links' targets; list items, cells and headings stand alone."""
    text = re.sub(r"```.*?```|<!--.*?-->|^---\n.*?\n---\n", "\n\n", text, flags=re.DOTALL)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`\n]*`", "X", text))
    text = re.sub(r"(?m)^(?: {4}|\S+ {2}).*$", "", text)  # code, and tables in docstrings
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\.) ?)|\|", text):
        yield from re.split(r"(?<=[.!?:;])[)\"*]*\s+", " ".join(block.split()))


def faults_of(text: str) -> Iterator[str]:
    """What is wrong with a text, a line for each fault."""
    for sentence in sentences(text):
        count = len(re.findall(r"[A-Za-z]\w*", sentence))
        if count > MOST_WORDS:
            yield f"{count} words, at most {MOST_WORDS}: {sentence}"
        for pattern, instead in _AVOIDED:
            if found := pattern.search(sentence):
                yield f"{found[0]!r} ({instead}): {sentence}"


def texts_of(path: Path) -> Iterator[str]:
    """A page as it is; of a module its docstrings, help texts and errors."""
    if path.suffix == ".md":
        yield path.read_text()
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.startswith("<"):
            yield inspect.cleandoc(re.sub(r"\n *Examples:\n.*", "", node.value, flags=re.DOTALL))


def all_faults() -> list[str]:
    """Every fault of every text, with its file."""
    return [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in [*PAGES, *SOURCES]
        for text in texts_of(path)
        for fault in faults_of(text)
    ]


def test_words_are_plain() -> None:
    assert not all_faults()


def test_what_is_found() -> None:
    assert list(faults_of("Reads a file. Writes `just` a file.\n\n```sh\njust\n```")) == []
    assert [f.split(" ")[0] for f in faults_of("It is just so, e.g. here.")] == ["'just'", "'e.g.'"]
    assert len(list(faults_of("word " * MOST_WORDS + "more."))) == 1
    assert len(list(faults_of("word " * MOST_WORDS + "| more"))) == 0


if __name__ == "__main__":
    found = all_faults()
    print("\n".join(found))
    sys.exit(bool(found))
