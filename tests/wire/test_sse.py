"""Events of a stream: one line of data each, whatever splits it into lines."""

from __future__ import annotations

import json

from tgicli.wire.sse import encode_event


def test_an_event_is_its_data_and_a_blank_line():
    assert encode_event(b'{"a":1}') == b'data: {"a":1}\n\n'


def test_no_character_that_some_clients_take_for_a_line_break_is_in_an_event():
    text = "a\u2028b\u2029c\u0085d é"

    event = encode_event(json.dumps({"text": text}, ensure_ascii=False).encode()).decode()

    line, blank = event.splitlines()
    assert blank == ""
    assert json.loads(line.removeprefix("data: ")) == {"text": text}
