"""How often a picture is opened, hashed, decoded and looked at, by command and by route."""

from __future__ import annotations

import pytest

from tests.counts import COMMANDS, DOCS, Counts, counted, table


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Counts]:
    for extra in ("cv2", "rapidocr", "av", "fastapi"):
        pytest.importorskip(extra, reason="the table covers every command, extras included")
    return counted(tmp_path_factory.mktemp("counts"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_picture_is_opened_hashed_decoded_and_looked_at_once(command: str, found: dict[str, Counts]) -> None:
    counts = found[command]
    assert counts.opened <= 1
    assert counts.hashed <= 1
    assert counts.run <= 1
    assert counts.decoded <= (2 if COMMANDS[command].at_full_size else 1)


def test_the_docs_show_this_table(found: dict[str, Counts]) -> None:
    assert table(found) in DOCS.read_text(), "run `python -m tests.counts` and copy the table into docs/journey.md"
