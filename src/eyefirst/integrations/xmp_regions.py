"""What a plan says, as regions that photo libraries read from XMP, in two vocabularies.

IPTC Photo Metadata (2019.1 and later, `Iptc4xmpExt:ImageRegion`): where people look is an "area of interest", the
subjects are the "main subject area" and "subject areas", and the best frame of each ratio is a "recommended cropping".

MWG (Metadata Working Group 2.0, `mwg-rs:Regions`), which older programs read, knows four types and no other: Face,
Pet, Focus and BarCode. So it gets where people look alone, as Focus. It carries no name: programs take a name to be a
person's.

Both count in shares of the picture as it is stored, before its EXIF orientation turns it upright.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyefirst.geometry import AspectRatio, Box, Size
from eyefirst.image.orientation import turned_size
from eyefirst.plan import CropPlan

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
MWG = "http://www.metadataworkinggroup.com/schemas/regions/"
AREA = "http://ns.adobe.com/xmp/sType/Area#"
DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
XMP = "http://ns.adobe.com/xap/1.0/"
ROLES = "http://cv.iptc.org/newscodes/imageregionrole/"
MARK = "eyefirst:"
"""How the id of an IPTC region and the description of an MWG region begin, so that a second run knows its own."""
NAMES = {
    "areaOfInterest": "area of interest",
    "mainSubjectArea": "main subject area",
    "subjectArea": "subject area",
    "recomCropping": "recommended cropping",
    "squareCropping": "square format cropping",
    "landscapeCropping": "landscape format cropping",
    "portraitCropping": "portrait format cropping",
}
"""Of the IPTC's vocabulary of roles (NewsCodes), what is used here; codes and their English names."""


@dataclass(frozen=True, slots=True)
class Region:
    """key: unique in the file. name: for people. box: in 0..1 of the stored picture. roles: codes of the IPTC's."""

    key: str
    name: str
    box: Box
    roles: tuple[str, ...]


def regions_of(plan: CropPlan, orientation: int = 1) -> tuple[Region, ...]:
    """Where people look first, then the subjects, then the best frame of each ratio.

    orientation: the EXIF orientation of the planned file, 1 to 8.
    """
    found = [Region("attention", "attention", plan.attention_box, ("areaOfInterest",))]
    for number, subject in enumerate(plan.objects, 1):
        role = "mainSubjectArea" if number == 1 else "subjectArea"
        found.append(Region(f"subject-{number}", f"subject {number}", subject.box, (role,)))
    for ratio, frames in plan.frames.items():
        box = frames[0].box.normalized(plan.size)
        found.append(Region(f"crop-{ratio.replace(':', 'x')}", ratio, box, ("recomCropping", _format_of(ratio))))
    return tuple(Region(r.key, r.name, as_stored(r.box, orientation), r.roles) for r in found)


def _format_of(ratio: str) -> str:
    value = float(AspectRatio.parse(ratio))
    return "squareCropping" if value == 1 else "landscapeCropping" if value > 1 else "portraitCropping"


def as_stored(box: Box, orientation: int) -> Box:
    """A box of the upright picture in the picture as it is stored."""
    corners = [_stored_point(x, y, orientation) for x, y in ((box.left, box.top), (box.right, box.bottom))]
    across, down = zip(*corners, strict=True)
    return Box(min(across), min(down), max(across), max(down))


def _stored_point(x: float, y: float, orientation: int) -> tuple[float, float]:
    return {
        2: (1 - x, y),
        3: (1 - x, 1 - y),
        4: (x, 1 - y),
        5: (y, x),
        6: (y, 1 - x),
        7: (1 - y, 1 - x),
        8: (1 - y, x),
    }.get(orientation, (x, y))


def stored_size(plan: CropPlan, orientation: int) -> Size:
    """Return the size of the planned file, as its pixels are stored."""
    return turned_size(plan.size, orientation)


# --- as XML: a property, or an entry of somebody's list, declares what it uses, so that it can stand anywhere

_RDF, _IPTC, _MWG = f'xmlns:rdf="{RDF}"', f'xmlns:Iptc4xmpExt="{IPTC}" xmlns:xmp="{XMP}"', f'xmlns:mwg-rs="{MWG}"'
_TYPES = f'xmlns:stArea="{AREA}" xmlns:stDim="{DIMENSIONS}"'


def iptc_property(regions: Sequence[Region]) -> str:
    """`Iptc4xmpExt:ImageRegion` with its list."""
    entries = "".join(f"\n     {iptc_entry(region)}" for region in regions)
    return (
        f"<Iptc4xmpExt:ImageRegion {_RDF} {_IPTC}>\n    <rdf:Bag>{entries}\n    </rdf:Bag>\n"
        "   </Iptc4xmpExt:ImageRegion>"
    )


def iptc_entry(region: Region, declarations: str = "") -> str:
    """One region. Its boundary's x and y are those of the upper left corner."""
    box = region.box
    edges = zip("XYWH", (box.left, box.top, box.width, box.height), strict=True)
    boundary = "".join(f"<Iptc4xmpExt:rb{name}>{_number(v)}</Iptc4xmpExt:rb{name}>" for name, v in edges)
    roles = "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<xmp:Identifier><rdf:Bag><rdf:li>{ROLES}{role}</rdf:li></rdf:Bag></xmp:Identifier>"
        f"<Iptc4xmpExt:Name>{_english(NAMES[role])}</Iptc4xmpExt:Name></rdf:li>"
        for role in region.roles
    )
    return (
        f'<rdf:li{declarations} rdf:parseType="Resource">'
        f"<Iptc4xmpExt:rId>{MARK}{region.key}</Iptc4xmpExt:rId>"
        f"<Iptc4xmpExt:Name>{_english(region.name)}</Iptc4xmpExt:Name>"
        '<Iptc4xmpExt:RegionBoundary rdf:parseType="Resource">'
        "<Iptc4xmpExt:rbShape>rectangle</Iptc4xmpExt:rbShape><Iptc4xmpExt:rbUnit>relative</Iptc4xmpExt:rbUnit>"
        f"{boundary}</Iptc4xmpExt:RegionBoundary>"
        f"<Iptc4xmpExt:rRole><rdf:Bag>{roles}</rdf:Bag></Iptc4xmpExt:rRole></rdf:li>"
    )


def mwg_property(regions: Sequence[Region], size: Size) -> str:
    """`mwg-rs:Regions` with the size of the stored picture and the list."""
    entries = "".join(f"\n      {mwg_entry(region)}" for region in focus_of(regions))
    return (
        f'<mwg-rs:Regions {_RDF} {_MWG} {_TYPES} rdf:parseType="Resource">\n'
        f'    <mwg-rs:AppliedToDimensions stDim:w="{size.width}" stDim:h="{size.height}" stDim:unit="pixel"/>\n'
        f"    <mwg-rs:RegionList>\n     <rdf:Bag>{entries}\n     </rdf:Bag>\n    </mwg-rs:RegionList>\n"
        "   </mwg-rs:Regions>"
    )


def focus_of(regions: Sequence[Region]) -> list[Region]:
    """What the MWG's vocabulary has a type for."""
    return [region for region in regions if region.roles == ("areaOfInterest",)]


def mwg_entry(region: Region, declarations: str = "") -> str:
    """One region. Its area's x and y are those of the middle."""
    box, middle = region.box, region.box.center
    return (
        f'<rdf:li{declarations} rdf:parseType="Resource">'
        f"<mwg-rs:Type>Focus</mwg-rs:Type><mwg-rs:Description>{MARK} {region.name}</mwg-rs:Description>"
        f'<mwg-rs:Area stArea:x="{_number(middle.x)}" stArea:y="{_number(middle.y)}"'
        f' stArea:w="{_number(box.width)}" stArea:h="{_number(box.height)}" stArea:unit="normalized"/></rdf:li>'
    )


IPTC_DECLARATIONS, MWG_DECLARATIONS = f" {_RDF} {_IPTC}", f" {_RDF} {_MWG} {_TYPES}"
"""For entries that come into somebody's list."""


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _english(text: str) -> str:
    return f'<rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'
