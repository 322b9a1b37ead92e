"""Sidecars for photo libraries: a small XMP file beside a photo, which stays as it is.

    write_sidecar("photo.jpg")  # photo.jpg.xmp

What stands in a sidecar already is somebody's work: ratings, names of people, the settings of a raw converter. So
it is never parsed and written anew. Regions of ours are spliced into its bytes, those of an earlier run are replaced,
and every other byte stays. A sidecar whose form is not understood is refused and left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eyefirst import __version__
from eyefirst.errors import OutputError
from eyefirst.files.whole import written_whole
from eyefirst.geometry import RatioLike, Size
from eyefirst.handler import ImageRequestHandler
from eyefirst.image import open_source, stored_orientation
from eyefirst.integrations.xmp_paths import place_of, sidecar_path
from eyefirst.integrations.xmp_reading import (
    Node,
    body_of,
    entries_of,
    line_start,
    parsed,
    property_of,
    rdf_of,
    refusal,
    says,
    without_space_before,
)
from eyefirst.integrations.xmp_regions import (
    AREA,
    DIMENSIONS,
    IPTC,
    IPTC_DECLARATIONS,
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
from eyefirst.network import check_revision
from eyefirst.plan import CropPlan
from eyefirst.tools.planning import parse_ratios, plan_from

__all__ = ["Sidecar", "fresh_sidecar", "merged_sidecar", "sidecar_path", "write_sidecar"]

DEFAULT_RATIOS = ("1:1", "16:9", "9:16")
SAME_SHAPE = 0.01
"""Regions of a picture whose aspect ratio differs by more than this share are those of another picture, or turned."""

TIFF = "http://ns.adobe.com/tiff/1.0/"
OWN = "http://eyefirst.invalid/ns/1.0/"
"""The namespace of the one property of ours: the mark by which a second run knows that nothing changed."""
FORMER_MARK = re.compile(rb"eyefirst-[0-9a-f]{64}")
AREA_CORNERS = [f"{AREA} {corner}" for corner in "xywh"]

Status = Literal["made", "merged", "kept"]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What became of the sidecar of one photo.

    status: "made", "merged" into one that was there, or "kept", for it said the same. plan: what was seen; None where
    the photo and the sidecar did not change since the last run, so that nothing was looked at. warning: what the user
    should know, or nothing.
    """

    path: Path
    status: Status
    picture: str
    plan: CropPlan | None = None
    warning: str = ""

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        found: dict[str, object] = {"picture": self.picture, "sidecar": str(self.path), "status": self.status}
        return found | ({"warning": self.warning} if self.warning else {})


def write_sidecar(
    photo: str | os.PathLike[str],
    ratios: RatioLike | Sequence[RatioLike] = DEFAULT_RATIOS,
    *,
    short_name: bool = False,
    revision: str | None = None,
) -> Sidecar:
    """Look at a photo and write what is seen beside it: see `regions_of`.

    A sidecar of another convention or case is merged with, see `place_of`. An orientation in the sidecar counts
    instead of the photo's own. A photo that did not change since the last run with the same options, with our regions
    still in its sidecar, is not looked at again.

    Raises PictureError for a photo that cannot be used, OutputError for a sidecar that cannot be written, or that is
    there and cannot be merged with.
    """
    name = os.fspath(photo)
    opened = open_source(name)
    place = place_of(photo, short_name=short_name)
    wanted = parse_ratios(ratios)
    with _border(place.path):
        before = _read(place.path)
        content = before if before is not None and not _is_empty(before) else None
        turned = sidecar_orientation(content) if content else None
    orientation = turned or stored_orientation(opened)
    order = [opened.sha256, [str(r) for r in wanted], check_revision(revision), orientation, __version__]
    with _border(place.path):
        if content and order_mark(order, content) in content:
            return Sidecar(place.path, "kept", name, warning=place.warning)
    handler = ImageRequestHandler(opened, orientation=turned)
    plan = plan_from(handler, wanted, revision=revision)
    regions, size = regions_of(plan, orientation), stored_size(plan, orientation)
    with _border(place.path):
        after = fresh_sidecar(regions, size) if content is None else merged_sidecar(content, regions, size)
        same = after == content
        after = marked(after, order)
        if after != before:
            _replace(place.path, before, after)
    status: Status = "made" if before is None else "kept" if same else "merged"
    warning = "; ".join(filter(None, (place.warning, *handler.file_remarks())))
    return Sidecar(place.path, status, name, plan, warning)


def _is_empty(data: bytes) -> bool:
    """Whether a sidecar holds nothing at all: no bytes, only the lines round a packet, or a root without content."""
    if re.fullmatch(rb"(?:\s|<\?[^<>]*\?>)*", data.removeprefix(b"\xef\xbb\xbf")):
        return True
    root = parsed(data)
    return root.name == "adobe:ns:meta/ xmpmeta" and not root.children and not root.text.strip()


def sidecar_orientation(data: bytes) -> int | None:
    """Return the EXIF orientation that a sidecar says, which counts instead of the photo's own; None for none."""
    text = next(rdf_of(data).values(f"{TIFF} Orientation"), "").strip()
    return int(text) if text in set("12345678") else None


def order_mark(order: Sequence[object], data: bytes) -> bytes:
    """Return what a sidecar holds that was made from this photo, with these options, with these regions of ours."""
    seen = []
    for node in rdf_of(data).all():
        for name, corners in ((f"{IPTC} rId", [f"{IPTC} rb{c}" for c in "XYWH"]), (f"{MWG} Description", AREA_CORNERS)):
            if node.name == f"{RDF} li" and says(node, name):
                values = [next(node.values(n), "").strip() for n in (name, *corners)]
                seen.append([values[0], *map(_rounded, values[1:])])
    digest = hashlib.sha256(json.dumps([*order, sorted(seen)]).encode()).hexdigest()
    return f"eyefirst-{digest}".encode()


def _rounded(text: str) -> str:
    """A number as the mark has it; programs that write a sidecar anew round it. What is no number stays."""
    try:
        return f"{float(text or 0):.4f}"
    except ValueError:
        return text


def marked(data: bytes, order: Sequence[object]) -> bytes:
    """Return a sidecar with its mark, in the place of an earlier one."""
    mark = order_mark(order, data)
    if FORMER_MARK.search(data):
        return FORMER_MARK.sub(mark, data)
    place = line_start(data, rdf_of(data).closing)
    line = (
        f'  <rdf:Description xmlns:rdf="{RDF}" rdf:about="">'
        f'<ef:made xmlns:ef="{OWN}">{mark.decode()}</ef:made></rdf:Description>\n'
    )
    return data[:place] + line.encode() + data[place:]


def fresh_sidecar(regions: Sequence[Region], size: Size) -> bytes:
    """A whole file. size: of the stored picture."""
    empty = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF xmlns:rdf="{RDF}">\n </rdf:RDF>\n</x:xmpmeta>\n'
    head, tail = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n', '<?xpacket end="w"?>\n'
    return merged_sidecar(f"{head}{empty}{tail}".encode(), regions, size)


def merged_sidecar(before: bytes, regions: Sequence[Region], size: Size) -> bytes:
    """The bytes of a sidecar with these regions and without ours of an earlier run.

    Raises OutputError, without a source, where its form is not understood.
    """
    before = _with_room(before)
    rdf = rdf_of(before)
    descriptions = [node for node in rdf.children if node.name == f"{RDF} Description"]
    edits: list[Edit] = []
    added = []
    iptc = property_of(descriptions, f"{IPTC} ImageRegion")
    if iptc is None:
        added.append(iptc_property(regions))
    else:
        edits += _iptc_edits(before, iptc, regions)
    mwg = property_of(descriptions, f"{MWG} Regions")
    if mwg is None:
        added.append(mwg_property(regions, size))
    else:
        edits += _mwg_edits(before, mwg, regions, size)
    if added:
        about = next((d.attributes.get(f"{RDF} about", d.attributes.get("about")) for d in descriptions), None) or ""
        place = line_start(before, rdf.closing)
        edits.append(Edit(place, place, _description(added, about)))
    for edit in sorted(edits, key=lambda e: (e.start, e.end), reverse=True):
        before = before[: edit.start] + edit.text.encode() + before[edit.end :]
    rdf_of(before)
    return before


def _with_room(data: bytes) -> bytes:
    """Return a sidecar whose `<rdf:RDF/>` is written as `<rdf:RDF></rdf:RDF>`."""
    rdf = rdf_of(data)
    if rdf.closing < rdf.end:
        return data
    name = data[rdf.start + 1 : rdf.end].split(None, 1)[0].rstrip(b"/>")
    return data[: rdf.end - 2].rstrip() + b">\n </" + name + b">" + data[rdf.end :]


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
    entries = entries_of(found, "image regions")
    ours = [entry for entry in entries if says(entry, f"{IPTC} rId")]
    if len(ours) == len(entries):
        return [Edit(found.start, found.end, iptc_property(regions))]
    return _replaced(data, entries, ours, [f"\n     {iptc_entry(region, IPTC_DECLARATIONS)}" for region in regions])


def _mwg_edits(data: bytes, found: Node, regions: Sequence[Region], size: Size) -> list[Edit]:
    body = body_of(found)
    lists = [node for node in body.children if node.name == f"{MWG} RegionList"]
    if len(lists) > 1:
        raise refusal("its MWG regions have a form that is not understood")
    entries = entries_of(lists[0], "MWG regions") if lists else []
    ours = [entry for entry in entries if says(entry, f"{MWG} Description")]
    known = {f"{MWG} RegionList", f"{MWG} AppliedToDimensions"}
    if len(ours) == len(entries) and all(node.name in known for node in body.children):
        return [Edit(found.start, found.end, mwg_property(regions, size))]
    applied = _applied_to(body)
    if applied and abs(applied[0] * size.height / (applied[1] * size.width) - 1) > SAME_SHAPE:
        raise refusal(
            f"its regions are of a picture of {applied[0]:g}x{applied[1]:g}, and this one is stored as {size}"
        )
    if not entries:
        raise refusal("its MWG regions have a form that is not understood")
    return _replaced(
        data, entries, ours, [f"\n      {mwg_entry(region, MWG_DECLARATIONS)}" for region in focus_of(regions)]
    )


def _replaced(data: bytes, entries: Sequence[Node], ours: Sequence[Node], texts: Sequence[str]) -> list[Edit]:
    """Ours go, with the white space before them, and come after the last entry of others."""
    removed = [Edit(without_space_before(data, entry.start), entry.end, "") for entry in ours]
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
