"""What is shown while a load runs."""

from __future__ import annotations

from tests.bench.stamped import pieces, record
from tests.fakes import FakeClock
from tgicli.bench.meter import Meter, Phase, tokens_by_second
from tgicli.bench.recorder import Recorder
from tgicli.core import Token

TOKENS = (Token(1, "a"), Token(2, "b"))


def test_the_rate_is_of_about_the_last_second():
    clock, recorder = FakeClock(), Recorder()
    meter = Meter(recorder, clock_s=clock)
    rates = []
    for n_tokens in (100, 100, 0, 0):
        recorder.n_pieces += n_tokens
        clock.advance(1.0)
        rates.append(meter.progress(Phase.MEASURING, elapsed_s=clock(), share=None).tokens_per_s)

    assert rates == [100, 100, 0, 0]


def test_times_are_reported_once_and_tokens_summed():
    recorder = Recorder()
    recorder.n_pieces = 1000  # of a load point before
    meter = Meter(recorder)
    recorder.came(TOKENS, ttft_ms=5.0)
    first = meter.progress(Phase.WARMING, elapsed_s=1, share=None)
    recorder.came(TOKENS, ttft_ms=None)
    second = meter.progress(Phase.MEASURING, elapsed_s=2, share=0.5)

    assert (first.ttft_ms, second.ttft_ms) == ((5.0,), ())
    assert (first.n_tokens, second.n_tokens) == (2, 4)


def test_tokens_count_in_the_second_in_which_they_came():
    first = record(send_ms=5000, chunks=pieces(5100, 5900, 7100))
    untold = record(send_ms=5500, chunks=pieces(6000, 6100, n_tokens=0), n_tokens=8)

    assert tokens_by_second([first, untold]) == (2, 8, 1)


def test_no_answer_has_no_tokens():
    assert tokens_by_second([record(send_ms=3)]) == ()
