"""Responsive pictures: the tag, and the recipes for other languages, held to one list of addresses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eyefirst.cli import app
from eyefirst.errors import InvalidValueError
from eyefirst.server.signing import signed_address
from eyefirst.server.srcset import responsive_image

KEY = "a-signing-key-for-the-tests"
PAGE = (Path(__file__).parents[2] / "docs" / "addresses.md").read_text()
VECTORS = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(/v1/image/.+?)` \|$", PAGE, re.M)


def tags_in(text: str) -> list[tuple[str, dict[str, str]]]:
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))  # type: ignore[method-assign, assignment]
    parser.feed(text)
    return found  # type: ignore[return-value]


def test_the_tag_holds_an_address_for_each_width() -> None:
    text = responsive_image(
        "a b/c.jpg", [640, 320, 320], key=KEY, base="https://img.example.com/", ratio="16:9"
    ).to_html('"quoted" <words>')
    ((tag, found),) = tags_in(text)
    base = "https://img.example.com"
    small, large = (base + signed_address("a b/c.jpg", key=KEY, ratio="16:9", w=w) for w in (320, 640))
    assert (tag, found["src"], found["alt"]) == ("img", large, '"quoted" <words>')
    assert found["srcset"] == f"{small} 320w, {large} 640w"
    assert (found["width"], found["height"], found["sizes"]) == ("640", "360", "100vw")


def test_several_formats_are_a_picture() -> None:
    made = responsive_image("a.jpg", [100], key=None, formats=["avif", "webp", "jpg"], must_keep=["text"], ratio="1:1")
    (picture, _), (_, avif), (_, webp), (last, image) = tags_in(made.to_html())
    assert (picture, avif["type"], webp["type"], last) == ("picture", "image/avif", "image/webp", "img")
    for one, extension in ((avif, "avif"), (webp, "webp"), (image, "jpg")):
        assert f",format={extension},must_keep=text/" in one["srcset"]


def test_the_whole_picture_has_no_height() -> None:
    ((_, found),) = tags_in(responsive_image("a.jpg", [100], key=KEY).to_html())
    assert "height" not in found and "width" not in found


def test_the_size_of_the_whole_picture_gives_the_tag_its_height() -> None:
    ((_, found),) = tags_in(responsive_image("a.jpg", [100, 300], key=KEY, picture_size="4000x3000").to_html())
    assert (found["width"], found["height"]) == ("300", "225")
    with pytest.raises(InvalidValueError, match="two shapes"):
        responsive_image("a.jpg", [100], key=KEY, ratio="1:1", picture_size=(40, 30))


@pytest.mark.parametrize(
    ("widths", "options"),
    [
        ([], {}),
        (range(1, 42), {}),
        ([0], {}),
        ([100], {"w": 3}),
        ([100], {"size": "3x3"}),
        ([100], {"formats": ["jxl"]}),
        ([100], {"base": "javascript:alert(1)"}),
        ([100], {"base": 'https://x/"onload='}),
        ([100], {"ratio": "banana"}),
    ],
)
def test_what_makes_no_tag_is_refused(widths: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        responsive_image("a.jpg", widths, key=KEY, **options)


def test_the_command_prints_what_python_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEFIRST_SIGNING_KEY", KEY)
    words = ["srcset", "a.jpg", "--ratio", "4:5", "--widths", "100, 200", "--option", "focus=faces"]
    made = responsive_image("a.jpg", [100, 200], key=KEY, ratio="4:5", focus="faces")
    assert CliRunner().invoke(app, [*words, "--alt", "A cat"]).stdout == made.to_html("A cat") + "\n"
    assert json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout) == made.to_dict()
    assert "/unsigned/" in CliRunner().invoke(app, [*words, "--unsigned"]).stdout
    for wrong in (["--widths", "a"], ["--widths", "-5"], ["--option", "w=3"], ["--formats", "exe"]):
        assert CliRunner().invoke(app, [*words, *wrong]).exit_code == 2
    monkeypatch.delenv("EYEFIRST_SIGNING_KEY")
    assert CliRunner().invoke(app, words).exit_code == 2


def options_of(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split(","))


def test_python_gives_the_addresses_of_the_docs() -> None:
    assert len(VECTORS) == 4
    for path, options, address in VECTORS:
        given: dict[str, Any] = options_of(options)
        assert signed_address(path, key=KEY, **given) == address


def test_javascript_gives_the_addresses_of_the_docs(tmp_path: Path) -> None:
    driver = pytest.importorskip("playwright._impl._driver", reason="playwright brings a Node")
    (recipe,) = re.findall(r"```js\n(.*?)```", PAGE, re.S)
    asked = json.dumps([[path, options_of(options), KEY] for path, options, _ in VECTORS])
    (tmp_path / "recipe.mjs").write_text(
        f"{recipe}\nconsole.log({asked}.map(a => eyefirstAddress(...a)).join('\\n'));\n"
    )
    node, _ = driver.compute_driver_executable()
    ran = subprocess.run([node, tmp_path / "recipe.mjs"], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == [address for *_, address in VECTORS]


def test_php_gives_the_addresses_of_the_docs(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"```php\n(.*?)```", PAGE, re.S)
    assert "hash_hmac('sha256', \"$text/$path\", $key, true)" in recipe
    php = shutil.which("php")
    if not php:
        return  # the words above are all that can be looked at
    asked = json.dumps([[path, options_of(options), KEY] for path, options, _ in VECTORS])
    (tmp_path / "asked.json").write_text(asked)
    (tmp_path / "recipe.php").write_text(
        f"<?php\n{recipe}\nforeach (json_decode(file_get_contents('asked.json'), true) as $one) "
        "echo eyefirst_address(...$one), PHP_EOL;\n"
    )
    ran = subprocess.run([php, "recipe.php"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == [address for *_, address in VECTORS]
