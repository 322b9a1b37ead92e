"""Options that the routes take, as pydantic models: checked at the door, described in /openapi.json."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from eyefirst.files.formats import FORMATS, PictureFormat, check_quality, format_named
from eyefirst.server.cuts import QUALITY, Encoding
from eyefirst.tools.planning import CropOrder

BOX = "LEFT,TOP,RIGHT,BOTTOM in shares of the picture, such as 0.1,0.2,0.5,0.9"


class SentQuery(BaseModel):
    """Options of every route that takes a picture."""

    model_config = ConfigDict(extra="forbid")
    sha256: str = Field(
        "",
        description="Hash of a picture that was sent lately, as plans name it; then the body may be empty. "
        "404 where it is not here any more.",
        pattern="^([0-9a-f]{64})?$",
    )


class PictureQuery(SentQuery):
    """Options of every route that looks at a picture."""

    revision: str = Field("", description="Pins a network's revision; the newest by default.", max_length=100)


class EncodingQuery(BaseModel):
    """How results are encoded."""

    format: str = Field("", description="jpg, png, webp, avif ...; by default what Accept prefers.", max_length=10)
    quality: int = Field(
        0,
        description="Quality of JPEG, WebP and AVIF, 1 to 100. "
        f"0: {QUALITY['JPEG']} for JPEG, {QUALITY['WEBP']} for WebP, {QUALITY['AVIF']} for AVIF.",
        ge=0,
        le=100,
    )
    max_bytes: int = Field(
        0, description="Largest file of a lossy result, in bytes; the quality goes down to 20 for it. 0: any.", ge=0
    )
    metadata: Literal["keep", "copyright", "none"] = Field(
        "copyright", description="Metadata in results: copyright, artist, credit and date; all with GPS; or none."
    )

    def named_format(self) -> PictureFormat | None:
        """The format that was asked for. Raises InvalidValueError, also where it takes no quality and one was given."""
        named = format_named(self.format) if self.format else None
        check_quality(named, self.quality or None, "quality")
        return named

    def encoding(self, background: str = "white") -> Encoding:
        """How results are encoded."""
        quality = {f.name: self.quality for f in FORMATS} if self.quality else {}
        return Encoding(quality, background, self.metadata, self.max_bytes)


class ResultQuery(EncodingQuery):
    """Options of results that are cut from frames."""

    enlarge: bool = Field(True, description="Whether a result may have more pixels than its frame.")
    background: str = Field(
        "white", description="CSS colour behind transparency in a format that has none.", max_length=100
    )


class SaliencyQuery(PictureQuery):
    """Options of /v1/saliency."""

    kind: list[Literal["attention", "objectness", "faces", "text_rectangles"]] = Field(
        ["attention", "objectness"], description="Which heat maps; repeatable.", max_length=4
    )
    region: str = Field("", description=f"The only part to look at: {BOX}.", max_length=100)


class FacesQuery(PictureQuery):
    """Options of /v1/faces."""

    region: str = Field("", description=f"The only part to look at: {BOX}.", max_length=100)


class TextQuery(PictureQuery):
    """Options of /v1/text."""

    rest: bool = Field(False, description="Read the rest too, after what people look at.")
    region: str = Field("", description=f"The only part to look at: {BOX}.", max_length=100)


class PlanQuery(PictureQuery):
    """Options of /v1/plan; those of `eyefirst crop`."""

    ratio: list[str] = Field(
        [], description="Such as 16:9, 4/5 or 1.5; repeatable.", max_length=100, examples=[["1:1"]]
    )
    aspect: list[str] = Field([], description="An older name of ratio.", max_length=100, deprecated=True)
    size: str = Field("", description="WIDTHxHEIGHT: gives the ratio too where there is none.", max_length=40)
    alternatives: int = Field(1, description="Frames a ratio, at most.", ge=1, le=10)
    tightness: float = Field(0.0, description="0: the largest frame; 1: the smallest with what is salient.", ge=0, le=1)
    margin: float = Field(0.05, description="Free space round what is kept, as a share of it.", ge=0, le=1)
    must_keep: list[str] = Field([], description=f"{BOX}; or: faces, text.", max_length=50)
    avoid: list[str] = Field([], description=f"{BOX}.", max_length=50)
    pad: str = Field("", description="Where subjects cannot fit: blur, extend or a CSS colour.", max_length=100)
    prefer: Literal["", "faces", "subjects", "attention", "text"] = Field(
        "", description="What counts most where a frame cannot hold everything."
    )
    portrait: Literal["", "close-up", "head-and-shoulders", "upper-body"] = Field(
        "", description="How close the main person is framed; without a face, as usual."
    )
    fit: Literal["breathe", "largest"] = Field(
        "breathe", description="Whether a frame may be a little smaller than the largest one where that avoids a cut."
    )

    thumbhash: bool = Field(False, description="Add a ThumbHash of the whole picture: a blurred preview in 25 bytes.")

    def order(self) -> CropOrder:
        """Checked. Raises InvalidValueError."""
        options = self.model_dump(include={*PlanQuery.model_fields, "enlarge"}, exclude={"thumbhash", "sha256"})
        return CropOrder.parse(ratios=[*options.pop("ratio"), *options.pop("aspect")], **options)


class CropQuery(PlanQuery, ResultQuery):
    """Options of /v1/crop."""


class RenderQuery(SentQuery, ResultQuery):
    """Options of /v1/render; those of `eyefirst render`."""

    plan: str = Field("", description="The JSON of /v1/plan; its frames may have been changed. Best sent in a form.")
    size: str = Field("", description="WIDTHxHEIGHT that each result is resized to fit into.", max_length=40)


class CutoutQuery(PictureQuery, EncodingQuery):
    """Options of /v1/cutout; those of `eyefirst cutout`."""

    backdrop: str = Field(
        "transparent", description="What lies behind: transparent, blur, or a CSS colour.", max_length=100
    )
    shadow: bool = Field(False, description="Keep a soft shadow on an even backdrop.")
