"""A reframed film as FCPXML 1.10, the exchange format of Final Cut Pro, and back.

The project has the size of the result, and one clip for each shot. A clip is scaled to fill the frame, then enlarged
and moved by its transform, with key frames where the window moves. Positions are in percent of the project's height,
from the middle, to the right and up. A clip's metadata holds the shot as in the plan's JSON; that is what is read
back, with the cuts as they were moved.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from eyefirst.errors import InvalidPlanError
from eyefirst.films.frames import VideoInfo
from eyefirst.films.reframe_plan import ReframePlan, ShotPath
from eyefirst.films.timeline import EFFECT, Clip, plan_of_clips
from eyefirst.framing import Padding
from eyefirst.written import PLAN_AGAIN, understood

VERSION = "1.10"
KEY_STEP = Fraction(1, 5)
"""Seconds between key frames of a window that moves."""
Place = tuple[float, float, float]
"""How many times a clip is enlarged, and where it is moved: to the right and up, in percent of the project's height."""


def fcpxml_of(plan: ReframePlan, info: VideoInfo) -> str:
    """Return the plan as the text of an .fcpxml file. info: of the film.

    A ground of padding is left to the editing program. Raises InvalidPlanError for stacked windows.
    """
    if any(shot.second for shot in plan.shots):
        raise InvalidPlanError(
            "FCPXML is written with one window; a stack has two", remedy="use --timeline FILE.otio, or --layout crop"
        )
    rate, values = _usual(info.frames_per_second), plan.to_dict()
    shots = values.pop("shots")
    begin, end = (_on_frame(seconds, rate) for seconds in (plan.shots[0].start, plan.seconds))
    root = ElementTree.Element("fcpxml", version=VERSION)
    resources = ElementTree.SubElement(root, "resources")
    frame = {"frameDuration": _time(1 / rate)}
    _add(resources, "format", id="r1", **frame, width=plan.size.width, height=plan.size.height)
    pixel = {} if plan.pixel_aspect == 1 else _pixel_aspect(plan.pixel_aspect)
    _add(resources, "format", id="r2", **frame, width=plan.video_size.width, height=plan.video_size.height, **pixel)
    name = Path(plan.video).name
    sound = {"hasAudio": 1, "audioSources": 1} if info.has_sound else {}
    asset = _add(resources, "asset", id="r3", name=name, start="0s", duration=_time(end), hasVideo=1, **sound)
    asset.set("format", "r2")
    _add(asset, "media-rep", kind="original-media", src=Path(plan.video).absolute().as_uri())
    project = _add(_add(_add(root, "library"), "event", name=name), "project", name=f"{Path(name).stem} {plan.ratio}")
    sequence = _add(project, "sequence", format="r1", duration=_time(end - begin), tcStart="0s", tcFormat="NDF")
    spine = _add(sequence, "spine")
    for number, (shot, described) in enumerate(zip(plan.shots, shots, strict=True), 1):
        first, last = _on_frame(shot.start, rate), _on_frame(shot.end, rate)
        clip = _add(
            spine,
            "asset-clip",
            ref="r3",
            name=f"shot {number}: {shot.kind}",
            offset=_time(first - begin),
            start=_time(first),
            duration=_time(last - first),
            format="r2",
        )
        _add(clip, "adjust-conform", type="fill")
        _add_transform(clip, plan, shot, _times(first, last, rate))
        _add_json(clip, described)
    _add_json(sequence, values)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{text}\n'


def plan_of_fcpxml(text: str) -> ReframePlan:
    """Read a plan from the text of an .fcpxml file that `fcpxml_of` made. Cuts that were moved count.

    Raises InvalidPlanError.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InvalidPlanError(f"is not FCPXML: {error}", remedy="give what --timeline wrote") from error
    with understood("FCPXML of eyefirst", InvalidPlanError, PLAN_AGAIN):
        sequence, spine = root.find(".//sequence"), root.find(".//sequence/spine")
        if sequence is None or spine is None:
            raise InvalidPlanError("holds no project", remedy="give what --timeline wrote")
        form = root.find(f"resources/format[@id='{sequence.get('format')}']")
        rate = Fraction(25) if form is None else 1 / _seconds(form.attrib["frameDuration"])
        clips = []
        for clip in spine:
            start = _seconds(clip.get("start", "0s"))
            shot = _json_in(clip, clip.get("name", "without a name"))
            clips.append(Clip(shot, start, start + _seconds(clip.attrib["duration"])))
        return plan_of_clips(_json_in(sequence, "the project"), clips, rate)


def _add_transform(clip: ElementTree.Element, plan: ReframePlan, shot: ShotPath, times: list[Fraction]) -> None:
    """Scale and position; as key frames where they change."""
    places = [_place(plan, shot, time) for time in times]
    texts = [(f"{scale:.6g} {scale:.6g}", f"{round(x, 4) + 0:g} {round(y, 4) + 0:g}") for scale, x, y in places]
    transform = _add(clip, "adjust-transform", scale=texts[0][0], position=texts[0][1])
    for name, values in zip(("scale", "position"), zip(*texts, strict=True), strict=True):
        if len(set(values)) == 1:
            continue
        del transform.attrib[name]
        animation = _add(_add(transform, "param", name=name), "keyframeAnimation")
        for time, value in zip(times, values, strict=True):
            _add(animation, "keyframe", time=_time(time), value=value)


def _place(plan: ReframePlan, shot: ShotPath, seconds: Fraction) -> Place:
    """How a clip that fills the frame is enlarged and moved, so that the window fills it."""
    film, pad, box = plan.video_size, shot.padding or Padding(), shot.path.box_at(float(seconds))
    left, top = box.left - pad.left / film.width, box.top - pad.top / film.height
    right, bottom = box.right + pad.right / film.width, box.bottom + pad.bottom / film.height
    wide, high = film.width * float(plan.pixel_aspect), float(film.height)
    fill = max(plan.size.width / wide, plan.size.height / high)
    scale = plan.size.width / (wide * fill * (right - left))
    percent = 100 * fill * scale / plan.size.height
    return scale, (0.5 - (left + right) / 2) * wide * percent, ((top + bottom) / 2 - 0.5) * high * percent


def _times(first: Fraction, last: Fraction, rate: Fraction) -> list[Fraction]:
    """Times of key frames, each that of a frame; the last one is the last frame's."""
    step = max(round(KEY_STEP * rate), 1) / rate
    end = max(last - 1 / rate, first)
    count = int((end - first) / step)
    times = [first + i * step for i in range(count + 1)]
    return times if times[-1] == end else [*times, end]


def _usual(rate: Fraction) -> Fraction:
    """The rate itself; 29.97 and its like as the exact ones that editing programs know."""
    exact = Fraction(round(rate * 1001, -3), 1001)
    return exact if abs(exact - rate) < rate / 10000 else rate


def _on_frame(seconds: Fraction, rate: Fraction) -> Fraction:
    return round(seconds * rate) / rate


def _pixel_aspect(aspect: Fraction) -> dict[str, int]:
    return {"paspH": aspect.numerator, "paspV": aspect.denominator}


def _time(seconds: Fraction) -> str:
    """A rational number of seconds, as FCPXML writes it."""
    return f"{seconds.numerator}s" if seconds.denominator == 1 else f"{seconds.numerator}/{seconds.denominator}s"


def _seconds(text: str) -> Fraction:
    return Fraction(text.removesuffix("s"))


def _add(parent: ElementTree.Element, tag: str, **attributes: str | int) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})


def _add_json(element: ElementTree.Element, values: dict[str, Any]) -> None:
    _add(_add(element, "metadata"), "md", key=EFFECT, value=json.dumps(values), type="string")


def _json_in(element: ElementTree.Element, name: str) -> dict[str, Any]:
    found = next((md for md in element.iterfind("metadata/md") if md.get("key") == EFFECT), None)
    if found is None:
        raise InvalidPlanError(f"{name} has no metadata of eyefirst", remedy="keep it on the project and every clip")
    values: dict[str, Any] = json.loads(found.attrib["value"])
    return values
