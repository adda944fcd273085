"""Which rows are computed together."""

from __future__ import annotations

from tests.fakes import sequence
from tgicli.engine.batches import apart, by_adapter, with_begun
from tgicli.engine.scheduler import Row


def decode(lane: int) -> Row:
    """Return the last token of an answer of five."""
    answering = sequence(5)
    answering.lane = lane
    return Row(answering, 4, 1)


def chunk(lane: int, count: int, *, adapter: str | None = None) -> Row:
    """Return the first tokens of a prompt that has more of them."""
    prompt = sequence(count + 10, adapter=adapter)
    prompt.lane = lane
    return Row(prompt, 0, count)


def lanes(rows: list[Row]) -> list[tuple[int | None, int]]:
    return [(row.sequence.lane, row.count) for row in rows]


def end(lane: int) -> Row:
    """Return all of a prompt of six tokens."""
    prompt = sequence(6)
    prompt.lane = lane
    return Row(prompt, 0, 6)


def begin_answer(row: Row, *, is_over: bool = False) -> None:
    """Do what an answer's first token does to its sequence."""
    row.sequence.n_computed = row.start + row.count
    row.sequence.token_ids.append(0)
    if is_over:
        row.sequence.lane = None


def test_chunks_are_computed_apart_from_decodes() -> None:
    chunks, together = apart([decode(0), decode(1), chunk(2, 8)])

    assert (lanes(chunks), lanes(together)) == ([(2, 8)], [(0, 1), (1, 1)])


def test_the_last_token_of_a_chunk_closes_the_gap_between_decodes() -> None:
    rows = [decode(0), decode(3), chunk(1, 8), chunk(2, 8), chunk(4, 8)]

    chunks, together = apart(rows)

    assert lanes(chunks) == [(1, 7), (2, 7), (4, 8)]
    assert lanes(with_begun(together, chunks)) == [(0, 1), (1, 1), (2, 1), (3, 1)]
    assert [row.start for row in together] == [4, 4, 7, 7]


def test_a_lone_decode_takes_one_chunks_last_token_along() -> None:
    chunks, together = apart([decode(2), chunk(0, 8), chunk(1, 8)])

    assert lanes(chunks) == [(0, 7), (1, 8)]
    assert lanes(with_begun(together, chunks)) == [(0, 1), (2, 1)]


def test_a_chunk_of_one_token_is_not_split() -> None:
    chunks, together = apart([decode(2), chunk(0, 1)])

    assert (lanes(chunks), lanes(together)) == ([(0, 1)], [(2, 1)])


def test_without_decodes_nothing_is_split() -> None:
    rows = [chunk(0, 8), chunk(1, 8)]

    assert apart(rows) == (rows, [])


def test_the_end_of_a_prompt_is_computed_whole_and_its_answer_decoded_with_the_others() -> None:
    chunks, together = apart([decode(0), decode(3), end(1), chunk(4, 8)])
    begin_answer(chunks[0])

    assert lanes(chunks) == [(1, 6), (4, 8)]
    assert lanes(with_begun(together, chunks)) == [(0, 1), (1, 1), (3, 1)]


def test_who_has_ended_meanwhile_is_not_decoded() -> None:
    chunks, together = apart([decode(0), decode(3), end(1)])
    begin_answer(chunks[0], is_over=True)
    together[1].sequence.lane = None

    assert lanes(with_begun(together, chunks)) == [(0, 1)]


def test_without_other_decodes_an_answer_that_has_begun_waits_for_the_next_step() -> None:
    chunks, together = apart([end(0), chunk(1, 8)])
    begin_answer(chunks[0])

    assert with_begun(together, chunks) == []


def test_the_rows_of_each_adapter_keep_their_order_one_adapters_first() -> None:
    a, b, c, d = (chunk(i, 3, adapter=name) for i, name in enumerate((None, "red", "blue", "red")))

    assert by_adapter([a, b, c, d], first="red") == [("red", [b, d]), (None, [a]), ("blue", [c])]
