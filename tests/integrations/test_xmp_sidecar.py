"""Sidecars: what they say, read back by other means; and that nothing of anybody else is ever lost."""

from __future__ import annotations

import difflib
import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

import eyefirst
from eyefirst.errors import OutputError, PictureError
from eyefirst.geometry import Box, Size
from eyefirst.image import stored_orientation
from eyefirst.integrations.xmp_regions import (
    AREA,
    DIMENSIONS,
    IPTC,
    MWG,
    NAMES,
    RDF,
    ROLES,
    XMP,
    Region,
    as_stored,
    regions_of,
)
from eyefirst.integrations.xmp_sidecar import fresh_sidecar, merged_sidecar, sidecar_path, write_sidecar

NS = {"rdf": RDF, "iptc": IPTC, "mwg": MWG, "area": AREA, "dim": DIMENSIONS, "xmp": XMP}
SIZE = Size(3000, 2000)
REGIONS = (
    Region("attention", "attention", Box(0.2, 0.1, 0.6, 0.5), ("areaOfInterest",)),
    Region("crop-16x9", "16:9", Box(0, 0.125, 1, 0.875), ("recomCropping", "landscapeCropping")),
)
OTHERS = (Region("attention", "attention", Box(0.5, 0.5, 0.75, 1), ("areaOfInterest",)),)

RDF_HEAD = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
RDF_TAIL = "</rdf:RDF></x:xmpmeta>"
FACE = (
    '<rdf:li{0}><rdf:Description mwg-rs:Name="Ada &amp; Bob" mwg-rs:Type="Face">'
    '<mwg-rs:Area stArea:x="0.5" stArea:y="0.25" stArea:w="0.1" stArea:h="0.2" stArea:unit="normalized"/>'
    "</rdf:Description></rdf:li>"
)
SIDECARS = {
    # as Lightroom writes them: attributes, a line break in one of them, faces in a list
    "adobe": f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about=""
    xmlns:xmp="{XMP}" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
    xmlns:mwg-rs="{MWG}" xmlns:stDim="{DIMENSIONS}" xmlns:stArea="{AREA}"
   xmp:Rating="4" photoshop:Instructions="one&#xA;two&#x9;three">
   <mwg-rs:Regions rdf:parseType="Resource">
    <mwg-rs:AppliedToDimensions stDim:w="6000" stDim:h="4000" stDim:unit="pixel"/>
    <mwg-rs:RegionList>
     <rdf:Bag>
      {FACE.format("")}
      <!-- a note -->
      {FACE.format("").replace("Ada", "Eva")}
     </rdf:Bag>
    </mwg-rs:RegionList>
   </mwg-rs:Regions>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""",
    # as digiKam does: everything an element, regions of both kinds, a name with an accent
    "elements": f"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about="" xmlns:mwg-rs="{MWG}" xmlns:stDim="{DIMENSIONS}" xmlns:stArea="{AREA}" xmlns:I="{IPTC}">
   <mwg-rs:Regions><rdf:Description>
    <mwg-rs:AppliedToDimensions rdf:parseType="Resource">
     <stDim:w>1500</stDim:w><stDim:h>1000</stDim:h>
    </mwg-rs:AppliedToDimensions>
    <mwg-rs:RegionList><rdf:Seq>
     <rdf:li rdf:parseType="Resource"><mwg-rs:Name>Ren\u00e9</mwg-rs:Name></rdf:li>
    </rdf:Seq></mwg-rs:RegionList>
   </rdf:Description></mwg-rs:Regions>
   <I:ImageRegion><rdf:Bag><rdf:li rdf:parseType="Resource"><I:rId>p1</I:rId></rdf:li></rdf:Bag></I:ImageRegion>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
""",
    # no regions, lines of Windows, several descriptions, no wrapper
    "plain": f"""<rdf:RDF xmlns:rdf="{RDF}" xmlns:xmp="{XMP}">\r
 <rdf:Description rdf:about="uuid:7" xmp:Label="Red"/>\r
 <rdf:Description rdf:about="uuid:7"><xmp:Nickname><![CDATA[a < b]]></xmp:Nickname></rdf:Description>\r
</rdf:RDF>\r
""",
    "one line": f'{RDF_HEAD}<rdf:Description rdf:about="" xmlns:xmp="{XMP}" xmp:Rating="1"/>{RDF_TAIL}',
}


def parsed(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data)


def iptc_regions(data: bytes) -> dict[str, dict[str, Any]]:
    """By id, read by another parser than ours."""
    found = {}
    for entry in parsed(data).iterfind(".//iptc:ImageRegion/rdf:Bag/rdf:li", NS):
        edges = [entry.findtext(f"iptc:RegionBoundary/iptc:rb{name}", None, NS) for name in "XYWH"]
        found[entry.findtext("iptc:rId", "", NS)] = {
            "edges": [float(e) for e in edges if e],
            "roles": [e.text for e in entry.iterfind(".//xmp:Identifier/rdf:Bag/rdf:li", NS)],
        }
    return found


def focus(data: bytes) -> list[list[float]]:
    """x, y of the middle, width and height of every MWG region of type Focus."""
    root = parsed(data)
    found = [e for e in root.iterfind(".//mwg:RegionList/*/rdf:li", NS) if e.findtext("mwg:Type", "", NS) == "Focus"]
    areas = [e.find("mwg:Area", NS) for e in found]
    return [[float(area.get(f"{{{AREA}}}{n}", "nan")) for n in "xywh"] for area in areas if area is not None]


def without_ours(data: bytes, original: bytes) -> list[str]:
    """What a merge did to the original, beside putting something in."""
    steps = difflib.SequenceMatcher(None, original, data, autojunk=False).get_opcodes()
    return [step[0] for step in steps if step[0] not in ("equal", "insert")]


# --- what is said


def test_a_fresh_sidecar_says_what_the_plan_does(photo_path: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(photo_path.read_bytes())
    made = write_sidecar(photo, ["16:9", "1:1", "9:16"])
    assert (made.path, made.status) == (tmp_path / "photo.jpg.xmp", "made")
    data = made.path.read_bytes()
    plan = eyefirst.plan_crops(photo, ["16:9", "1:1", "9:16"])
    boxes = [plan.attention_box, *(o.box for o in plan.objects)]
    boxes += [frames[0].box.normalized(plan.size) for frames in plan.frames.values()]
    found = iptc_regions(data)
    assert [f["edges"] for f in found.values()] == [
        pytest.approx([b.left, b.top, b.width, b.height], abs=1e-6) for b in boxes
    ]
    subjects = [f"eyefirst:subject-{i}" for i in range(1, len(plan.objects) + 1)]
    crops = ["eyefirst:crop-16x9", "eyefirst:crop-1x1", "eyefirst:crop-9x16"]
    assert list(found) == ["eyefirst:attention", *subjects, *crops]
    assert found["eyefirst:subject-1"]["roles"] == [f"{ROLES}mainSubjectArea"]
    assert found["eyefirst:crop-9x16"]["roles"] == [f"{ROLES}recomCropping", f"{ROLES}portraitCropping"]
    box = plan.attention_box
    assert focus(data) == [pytest.approx([box.center.x, box.center.y, box.width, box.height], abs=1e-6)]
    (size,) = parsed(data).iterfind(".//mwg:AppliedToDimensions", NS)
    assert [size.get(f"{{{DIMENSIONS}}}{n}") for n in ("w", "h", "unit")] == ["512", "512", "pixel"]
    assert photo.read_bytes() == photo_path.read_bytes()


def test_names_are_given_to_no_mwg_region() -> None:
    """Programs take such a name for a person's."""
    assert parsed(fresh_sidecar(REGIONS, SIZE)).find(".//mwg:Name", NS) is None


def test_every_role_is_of_the_iptc_s_vocabulary() -> None:
    """https://cv.iptc.org/newscodes/imageregionrole, as it was published with 2019.1."""
    published = {"cropping", "recomCropping", "landscapeCropping", "portraitCropping", "squareCropping"}
    published |= {"compositeImageItem", "copyrightRegion", "subjectArea", "mainSubjectArea", "areaOfInterest"}
    assert set(NAMES) <= published


@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_count_in_the_picture_as_it_is_stored(orientation: int, tmp_path: Path) -> None:
    upright = np.full((400, 600, 3), 60, np.uint8)
    upright[50:150, 420:570] = (255, 40, 40)
    box = Box(420 / 600, 50 / 400, 570 / 600, 150 / 400)
    undo = {6: 8, 8: 6}.get(orientation, orientation)
    turns = PillowImage.Transpose
    kinds = [None, turns.FLIP_LEFT_RIGHT, turns.ROTATE_180, turns.FLIP_TOP_BOTTOM, turns.TRANSPOSE]
    kinds += [turns.ROTATE_270, turns.TRANSVERSE, turns.ROTATE_90]
    kind = kinds[undo - 1]
    picture = PillowImage.fromarray(upright)
    stored = picture if kind is None else picture.transpose(kind)
    exif = PillowImage.Exif()
    exif[274] = orientation
    for name, options in (("p.jpg", {"quality": 95}), ("p.png", {}), ("p.webp", {"lossless": True}), ("p.tif", {})):
        path = tmp_path / name
        stored.save(path, exif=exif, **options)
        assert stored_orientation(path) == orientation
        assert eyefirst.load_image(path).size == Size(600, 400)
        place = as_stored(box, orientation).to_pixels(Size(*stored.size))
        cut = np.asarray(stored.crop((place.left, place.top, place.right, place.bottom)))
        assert (cut == (255, 40, 40)).all()
    made = write_sidecar(tmp_path / "p.jpg", 1)
    left, top, width, height = iptc_regions(made.path.read_bytes())["eyefirst:crop-1x1"]["edges"]
    assert (width * stored.width, height * stored.height) == pytest.approx((400, 400), abs=1)
    middle = ((left + width / 2) * stored.width, (top + height / 2) * stored.height)
    there = as_stored(box, orientation).center
    assert abs(there.x * stored.width - middle[0]) <= 200
    assert abs(there.y * stored.height - middle[1]) <= 200


def test_a_picture_without_subjects_has_regions_all_the_same(tmp_path: Path) -> None:
    PillowImage.new("RGB", (300, 200), "grey").save(tmp_path / "p.png")
    plan = eyefirst.plan_crops(tmp_path / "p.png", "1:1")
    assert [r.key for r in regions_of(plan)] == ["attention", "crop-1x1"]


# --- what is kept


@pytest.mark.parametrize("form", SIDECARS)
def test_a_merge_only_adds(form: str) -> None:
    original = SIDECARS[form].encode()
    merged = merged_sidecar(original, REGIONS, SIZE)
    assert without_ours(merged, original) == []
    assert {"eyefirst:attention", "eyefirst:crop-16x9"} <= set(iptc_regions(merged))
    assert focus(merged) == [[0.4, 0.3, 0.4, 0.4]]


@pytest.mark.parametrize("form", SIDECARS)
def test_a_second_run_changes_nothing_and_another_replaces_ours_alone(form: str) -> None:
    original = SIDECARS[form].encode()
    first = merged_sidecar(original, REGIONS, SIZE)
    assert merged_sidecar(first, REGIONS, SIZE) == first
    other = merged_sidecar(first, OTHERS, SIZE)
    assert without_ours(other, original) == []
    assert focus(other) == [[0.625, 0.75, 0.25, 0.5]]
    assert "eyefirst:crop-16x9" not in iptc_regions(other)
    assert merged_sidecar(other, REGIONS, SIZE) == first


def test_regions_of_others_stay_and_come_first() -> None:
    merged = merged_sidecar(SIDECARS["elements"].encode(), REGIONS, SIZE)
    assert list(iptc_regions(merged)) == ["p1", "eyefirst:attention", "eyefirst:crop-16x9"]
    names = [e.text for e in parsed(merged).iterfind(".//mwg:Name", NS)]
    assert names == ["Ren\u00e9"]


def test_the_same_subject_as_the_rest_of_the_sidecar() -> None:
    merged = parsed(merged_sidecar(SIDECARS["plain"].encode(), REGIONS, SIZE))
    assert {d.get(f"{{{RDF}}}about") for d in merged.iterfind("rdf:Description", NS)} == {"uuid:7"}


def test_ours_are_known_again_in_another_program_s_spelling() -> None:
    """Exiv2 writes simple fields as attributes, in a description inside of the entry."""
    theirs = (
        f'{RDF_HEAD}<rdf:Description rdf:about="" xmlns:m="{MWG}" xmlns:i="{IPTC}"><m:Regions rdf:parseType="Resource">'
        '<m:RegionList><rdf:Bag><rdf:li m:Type="Focus" m:Description="eyefirst: attention"/>'
        '<rdf:li m:Type="Pet" m:Name="Rex"/></rdf:Bag></m:RegionList></m:Regions><i:ImageRegion><rdf:Bag>'
        '<rdf:li><rdf:Description i:rId="eyefirst:crop-9x16"/></rdf:li></rdf:Bag></i:ImageRegion>'
        f"</rdf:Description>{RDF_TAIL}"
    )
    merged = merged_sidecar(theirs.encode(), REGIONS, SIZE)
    assert b"crop-9x16" not in merged
    assert merged.count(b"eyefirst: attention") == 1
    assert b'm:Name="Rex"' in merged


def test_empty_lists_are_filled() -> None:
    empty = (
        f'{RDF_HEAD}<rdf:Description rdf:about="" xmlns:i="{IPTC}" xmlns:m="{MWG}"><i:ImageRegion><rdf:Bag/>'
        '</i:ImageRegion><m:Regions rdf:parseType="Resource"><m:RegionList/></m:Regions>'
        f"</rdf:Description>{RDF_TAIL}"
    )
    merged = merged_sidecar(empty.encode(), REGIONS, SIZE)
    assert len(iptc_regions(merged)) == 2
    assert len(focus(merged)) == 1
    fields = empty.replace("<m:RegionList/>", "<m:RegionList><rdf:Bag/></m:RegionList>")
    assert len(focus(merged_sidecar(fields.encode(), REGIONS, SIZE))) == 1


def test_unknown_fields_beside_the_list_stay() -> None:
    merged = merged_sidecar(fresh_sidecar(REGIONS, SIZE), REGIONS, SIZE)
    changed = merged.replace(b"    <mwg-rs:RegionList>", b"    <mwg-rs:New>1</mwg-rs:New>\n    <mwg-rs:RegionList>")
    again = merged_sidecar(changed, OTHERS, SIZE)
    assert b"<mwg-rs:New>1</mwg-rs:New>" in again
    assert focus(again) == [[0.625, 0.75, 0.25, 0.5]]


@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co"))),
    gap=st.sampled_from(["", " ", "\n", "\r\n\t", "<!-- /> -->", "<?pi />?>"]),
)
def test_whatever_stands_there_stays(text: str, gap: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace(">", "&gt;")
    original = (
        f'{RDF_HEAD}{gap}<rdf:Description rdf:about="" xmlns:xmp="{XMP}" xmlns:i="{IPTC}" xmp:Label="{escaped}">{gap}'
        f"<i:ImageRegion>{gap}<rdf:Bag>{gap}<rdf:li>{gap}<i:rId>{escaped}</i:rId>{gap}</rdf:li>{gap}</rdf:Bag>{gap}"
        f"</i:ImageRegion>{gap}</rdf:Description>{gap}{RDF_TAIL}"
    ).encode()
    merged = merged_sidecar(original, REGIONS, SIZE)
    assert without_ours(merged, original) == []
    assert merged_sidecar(merged, REGIONS, SIZE) == merged


# --- what is refused

ONE_LINE, ADOBE, ELEMENTS = SIDECARS["one line"], SIDECARS["adobe"], SIDECARS["elements"]
REFUSED = {
    "well-formed": "<x:xmpmeta>",
    "no XMP": "<html/>",
    "document type": '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
    "ISO-8859-1": f'<?xml version="1.0" encoding="ISO-8859-1"?>{ONE_LINE}',
    "of a picture of 2000x3000, and this one is stored as 300x200": ADOBE.replace("6000", "2000").replace(
        "4000", "3000"
    ),
    "ImageRegion has a form": ONE_LINE.replace("xmp:R", f'xmlns:i="{IPTC}" i:ImageRegion="" xmp:R'),
    "image regions have a form": re.sub(r"(?s)(I:ImageRegion>.*)", lambda m: m[1].replace("Bag", "Bog"), ELEMENTS),
    "MWG regions have a form": ADOBE.replace("RegionList>", "Listing>"),
    "Regions more than once": ADOBE.replace("</mwg-rs:Regions>", "</mwg-rs:Regions><mwg-rs:Regions/>"),
    "UTF-16": SIDECARS["plain"],
}


@pytest.mark.parametrize("hint", REFUSED)
def test_what_is_not_understood_is_refused_and_stays(hint: str, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    PillowImage.new("RGB", (300, 200), "grey").save(photo)
    data = REFUSED[hint].encode("utf-16" if hint == "UTF-16" else "utf-8")
    sidecar_path(photo).write_bytes(data)
    with pytest.raises(OutputError, match=hint) as caught:
        write_sidecar(photo, "1:1")
    assert caught.value.source == str(sidecar_path(photo))
    assert "left as it is" in caught.value.remedy
    assert sidecar_path(photo).read_bytes() == data
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photo.jpg", "photo.jpg.xmp"]


def test_a_bad_photo_leaves_no_sidecar(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"no picture")
    with pytest.raises(PictureError):
        write_sidecar(tmp_path / "photo.jpg")
    assert not sidecar_path(tmp_path / "photo.jpg").exists()


def test_a_change_in_the_meantime_is_not_written_over(
    tmp_path: Path, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(photo_path.read_bytes())
    path = sidecar_path(photo)

    def while_we_think(before: bytes, *rest: Any) -> bytes:
        path.write_bytes(SIDECARS["adobe"].encode())
        return merged_sidecar(before, *rest)

    path.write_bytes(SIDECARS["plain"].encode())
    monkeypatch.setattr("eyefirst.integrations.xmp_sidecar.merged_sidecar", while_we_think)
    with pytest.raises(OutputError, match="another program"):
        write_sidecar(photo)
    assert path.read_bytes() == SIDECARS["adobe"].encode()
    assert not list(tmp_path.glob(".*"))


def test_rights_and_links_stay(tmp_path: Path, photo_path: Path) -> None:
    photo, real = tmp_path / "photo.jpg", tmp_path / "elsewhere.xmp"
    photo.write_bytes(photo_path.read_bytes())
    real.write_bytes(SIDECARS["plain"].encode())
    real.chmod(0o640)
    sidecar_path(photo).symlink_to(real)
    assert write_sidecar(photo).status == "merged"
    assert sidecar_path(photo).is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert write_sidecar(photo).status == "kept"
    real.write_bytes(re.sub(rb"(<Iptc4xmpExt:rbX>)[^<]*", rb"\1left", real.read_bytes()))  # somebody broke ours
    assert write_sidecar(photo, (600, 400)).status == "merged"
    assert "eyefirst:crop-3x2" in iptc_regions(real.read_bytes())


def test_what_cannot_be_written_is_said(tmp_path: Path, photo_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(photo_path.read_bytes())
    sidecar_path(photo).mkdir()
    with pytest.raises(OutputError, match=r"photo\.jpg\.xmp: cannot be written: Is a directory; check"):
        write_sidecar(photo)


# --- by ExifTool, whose word counts in this trade


def exiftool(*words: str) -> str:
    found = shutil.which("exiftool")
    if found is None:
        pytest.skip("ExifTool is not installed: e.g. apt install libimage-exiftool-perl")
    ran = subprocess.run([found, *words], capture_output=True, text=True, check=True, timeout=120)
    return ran.stdout


def test_exiftool_finds_every_region_and_no_fault(tmp_path: Path, photo_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(photo_path.read_bytes())
    path = str(write_sidecar(photo, ["1:1"]).path)
    (told,) = json.loads(exiftool("-json", "-struct", "-validate", "-warning", "-G1", "-XMP:all", path))
    assert told["ExifTool:Validate"] == "OK"
    plan = eyefirst.plan_crops(photo, "1:1")
    regions = told["XMP-iptcExt:ImageRegion"]
    assert [r["RId"] for r in regions] == [f"eyefirst:{r.key}" for r in regions_of(plan)]
    assert regions[0]["RegionBoundary"]["RbX"] == pytest.approx(plan.attention_box.left, abs=1e-5)
    assert regions[-1]["RRole"][0]["Name"] == "recommended cropping"
    info = told["XMP-mwg-rs:RegionInfo"]
    assert info["AppliedToDimensions"] == {"H": 512, "Unit": "pixel", "W": 512}
    assert [r["Type"] for r in info["RegionList"]] == ["Focus"]


def test_after_exiftool_rewrote_it_ours_are_replaced_and_its_own_stay(tmp_path: Path, photo_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(photo_path.read_bytes())
    path = str(write_sidecar(photo, ["1:1", "9:16"]).path)
    person = "{Name=Ada,Type=Face,Area={X=0.4,Y=0.3,W=0.1,H=0.1,Unit=normalized}}"
    exiftool("-overwrite_original", "-XMP:Rating=5", f"-RegionList+={person}", "-XMP-dc:Subject=moon", path)
    assert write_sidecar(photo, ["1:1"]).status == "merged"
    told = json.loads(exiftool("-json", "-struct", "-G1", "-XMP:all", path))[0]
    assert (told["XMP-xmp:Rating"], told["XMP-dc:Subject"]) == (5, ["moon"])
    assert [r["Type"] for r in told["XMP-mwg-rs:RegionInfo"]["RegionList"]] == ["Face", "Focus"]
    ids = [r["RId"] for r in told["XMP-iptcExt:ImageRegion"]]
    assert ids == [f"eyefirst:{r.key}" for r in regions_of(eyefirst.plan_crops(photo, "1:1"))]


# --- rivals, empty sidecars, turned ones, and second runs


class Counted:
    """Counts how often a photo is looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from eyefirst.integrations import xmp_sidecar
        from eyefirst.tools.planning import plan_from as real

        self.runs = 0

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.runs += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(xmp_sidecar, "plan_from", counted)


def test_a_second_run_looks_only_at_what_changed(
    tmp_path: Path, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = Path(shutil.copy(photo_path, tmp_path / "photo.jpg"))
    looks = Counted(monkeypatch)
    made = write_sidecar(photo)
    before = made.path.read_bytes()
    again = write_sidecar(photo)
    assert (made.status, again.status, looks.runs) == ("made", "kept", 1)
    assert made.path.read_bytes() == before
    rated = before.replace(b"</rdf:RDF>", f'<rdf:Description xmlns:xmp="{XMP}" xmp:Rating="5"/></rdf:RDF>'.encode())
    made.path.write_bytes(rated)
    assert write_sidecar(photo).status == "kept"
    assert looks.runs == 1, "a rating changes nothing of ours"
    made.path.write_bytes(re.sub(rb"rbX>[^<]+<", b"rbX>0.9999<", rated))
    assert (write_sidecar(photo).status, looks.runs) == ("merged", 2)
    assert write_sidecar(photo, ["4:5"]).status == "merged"
    PillowImage.open(photo_path).transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT).save(photo)
    assert (write_sidecar(photo, ["4:5"]).status, looks.runs) == ("merged", 4)
    assert b'xmp:Rating="5"' in made.path.read_bytes()


@pytest.mark.parametrize(
    ("photo", "sidecar", "beside", "merged"),
    [
        ("a.jpg", "a.xmp", None, True),
        ("a.jpg", "A.XMP", None, True),
        ("X.JPG", "X.JPG.XMP", None, True),
        ("X.JPG", "x.jpg.xmp", None, True),
        ("a.jpg", "a.xmp", "a.cr2", False),
        ("a.jpg", "a.xmp", "a.png", False),
        ("x.jpg", "X.JPG.XMP", "X.JPG", False),
    ],
)
def test_a_sidecar_that_is_there_is_not_hidden_by_another(
    photo: str, sidecar: str, beside: str | None, merged: bool, tmp_path: Path
) -> None:
    PillowImage.new("RGB", (300, 200), "teal").save(tmp_path / photo)
    (tmp_path / sidecar).write_text(f'{RDF_HEAD}<rdf:Description xmlns:xmp="{XMP}" xmp:Rating="5"/>{RDF_TAIL}')
    if beside:
        (tmp_path / beside).touch()
    made = write_sidecar(tmp_path / photo)
    assert (made.path.name == sidecar) == merged
    assert 'xmp:Rating="5"' in (tmp_path / sidecar).read_text()
    assert len(list(tmp_path.glob("*.[xX][mM][pP]"))) == (1 if merged else 2)
    assert bool(made.warning) == (sidecar.count(".") == 1)


PACKET = '<?xml version="1.0"?>\n<?xpacket begin="\ufeff" id="W5M0"?>\n<?xpacket end="w"?>\n'.encode()


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xef\xbb\xbf", b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>', PACKET])
def test_an_empty_sidecar_is_filled(content: bytes, tmp_path: Path, photo_path: Path) -> None:
    photo = Path(shutil.copy(photo_path, tmp_path / "photo.jpg"))
    sidecar_path(photo).write_bytes(content)
    write_sidecar(photo)
    assert b"areaOfInterest" in sidecar_path(photo).read_bytes()
    assert write_sidecar(photo).status == "kept"


@pytest.mark.parametrize(
    "inside",
    [
        f'<rdf:RDF xmlns:rdf="{RDF}"/>',
        f'<r:RDF xmlns:r="{RDF}" />',
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description xmlns:m="{MWG}"><m:Regions rdf:parseType="Resource"/>'
        "</rdf:Description></rdf:RDF>",
    ],
)
def test_what_is_written_as_an_empty_element_is_filled(inside: str) -> None:
    before = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{inside}</x:xmpmeta>'.encode()
    after = merged_sidecar(before, REGIONS, SIZE)
    assert b"areaOfInterest" in after
    assert merged_sidecar(after, REGIONS, SIZE) == after


@pytest.mark.parametrize("form", ['<d{} t:Orientation="6"/>', "<d{}><t:Orientation>6</t:Orientation></d>"])
def test_the_orientation_of_a_sidecar_counts(form: str, tmp_path: Path, photo_path: Path) -> None:
    upright, turned = tmp_path / "upright.png", tmp_path / "turned.png"
    picture = PillowImage.open(photo_path).crop((0, 0, 500, 300))
    picture.save(turned)
    picture.transpose(PillowImage.Transpose.ROTATE_270).save(upright)
    said = form.format(' xmlns:t="http://ns.adobe.com/tiff/1.0/"').replace("<d", "<rdf:Description")
    sidecar_path(turned).write_text(RDF_HEAD + said.replace("</d>", "</rdf:Description>") + RDF_TAIL)
    expected, found = write_sidecar(upright).plan, write_sidecar(turned).plan
    assert expected is not None
    assert found is not None
    assert found.size == expected.size
    np.testing.assert_allclose(
        [found.focal_point.x, found.focal_point.y], [expected.focal_point.x, expected.focal_point.y], atol=0.02
    )
