"""The API against its own schema: made-up requests meet documented answers, and nothing falls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis makes the requests")

from schemathesis.checks import load_all_checks  # noqa: E402 - after the skip

from eyefirst.server.app import create_app  # noqa: E402
from eyefirst.server.settings import Settings  # noqa: E402
from tests.server.conftest import Serving  # noqa: E402

load_all_checks()
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "response_headers_conformance",
)
api = schemathesis.openapi.from_dict(create_app(Settings()).openapi()).include(path_regex="^/v1/")


@pytest.fixture(scope="module")
def address(serving: Serving) -> Iterator[str]:
    with serving(Settings(workers=2)) as (host, port):
        yield f"http://{host}:{port}"


@api.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_made_up_requests_meet_documented_answers(case: Any, address: str) -> None:
    checks = schemathesis.checks.CHECKS.get_by_names(list(CHECKS))
    case.call_and_validate(base_url=address, checks=checks)
