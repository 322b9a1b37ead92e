"""Pictures at addresses: galleries, clients that leave, options, and one address for one picture."""

from __future__ import annotations

import io
import shutil
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image as PillowImage

from eyefirst.server import cuts, images
from eyefirst.server.cuts import Encoding
from eyefirst.server.settings import Settings
from eyefirst.server.signing import signed_address
from eyefirst.tools.planning import CropOrder
from tests.server.conftest import KEY, Serving, connected

BROWSER = {"Accept": "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"}


def opened(answer: httpx.Response) -> PillowImage.Image:
    assert answer.status_code == 200, answer.text
    return PillowImage.open(io.BytesIO(answer.content))


def at(options: str, path: str = "album/photo.jpg") -> str:
    return f"/v1/image/unsigned/{options}/{path}"


def counted(call: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    def count(*words: Any) -> Any:
        calls.append(1)
        return call(*words)

    return count


def test_a_gallery_is_answered_whole(serving: Serving, root: Path) -> None:
    with connected(serving, Settings(root=root, workers=2, queue=2)) as client, ThreadPoolExecutor(40) as browsers:
        asked = [at(f"ratio=1:1,w={60 + i}") for i in range(40)]
        answers = list(browsers.map(lambda a: client.get(a, headers=BROWSER).status_code, asked))
    assert answers == [200] * 40


def test_beside_a_gallery_there_is_room_for_other_work(
    serving: Serving, root: Path, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    cut_all = cuts.cut_all
    monkeypatch.setattr(images, "cut_all", lambda *a, **k: release.wait(20) and cut_all(*a, **k))
    with connected(serving, Settings(root=root, workers=1, queue=5)) as client, ThreadPoolExecutor(12) as browsers:
        asked = [browsers.submit(client.get, at(f"w={60 + i},ratio=1:1")) for i in range(12)]
        time.sleep(0.5)
        assert client.get("/readyz").json() == {"ready": True, "free": 3}
        release.set()
        assert client.post("/v1/plan?ratio=1:1", content=photo_path.read_bytes()).status_code == 200
        assert {a.result().status_code for a in asked} == {200}


def test_an_address_waits_no_longer_than_it_may(serving: Serving, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(images, "cut_all", lambda *_, **__: release.wait(20))
    settings = Settings(root=root, workers=1, queue=0, work_seconds=0.6)
    with connected(serving, settings) as client, ThreadPoolExecutor(6) as browsers:
        begun = time.monotonic()
        answers = list(browsers.map(lambda i: client.get(at(f"ratio=1:1,w={i}")), range(60, 66)))
        release.set()
    assert [a.status_code for a in answers] == [503] * 6
    assert all("retry-after" in a.headers for a in answers)
    assert time.monotonic() - begun < 5


def test_work_stops_when_the_client_leaves(serving: Serving, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, planned = CropOrder.plan, threading.Event()
    encoded: list[int] = []

    def slow(order: CropOrder, handler: object) -> object:
        planned.set()
        time.sleep(0.6)
        return plan(order, handler)  # type: ignore[arg-type]

    monkeypatch.setattr(CropOrder, "plan", slow)
    encode = Encoding.encode
    monkeypatch.setattr(Encoding, "encode", counted(encode, encoded))
    with connected(serving, Settings(root=root, workers=1)) as client:
        place = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(place, timeout=10) as line:
            line.sendall(f"GET {at('ratio=1:1')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert planned.wait(5)
        time.sleep(1.2)
        assert client.get("/readyz").json()["free"] == 17
    assert not encoded


@pytest.mark.parametrize("reason", ["the client leaves", "time is up"])
def test_work_stops_between_two_frames(
    serving: Serving, photo_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    encode = Encoding.encode
    encoded: list[int] = []

    def slow(*words: object) -> bytes:
        encoded.append(1)
        time.sleep(0.5)
        return encode(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(Encoding, "encode", slow)
    data, ratios = photo_path.read_bytes(), "&".join(f"ratio={i}:1" for i in range(1, 9))
    seconds = 20 if reason == "the client leaves" else 1.2
    with connected(serving, Settings(work_seconds=seconds, workers=1)) as client:
        place = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(place, timeout=10) as line:
            head = f"POST /v1/crop?{ratios} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
            line.sendall(head.encode() + data)
            if reason == "time is up":
                assert line.recv(12) == b"HTTP/1.1 503"
            else:
                time.sleep(1)
        time.sleep(1)
        assert client.get("/readyz").json()["free"] == 17
    assert 0 < len(encoded) < 5


def test_a_thin_picture_with_padding_cannot_halt_the_service(serving: Serving) -> None:
    """12 ratios of a picture of 3 x 12000 pixels once took two minutes and 1.5 GB."""
    out = io.BytesIO()
    PillowImage.effect_noise((3, 12000), 80).convert("RGB").save(out, "PNG")
    ratios = "&".join(f"ratio={i}:9" for i in range(5, 17))
    with connected(serving, Settings(workers=2)) as client:
        for more in ("pad=blur", "pad=extend", "pad=white", "pad=blur&size=400x400", "pad=extend&size=4000x4000"):
            begun = time.monotonic()
            answer = client.post(f"/v1/crop?{ratios}&{more}&must_keep=0,0,1,1", content=out.getvalue())
            assert answer.status_code == (200 if "400x400" in more else 422), answer.text[:200]
            assert time.monotonic() - begun < 5
            assert client.get("/healthz").elapsed.total_seconds() < 1


def test_avif_takes_no_more_than_three_times_as_long_as_jpeg(serving: Serving, root: Path, photo_path: Path) -> None:
    PillowImage.open(photo_path).resize((1600, 1200)).save(root / "large.jpg")
    with connected(serving, Settings(root=root, workers=1)) as client:
        seconds = {}
        for kind in ("jpg", "avif"):
            client.get(at(f"ratio=4:3,w=800,format={kind}", "large.jpg"))
            times = []
            for i in range(5):
                begun = time.perf_counter()
                assert client.get(at(f"ratio=4:3,w={801 + i},format={kind}", "large.jpg")).status_code == 200
                times.append(time.perf_counter() - begun)
            seconds[kind] = min(times)
    assert seconds["avif"] < 3 * seconds["jpg"] + 0.05, seconds


def test_quality_by_format(client: httpx.Client) -> None:
    plain = {kind: len(client.get(at(f"ratio=1:1,format={kind}")).content) for kind in ("jpg", "webp", "avif")}
    for kind, size in plain.items():
        less = client.get(at(f"ratio=1:1,format={kind},quality=jpg:30_webp:30_avif:30"))
        assert len(less.content) < 0.8 * size
        same = client.get(at(f"ratio=1:1,format={kind},quality={cuts.QUALITY[opened(less).format or '']}"))
        assert len(same.content) == size
    assert len(client.get(at(f"ratio=1:1,format=jpg,max_bytes={plain['jpg'] // 2}")).content) <= plain["jpg"] // 2
    assert client.get(at("ratio=1:1,format=jpg,max_bytes=10")).status_code == 200  # as small as it can be


def test_an_address_without_a_size_is_capped(serving: Serving, root: Path) -> None:
    with connected(serving, Settings(root=root, longest=200)) as client:
        assert opened(client.get(at("ratio=2:1"))).size == (200, 100)
        assert opened(client.get(at("mode=contain"))).size == (200, 200)
        assert opened(client.get(at("ratio=2:1,size=400x200"))).size == (400, 200)
    with connected(serving, Settings(root=root)) as client:
        assert opened(client.get(at("ratio=2:1"))).size == (512, 256)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("w=100,h=50", (100, 50)),
        ("w=100", (100, 100)),
        ("h=50", (50, 50)),
        ("ratio=2:1,w=100", (100, 50)),
        ("ratio=2:1,h=50", (100, 50)),
        ("w=100,h=50,dpr=2", (200, 100)),
        ("w=100,dpr=1.5", (150, 150)),
        ("w=1024,h=512", (1024, 512)),
        ("w=1024,h=512,enlarge=0", (512, 256)),
        ("w=1024,enlarge=0", (512, 512)),
        ("w=100,h=50,mode=contain", (50, 50)),
        ("w=100,h=50,mode=pad", (100, 50)),
        ("w=2000,h=1000,mode=pad,enlarge=0", (2000, 1000)),
        ("w=100,h=50,mode=pad,pad=blur", (100, 50)),
        ("w=100,h=50,focus=faces", (100, 50)),
        ("w=100,h=50,focus=subjects", (100, 50)),
        ("w=100,h=50,focus=0.9_0.9", (100, 50)),
        ("w=50,h=100,portrait=upper-body", (50, 100)),
        ("ratio=1:1,w=64,tightness=0.5,margin=0.1,prefer=attention,fit=largest", (64, 64)),
    ],
)
def test_sizes_as_sites_say_them(client: httpx.Client, options: str, size: tuple[int, int]) -> None:
    assert opened(client.get(at(options))).size == size


def test_focus_at_a_point_is_a_cut_round_it(client: httpx.Client, root: Path) -> None:
    picture = PillowImage.new("RGB", (300, 100), "red")
    picture.paste("blue", (200, 0, 300, 100))
    picture.save(root / "two.png")
    for focus, colour in (("0.95_0.5", (0, 0, 255)), ("0.05_0.5", (255, 0, 0))):
        found = opened(client.get(at(f"ratio=1:1,format=png,focus={focus}", "two.png")))
        assert found.size == (100, 100) and {found.getpixel((1, 1)), found.getpixel((98, 98))} == {colour}


def test_padding_shows_the_whole_picture(client: httpx.Client, root: Path) -> None:
    PillowImage.new("RGB", (100, 100), "red").save(root / "red.png")
    found = opened(client.get(at("w=200,h=100,mode=pad,pad=#0000ff,format=png".replace("#", "%23"), "red.png")))
    assert [found.getpixel((x, 50)) for x in (10, 60, 140, 190)] == [(0, 0, 255), (255, 0, 0), (255, 0, 0), (0, 0, 255)]


@pytest.mark.parametrize(
    "options",
    [
        "w=0",
        "w=-5",
        "w=100001",
        "h=x",
        "w=1e3",
        "dpr=0,w=10",
        "dpr=9,w=10",
        "dpr=nan,w=10",
        "mode=stretch,w=10,h=10",
        "mode=pad,w=10",
        "focus=nose,ratio=1:1",
        "focus=2_0.5,ratio=1:1",
        "portrait=none,ratio=1:1",
        "enlarge=maybe,ratio=1:1",
        "quality=jpg:0,ratio=1:1",
        "quality=exe:5,ratio=1:1",
        "max_bytes=0,ratio=1:1",
        "size=10x10,w=5",
        "w=10,tightness=1",
        "mode=contain,must_keep=0_0_1_1",
        "preset=none",
        "tightness=nan,ratio=1:1",
        "expires=-1,ratio=1:1",
        "format=exe,ratio=1:1",
        "w=100000,h=100000",
        "w=9,mode=contain,background=nocolour",
        "w=9,h=9,mode=pad,pad=nocolour",
    ],
)
def test_options_that_mean_nothing_are_refused(client: httpx.Client, options: str) -> None:
    answer = client.get(at(options))
    assert (answer.status_code, answer.json()["status"]) == (422, 422)


def test_one_picture_has_one_address(signing: httpx.Client, root: Path) -> None:
    good = signed_address("album/photo.jpg", key=KEY, ratio="1:1", size="50x50")
    assert signing.get(good).status_code == 200
    assert signing.get(f"{good}?bust=1").status_code == 422
    assert signing.get(f"{good}?").status_code == 200
    shutil.copy(root / "album" / "photo.jpg", root / "album" / "näh (1).jpg")
    odd = signed_address("album/näh (1).jpg", key=KEY, ratio="1:1", pad="#fff")
    assert signing.get(odd).status_code == 200
    for address, asked, other in (
        *((good, "photo", "%70hoto"), (good, "1:1", "%31:1"), (good, "1:1", "1%3A1"), (good, ",", "%2C")),
        *((good, "ratio=", "ratio%3D"), (good, "album/", "album%2F"), (odd, "%C3%A4", "%c3%a4"), (odd, "%28", "(")),
    ):
        assert asked in address
        with socket.create_connection((signing.base_url.host, signing.base_url.port or 0), timeout=10) as line:
            line.sendall(f"GET {address.replace(asked, other)} HTTP/1.0\r\n\r\n".encode())
            assert line.recv(12) == b"HTTP/1.1 403", other


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("ratio=16:9,w=4,dpr=0.1", (1, 1)),  # once the whole picture, as if no width were given
        ("w=3,h=9,dpr=0.1", (1, 1)),
        ("w=2,h=20000,mode=contain", (2, 2)),
        ("w=2,h=2500,mode=pad", (2, 2500)),
    ],
)
def test_thin_and_tiny_rooms(client: httpx.Client, options: str, size: tuple[int, int]) -> None:
    answer = client.get(at(f"{options},format=png"))
    assert answer.status_code == 200, answer.text
    assert PillowImage.open(io.BytesIO(answer.content)).size == size


def test_a_plan_is_made_once(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = CropOrder.plan
    made: list[int] = []
    monkeypatch.setattr(CropOrder, "plan", counted(plan, made))
    bodies = [client.get(at(f"ratio=3:2,w={w},format=png")).content for w in (90, 120, 90)]
    assert len(made) == 1
    assert bodies[0] == bodies[2]


def test_how_long_caches_keep_an_answer(serving: Serving, root: Path) -> None:
    with connected(serving, Settings(root=root, max_age_seconds=60, stale_seconds=30)) as client:
        assert client.get(at("w=9")).headers["cache-control"] == "private, max-age=60, stale-while-revalidate=30"
        assert "max-age=5," in client.get(at("w=9,max_age=5")).headers["cache-control"]
        soon = client.get(at(f"w=9,expires={int(time.time()) + 10}")).headers["cache-control"]
        assert "stale" not in soon


def test_presets(serving: Serving, root: Path) -> None:
    presets = {"card": "ratio:16:9,w:160", "small": "w=40,h=40,format=png"}
    with connected(serving, Settings(root=root, presets=presets)) as client:
        assert opened(client.get(at("preset=card"))).size == (160, 90)
        assert opened(client.get(at("preset=card,dpr=2"))).size == (320, 180)
        assert opened(client.get(at("preset=small,w=80"))).size == (80, 40)
        assert opened(client.get(at("w=50"))).size == (50, 50)
        tag = client.get(at("preset=card")).headers["etag"]
    changed = Settings(root=root, presets={"card": "ratio:16:9,w:80"}, only_presets=True)
    with connected(serving, changed) as client:
        assert opened(client.get(at("preset=card"), headers={"If-None-Match": tag})).size == (80, 45)
        assert opened(client.get(at("preset=card,dpr=2"))).size == (160, 90)
        for options in ("w=50", "preset=card,w=50", "preset=other", "dpr=2"):
            assert client.get(at(options)).status_code == 422


def test_caches_may_keep_for_a_minute_that_there_is_no_picture(client: httpx.Client, signing: httpx.Client) -> None:
    answer = client.get(at("w=60", "nothing.jpg"))
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "private, max-age=60")
    answer = signing.get(signed_address("nothing.jpg", key=KEY, w=60))
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "public, max-age=60")
    for address, status in ((at("w=0", "nothing.jpg"), 422), (at("w=60", "album/notes.txt"), 415)):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")


def test_a_fallback_is_shown_with_the_status_of_what_went_wrong(serving: Serving, root: Path, tmp_path: Path) -> None:
    PillowImage.new("RGB", (300, 200), "green").save(tmp_path / "fallback.png")
    with connected(serving, Settings(root=root, fallback=tmp_path / "fallback.png")) as client:
        for path, status in (("nothing.jpg", 404), ("album/notes.txt", 415), ("album/photo.jpg", 200)):
            answer = client.get(at("w=60,h=60", path))
            assert (answer.status_code, answer.headers["content-type"]) == (status, "image/jpeg")
            assert PillowImage.open(io.BytesIO(answer.content)).size == (60, 60)
            assert ("max-age=60" in answer.headers["cache-control"]) == (status != 200)
        dense = client.get(at("w=60,dpr=auto,format=png", "nothing.jpg"), headers={"DPR": "2"})
        assert (dense.headers["content-dpr"], dense.headers["vary"]) == ("2", "Sec-CH-DPR, DPR")
        assert client.get(at("nonsense", "nothing.jpg")).status_code == 422
