"""Which rows of a step are computed together, in one llama_decode.

Called by the engine. Pure.
"""

from __future__ import annotations

from tgicli.engine.scheduler import Row


def by_adapter(rows: list[Row], *, first: str | None) -> list[tuple[str | None, list[Row]]]:
    """Return the rows of each adapter, in their order, those of one adapter first.

    llama.cpp has an adapter for a whole batch.
    """
    groups: dict[str | None, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.sequence.adapter, []).append(row)
    return sorted(groups.items(), key=lambda group: group[0] != first)


def ends_apart(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the chunks that end their prompts, and the other rows.

    The ends are computed first: whoever waits for an answer's first token has it a decode sooner,
    and the gap between two of the others' tokens has one decode and the chunks in it either way.
    """
    ends = [row for row in rows if not row.is_decode and row.samples]
    return ends, [row for row in rows if row not in ends] if ends else rows


def with_begun(rows: list[Row], ends: list[Row]) -> list[Row]:
    """Return rows, and if there are decodes among them also those of answers that have just begun.

    Left out they would be a gap between the others' lanes.
    """
    if not ends or not any(row.is_decode for row in rows):
        return rows
    begun = [row.sequence for row in ends if is_held(row) and row.sequence.n_pending == 1]
    return [*rows, *(Row(sequence, sequence.n_computed, 1) for sequence in begun)]


def apart(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the decodes, which are computed together, and the chunks of prompts.

    llama.cpp would split a mixed batch just there (llama_batch_allocr::split_equal), and the
    decodes would pay for the attention over the prompt's length.

    The first token of a chunk goes with the decodes where its lane lies between theirs: llama.cpp
    computes only lanes that are neighbours together, so a gap would cost a graph of its own. A lone
    decode takes a prompt's first token along wherever that is: llama.cpp computes one row alone,
    over 512 cells and more, with a kernel that splits the cache and rounds differently.
    """
    decodes = sorted((row for row in rows if row.is_decode), key=_lane_of)
    if len(decodes) == len(rows):
        return decodes, []
    chunks = [row for row in rows if not row.is_decode]
    if not decodes:
        return [], chunks
    lowest, highest = _lane_of(decodes[0]), _lane_of(decodes[-1])
    heads: list[Row] = []
    rests: list[Row] = []
    for chunk in chunks:
        is_between = lowest < _lane_of(chunk) < highest
        is_companion = lowest == highest and not heads
        if chunk.count > 1 and (is_between or is_companion):
            head, chunk = chunk.split(1)
            heads.append(head)
        rests.append(chunk)
    return sorted([*decodes, *heads], key=_lane_of), rests


def is_held(row: Row) -> bool:
    """Whether its sequence has not ended meanwhile: failed, or aborted between two batches."""
    return row.sequence.lane is not None


def _lane_of(row: Row) -> int:
    assert row.sequence.lane is not None, "a row is computed in a lane"
    return row.sequence.lane
