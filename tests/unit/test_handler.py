from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from eyefirst import (
    AttentionSaliencyRequest,
    Box,
    ImageRequestHandler,
    ObjectnessSaliencyRequest,
    TextRectanglesRequest,
)
from eyefirst.errors import (
    CancelledError,
    EyefirstError,
    InvalidBoxError,
    InvalidValueError,
    NetworkMismatchError,
    NotAPictureError,
    PictureError,
    UnknownRevisionError,
)
from eyefirst.image import Source, load_image
from eyefirst.network import OnnxNetwork, Prediction
from eyefirst.observations import SaliencyObservation
from eyefirst.requests import SaliencyRequest
from eyefirst.tools.planning import framer_of
from tests.make_tiny_network import make_tiny_network

BOTH = [AttentionSaliencyRequest(), ObjectnessSaliencyRequest()]


class Counting:
    """A network that counts its runs, and can be made to wait."""

    def __init__(self, network: OnnxNetwork) -> None:
        self.network, self.runs = network, 0
        self.niceness = 0
        self.may_go = threading.Event()
        self.may_go.set()
        self.begun = threading.Event()

    revision = "tiny_v1"
    input_side = 272

    def predict(self, pictures: NDArray[np.uint8]) -> Prediction:
        self.runs += 1
        self.begun.set()
        self.may_go.wait(10)
        if sys.platform == "linux":
            self.niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        return self.network.predict(pictures)


@pytest.fixture
def network(tiny_network: OnnxNetwork) -> Counting:
    return Counting(tiny_network)


def test_one_run_serves_every_request(red_square: NDArray[np.uint8], network: Counting) -> None:
    handler = ImageRequestHandler(red_square, network=network)
    attention, objects, again = handler.perform([*BOTH, AttentionSaliencyRequest()])
    assert network.runs == 1
    assert attention.heat_map.values.shape == (68, 68)
    assert attention.heat_map.values.dtype == np.float32
    assert attention.heat_map.density().sum() == pytest.approx(1)
    assert again.heat_map is attention.heat_map
    assert len(attention.salient_objects) == 1
    (found,) = objects.salient_objects
    assert found.box.iou(Box(0.7, 0.2, 0.9, 140 / 300)) > 0.8
    assert objects.union_box == found.box


def test_text_is_asked_for_like_any_map_and_framed_round(
    red_square: NDArray[np.uint8], network: Counting, tmp_path: Path
) -> None:
    known = Counting(OnnxNetwork(make_tiny_network(tmp_path / "text.onnx", text=True)))
    handler = ImageRequestHandler(red_square, network=known)
    (text,) = handler.perform([TextRectanglesRequest()])
    (found,) = text.salient_objects
    assert found.box.iou(Box(0.7, 0.2, 0.9, 140 / 300)) > 0.8
    assert text.to_dict()["kind"] == "text_rectangles"
    seen = handler.look()
    assert seen.text is not None
    assert seen.text.salient_objects == text.salient_objects
    (word,) = (t for t in framer_of(handler, seen).content.things if t.kind == "word")
    assert word.box == found.box
    own = Box(0.1, 0.1, 0.3, 0.2)
    assert [t.box for t in framer_of(handler, seen, words=[own]).content.things if t.kind == "word"] == [own]
    assert known.runs == 1
    other = ImageRequestHandler(red_square, network=network)
    assert other.look().text is None
    with pytest.raises(NetworkMismatchError, match="has no map of text"):
        other.perform([TextRectanglesRequest()])


def test_a_region_of_interest_answers_in_whole_picture_coordinates(
    red_square: NDArray[np.uint8], network: Counting
) -> None:
    region = Box(0.5, 0, 1, 0.6)
    handler = ImageRequestHandler(red_square, network=network)
    (whole, part) = handler.perform([ObjectnessSaliencyRequest(), ObjectnessSaliencyRequest(region_of_interest=region)])
    assert network.runs == 2
    assert part.salient_objects[0].box.iou(whole.salient_objects[0].box) > 0.85
    (elsewhere,) = handler.perform([ObjectnessSaliencyRequest(region_of_interest=Box(0, 0, 0.5, 1))])
    assert elsewhere.salient_objects == ()
    assert elsewhere.union_box is None


def test_a_region_that_leaves_the_picture_is_an_error() -> None:
    with pytest.raises(InvalidBoxError, match=r"0\.\.1"):
        ObjectnessSaliencyRequest(region_of_interest=(0.5, 0, 1.5, 1))  # type: ignore[arg-type]


def test_an_unknown_revision_lists_those_known() -> None:
    with pytest.raises(UnknownRevisionError, match="saliency_v18"):
        AttentionSaliencyRequest(revision="saliency_v999")


@pytest.mark.parametrize("times", [1, 7])
def test_every_kind_of_source_sees_the_same(
    red_square: NDArray[np.uint8], network: Counting, tmp_path: Path, times: int
) -> None:
    pixels = red_square.repeat(times, 0).repeat(times, 1)
    pixels += np.random.default_rng(0).integers(0, 200, pixels.shape, np.uint8)  # averaging this shows
    picture = PillowImage.fromarray(pixels)
    picture.save(tmp_path / "p.png")
    data = (tmp_path / "p.png").read_bytes()
    with (tmp_path / "p.png").open("rb") as file:
        sources: list[Source] = [
            tmp_path / "p.png",
            str(tmp_path / "p.png"),
            data,
            io.BytesIO(data),
            file,
            picture,
            pixels,
            load_image(pixels),
        ]
        maps = [ImageRequestHandler(s, network=network).perform(BOTH)[0].heat_map.values for s in sources]
    for other in maps[1:]:
        np.testing.assert_array_equal(other, maps[0])


def test_a_file_object_serves_several_regions(red_square: NDArray[np.uint8], network: Counting) -> None:
    out = io.BytesIO()
    PillowImage.fromarray(red_square).resize((1600, 1200)).save(out, "JPEG")
    out.seek(0)
    handler = ImageRequestHandler(out, network=network)
    handler.perform(BOTH)
    (part,) = handler.perform([ObjectnessSaliencyRequest(region_of_interest=Box(0.6, 0.1, 1, 0.5))])
    assert part.salient_objects


def test_perform_async_and_background(red_square: NDArray[np.uint8], network: Counting) -> None:
    observations = asyncio.run(ImageRequestHandler(red_square, network=network).perform_async(BOTH))
    assert len(observations) == 2
    (attention, _) = ImageRequestHandler(red_square, network=network).perform(BOTH, prefer_background=True)
    np.testing.assert_array_equal(attention.heat_map.values, observations[0].heat_map.values)
    if sys.platform == "linux":
        assert network.niceness >= 10


def test_work_can_be_cancelled(red_square: NDArray[np.uint8], network: Counting) -> None:
    handler = ImageRequestHandler(red_square, network=network)
    handler.cancel()
    with pytest.raises(CancelledError, match="cancelled"):
        handler.perform(BOTH)


def test_running_work_can_be_cancelled(red_square: NDArray[np.uint8], network: Counting) -> None:
    network.may_go.clear()
    handler = ImageRequestHandler(red_square, network=network)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            handler.perform(
                [AttentionSaliencyRequest(), AttentionSaliencyRequest(region_of_interest=Box(0, 0, 0.5, 1))]
            )
        except CancelledError as error:
            problems.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert network.begun.wait(10)
    handler.cancel()
    network.may_go.set()
    thread.join(10)
    assert len(problems) == 1
    assert network.runs == 1


def test_many_threads_one_handler_one_run(red_square: NDArray[np.uint8], network: Counting) -> None:
    handler = ImageRequestHandler(red_square, network=network)
    threads = [threading.Thread(target=handler.perform, args=(BOTH,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert network.runs == 1


def test_what_is_no_request_is_refused(red_square: NDArray[np.uint8], network: Counting) -> None:
    with pytest.raises(InvalidValueError, match="expected requests for saliency, faces or text"):
        ImageRequestHandler(red_square, network=network).perform(["attention"])  # type: ignore[list-item]


def test_a_bad_picture_says_so_when_performed(tmp_path: Path, network: Counting) -> None:
    with pytest.raises(PictureError, match=r"missing\.jpg"):
        ImageRequestHandler(tmp_path / "missing.jpg", network=network).perform(BOTH)


def test_observations_as_json(red_square: NDArray[np.uint8], network: Counting) -> None:
    (objects,) = ImageRequestHandler(red_square, network=network).perform([ObjectnessSaliencyRequest()])
    answer = objects.to_dict()
    assert answer["kind"] == "objectness"
    assert answer["revision"] == "tiny_v1"
    assert len(answer["heat_map"]) == 68


def test_each_request_s_completion_is_called_as_it_ends() -> None:
    calls: list[tuple[SaliencyRequest, SaliencyObservation | None, EyefirstError | None]] = []
    requests = [AttentionSaliencyRequest(), ObjectnessSaliencyRequest()]
    seen = ImageRequestHandler(np.zeros((60, 80, 3), np.uint8)).perform(
        requests, on_completion=lambda *call: calls.append(call)
    )
    assert calls == [(request, observation, None) for request, observation in zip(requests, seen, strict=True)]


def test_submitted_work_answers_through_its_future_and_its_callback() -> None:
    calls: list[object] = []
    future = ImageRequestHandler(np.zeros((60, 80, 3), np.uint8)).submit(
        [AttentionSaliencyRequest()], on_completion=lambda _, observation, __: calls.append(observation)
    )
    assert future.result(timeout=60) == calls
    failed = ImageRequestHandler(b"no picture").submit(
        [AttentionSaliencyRequest()], on_completion=lambda _, __, error: calls.append(error)
    )
    with pytest.raises(NotAPictureError):
        failed.result(timeout=60)
    assert isinstance(calls[-1], NotAPictureError)


def test_the_background_thread_does_not_wait_for_itself() -> None:
    picture = np.zeros((60, 80, 3), np.uint8)
    wanted = [AttentionSaliencyRequest()]
    answers: list[object] = []

    def ask_again(*_: object) -> None:
        answers.extend(ImageRequestHandler(picture).submit(wanted).result(timeout=60))
        answers.extend(asyncio.run(ImageRequestHandler(picture).perform_async(wanted, prefer_background=True)))
        with pytest.raises(NotAPictureError):
            ImageRequestHandler(b"no picture").submit(wanted).result(timeout=60)
        answers.append("done")

    future = ImageRequestHandler(picture).submit(wanted, on_completion=ask_again)
    assert [*future.result(timeout=60), *future.result(), "done"] == answers


def test_what_was_asked_before_does_not_change_what_a_plan_sees(photo_path: Path, network: Counting) -> None:
    out = io.BytesIO()
    PillowImage.open(photo_path).resize((2000, 2000)).save(out, "JPEG")
    asked_before, fresh = (ImageRequestHandler(out.getvalue(), network=network) for _ in range(2))
    asked_before.perform([AttentionSaliencyRequest(region_of_interest=Box(0, 0, 0.2, 0.2))])
    np.testing.assert_array_equal(asked_before.image.pixels, fresh.image.pixels)


def test_what_is_amiss_with_a_file_is_said_whenever_it_shows(network: Counting) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (5, 40, 40, 3), np.uint8)
    frames = [PillowImage.fromarray(pixels) for pixels in noise]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=100)
    handler = ImageRequestHandler(out.getvalue()[:-3000], network=network)
    handler.look()
    assert handler.warnings == ()  # the first frame is whole
    read = len(handler.animation().frames)
    assert 1 < read < 5
    (remark,) = handler.file_remarks()
    assert remark.startswith(f"only {read} of ")
    assert handler.again().warnings == handler.warnings


def test_a_picture_in_memory_keeps_what_was_amiss_with_its_file(photo_path: Path, network: Counting) -> None:
    image = load_image(photo_path.read_bytes()[:-2])
    assert "end marker" in image.warnings[0]
    handler = ImageRequestHandler(image, network=network)
    handler.look()
    assert handler.warnings == image.warnings
    assert handler.held_bytes > image.pixels.nbytes


def test_a_forked_process_has_a_background_of_its_own() -> None:
    if not hasattr(os, "fork"):
        return
    program = """
import os
from eyefirst.background import background
background().submit(int).result()
child = os.fork()
if not child:
    background().submit(int).result(3)  # the parent's thread is not here
    os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=30)
