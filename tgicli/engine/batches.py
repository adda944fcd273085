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


def apart(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the chunks of prompts, and the rows that are computed together behind them.

    The chunks come first: whoever waits for an answer's first token has it a decode sooner, and
    between two tokens of another one lie the step's chunks and one decode in either order.

    llama.cpp would split a mixed batch just there (llama_batch_allocr::split_equal), and the
    decodes would pay for the attention over the prompt's length. But the last token of a chunk
    behind which the prompt goes on is computed with the decodes where its lane lies between theirs:
    llama.cpp computes only lanes that are neighbours together, so a gap would cost a graph of its
    own. A lone decode takes such a token along wherever that is: llama.cpp computes one row alone,
    over 512 cells and more, with a kernel that splits the cache and rounds differently.
    """
    decodes = [row for row in rows if row.is_decode]
    if len(decodes) == len(rows):
        return [], rows
    chunks = [row for row in rows if not row.is_decode]
    if not decodes:
        return chunks, []
    lowest, highest = _lane_of(decodes[0]), _lane_of(decodes[-1])
    heads: list[Row] = []
    tails: list[Row] = []
    for chunk in chunks:
        is_between = lowest < _lane_of(chunk) < highest
        is_companion = lowest == highest and not tails
        if chunk.count > 1 and not chunk.samples and (is_between or is_companion):
            chunk, tail = chunk.split(chunk.count - 1)
            tails.append(tail)
        heads.append(chunk)
    return heads, [*decodes, *tails]


def with_begun(together: list[Row], chunks: list[Row]) -> list[Row]:
    """Return what is left of the rows to be computed together, with the answers that have begun.

    The chunks have been computed; an answer that one of them began is decoded with the others,
    between whose lanes it would leave a gap.
    """
    held = [row for row in together if is_held(row)]
    if not (held and chunks):
        return held
    begun = [row.sequence for row in chunks if is_held(row) and not row.sequence.is_prefilling]
    return sorted([*held, *(Row(s, s.n_computed, 1) for s in begun)], key=_lane_of)


def is_held(row: Row) -> bool:
    """Whether its sequence has not ended meanwhile: failed, or aborted between two batches."""
    return row.sequence.lane is not None


def _lane_of(row: Row) -> int:
    assert row.sequence.lane is not None, "a row is computed in a lane"
    return row.sequence.lane
