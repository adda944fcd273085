"""From what an observed backend tells of a request to its record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tgicli.bench.answer_facts import (
    AFTER_DONE,
    AFTER_END,
    DOUBLE_USAGE,
    ERROR_EVENT,
    IN_ONE_BURST,
    NO_DONE,
    NO_END,
    NO_FINISH_REASON,
    NO_USAGE,
    NOT_UTF8,
    UNREADABLE,
)
from tgicli.bench.metrics import tpot_ms
from tgicli.bench.plan import Prompt
from tgicli.bench.record import Outcome, Record, TokenSource
from tgicli.bench.recorder import Asked, Note, Recorder
from tgicli.core import (
    UNKNOWN_ID,
    Delta,
    Finish,
    FinishReason,
    GenerationRequest,
    Progress,
    SamplingParams,
    Token,
)
from tgicli.errors import ModelError, Overloaded, StreamBroken

MS = 1_000_000
DONE = "[DONE]"
USAGE = json.dumps({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
HEADERS = {"content-type": "text/event-stream"}


class Hand:
    """Tells a note of an answer by hand; times are in milliseconds since the run began."""

    def __init__(self, *, streams: bool = True) -> None:
        self.recorder = Recorder()
        self.recorder.began_ns = 1_000 * MS
        prompt = Prompt(prompt="n1 Hello", n_tokens=7, max_new_tokens=3, nonce="n1")
        self.request = GenerationRequest(
            id="a", prompt="n1 Hello", params=SamplingParams(), streams=streams
        )
        asked = Asked(
            request=self.request, prompt=prompt, index=5, point=1, side=1, block=2, sched_ns=9 * MS
        )
        self.note = self.recorder.begin(asked)

    def begin(self, *, status: int = 200, headers: dict[str, str] = HEADERS) -> None:
        observed = self.recorder.observe(self.request)
        assert observed is self.note
        self.note.sent(_at(10))
        self.note.connected(_at(11))
        self.note.answered(_at(12), status, headers)

    def read(self, at_ms: float, *events: tuple[str, tuple[Token, ...]]) -> None:
        self.note.read(_at(at_ms), b"x")
        for data, tokens in events:
            self.note.understood(data, tokens)

    def end(self, at_ms: float, *, n_tokens: int = 3, has_usage: bool = True) -> Record:
        self.note.ended(_at(at_ms))
        self.note.heard(finish(n_tokens, has_usage=has_usage))
        return self.recorder.end(self.note)


def _at(at_ms: float) -> int:
    return 1_000 * MS + round(at_ms * MS)


def finish(n_tokens: int = 3, *, has_usage: bool = True) -> Finish:
    return Finish(
        tokens=(Token(UNKNOWN_ID, "", special=True),),
        reason=FinishReason.LENGTH,
        n_prompt_tokens=7,
        n_cached_tokens=0,
        n_generated_tokens=n_tokens,
        seed=None,
        has_usage=has_usage,
    )


def chat(text: str = "", *, reasoning: str = "", **more: Any) -> tuple[str, tuple[Token, ...]]:
    """Return a chat's event and its tokens, as the reader understands them."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    tokens = [Token(UNKNOWN_ID, reasoning, reasoning=True)] if reasoning else []
    tokens += [Token(UNKNOWN_ID, text)] if text else []
    return json.dumps({"choices": [choice], "usage": None, **more}), tuple(tokens)


def tgi(text: str, token_id: int = 4, *, special: bool = False, ends: bool = False) -> Any:
    """Return an event of /generate_stream and its token."""
    details = {"finish_reason": "length", "generated_tokens": 3} if ends else None
    data = json.dumps({"token": {"text": text}, "details": details})
    return data, (Token(token_id, text, special=special),)


def counted(n_tokens: int) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": 7, "completion_tokens": n_tokens}}


def spoken(hand: Hand, *events: tuple[str, tuple[Token, ...]], first_ms: float = 100) -> None:
    """Tell events, each in a read of its own, 50 ms from one to the next."""
    for number, event in enumerate(events):
        hand.read(first_ms + 50 * number, event)


def openai_answer(*more: tuple[str, tuple[Token, ...]], streams: bool = True) -> Record:
    """Return the record of three words, and what comes after them."""
    hand = Hand(streams=streams)
    hand.begin()
    spoken(hand, chat("one"), chat(" two"), chat(" three"), *more)
    return hand.end(600)


def test_stamps_count_from_the_runs_beginning():
    hand = Hand()
    hand.begin()
    hand.read(20, chat())
    spoken(hand, chat("one"), chat(" two"), chat(" three"), (USAGE, ()), (DONE, ()))
    record = hand.end(600)

    times = (record.send_ns, record.conn_ns, record.head_ns, record.first_event_ns, record.end_ns)
    assert times == (10 * MS, 11 * MS, 12 * MS, 20 * MS, 600 * MS)
    assert [chunk.at_ns for chunk in record.chunks] == [100 * MS, 150 * MS, 200 * MS]


def test_a_record_belongs_where_it_was_asked():
    record = openai_answer((USAGE, ()), (DONE, ()))

    assert (record.index, record.point, record.side, record.block) == (5, 1, 1, 2)
    assert (record.sched_ns, record.nonce, record.n_prompt_asked) == (9 * MS, "n1", 7)
    assert (record.n_new_asked, record.finish_reason, record.text) == (3, "length", "one two three")


def test_the_role_and_other_empty_events_are_no_content():
    hand = Hand()
    hand.begin()
    spoken(hand, chat(), chat("one"), chat(""), (USAGE, ()), (DONE, ()))
    record = hand.end(600, n_tokens=1)

    assert record.first_event_ns == 100 * MS
    assert [chunk.at_ns for chunk in record.chunks] == [150 * MS]
    assert record.n_events == 5


def test_reasoning_is_content_and_told_apart():
    hand = Hand()
    hand.begin()
    both = chat("two", reasoning="so")
    spoken(hand, chat(reasoning="hm"), both, chat(" three"), (USAGE, ()), (DONE, ()))
    record = hand.end(600)

    assert [chunk.is_reasoning for chunk in record.chunks] == [True, False, False]
    assert record.text == "two three"


def test_chunks_of_one_read_share_its_number_and_time():
    hand = Hand()
    hand.begin()
    hand.read(100, chat("one"), chat(" two"))
    hand.read(150, chat(" three"), (USAGE, ()), (DONE, ()))
    record = hand.end(160)

    assert [chunk.read_id for chunk in record.chunks] == [1, 1, 2]
    assert (record.n_events, record.n_reads) == (5, 2)


def test_a_body_that_comes_in_pieces_of_one_read_is_one_read():
    hand = Hand()
    hand.begin()
    hand.note.read(_at(100), b"a")
    hand.note.read(_at(100), b"b")
    hand.note.understood(*chat("one"))

    assert hand.end(200).n_reads == 1


@pytest.mark.parametrize(("n_tokens", "sizes"), [(3, [1, 1, 1]), (4, [1, 1, 1]), (6, [0, 0, 0])])
def test_a_piece_is_one_token_where_there_are_as_many_of_both(n_tokens: int, sizes: list[int]):
    """Or one token more, for an end token has no text."""
    hand = Hand()
    hand.begin()
    usage = json.dumps({"choices": [], **counted(n_tokens)})
    spoken(hand, chat("one"), chat(" two"), chat(" three"), (usage, ()), (DONE, ()))
    record = hand.end(600, n_tokens=n_tokens)

    assert [chunk.n_tokens for chunk in record.chunks] == sizes
    assert (record.n_tokens, record.token_source) == (n_tokens, TokenSource.USAGE)


REASONED = {"completion_tokens": 43, "completion_tokens_details": {"reasoning_tokens": 40}}


def test_reasoning_that_is_counted_and_not_streamed_is_told_apart():
    usage = json.dumps({"choices": [], "usage": REASONED})

    hidden = openai_answer((usage, ()), (DONE, ()))

    assert tpot_ms(hidden) == 50
    assert (hidden.n_tokens, hidden.n_hidden_tokens) == (43, 40)
    assert [chunk.n_tokens for chunk in hidden.chunks] == [1, 1, 1]


def test_reasoning_that_is_streamed_hides_nothing_whatever_its_pieces_are_called():
    usage = json.dumps({"choices": [], "usage": REASONED})
    named, unnamed = Hand(), Hand()
    named.begin()
    spoken(named, chat(reasoning="hm"), chat("one"), chat(" two"), (usage, ()), (DONE, ()))
    unnamed.begin()
    spoken(unnamed, *[chat(f" {k}") for k in range(42)], (usage, ()), (DONE, ()))

    assert [hand.end(9000).n_hidden_tokens for hand in (named, unnamed)] == [0, 0]


def test_counts_with_each_event_tell_each_pieces_tokens():
    hand = Hand()
    hand.begin()
    first, silent, last = (
        chat("a b", **counted(5)),
        chat("", **counted(6)),
        chat(" c", **counted(8)),
    )
    usage = json.dumps({"choices": [], **counted(9)})
    spoken(hand, first, silent, last, (usage, ()), (DONE, ()))
    record = hand.end(600, n_tokens=9)

    assert [chunk.n_tokens for chunk in record.chunks] == [5, 3]
    assert record.n_tokens == 9
    assert record.problems == ()


def test_counts_beside_the_last_piece_alone_tell_nothing_of_the_pieces():
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"), chat(" two"), chat(" three", **counted(9)), (DONE, ()))
    record = hand.end(600, n_tokens=9)

    assert [chunk.n_tokens for chunk in record.chunks] == [0, 0, 0]
    assert record.n_tokens == 9


def test_tokens_with_ids_are_counted_as_they_come():
    hand = Hand()
    hand.begin()
    spoken(hand, tgi("one"), tgi(""), tgi(" two", ends=True))
    record = hand.end(300)

    assert [chunk.n_tokens for chunk in record.chunks] == [1, 2]
    assert (record.n_tokens, record.token_source) == (3, TokenSource.EVENTS)


def test_an_end_token_is_counted_and_no_content():
    hand = Hand()
    hand.begin()
    spoken(hand, tgi("one"), tgi(" two"), tgi("</s>", special=True, ends=True))
    record = hand.end(300)

    assert (len(record.chunks), record.n_tokens, record.text) == (2, 3, "one two")


def test_where_nobody_counts_pieces_are_counted():
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"), chat(" two"), (DONE, ()))
    record = hand.end(300, has_usage=False)

    assert (record.n_tokens, record.token_source) == (2, TokenSource.CHUNKS)
    assert record.problems == (NO_USAGE,)


def test_llama_servers_timings_count_where_usage_does_not():
    timings = json.dumps({"choices": [{"x": 1}], "timings": {"cache_n": 6, "predicted_n": 3}})
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"), chat(" two"), (timings, ()), (DONE, ()))
    record = hand.end(300, has_usage=False)

    assert (record.n_tokens, record.token_source) == (3, TokenSource.USAGE)
    assert record.n_cached_tokens == 6


def test_cached_tokens_that_come_with_the_last_counts_are_told():
    so_far = {"usage": {"prompt_tokens": 100, "completion_tokens": 1}}
    last = {"usage": {"prompt_tokens_details": {"cached_tokens": 96}}, "choices": []}
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"), (json.dumps(so_far), ()), (json.dumps(last), ()), (DONE, ()))

    assert hand.end(300).n_cached_tokens == 96


def test_cached_tokens_of_which_nobody_tells_are_not_none_at_all():
    assert openai_answer((USAGE, ()), (DONE, ())).n_cached_tokens is None


def test_a_good_stream_has_no_problems():
    record = openai_answer((USAGE, ()), (DONE, ()))

    assert record.problems == ()
    assert record.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("more", "problems"),
    [
        ([(USAGE, ())], (NO_DONE,)),
        ([(DONE, ())], (NO_USAGE,)),
        ([(USAGE, ()), (USAGE, ()), (DONE, ())], (DOUBLE_USAGE,)),
        ([(USAGE, ()), (DONE, ()), (chat(" four")[0], ())], (AFTER_DONE,)),
    ],
)
def test_each_fault_of_an_openai_stream_has_its_name(
    more: list[tuple[str, tuple[Token, ...]]], problems: tuple[str, ...]
):
    assert openai_answer(*more).problems == problems


def test_counts_with_each_event_may_come_once_at_the_end_and_not_twice():
    hand = Hand()
    hand.begin()
    usage = (json.dumps({"choices": [], **counted(1)}), ())
    spoken(hand, chat("one", **counted(1)), usage, usage, (DONE, ()))

    assert hand.end(300, n_tokens=1).problems == (DOUBLE_USAGE,)


def test_what_tgi_sends_after_its_last_event_is_a_problem():
    hand = Hand()
    hand.begin()
    spoken(hand, tgi("one"), tgi(" two", ends=True), (tgi(" three")[0], ()))

    assert hand.end(300).problems == (AFTER_END,)


def test_a_compressed_stream_is_a_problem():
    hand = Hand()
    hand.begin(headers={**HEADERS, "content-encoding": "gzip"})
    spoken(hand, tgi("one"), tgi(" two", ends=True))

    assert hand.end(300).problems == ("compressed (gzip)",)


@pytest.mark.parametrize("pieces", [[b"caf\xc3", b" x"], [b"caf\xc3"]])
def test_half_a_character_is_a_problem_amid_a_stream_and_at_its_end(pieces: list[bytes]):
    hand = Hand()
    hand.begin()
    for number, data in enumerate(pieces):
        hand.note.read(_at(100 + number), data)
    spoken(hand, tgi("one", ends=True), first_ms=110)

    assert NOT_UTF8 in hand.end(300).problems


def test_a_character_in_two_reads_is_no_problem():
    hand = Hand()
    hand.begin()
    hand.note.read(_at(100), b"caf\xc3")
    hand.note.read(_at(101), b"\xa9 \xef\xbf\xbd")
    hand.note.understood(*tgi("caf\u00e9 \ufffd", ends=True))

    assert hand.end(300).problems == ()


def test_a_body_that_does_not_end_is_a_problem():
    hand = Hand()
    hand.begin()
    spoken(hand, tgi("one", ends=True))
    hand.note.heard(finish())

    assert hand.recorder.end(hand.note).problems == (NO_END,)


def test_an_answer_that_comes_all_at_its_end_is_no_stream():
    hand = Hand()
    hand.begin()
    events = [tgi(f"{number}") for number in range(19)]
    hand.read(1000, *events, tgi("last", ends=True))

    assert hand.end(1010, n_tokens=20).problems == (IN_ONE_BURST,)


def test_a_long_wait_before_a_quick_stream_is_no_burst():
    hand = Hand()
    hand.begin()
    for number in range(20):
        hand.read(1000 + 2 * number, tgi(f"{number}", ends=number == 19))

    assert hand.end(1050, n_tokens=20).problems == ()


def test_a_whole_answer_that_was_asked_for_is_no_burst():
    hand = Hand(streams=False)
    hand.begin(headers={"x-queue-time": "12"})
    body = json.dumps({"details": {"generated_tokens": 20}})
    hand.read(1000, (body, tuple(Token(n, f"{n}") for n in range(20))))
    record = hand.end(1000, n_tokens=20)

    assert (record.is_streamed, record.problems, record.queue_ms) == (False, (), 12.0)
    assert [chunk.n_tokens for chunk in record.chunks] == [20]


def failed(hand: Hand, error: Exception) -> Record:
    hand.note.failed(error)  # type: ignore[arg-type]
    return hand.recorder.end(hand.note)


def test_a_full_server_is_busy():
    hand = Hand()
    hand.begin(status=429)
    record = failed(hand, Overloaded("Model is overloaded"))

    assert (record.outcome, record.error) == (Outcome.BUSY, "Overloaded")
    assert (record.message, record.problems) == ("Model is overloaded", ())


@pytest.mark.parametrize("error", [ModelError("boom"), Overloaded("full")])
def test_an_error_inside_of_a_stream_is_an_error_whatever_it_says(error: Exception):
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"), ('{"error":{"message":"boom"}}', ()))
    record = failed(hand, error)

    assert (record.outcome, record.problems) == (Outcome.ERROR, (ERROR_EVENT,))
    assert len(record.chunks) == 1


def test_an_event_that_nobody_can_read_is_a_problem():
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"), ('{"choi', ()))

    assert failed(hand, StreamBroken("x")).problems == (UNREADABLE,)


def test_an_end_without_a_reason_is_a_problem():
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"), (DONE, ()))
    record = failed(hand, StreamBroken("the server ended the stream before the answer's end"))

    assert (record.outcome, record.problems) == (Outcome.ERROR, (NO_FINISH_REASON,))


def test_what_came_before_a_cut_is_kept():
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"), chat(" two"))
    hand.note.cut()
    record = hand.recorder.end(hand.note)

    assert (record.outcome, record.text, record.finish_reason) == (Outcome.CUT, "one two", None)
    assert (record.n_tokens, record.problems) == (2, ())


def test_a_request_that_is_tried_again_begins_anew():
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"))
    hand.note.sent(_at(500))
    spoken(hand, tgi("two", ends=True), first_ms=600)
    record = hand.end(700, n_tokens=1)

    assert (record.send_ns, record.text, record.conn_ns) == (500 * MS, "two", None)


def test_a_backend_without_observers_is_stamped_as_its_events_come():
    hand = Hand()
    hand.note.heard(Progress(0, 7))
    hand.note.heard(Delta((Token(1, "one"), Token(2, " two"))))
    hand.note.heard(Delta((Token(3, ""),)))
    last = finish(4)
    hand.note.heard(
        Finish(**{**{n: getattr(last, n) for n in last.__slots__}, "tokens": (Token(4, " x"),)})
    )
    record = hand.recorder.end(hand.note)

    assert [chunk.n_tokens for chunk in record.chunks] == [2, 2]
    assert (record.n_tokens, record.token_source) == (4, TokenSource.ENGINE)
    assert (record.text, record.n_reads, record.problems) == ("one two x", 3, ())
    assert not hand.recorder.is_observing


def test_a_strangers_request_is_not_observed():
    hand = Hand()
    stranger = GenerationRequest(id="other", prompt="x")

    assert hand.recorder.observe(stranger) is None


def test_ids_are_used_once():
    recorder = Recorder()

    assert len({recorder.new_id() for _ in range(100)}) == 100


def test_first_times_and_tokens_are_counted_while_they_come():
    hand = Hand()
    hand.begin()
    spoken(hand, chat("one"), chat(" two"))

    assert hand.recorder.n_pieces == 2
    assert hand.recorder.take_ttfts_ms() == (90.0,)
    assert hand.recorder.take_ttfts_ms() == ()
    assert note_of(hand).tpot_ms == 50.0
    assert hand.recorder.n_connections == 1


def note_of(hand: Hand) -> Note:
    return hand.note
