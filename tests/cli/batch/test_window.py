"""How the window opens and closes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tgicli.cli.batch.window import Window


def opened(limit: int) -> Window:
    """Return a window that a server has let grow to its limit."""
    window = Window(limit)
    for _ in range(limit):
        window.accepted()
    return window


def test_it_begins_small_and_doubles_with_each_round_that_is_accepted():
    window = Window(32)
    sizes = [window.size]

    for _ in range(3):
        for _ in range(window.size):
            window.accepted()
        sizes.append(window.size)

    assert sizes == [4, 8, 16, 32]


def test_it_is_never_larger_than_allowed():
    assert Window(2).size == 2
    assert opened(5).size == 5


def test_refusals_of_what_was_sent_together_halve_it_once():
    window = opened(32)
    tickets = [window.ticket for _ in range(24)]

    for ticket in tickets:
        window.refused(ticket)

    assert window.size == 16


def test_a_refusal_of_what_was_sent_later_halves_it_again():
    window = opened(32)

    for _ in range(3):
        window.refused(window.ticket)

    assert window.size == 4


def test_after_a_refusal_a_window_full_of_answers_makes_room_for_one_more():
    window = opened(32)
    window.refused(window.ticket)

    for _ in range(17):
        window.accepted()
        window.answered()

    assert window.size == 17


@given(limit=st.integers(1, 100), events=st.lists(st.booleans(), max_size=300))
def test_it_stays_between_one_and_the_limit(limit: int, events: list[bool]):
    window = Window(limit)

    for is_answer in events:
        if is_answer:
            window.accepted()
            window.answered()
        else:
            window.refused(window.ticket)
        assert 1 <= window.size <= limit
