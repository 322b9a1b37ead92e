"""People, text and bars: drawn films whose faces, captions and bars are known, and a network that sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from eyefirst.boxes import SalientObject
from eyefirst.face_maps import DetectedFace
from eyefirst.films.axis import Axis, Wanted
from eyefirst.films.encoding import EncodeOptions
from eyefirst.films.frames import ColourTags, VideoInfo
from eyefirst.films.path import TrackLimits
from eyefirst.films.people import head_tracks, people_of, texts_of
from eyefirst.films.planes import Turn
from eyefirst.films.reader import VideoReader
from eyefirst.films.reframe import plan_reframe, render_reframe
from eyefirst.films.reframe_plan import ReframePlan
from eyefirst.films.shot_camera import Camera
from eyefirst.films.shots import cover, preview, watch
from eyefirst.films.sights import Footage, Shot, Sight, active_part
from eyefirst.films.wishes import ShotWish, safe_area
from eyefirst.films.writer import VideoWriter
from eyefirst.framing.content import head_of
from eyefirst.geometry import Box, Size
from eyefirst.network import OnnxNetwork, Prediction
from tests.films.test_faint_faces import SHAPE

pytest.importorskip("av", reason="PyAV comes with the extra 'video'")
WIDE, HIGH, RATE, SECONDS = 640, 360, 24, 3.0
FACE = (90, 110)
Draw = Callable[[ImageDraw.ImageDraw, float], None]


class GreenFaces:
    """The tiny network, and a face wherever there is a green ellipse."""

    def __init__(self, network: OnnxNetwork) -> None:
        self._network = network
        self.revision, self.input_side = network.revision, network.input_side

    def predict(self, pictures: NDArray[np.uint8]) -> Prediction:
        made = self._network.predict(pictures)
        maps = np.stack([self._faces(p) for p in pictures])
        return Prediction(made.attention, made.objectness, maps)

    def _faces(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        side, maps = picture.shape[0], np.zeros((5, 68, 68), np.float32)
        green = (picture[..., 1] > 150) & (picture[..., 0] < 110)
        columns = np.flatnonzero(green.any(0))
        for run in np.split(columns, np.flatnonzero(np.diff(columns) > 2) + 1) if len(columns) else []:
            rows = np.flatnonzero(green[:, run].any(1))
            left, right, top, bottom = run[0] / side, (run[-1] + 1) / side, rows[0] / side, (rows[-1] + 1) / side
            row, column = min(int((top + bottom) * 34), 67), min(int((left + right) * 34), 67)
            x, y = (column + 0.5) / 68, (row + 0.5) / 68
            maps[:, row, column] = 0.9, x - left, y - top, right - x, bottom - y
        return maps


def make(path: Path, draw: Draw, size: tuple[int, int] = (WIDE, HIGH), seconds: float = SECONDS) -> Path:
    ground = np.random.default_rng(3).normal(70, 6, (size[1], size[0], 3)).clip(0, 255).astype(np.uint8)
    with VideoWriter(path, Size(*size), RATE) as writer:
        for number in range(round(seconds * RATE)):
            picture = PillowImage.fromarray(ground)
            draw(ImageDraw.Draw(picture), number / RATE)
            writer.write(picture)
    return path


def face(canvas: ImageDraw.ImageDraw, x: float, y: float = 0.45, scale: float = 1.0) -> None:
    wide, high = FACE[0] * scale, FACE[1] * scale
    left, top = x * WIDE - wide / 2, y * HIGH - high / 2
    canvas.ellipse((left, top, left + wide, top + high), fill=(60, 230, 60))


def head_at(x: float, y: float = 0.45, scale: float = 1.0) -> Box:
    wide, high = FACE[0] * scale / WIDE, FACE[1] * scale / HIGH
    return head_of(Box(x - wide / 2, y - high / 2, x + wide / 2, y + high / 2), SHAPE)


def watched(path: Path, network: OnnxNetwork) -> Footage:
    return watch(path, network=GreenFaces(network))


def whole(plan: ReframePlan, place: Callable[[float], Box], seconds: float = SECONDS, second: bool = False) -> float:
    """How often a head is fully inside."""
    times = np.arange(0, seconds, 0.05)
    good = 0
    for t in times:
        shot = plan.shot_at(float(t))
        path = shot.second if second else shot.path
        assert path is not None
        box, head = path.box_at(float(t)), place(float(t))
        good += box.overlap(head) >= 0.98 * head.area
    return good / len(times)


@pytest.mark.parametrize("ratio", ["9:16", "1:1", "4:5"])
def test_the_main_face_is_whole_though_something_brighter_is_elsewhere(
    tmp_path: Path, tiny_network: OnnxNetwork, ratio: str
) -> None:
    def scene(canvas: ImageDraw.ImageDraw, t: float) -> None:
        face(canvas, 0.25 + 0.02 * t)
        canvas.rectangle((560, 250, 620, 330), fill=(200, 40, 40))

    plan = plan_reframe(watched(make(tmp_path / "f.mp4", scene), tiny_network), ratio)
    assert whole(plan, lambda t: head_at(0.25 + 0.02 * t)) == 1
    assert not any("face" in w for w in plan.shots[0].warnings)


def test_a_face_that_crosses_the_frame_is_followed(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    def place(t: float) -> float:
        return 0.15 + 0.7 * t / 5

    plan = plan_reframe(
        watched(make(tmp_path / "f.mp4", lambda c, t: face(c, place(t)), seconds=5), tiny_network), "9:16"
    )
    assert whole(plan, lambda t: head_at(place(t)), seconds=5) >= 0.97


def test_a_face_unseen_for_a_moment_is_held(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    def scene(canvas: ImageDraw.ImageDraw, t: float) -> None:
        if not 1.2 < t < 1.9:
            face(canvas, 0.75)

    plan = plan_reframe(watched(make(tmp_path / "f.mp4", scene), tiny_network), "9:16")
    assert plan.shots[0].kind == "hold"
    assert whole(plan, lambda t: head_at(0.75)) == 1


def test_two_faces_that_do_not_fit(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    def scene(canvas: ImageDraw.ImageDraw, t: float) -> None:
        face(canvas, 0.25)
        face(canvas, 0.75, scale=0.85)

    footage = watched(make(tmp_path / "f.mp4", scene), tiny_network)
    (shot,) = footage.shots
    assert len(people_of(shot, head_tracks(shot))) == 2
    plan = plan_reframe(footage, "9:16")
    assert whole(plan, lambda t: head_at(0.25)) == 1  # the larger one, all the time
    assert any("two faces do not fit" in w for w in plan.shots[0].warnings)
    for layout in ("stack", "auto"):
        plan = plan_reframe(footage, "9:16", layout=layout)
        assert plan.shots[0].kind == "stack"
        assert whole(plan, lambda t: head_at(0.25)) == 1
        assert whole(plan, lambda t: head_at(0.75, scale=0.85), second=True) == 1
        assert plan.box_at(1).right < 0.75 - 0.03  # each window shows one face
        second = plan.shots[0].second
        assert second is not None
        assert second.box_at(1).left > 0.25 + 0.03
        assert ReframePlan.from_dict(plan.to_dict()) == plan
    render_reframe(plan, tmp_path / "stack.mp4")
    with VideoReader(tmp_path / "stack.mp4") as reader:
        pixels = next(reader.frames()).pixels().astype(int)
    green = (pixels[..., 1] > 150) & (pixels[..., 0] < 120)
    half = len(pixels) // 2
    assert green[:half].any()
    assert green[half:].any()
    assert plan_reframe(footage, "9:16", pad="blur").shots[0].kind == "pad"
    both = plan_reframe(footage, "16:9")
    assert whole(both, lambda t: head_at(0.25)) == whole(both, lambda t: head_at(0.75, scale=0.85)) == 1


def test_two_faces_that_fit_are_both_kept(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    def scene(canvas: ImageDraw.ImageDraw, t: float) -> None:
        face(canvas, 0.62, scale=0.7)
        face(canvas, 0.8, scale=0.6)

    plan = plan_reframe(watched(make(tmp_path / "f.mp4", scene), tiny_network), "1:1")
    assert whole(plan, lambda t: head_at(0.62, scale=0.7)) == 1
    assert whole(plan, lambda t: head_at(0.8, scale=0.6)) == 1


def test_the_eyes_are_high_in_a_wide_result(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    tall = make(
        tmp_path / "f.mp4",
        lambda c, t: c.ellipse((120, 250, 240, 400), fill=(60, 230, 60)),
        size=(360, 640),
        seconds=1.5,
    )
    plan = plan_reframe(watched(tall, tiny_network), "16:9")
    box = plan.box_at(0.5)
    face_box = Box(120 / 360, 250 / 640, 240 / 360, 400 / 640)
    assert box.overlap(face_box) >= 0.98 * face_box.area
    middle = (face_box.center.y - box.top) / box.height
    assert 0.3 < middle < 0.6


def test_a_face_larger_than_the_window_is_centred_and_said(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    plan = plan_reframe(watched(make(tmp_path / "f.mp4", lambda c, t: face(c, 0.4, 0.5, 2.9)), tiny_network), "9:16")
    assert plan.box_at(1).center.x == pytest.approx(0.4, abs=0.03)
    assert "larger than the window" in " ".join(plan.shots[0].warnings)


def test_tracks_survive_gaps_and_keep_people_apart() -> None:
    def sight(number: int, *faces: tuple[float, float]) -> Sight:
        found = tuple(DetectedFace(Box(x, 0.3, x + w, 0.3 + w), 0.8) for x, w in faces)
        even = np.full(68, 1 / 68, np.float32)
        return Sight(Fraction(number, 3), even, even, (), (), 0.5, 20, 40, found)

    sights = tuple(sight(n, *([] if n in (3, 4) else [(0.1 + 0.01 * n, 0.2)]), (0.7, 0.1)) for n in range(10))
    tracks = head_tracks(Shot(Fraction(0), Fraction(10, 3), sights, SHAPE))
    assert [len(t.heads) for t in tracks] == [8, 10]
    between = tracks[0].at(3)
    assert between is not None
    assert between.left == pytest.approx(0.13 - 0.02, abs=0.01)


def drawn_sight(number: int, face: Box | None, body: Box | None, confidence: float = 0.8) -> Sight:
    """Even attention; a face and a body where they are given."""
    even = np.full(68, 1 / 68, np.float32)
    faces = (DetectedFace(face, confidence),) if face else ()
    bodies = (SalientObject(body, 0.9),) if body else ()
    return Sight(Fraction(number, 3), even, even, bodies, (0.3,) * len(bodies), 0.5, 20, 40, faces)


def test_a_head_goes_with_its_body_where_its_face_is_not_found() -> None:
    places = [0.1, 0.12, 0.2, 0.3, 0.4, 0.4, 0.4]

    def sight(n: int, x: float) -> Sight:
        body = Box(x, 0.2, x + 0.2, 1.0) if n < 5 else None
        return drawn_sight(n, Box(x + 0.06, 0.22, x + 0.14, 0.4) if n < 2 else None, body)

    shot = Shot(Fraction(0), Fraction(7, 3), tuple(sight(n, x) for n, x in enumerate(places)), SHAPE)
    (person,) = people_of(shot, head_tracks(shot))
    assert person.seen == 2
    for number in (2, 3, 4):
        head = person.at(number)
        assert head is not None
        assert head.center.x == pytest.approx(places[number] + 0.1, abs=0.001)
    assert person.at(5) is None  # it was on the move, and its body is not found any more


def test_a_face_that_is_never_sure_does_not_lead_the_camera() -> None:
    face = Box(0.1, 0.5, 0.16, 0.6)
    for confidence, count in ((0.43, 0), (0.47, 1)):
        sights = tuple(drawn_sight(n, face, None, confidence) for n in range(4))
        shot = Shot(Fraction(0), Fraction(4, 3), sights, SHAPE)
        assert len(people_of(shot, head_tracks(shot))) == count


@pytest.mark.parametrize(("looked_at", "place"), [((0.0, 1.0), 0.6), ((0.58, 0.64), 0.5), ((0.8, 0.84), 0.67)])
def test_a_subject_larger_than_the_window_is_framed_round_what_is_looked_at(
    looked_at: tuple[float, float], place: float
) -> None:
    cells = (np.arange(68) + 0.5) / 68
    across = ((cells > looked_at[0]) & (cells < looked_at[1])).astype(np.float32)
    body = drawn_sight(0, None, Box(0.5, 0.0, 1.0, 1.0))
    sights = tuple(replace(body, seconds=Fraction(n, 3), across=across / across.sum()) for n in range(6))
    shot = Shot(Fraction(0), Fraction(2), sights, SHAPE)
    path = Axis(shot, Wanted(()), TrackLimits(), 0.3, (0.0, 1.0), upright=False, pixels=640).path(np.linspace(0, 2, 7))
    assert path.places[0] == pytest.approx(place, abs=0.02)


def shot_of_two() -> Shot:
    even = np.full(68, 1 / 68, np.float32)
    faces = (DetectedFace(Box(0.4, 0.2, 0.5, 0.4), 0.9), DetectedFace(Box(0.8, 0.3, 0.88, 0.45), 0.9))
    sights = [Sight(Fraction(n, 3), even, even, (), (), 0.5, 20, 40, faces) for n in range(6)]
    return Shot(Fraction(0), Fraction(2), tuple(sights), SHAPE)


def camera(area: str = "none") -> Camera:
    still = VideoInfo(
        "f.mp4", Size(WIDE, HIGH), Turn(), Fraction(1), Fraction(24), None, None, "sdr", False, 8, "4:2:0",
        ColourTags(2, 2, 2, 0),
    )  # fmt: skip
    return Camera(still, Size(202, 360), Size(202, 360), 0, (), None, TrackLimits(), hidden=safe_area(area))


def shot_of(faces: Sequence[tuple[float, float]], looked_at: float) -> Shot:
    """Faces as middles and widths; people look at all of the frame, and more at one place."""
    cells = (np.arange(68) + 0.5) / 68
    across = (0.4 + np.exp(-0.5 * ((cells - looked_at) / 0.05) ** 2)).astype(np.float32)
    even = np.full(68, 1 / 68, np.float32)
    found = tuple(DetectedFace(Box(x - w / 2, 0.2, x + w / 2, 0.2 + 2 * w), 0.8) for x, w in faces)
    sights = [Sight(Fraction(n, 3), across / across.sum(), even, (), (), 0.5, 20, 40, found) for n in range(6)]
    return Shot(Fraction(0), Fraction(2), tuple(sights), SHAPE)


@pytest.mark.parametrize(("looked_at", "kept"), [(0.35, 0.2), (0.55, 0.7)])
def test_of_two_faces_that_do_not_fit_the_one_with_more_to_see_round_it_stays(looked_at: float, kept: float) -> None:
    """The left face is a quarter larger. People look at a place beside it, or beside the other one."""
    shot = camera().plan(shot_of(((0.2, 0.25), (0.7, 0.2)), looked_at))
    box = shot.path.box_at(1)
    assert box.left < kept - 0.1 < kept + 0.1 < box.right
    assert any("two faces do not fit" in w for w in shot.warnings)


@pytest.mark.parametrize("other", [0.5, 0.55, 0.6, 0.65])
def test_a_face_beside_the_main_one_is_whole_or_left_out(other: float) -> None:
    box = camera().plan(shot_of(((0.4, 0.15), (other, 0.06)), 0.4)).path.box_at(1)
    assert box.left < 0.4 - 0.08 < 0.4 + 0.08 < box.right
    head = head_of(Box(other - 0.03, 0.2, other + 0.03, 0.32), SHAPE)
    assert not 0.08 < box.overlap(head) / head.area < 0.92


def test_the_editor_chooses_the_face_and_faces_stay_clear_of_the_platform() -> None:
    for wish, middle in (("1=face", 0.45), ("1=face2", 0.84)):
        box = camera().plan(shot_of_two(), ShotWish.parse(wish)).path.box_at(1)
        assert box.left <= middle - 0.05 and middle + 0.05 <= box.right
    plain, clear = (camera(area).plan(shot_of_two()) for area in ("none", "tiktok"))
    assert clear.path.box_at(1).left > plain.path.box_at(1).left  # the right side is under buttons
    assert not any("safe area" in w for w in (*plain.warnings, *clear.warnings))
    low = camera("reels").plan(replace_faces(shot_of_two(), Box(0.4, 0.7, 0.5, 0.9)))
    assert any("main face is outside of the safe area" in w for w in low.warnings)


def replace_faces(shot: Shot, face: Box) -> Shot:
    return replace(shot, sights=tuple(replace(s, faces=(DetectedFace(face, 0.9),)) for s in shot.sights))


# --- text


def caption(canvas: ImageDraw.ImageDraw, text: str, x: float, y: float, size: int = 26) -> Box:
    font: Any = ImageFont.load_default(size)
    left, top, right, bottom = canvas.textbbox((x * WIDE, y * HIGH), text, font=font)
    canvas.rectangle((left - 6, top - 4, right + 6, bottom + 4), fill=(20, 20, 20))
    canvas.text((x * WIDE, y * HIGH), text, fill="white", font=font)
    return Box(left / WIDE, top / HIGH, right / WIDE, bottom / HIGH)


def test_captions_are_found_padded_or_said(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    boxes: list[Box] = []

    def scene(canvas: ImageDraw.ImageDraw, t: float) -> None:
        face(canvas, 0.5 + 0.1 * np.sin(2 * t))
        boxes.append(caption(canvas, "This is a caption that matters", 0.2, 0.86))

    footage = watched(make(tmp_path / "f.mp4", scene), tiny_network)
    ((found, numbers),) = texts_of(footage.shots[0])
    assert found.iou(boxes[0]) > 0.5
    assert len(numbers) == len(footage.shots[0].sights)
    assert "of a line of text is outside" in " ".join(plan_reframe(footage, "9:16").shots[0].warnings)
    for options in ({"pad": "blur"}, {"layout": "auto"}):
        plan = plan_reframe(footage, "9:16", **options)  # type: ignore[arg-type]
        assert plan.shots[0].kind == "pad"
        assert plan.box_at(1).overlap(boxes[0]) >= 0.98 * boxes[0].area


def test_a_name_plate_that_fits_is_kept_with_the_face(tmp_path: Path, tiny_network: OnnxNetwork) -> None:
    boxes: list[Box] = []

    def scene(canvas: ImageDraw.ImageDraw, t: float) -> None:
        face(canvas, 0.3)
        if 0.5 < t < 2.6:
            boxes.append(caption(canvas, "Ada Lovelace", 0.04, 0.8, 30))

    plan = plan_reframe(watched(make(tmp_path / "f.mp4", scene), tiny_network), "1:1")
    assert whole(plan, lambda t: head_at(0.3)) == 1
    assert plan.box_at(1.5).overlap(boxes[0]) >= 0.98 * boxes[0].area


# --- bars


@pytest.mark.parametrize(("bars", "size"), [((0, 45), (640, 360)), ((80, 0), (640, 360)), ((100, 0), (640, 360))])
def test_bars_are_left_out(
    tmp_path: Path, tiny_network: OnnxNetwork, bars: tuple[int, int], size: tuple[int, int]
) -> None:
    x, y = bars

    def scene(canvas: ImageDraw.ImageDraw, t: float) -> None:
        face(canvas, 0.5 + 0.2 * np.sin(t))
        for edges in ((0, 0, WIDE, y), (0, HIGH - y, WIDE, HIGH), (0, 0, x, HIGH), (WIDE - x, 0, WIDE, HIGH)):
            if edges[2] > edges[0] and edges[3] > edges[1]:
                canvas.rectangle((edges[0], edges[1], edges[2] - 1, edges[3] - 1), fill=(0, 0, 0))

    footage = watched(make(tmp_path / "f.mp4", scene, size, seconds=1), tiny_network)
    active = footage.shots[0].active
    for edge, expected in zip(
        (active.left, active.top, active.right, active.bottom),
        (x / WIDE, y / HIGH, 1 - x / WIDE, 1 - y / HIGH),
        strict=True,
    ):
        assert edge == pytest.approx(expected, abs=0.012)
    for still in (cover(footage), *preview(footage, seconds=0.5, width=321).frames):
        assert still.width / still.height == pytest.approx((WIDE - 2 * x) / (HIGH - 2 * y), rel=0.03)
        pixels = np.asarray(still)
        for line in (pixels[1], pixels[-2], pixels[:, 1], pixels[:, -2]):
            assert line.mean() > 40
    assert preview(footage, seconds=0.5, width=321).frames[0].width == 321
    for ratio in ("9:16", "1:1", "16:9"):
        plan = plan_reframe(footage, ratio)
        made = render_reframe(plan, tmp_path / "out.mp4", encode=EncodeOptions(preset="ultrafast"))
        with VideoReader(made.path) as reader:
            frames = [f.pixels() for f in reader.frames()]
        for pixels in (frames[0], frames[-1]):
            for line in (pixels[1], pixels[-2], pixels[:, 1], pixels[:, -2]):
                assert line.mean() > 40, ratio


def test_dark_pictures_have_no_bars() -> None:
    random = np.random.default_rng(1)
    dark = random.normal(10, 6, (180, 320)).clip(0, 255).astype(np.float32)
    dark[60:120, 100:200] += 120
    assert active_part(dark) == Box.whole()
    one_side = np.full((180, 320), 90, np.float32)
    one_side[150:] = 2
    assert active_part(one_side) == Box.whole()
