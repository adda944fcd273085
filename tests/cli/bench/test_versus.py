"""What is made of the turns of two sides."""

from __future__ import annotations

from dataclasses import replace

from tests.bench.stamped import HEALTHY, run_of, users
from tgicli.cli.bench.versus import by_usual_client


def test_one_turn_in_which_the_client_was_late_spoils_no_side():
    late = replace(HEALTHY, lag_p99_ms=50.0)
    turns = [run_of(users(1, n_each=2), client=client) for client in (HEALTHY, late, HEALTHY)]

    runs = by_usual_client(turns)

    assert {run.client.lag_p99_ms for run in runs} == {HEALTHY.lag_p99_ms}
    assert [run.records for run in runs] == [turn.records for turn in turns]
