"""What an editor would say of a frame; alternatives; portraits; preferences."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from eyefirst.boxes import SalientObject
from eyefirst.errors import InvalidValueError
from eyefirst.framing import Frame, Framer, FramingOptions, Portrait
from eyefirst.framing.judge import Finding, remarks, risk_of
from eyefirst.framing.score import grid_terms
from eyefirst.framing.search import Search, fits_of
from eyefirst.geometry import AspectRatio, Box, PixelBox, Size
from eyefirst.heat_map import HeatMap

ROWS, COLUMNS = np.mgrid[0:68, 0:68]
SIZE = Size(1200, 800)
EVEN = np.full((68, 68), 0.02, np.float32)


@dataclass(frozen=True)
class Face:
    box: Box
    confidence: float = 0.9


def spot(x: float, y: float, spread: float = 3, height: float = 0.6) -> NDArray[np.float32]:
    return (height * np.exp(-((COLUMNS + 0.5 - 68 * x) ** 2 + (ROWS + 0.5 - 68 * y) ** 2) / (2 * spread**2))).astype(
        np.float32
    )


def framer(
    attention: NDArray[np.float32],
    *subjects: Box,
    faces: tuple[Face, ...] = (),
    words: tuple[Box, ...] = (),
    options: FramingOptions | None = None,
    size: Size = SIZE,
) -> Framer:
    values = np.zeros((68, 68), np.float32)
    for b in subjects:
        values[round(b.top * 68) : round(b.bottom * 68), round(b.left * 68) : round(b.right * 68)] = 0.95
    objects = tuple(SalientObject(b, 0.9) for b in subjects)
    maps = HeatMap(attention), HeatMap(values)
    return Framer(size, *maps, objects, options, faces=faces, words=words)


def ratio(text: str) -> AspectRatio:
    return AspectRatio.parse(text)


def test_a_cut_through_what_has_no_box_is_said_where_boxes_say_nothing() -> None:
    subject = np.zeros((68, 68), np.float32)
    subject[20:48, 30:40] = 0.9
    seen = HeatMap(spot(0.5, 0.5, 6))
    one = Framer(SIZE, seen, HeatMap(subject), ())
    cut = one.frame(PixelBox(600, 0, 1200, 800))
    assert cut.warnings == ("what people look at is cut at the left edge",)
    assert 0.3 <= cut.severity <= 0.6
    assert one.frame(PixelBox(300, 0, 900, 800)).warnings == ()
    assert one.frame(PixelBox(200, 100, 1000, 400)).warnings == ("what people look at is cut at the bottom edge",)
    nothing = HeatMap(np.zeros((68, 68), np.float32))
    unknown = Framer(SIZE, seen, nothing, ()).frame(PixelBox(600, 0, 1200, 800))
    assert unknown.warnings == cut.warnings
    sky = Framer(SIZE, HeatMap(spot(0.5, 0.5, 20)), nothing, ())
    assert sky.frame(PixelBox(600, 0, 1200, 800)).warnings == ()


@pytest.mark.parametrize("at", ["left", "top", "right", "bottom"])
def test_what_the_picture_itself_cuts_is_not_said(at: str) -> None:
    middle, near = slice(20, 48), slice(58, 68) if at in ("right", "bottom") else slice(0, 10)
    subject = np.zeros((68, 68), np.float32)
    subject[(near, middle) if at in ("top", "bottom") else (middle, near)] = 0.9
    x, y = {"left": (0.0, 0.5), "top": (0.5, 0.0), "right": (1.0, 0.5), "bottom": (0.5, 1.0)}[at]
    frame = {"left": (0, 0, 800, 800), "top": (0, 0, 1200, 600)}.get(at, (0, 200, 1200, 800))
    frame = (400, 0, 1200, 800) if at == "right" else frame
    assert Framer(SIZE, HeatMap(spot(x, y, 6)), HeatMap(subject), ()).frame(PixelBox(*frame)).warnings == ()


def test_a_cut_face_is_said_with_its_edge() -> None:
    one = framer(spot(0.5, 0.5), faces=(Face(Box(0.45, 0.4, 0.55, 0.6)),))
    frame = one.frame(PixelBox(600, 0, 1200, 800))
    assert frame.warnings == ("a face is cut at the left edge",)
    assert frame.severity > 0.5


def test_shoulders_without_their_head_are_said() -> None:
    face = Face(Box(0.45, 0.2, 0.55, 0.35))
    below = framer(EVEN + spot(0.5, 0.3), faces=(face,)).frame(PixelBox(0, 300, 1200, 700))
    assert below.warnings[0] == "a face is cut off at the top edge"
    beside = framer(EVEN + spot(0.5, 0.3), faces=(face,)).frame(PixelBox(0, 0, 450, 800))
    assert not any("cut off" in warning for warning in beside.warnings)


def test_an_alarm_counts_less_where_the_edges_cut_nothing_sharp() -> None:
    cut = Finding("38 % of the subject is outside, at the bottom edge", 0.6)
    edges = [Finding("what people look at is cut at the bottom edge", s, named=False) for s in (0.0, 0.3, 0.6)]
    risks = [risk_of([cut, edge]) for edge in edges]
    assert risks == sorted(risks)
    assert risks[0] < 0.1 < risks[1] < 0.5 < risks[2]
    assert risk_of([edges[2]]) < 0.3


def test_a_small_cut_where_nobody_looks_is_not_said() -> None:
    small, large = Finding("the subject touches the left edge", 0.35), Finding("text is cut at the left edge", 0.5)
    faint, sharp = (Finding("what people look at is cut at the left edge", s, named=False) for s in (0.1, 0.4))
    assert remarks([small, faint]) == []
    assert remarks([small, sharp]) == [small]
    assert remarks([large, faint]) == [large]
    assert remarks([replace(sharp, severity=0.35)]) == []
    assert remarks([replace(sharp, severity=0.6)]) == [replace(sharp, severity=0.6)]


def test_cut_text_is_said() -> None:
    word = Box(0.4, 0.45, 0.7, 0.5)
    one = framer(spot(0.45, 0.47), words=(word,))
    assert one.frame(PixelBox(0, 0, 700, 800)).warnings == ("text is cut at the right edge",)
    assert framer(spot(0.3, 0.6), words=(word,)).frame(PixelBox(0, 0, 700, 800)).warnings == (), "nobody looks at it"


def test_of_a_head_that_does_not_fit_the_face_should_be_whole() -> None:
    face = Face(Box(0.35, 0.25, 0.65, 0.7))  # the head begins at .14, and a frame of .5 holds the face alone
    one = framer(spot(0.5, 0.45), faces=(face,))
    assert one.frame(PixelBox(0, 190, 1200, 590)).warnings == ()
    assert one.frame(PixelBox(0, 280, 1200, 680)).warnings[0] == "a face is cut at the top edge"


def test_text_beside_a_large_face_does_not_count() -> None:
    word, face = Box(0.7, 0.7, 0.95, 0.8), Face(Box(0.3, 0.2, 0.6, 0.65))
    things = [t for t in framer(spot(0.45, 0.4), faces=(face,), words=(word,)).content.things if t.kind == "word"]
    assert things == []
    (seen,) = (t for t in framer(spot(0.8, 0.75), faces=(face,), words=(word,)).content.things if t.kind == "word")
    assert 0.6 < seen.confidence < 1


def test_a_subject_that_touches_an_edge_or_is_cut_is_said() -> None:
    one = framer(spot(0.5, 0.5), Box(0.4, 0.3, 0.6, 0.8))
    assert one.frame(PixelBox(480, 0, 1200, 800)).warnings == ("the subject touches the left edge",)
    assert one.frame(PixelBox(600, 0, 1200, 800)).warnings[0] == "50 % of the subject is outside, at the left edge"
    assert one.frame(PixelBox(300, 0, 1100, 800)).warnings == ()


def test_a_person_may_be_cut_below_a_whole_head() -> None:
    person, face = Box(0.4, 0.1, 0.6, 0.6), Face(Box(0.46, 0.15, 0.54, 0.3))
    assert framer(spot(0.5, 0.3), person, faces=(face,)).frame(PixelBox(0, 0, 1200, 400)).warnings == ()
    assert framer(spot(0.5, 0.3), person).frame(PixelBox(0, 0, 1200, 400)).warnings != ()


def test_a_main_subject_that_is_left_out_is_said_and_a_minor_one_is_not() -> None:
    main, minor = Box(0.1, 0.3, 0.3, 0.7), Box(0.7, 0.3, 0.9, 0.7)
    one = framer(EVEN + spot(0.2, 0.5), main, minor)
    assert one.frame(PixelBox(0, 0, 800, 800)).warnings == ()
    assert "the main subject is outside" in one.frame(PixelBox(400, 0, 1200, 800)).warnings


def test_worse_frames_are_more_severe() -> None:
    one = framer(spot(0.5, 0.5), Box(0.4, 0.3, 0.6, 0.8), faces=(Face(Box(0.45, 0.35, 0.55, 0.5)),))
    good, touching, cut = (one.frame(PixelBox(x, 0, x + 600, 800)).severity for x in (300, 480, 600))
    assert good == 0
    assert touching < cut <= 1


def test_a_frame_breathes_to_cut_nothing() -> None:
    """Two faces at the edges: the largest frame has to cut one, a smaller one leaves it out."""
    person, other = Box(0.02, 0.1, 0.4, 0.98), Box(0.55, 0.1, 0.75, 0.98)
    attention = EVEN + spot(0.22, 0.3, 4) + spot(0.66, 0.3, 2, 0.2)
    frames = {
        fit: framer(attention, person, other, options=FramingOptions(fit=fit)).frames(ratio("1:1"))[0]
        for fit in ("breathe", "largest")
    }
    assert frames["largest"].box.size == Size(800, 800)
    assert frames["breathe"].box.width >= 0.84 * 800
    assert frames["breathe"].severity <= frames["largest"].severity


def test_the_terms_of_a_frame_are_computed_for_two_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the largest size, and one of both smaller sizes together."""
    grids = []

    def counted(*given: Any) -> Any:
        grids.append(given)
        return grid_terms(*given)

    monkeypatch.setattr("eyefirst.framing.search.grid_terms", counted)
    attention = EVEN + spot(0.22, 0.3, 4) + spot(0.66, 0.3, 2, 0.2)
    person, other = Box(0.02, 0.1, 0.4, 0.98), Box(0.55, 0.1, 0.75, 0.98)
    framer(attention, person, other, options=FramingOptions(fit="largest")).frames(ratio("1:1"))
    assert len(grids) == 1
    framer(attention, person, other).frames(ratio("1:1"))
    assert len(grids) == 1 + 2


def test_alternatives_keep_something_else_and_say_what() -> None:
    left, right = Box(0.02, 0.2, 0.28, 0.9), Box(0.72, 0.2, 0.98, 0.9)
    attention = EVEN + spot(0.15, 0.5) + spot(0.85, 0.5, height=0.5)
    first, second, *_ = framer(attention, left, right).frames(ratio("9:16"), 3)
    assert {first.reason, second.reason} == {"keeps the subject on the left", "keeps the subject on the right"}
    assert first.box != second.box


@pytest.mark.parametrize("text", ["4:5", "1:1", "16:9", "9:16"])
def test_portraits_show_more_of_a_person_step_by_step(text: str) -> None:
    face = Face(Box(0.42, 0.2, 0.5, 0.34))
    sizes, places = [], []
    for portrait in get_args(Portrait):
        options = FramingOptions(portrait=portrait)
        (frame,) = framer(EVEN + spot(0.46, 0.3), faces=(face,), options=options).frames(ratio(text))
        share = frame.box.normalized(SIZE)
        sizes.append(frame.box.height)
        eyes = face.box.top + 0.42 * face.box.height
        places.append((eyes - share.top) / share.height)
        assert share.contains(face.box)
        assert share.left < 0.46 < share.right
        assert share.top < face.box.top - 0.2 * face.box.height  # head room
    assert sizes[0] < sizes[1] <= sizes[2]
    assert 0.25 < places[2] <= places[0] < 0.5


def test_a_portrait_without_faces_is_framed_as_usual() -> None:
    plain = framer(spot(0.3, 0.5)).frames(ratio("1:1"))
    assert framer(spot(0.3, 0.5), options=FramingOptions(portrait="close-up")).frames(ratio("1:1")) == plain


@pytest.mark.parametrize("portrait", get_args(Portrait))
def test_a_portrait_of_one_of_two_people_is_what_was_asked_for(portrait: Portrait) -> None:
    faces = (Face(Box(0.16, 0.2, 0.24, 0.34)), Face(Box(0.76, 0.22, 0.82, 0.34), 0.6))
    attention = EVEN + spot(0.2, 0.28, 2) + spot(0.79, 0.28, 4)
    framed = framer(attention, faces=faces, options=FramingOptions(portrait=portrait))
    (frame,) = framed.frames(ratio("1:1"))
    assert frame.kept < 0.45
    assert not [text for text in frame.warnings if "of what people look at is outside" in text]
    aside = framed.frame(PixelBox(480, 600, 680, 800))  # a frame that shows neither
    assert [text for text in aside.warnings if "of what people look at is outside" in text]


def test_prefer_decides_what_counts() -> None:
    face, word = Face(Box(0.06, 0.4, 0.16, 0.6)), Box(0.8, 0.45, 0.98, 0.52)
    attention = EVEN + spot(0.11, 0.5, 2, 0.3) + spot(0.9, 0.5, 2, 0.3)
    frames = {
        prefer: framer(attention, faces=(face,), words=(word,), options=FramingOptions(prefer=prefer)).frames(
            ratio("9:16")
        )[0]
        for prefer in ("faces", "text")
    }
    assert frames["faces"].box.normalized(SIZE).contains(face.box)
    assert frames["text"].box.normalized(SIZE).contains(word)


def test_options_and_frames_survive_json() -> None:
    options = FramingOptions(
        tightness=0.2,
        must_keep=(Box(0.1, 0.1, 0.5, 0.5),),
        pad="white",
        prefer="text",
        portrait="close-up",
        fit="largest",
    )
    assert FramingOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    (frame,) = framer(spot(0.37, 0.52), Box(0.3, 0.3, 0.6, 0.9)).frames(ratio("9:16"))
    assert Frame.from_dict(json.loads(json.dumps(frame.to_dict()))) == frame


@pytest.mark.parametrize("bad", [{"prefer": "cats"}, {"portrait": "full"}, {"fit": "loose"}, {"fit": None}])
def test_unknown_words_are_refused(bad: dict[str, str]) -> None:
    with pytest.raises(InvalidValueError, match="expected"):
        FramingOptions(**bad)  # type: ignore[arg-type]


def test_a_face_that_must_be_kept_is_called_a_face() -> None:
    faces = (Face(Box(0.05, 0.4, 0.15, 0.6)), Face(Box(0.85, 0.4, 0.95, 0.6)))
    options = FramingOptions(must_keep=(Box(0.4, 0, 0.6, 1), *(f.box for f in faces)))
    frame = framer(spot(0.1, 0.5), faces=faces, options=options).frame(PixelBox(0, 0, 1080, 800))
    assert "50 % of the face on the right is outside" in frame.warnings
    assert not [w for w in frame.warnings if "must-keep" in w]
    frame = framer(spot(0.1, 0.5), faces=faces, options=options).frame(PixelBox(0, 0, 600, 800))
    assert "50 % of must-keep box 1 is outside" in frame.warnings


@pytest.mark.parametrize("kind", ["faces", "text"])
def test_what_must_be_kept_and_is_not_is_said_once_by_its_name(kind: str) -> None:
    box = Box(0.05, 0.4, 0.95, 0.6)
    given: dict[str, Any] = {"faces": (Face(box),)} if kind == "faces" else {"words": (box,)}
    made = framer(spot(0.5, 0.5), options=FramingOptions(must_keep=(box,)), **given)
    name = "the face" if kind == "faces" else "the text"
    said = made.frame(PixelBox(0, 0, 600, 800)).warnings
    assert [w for w in said if any(n in w for n in ("face", "text", "must-keep"))] == [f"50 % of {name} is outside"]


def test_the_second_look_takes_a_place_that_scores_less_and_spares_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    face = Face(Box(0.4, 0.2, 0.55, 0.5))
    attention = spot(0.47, 0.4, 3, 0.9) + spot(0.6, 0.7, 3, 0.6)
    one = framer(attention, Box(0.1, 0.2, 0.8, 1.0), faces=(face,), size=Size(1200, 900))
    (spared,) = one.frames(ratio("3:1"))
    assert not any("face" in w for w in spared.warnings)
    monkeypatch.setattr("eyefirst.framing.framer.SECOND_LOOK", 1.0)
    (first,) = one.frames(ratio("3:1"))
    assert first.warnings == ("a face is cut at the top edge",)
    assert first.score > spared.score


def test_a_head_that_people_look_at_is_whole_though_more_is_seen_below(monkeypatch: pytest.MonkeyPatch) -> None:
    def frame() -> Frame:
        attention = spot(0.5, 0.3, 3, 0.6) + spot(0.45, 0.8, 4, 0.5)
        person, face = Box(0.2, 0.1, 0.8, 1), Face(Box(0.43, 0.15, 0.57, 0.42))
        return framer(attention, person, faces=(face,), size=Size(800, 600)).frames(ratio("16:9"))[0]

    assert not any("face" in w for w in frame().warnings)
    monkeypatch.setattr("eyefirst.framing.content.MAIN_HEAD", 0.0)
    assert frame().warnings == ("a face is cut at the top edge",)


def test_a_frame_is_worth_its_score_less_what_an_editor_would_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all places of the largest size, judged one by one, none is worth more than the frame that is chosen."""
    monkeypatch.setattr("eyefirst.framing.framer.APART", 1e-6)
    monkeypatch.setattr("eyefirst.framing.framer.MOST_JUDGED", 1000)
    one = framer(
        spot(0.47, 0.4, 3, 0.9) + spot(0.6, 0.7, 3, 0.4),
        Box(0.1, 0.2, 0.8, 1.0),
        faces=(Face(Box(0.4, 0.2, 0.55, 0.5)),),
        size=Size(1200, 900),
        options=FramingOptions(fit="largest"),
    )
    (frame,) = one.frames(ratio("3:1"))
    places = Search(one.content, one.size, frame.size, fits_of(one.content, one.size, frame.size), one.options).places
    boxes = [one._pixel_box(p.left, p.top, frame.size) for p in places.ranked(one.weights)]
    worth = {b: one._judged(b, p.score).worth for b, p in zip(boxes, places.ranked(one.weights), strict=True)}
    assert len(worth) > 60
    assert worth[frame.box] == max(worth.values())
