"""Hooks of the site: pages that lie outside of docs/ go under project/, and links to files there are mended."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md"]
PAGES += ["training/README.md", "training/NOTEBOOK.md", "src/eyefirst/weights/CHANGELOG.md"]
PAGES += [str(p.relative_to(ROOT)) for p in ROOT.glob("src/eyefirst/weights/*/CARD.md")]
FILES = ["src/eyefirst/plan.schema.json", "examples/django_photos.py", "examples/object_position.py"]
LINK = re.compile(r"(\]\(|src=\")(?!\w+:|#)([^)\"\s#]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and files that lie outside of docs/."""
    for name in [*PAGES, *FILES]:
        files.append(File.generated(config, f"project/{name}", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn a link that is right in the repository into one that is right on the site."""
    here = page.file.src_uri
    if here.endswith("NOTEBOOK.md"):
        page.meta["search"] = {"exclude": True}  # it mentions everything
    stored = here.removeprefix("project/") if here.startswith("project/") else f"docs/{here}"

    def mended(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(stored), found[2]))
        where = target.removeprefix("docs/") if target.startswith("docs/") else f"project/{target}"
        return found[1] + posixpath.relpath(where, posixpath.dirname(here) or ".")

    parts = re.split(r"(```.*?```|`[^`\n]*`)", markdown, flags=re.DOTALL)
    return "".join(part if i % 2 else LINK.sub(mended, part) for i, part in enumerate(parts))
