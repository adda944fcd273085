from __future__ import annotations

import dataclasses
import json
import string
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgicli.server.access import AccessLine

LINE = AccessLine(
    time=datetime(2026, 2, 28, 23, 59, 59, 1999, tzinfo=UTC),
    request_id="a1b2",
    client="127.0.0.1",
    method="POST",
    path="/generate_stream",
    status=200,
    duration_s=1.4512,
    n_prompt_tokens=45,
    n_new_tokens=64,
    queue_s=0.0031,
    prefill_s=0.21,
    decode_s=1.2340004,
)


def line(**changes: Any) -> AccessLine:
    return dataclasses.replace(LINE, **changes)


def test_a_line_of_text_says_what_happened() -> None:
    assert LINE.to_text() == (
        "2026-02-28T23:59:59.001Z 127.0.0.1 POST /generate_stream 200 prompt=45 new=64 queue=3ms "
        "prefill=210ms decode=1234ms total=1451ms id=a1b2"
    )


def test_a_line_of_json_says_the_same_in_seconds() -> None:
    assert json.loads(LINE.to_json()) == {
        "time": "2026-02-28T23:59:59.001Z",
        "request_id": "a1b2",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/generate_stream",
        "status": 200,
        "duration_s": 1.4512,
        "n_prompt_tokens": 45,
        "n_new_tokens": 64,
        "queue_s": 0.0031,
        "prefill_s": 0.21,
        "decode_s": 1.234,
        "error_type": None,
    }


def test_what_was_never_reached_is_left_out_of_text_and_null_in_json() -> None:
    refused = AccessLine(
        time=LINE.time,
        request_id="c3",
        client="::1",
        method="GET",
        path="/",
        status=429,
        duration_s=0.0004,
        error_type="overloaded",
    )

    assert refused.to_text() == (
        "2026-02-28T23:59:59.001Z ::1 GET / 429 total=0ms error=overloaded id=c3"
    )
    fields = json.loads(refused.to_json())
    assert fields.keys() == json.loads(LINE.to_json()).keys()
    assert fields["n_prompt_tokens"] is None
    assert fields["decode_s"] is None


def test_zero_is_known() -> None:
    text = line(n_prompt_tokens=0, n_new_tokens=0, queue_s=0.0).to_text()

    assert " prompt=0 new=0 queue=0ms " in text


def test_any_zone_is_written_in_utc() -> None:
    in_kolkata = LINE.time.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert line(time=in_kolkata) == LINE
    assert line(time=in_kolkata).to_text() == LINE.to_text()


@pytest.mark.parametrize("write", [AccessLine.to_text, AccessLine.to_json])
def test_a_query_string_is_not_logged(write: Any) -> None:
    assert "secret" not in write(line(path="/metrics?key=secret"))


def test_control_characters_and_blanks_in_a_path_are_escaped() -> None:
    text = line(path="/a b\x1b[2J\r\n\x9b\u2028é").to_text()

    assert " /a%20b%1B[2J%0D%0A%C2%9B%E2%80%A8%C3%A9 200 " in text


def test_an_unknown_client_is_a_dash() -> None:
    assert line(client="").to_text().split()[1] == "-"
    assert json.loads(line(client="").to_json())["client"] == "-"


def test_a_long_path_is_cut() -> None:
    assert line(path="/" + "x" * 10_000).to_text().split()[3] == "/" + "x" * 199 + "..."


@given(st.text(), st.text(), st.text(), st.text())
def test_nothing_a_client_chose_makes_another_line_or_another_word(
    request_id: str, client: str, method: str, path: str
) -> None:
    chosen = line(request_id=request_id, client=client, method=method, path=path)

    assert set(chosen.to_text()) <= set(string.printable) - set("\n\r\t\v\f")
    assert len(chosen.to_text().split(" ")) == len(LINE.to_text().split(" "))
    assert chosen.to_json().isprintable()
    assert json.loads(chosen.to_json())["status"] == 200
