"""Hooks of the site: pages that lie outside of docs/ go under project/, and links to files there are mended.

The page try.md gets the files that parts.py fetched, or says that they are missing.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md"]
PAGES += ["training/README.md", "training/NOTEBOOK.md", "src/eyefirst/weights/CHANGELOG.md"]
PAGES += [str(p.relative_to(ROOT)) for p in ROOT.glob("src/eyefirst/weights/*/CARD.md")]
PARTS = ROOT / "build" / "parts"
MISSING = """!!! note "This copy of the site lacks the page's parts"
    They are fetched when the site is built, and could not be had then. `make site` fetches them, or says why not."""
LINK = re.compile(r"(\]\(|src=\")(?!\w+:|#)([^)\"\s#]+)")


def linked_files() -> set[str]:
    """Files that a page links to and that are no pages, by their place in the repository."""
    found = set()
    for page in [*ROOT.glob("docs/**/*.md"), *(ROOT / name for name in PAGES)]:
        for _, target in LINK.findall(page.read_text()):
            path = (page.parent / target).resolve()
            if path.is_file() and path.suffix != ".md" and not path.is_relative_to(ROOT / "docs"):
                found.add(str(path.relative_to(ROOT)))
    return found


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and files that lie outside of docs/."""
    for name in [*PAGES, *sorted(linked_files())]:
        files.append(File.generated(config, f"project/{name}", abs_src_path=str(ROOT / name)))
    if (PARTS / "parts.json").exists():
        for path in [PARTS / "parts.json", *sorted((PARTS / "files").iterdir())]:
            files.append(File.generated(config, f"try/parts/{path.name}", abs_src_path=str(path)))
    return files


def with_parts(markdown: str) -> str:
    """Fill in what the page to try loads, or put a note in the place of what cannot work."""
    values = {"page": MISSING, "parts": "The table of what is loaded is missing for the same reason."}
    if (PARTS / "parts.json").exists():
        made = json.loads((PARTS / "parts.json").read_text())
        rows = [f"| `{name}` | {part['bytes'] / 1e6:.2f} MB |" for name, part in made["parts"].items()]
        weight = f"{made['bytes'] / 1e6:.1f} MB"
        values["parts"] = "\n".join(["| file | loaded |", "|---|---|", *rows, f"| together | {weight} |"])
        values["page"] = Path(__file__).with_name("try.html").read_text()
        values |= {"bytes": str(made["bytes"]), "weight": weight}
    for name, text in values.items():  # the page first: it holds others
        markdown = markdown.replace(f"{{{{ {name} }}}}", text)
    return markdown


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn a link that is right in the repository into one that is right on the site."""
    here = page.file.src_uri
    if here.endswith("NOTEBOOK.md"):
        page.meta["search"] = {"exclude": True}  # it mentions everything
    if here == "try.md":
        markdown = with_parts(markdown)
    stored = here.removeprefix("project/") if here.startswith("project/") else f"docs/{here}"

    def mended(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(stored), found[2]))
        where = target.removeprefix("docs/") if target.startswith("docs/") else f"project/{target}"
        return found[1] + posixpath.relpath(where, posixpath.dirname(here) or ".")

    def without_folders(found: re.Match[str]) -> str:
        folder = (ROOT / posixpath.dirname(stored) / found[2]).is_dir()  # a site shows no folders
        return found[1] if folder else found[0]

    markdown = re.sub(r"\[([^\]]*)\]\(([^)\s:#]+)\)", without_folders, markdown)
    parts = re.split(r"(```.*?```|`[^`\n]*`)", markdown, flags=re.DOTALL)
    return "".join(part if i % 2 else LINK.sub(mended, part) for i, part in enumerate(parts))
