"""A reframed film as an OpenTimelineIO timeline, for editing programs, and back (the extra `[otio]`).

The timeline has one clip for each shot, cut from the film. OpenTimelineIO has no key frames for a crop. So the
window's path is an effect of the name `eyefirst.reframe` on each clip; its metadata holds the shot, as in the plan's
JSON. What an editor changes there, or by trimming clips against each other, is read back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from eyefirst.errors import InvalidPlanError, MissingExtraError
from eyefirst.films.reframe_plan import ReframePlan
from eyefirst.written import PLAN_AGAIN, understood

NAME, EFFECT = "eyefirst", "eyefirst.reframe"


class Clip(NamedTuple):
    """A clip of a timeline. shot: as in the plan's JSON. start, end: where it is in the film, in seconds."""

    shot: Mapping[str, Any]
    start: Fraction
    end: Fraction


def _otio() -> Any:
    try:
        import opentimelineio  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError.for_extra("otio", "timelines") from error
    return opentimelineio


def timeline_of(plan: ReframePlan, frames_per_second: Fraction) -> str:
    """Return the plan as the text of an .otio file. frames_per_second: of the film, the clock of the timeline.

    Raises MissingExtraError without the extra `[otio]`.
    """
    otio = _otio()
    rate = float(frames_per_second)
    values = plan.to_dict()
    shots = values.pop("shots")

    def span(start: Fraction, end: Fraction) -> Any:
        first, last = (otio.opentime.RationalTime(round(float(t) * rate, 3), rate) for t in (start, end))
        return otio.opentime.TimeRange(first, last - first)

    timeline = otio.schema.Timeline(name=f"{Path(plan.video).name} {plan.ratio}")
    timeline.metadata[NAME] = values
    track = otio.schema.Track(name="reframe", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    film = otio.schema.ExternalReference(os.fspath(plan.video), span(Fraction(0), plan.seconds))
    for number, (shot, described) in enumerate(zip(plan.shots, shots, strict=True), 1):
        clip = otio.schema.Clip(f"shot {number}: {shot.kind}", film.deepcopy(), span(shot.start, shot.end))
        clip.effects.append(otio.schema.Effect(EFFECT, EFFECT, {NAME: described}))
        track.append(clip)
    return str(otio.adapters.write_to_string(timeline, "otio_json"))


def plan_of(text: str) -> ReframePlan:
    """Read a plan from the text of an .otio file that `timeline_of` made. Cuts that were moved count.

    Raises InvalidPlanError, and MissingExtraError without the extra `[otio]`.
    """
    otio = _otio()
    try:
        timeline = otio.adapters.read_from_string(text, "otio_json")
        clips = list(timeline.find_clips())
    except Exception as error:  # of OpenTimelineIO's parser, in C++ and Python
        raise InvalidPlanError(f"is not a timeline: {error}", remedy="give what --timeline wrote") from error
    with understood("a timeline of eyefirst", InvalidPlanError, PLAN_AGAIN):
        values = _plain(timeline.metadata[NAME])
        found, rate = [], Fraction(1)
        for clip in clips:
            effect = next((e for e in clip.effects if e.effect_name == EFFECT), None)
            if effect is None:
                raise InvalidPlanError(f"clip {clip.name!r} has no window", remedy="keep the effect on every clip")
            span = clip.source_range
            start, end = (_exact(t) for t in (span.start_time, span.end_time_exclusive()))
            found.append(Clip(_plain(effect.metadata[NAME]), start, end))
            rate = Fraction(span.start_time.rate).limit_denominator(1001)
        return plan_of_clips(values, found, rate)


def plan_of_clips(values: Mapping[str, Any], clips: Sequence[Clip], rate: Fraction) -> ReframePlan:
    """Return the plan with the cuts as they are in a timeline. Raises InvalidPlanError.

    values: of the plan's JSON, without shots. rate: frames a second; a cut that moved by less than half a frame stays.
    """
    shots = []
    for clip in clips:
        shot = dict(clip.shot)
        for name, seconds in (("start", clip.start), ("end", clip.end)):
            if abs(seconds - Fraction(shot[name])) * rate > Fraction(1, 2):
                shot[name] = str(seconds)
        shots.append(shot)
    if any(Fraction(a["end"]) != Fraction(b["start"]) for a, b in pairwise(shots)):
        raise InvalidPlanError(
            "the clips do not follow each other as in the film", remedy="move cuts, but keep order and all of the film"
        )
    return ReframePlan.from_dict({**values, "shots": shots})


def _exact(time: Any) -> Fraction:
    return Fraction(time.value).limit_denominator(1000) / Fraction(time.rate).limit_denominator(1001)


def _plain(value: Any) -> Any:
    """OpenTimelineIO's dictionaries and vectors as those of JSON."""
    if hasattr(value, "items"):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return value
    return [_plain(v) for v in value]
