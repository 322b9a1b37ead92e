"""Sidecars for photo libraries: a small XMP file beside a photo, which stays as it is.

    write_sidecar("photo.jpg")  # photo.jpg.xmp

What stands in a sidecar already is somebody's work: ratings, names of people, the settings of a raw converter. So
it is never parsed and written anew. Regions of ours are spliced into its bytes, those of an earlier run are replaced,
and every other byte stays. A sidecar whose form is not understood is refused and left alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from eyefirst.errors import OutputError
from eyefirst.files.whole import written_whole
from eyefirst.geometry import RatioLike, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import stored_orientation
from eyefirst.integrations.xmp_regions import (
    DIMENSIONS,
    IPTC,
    IPTC_DECLARATIONS,
    MARK,
    MWG,
    MWG_DECLARATIONS,
    RDF,
    Region,
    focus_of,
    iptc_entry,
    iptc_property,
    mwg_entry,
    mwg_property,
    regions_of,
    stored_size,
)
from eyefirst.plan import CropPlan
from eyefirst.tools.planning import plan_from

DEFAULT_RATIOS = ("1:1", "16:9", "9:16")
SIDECAR_LIMIT_BYTES = 64 << 20
SAME_SHAPE = 0.01
"""Regions of a picture whose aspect ratio differs by more than this share are those of another picture, or turned."""

Status = Literal["made", "merged", "kept"]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What became of one: status is "made", "merged" into one that was there, or "kept", for it said the same."""

    path: Path
    status: Status
    plan: CropPlan

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"picture": self.plan.picture, "sidecar": str(self.path), "status": self.status}


def sidecar_path(photo: str | os.PathLike[str], *, short_name: bool = False) -> Path:
    """`photo.jpg.xmp`, as darktable, digiKam and Immich name it; short: `photo.xmp`, as Adobe does."""
    path = Path(photo)
    return path.with_suffix(".xmp") if short_name else path.with_name(f"{path.name}.xmp")


def write_sidecar(
    photo: str | os.PathLike[str],
    ratios: RatioLike | Sequence[RatioLike] = DEFAULT_RATIOS,
    *,
    short_name: bool = False,
    revision: str | None = None,
) -> Sidecar:
    """Looks at a photo and writes what it sees beside it: see `regions_of`.

    Raises PictureError for a photo that cannot be used, OutputError for a sidecar that cannot be written, or that is
    there and cannot be merged with.
    """
    handler = ImageRequestHandler(os.fspath(photo))
    plan = plan_from(handler, ratios, revision=revision)
    orientation = stored_orientation(handler.opened)
    regions, size = regions_of(plan, orientation), stored_size(plan, orientation)
    path = sidecar_path(photo, short_name=short_name)
    with _border(path):
        before = _read(path)
        after = fresh_sidecar(regions, size) if before is None else merged_sidecar(before, regions, size)
        if after != before:
            _replace(path, before, after)
    return Sidecar(path, "made" if before is None else "kept" if after == before else "merged", plan)


def fresh_sidecar(regions: Sequence[Region], size: Size) -> bytes:
    """A whole file. size: of the stored picture."""
    empty = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF xmlns:rdf="{RDF}">\n </rdf:RDF>\n</x:xmpmeta>\n'
    head, tail = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n', '<?xpacket end="w"?>\n'
    return merged_sidecar(f"{head}{empty}{tail}".encode(), regions, size)


def merged_sidecar(before: bytes, regions: Sequence[Region], size: Size) -> bytes:
    """The bytes of a sidecar with these regions and without ours of an earlier run.

    Raises OutputError, without a source, where its form is not understood.
    """
    rdf = _rdf_of(before)
    descriptions = [node for node in rdf.children if node.name == f"{RDF} Description"]
    edits: list[Edit] = []
    added = []
    iptc = _property(descriptions, f"{IPTC} ImageRegion")
    if iptc is None:
        added.append(iptc_property(regions))
    else:
        edits += _iptc_edits(before, iptc, regions)
    mwg = _property(descriptions, f"{MWG} Regions")
    if mwg is None:
        added.append(mwg_property(regions, size))
    else:
        edits += _mwg_edits(before, mwg, regions, size)
    if added:
        about = next((d.attributes.get(f"{RDF} about", d.attributes.get("about")) for d in descriptions), None) or ""
        place = _line_start(before, rdf.closing)
        edits.append(Edit(place, place, _description(added, about)))
    for edit in sorted(edits, key=lambda e: (e.start, e.end), reverse=True):
        before = before[: edit.start] + edit.text.encode() + before[edit.end :]
    _rdf_of(before)
    return before


def _description(properties: Sequence[str], about: str) -> str:
    escaped = about.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    lines = "".join(f"   {text}\n" for text in properties)
    return f'  <rdf:Description xmlns:rdf="{RDF}" rdf:about="{escaped}">\n{lines}  </rdf:Description>\n'


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes from start to end are replaced by a text."""

    start: int
    end: int
    text: str


def _iptc_edits(data: bytes, found: Node, regions: Sequence[Region]) -> list[Edit]:
    entries = _entries(found, "image regions")
    ours = [entry for entry in entries if _says(entry, f"{IPTC} rId")]
    if len(ours) == len(entries):
        return [Edit(found.start, found.end, iptc_property(regions))]
    return _replaced(data, entries, ours, [f"\n     {iptc_entry(region, IPTC_DECLARATIONS)}" for region in regions])


def _mwg_edits(data: bytes, found: Node, regions: Sequence[Region], size: Size) -> list[Edit]:
    body = _body(found)
    lists = [node for node in body.children if node.name == f"{MWG} RegionList"]
    if len(lists) != 1:
        raise _refusal("its MWG regions have a form that is not understood")
    entries = _entries(lists[0], "MWG regions")
    ours = [entry for entry in entries if _says(entry, f"{MWG} Description")]
    known = {f"{MWG} RegionList", f"{MWG} AppliedToDimensions"}
    if len(ours) == len(entries) and all(node.name in known for node in body.children):
        return [Edit(found.start, found.end, mwg_property(regions, size))]
    applied = _applied_to(body)
    if applied and abs(applied[0] * size.height / (applied[1] * size.width) - 1) > SAME_SHAPE:
        raise _refusal(
            f"its regions are of a picture of {applied[0]:g}x{applied[1]:g}, and this one is stored as {size}"
        )
    if not entries:
        raise _refusal("its MWG regions have a form that is not understood")
    return _replaced(
        data, entries, ours, [f"\n      {mwg_entry(region, MWG_DECLARATIONS)}" for region in focus_of(regions)]
    )


def _replaced(data: bytes, entries: Sequence[Node], ours: Sequence[Node], texts: Sequence[str]) -> list[Edit]:
    """Ours go, with the white space before them, and come after the last entry of others."""
    removed = [Edit(_without_space_before(data, entry.start), entry.end, "") for entry in ours]
    others = [entry for entry in entries if entry not in ours]
    place = others[-1].end if others else removed[0].start
    return [*removed, Edit(place, place, "".join(texts))]


def _applied_to(body: Node) -> tuple[float, float] | None:
    """Width and height of the picture that MWG regions are of, if they say so."""
    for node in body.children:
        if node.name == f"{MWG} AppliedToDimensions":
            sides = [next(node.values(f"{DIMENSIONS} {side}"), "") for side in "wh"]
            with contextlib.suppress(ValueError):
                width, height = map(float, sides)
                return (width, height) if width > 0 and height > 0 else None
    return None


# --- reading, so that every part is known by its place in the bytes


@dataclass(eq=False, slots=True)
class Node:
    """An element. name: namespace, a space, and the local name. start, closing, end: where in the bytes it begins,
    where its closing tag does, and where it ends; closing is that of no tag (equal to end) in `<a/>`.
    """

    name: str
    attributes: dict[str, str]
    start: int
    closing: int = 0
    end: int = 0
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def values(self, name: str) -> Iterator[str]:
        """Every text of that name inside, as an element or as an attribute: XMP allows both."""
        if name in self.attributes:
            yield self.attributes[name]
        for child in self.children:
            if child.name == name:
                yield child.text
            yield from child.values(name)


def _rdf_of(data: bytes) -> Node:
    """The `rdf:RDF` of a sidecar."""
    if len(data) > SIDECAR_LIMIT_BYTES:
        raise _refusal(f"has {len(data)} bytes, more than the {SIDECAR_LIMIT_BYTES} that are read at most")
    root = _parsed(data)
    found = [node for node in (root, *root.children) if node.name == f"{RDF} RDF"]
    if len(found) != 1 or found[0].closing == found[0].end:
        raise _refusal("is no XMP: it holds no rdf:RDF, or nothing in it")
    return found[0]


def _parsed(data: bytes) -> Node:
    top = Node("", {}, 0)
    path = [top]
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def opened(name: str, attributes: dict[str, str]) -> None:
        node = Node(name, attributes, parser.CurrentByteIndex)
        path[-1].children.append(node)
        path.append(node)

    def closed(_: str) -> None:
        node, at = path.pop(), parser.CurrentByteIndex
        if not node.children and not node.text and data[at - 2 : at] == b"/>":  # <a/> was read to its end
            node.closing = node.end = at
        else:
            node.closing, node.end = at, data.index(b">", at) + 1

    def said(text: str) -> None:
        path[-1].text += text

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "utf8", "us-ascii"):
            raise _refusal(f"is written in {encoding}, not in UTF-8")

    def typed(*_: object) -> None:
        raise _refusal("has a document type, which XMP must not")

    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.CharacterDataHandler, parser.XmlDeclHandler = said, declared
    parser.StartDoctypeDeclHandler = typed
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        raise _refusal("is written in UTF-16 or UTF-32, not in UTF-8")
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise _refusal(f"is not well-formed XML ({error})") from error
    return top.children[0]


def _property(descriptions: Sequence[Node], name: str) -> Node | None:
    if any(name in description.attributes for description in descriptions):
        raise _refusal(f"its {name.split()[1]} has a form that is not understood")
    found = [node for description in descriptions for node in description.children if node.name == name]
    if len(found) > 1:
        raise _refusal(f"holds {name.split()[1]} more than once")
    return found[0] if found else None


def _entries(listed: Node, what: str) -> list[Node]:
    """The entries of a property that is a list."""
    if not listed.children and not listed.text.strip():
        return []
    if len(listed.children) != 1 or listed.children[0].name not in (f"{RDF} Bag", f"{RDF} Seq"):
        raise _refusal(f"its {what} have a form that is not understood")
    return [node for node in listed.children[0].children if node.name == f"{RDF} li"]


def _body(structure: Node) -> Node:
    """Where the fields of a structure stand: in itself, or in the one description inside of it."""
    inner = structure.children
    return inner[0] if len(inner) == 1 and inner[0].name == f"{RDF} Description" else structure


def _says(entry: Node, name: str) -> bool:
    """Whether a region is one of ours."""
    return any(text.strip().startswith(MARK) for text in entry.values(name))


def _line_start(data: bytes, place: int) -> int:
    """The place itself, or where the white space of its line begins."""
    start = place
    while start > 0 and data[start - 1 : start] in (b" ", b"\t"):
        start -= 1
    return start if data[start - 1 : start] == b"\n" else place


def _without_space_before(data: bytes, place: int) -> int:
    while place > 0 and data[place - 1 : place].isspace():
        place -= 1
    return place


def _refusal(reason: str) -> OutputError:
    return OutputError(reason, remedy="it was left as it is; mend it, or move it away")


# --- files


@contextlib.contextmanager
def _border(path: Path) -> Iterator[None]:
    """Inside, files may fail as they like; outside, there is only OutputError, and it names the sidecar."""
    try:
        yield
    except OutputError as error:
        error.source = str(path)
        raise
    except OSError as error:
        raise OutputError.of(error, str(path)) from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, before: bytes | None, after: bytes) -> None:
    """Whole or not at all, with the rights of the one that was there; never over what came meanwhile."""
    target = Path(os.path.realpath(path))  # a link stays one
    with written_whole(target, None if before is None else target.stat().st_mode & 0o777) as file:
        file.write(after)
        if _read(target) != before:
            raise OutputError("was changed by another program at this very moment", remedy="run it again")
