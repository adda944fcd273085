"""Which KV lane is whose, and what prefix each lane holds.

A lane is a private stretch of KV cells with its own llama.cpp sequence id (`kv_unified = False`).
Used by the scheduler on the engine thread. Pure: it decides, and the runner moves the cells.

Invariants
    a lane is held by one sequence from acquire to release
    a free lane holds the cells of its `token_ids`, and perhaps some behind them
    a prefix is reused only when it is equal token by token, and computed with the same adapter
    a lane that is still to be copied is not written over
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tgicli.engine.chunks import LEAST
from tgicli.engine.prefix import LITTLE_TOKENS, common_prefix_length
from tgicli.engine.prompt_cache import PromptCache
from tgicli.engine.sequence import Owner, Sequence

CELLS_PER_TOKEN = 512  # that are copied in the time one token takes


@dataclass(frozen=True, slots=True)
class LaneEdit:
    """Make `lane` hold the first `n_keep` tokens of what `source` holds, and nothing else."""

    lane: int
    source: int  # the lane itself: only its tail goes
    n_keep: int
    saved: int | None = None  # before: copy what the lane holds to RAM, under this number,
    n_saved: int = 0  # so many tokens of it: behind them may be cells of a chunk that was left
    restored: int | None = None  # instead of a lane's: the tokens saved under this number
    dropped: tuple[int, ...] = ()  # behind it: numbers whose copies are no longer wanted


@dataclass(slots=True, eq=False)
class Lane:
    """One sequence id of the KV cache."""

    index: int
    sequence: Sequence | None = None
    left_over: list[int] = field(default_factory=list)  # what a finished sequence left in it
    owner: Owner = ("", None)  # whose tokens these are
    is_worth_saving: bool = False  # what is in it will be asked for again
    n_released: int = 0  # lanes released until it was, itself included; 0: it was never held

    @property
    def token_ids(self) -> list[int]:
        """The tokens whose cells the lane holds."""
        if self.sequence is None:
            return self.left_over
        return self.sequence.token_ids[: self.sequence.n_computed]


class LanePool:
    """All lanes of one context."""

    def __init__(
        self, n_lanes: int, *, n_cells: int, reuse: bool, max_saved_tokens: int = 0
    ) -> None:
        """Make lanes of n_cells each, all empty; max_saved_tokens may be kept besides, in RAM."""
        self.lanes = [Lane(index) for index in range(n_lanes)]
        self._cache = PromptCache(max_saved_tokens if reuse else 0)
        self._to_be_copied: set[int] = set()  # lanes, by the next llama_decode
        self._n_cells = n_cells
        self.reuses = reuse
        self._n_released = 0

    @property
    def n_free(self) -> int:
        """Lanes that nobody holds."""
        return sum(lane.sequence is None for lane in self.lanes)

    def must_wait(self, sequence: Sequence) -> bool:
        """Whether its lane would be written over though it is still to be copied."""
        if not self._to_be_copied:
            return False
        edit = self._edit_for(sequence)
        return edit.restored is not None and edit.lane in self._to_be_copied

    def acquire(self, sequence: Sequence) -> LaneEdit:
        """Give a free lane to a sequence, with the longest prefix that any lane holds.

        An idle lane of which nearly all is used again is taken over. Any other one is copied, so
        that a conversation is not lost because another began alike; unless that takes longer than
        computing: llama.cpp copies whole lanes. A prefix that had left its lane comes back from RAM
        where it is longer. The end of the prompt is never reused, because its logits are needed.
        The caller has checked that a lane is free, and that the sequence need not wait for it.
        """
        edit = self._edit_for(sequence)
        lane = self.lanes[edit.lane]
        edit = self._saving(lane, self._using(edit))
        comes_back = self._cache.comes_back(sequence.token_ids, sequence.owner)
        lane.is_worth_saving = sequence.is_turn or comes_back or edit.restored is not None
        lane.sequence = sequence
        lane.left_over, lane.owner = [], sequence.owner
        sequence.lane = lane.index
        if edit.source != edit.lane:
            self._to_be_copied.add(edit.source)
        return edit

    def place(self, edit: LaneEdit, *, n_kept: int) -> None:
        """Note how much of the wanted prefix the lane really holds after an edit."""
        sequence = self.lanes[edit.lane].sequence
        assert sequence is not None
        sequence.n_computed = sequence.n_cached = n_kept
        if edit.restored is not None and n_kept < edit.n_keep:  # there is no such copy
            self._cache.forget(edit.restored)

    def note_decode(self) -> None:
        """Note that llama_decode ran, and with it the copies that it had been asked for."""
        self._to_be_copied.clear()

    def _edit_for(self, sequence: Sequence) -> LaneEdit:
        """Return where the longest prefix comes from: a lane, RAM, or nowhere."""
        n_reusable = max(0, sequence.n_prompt - LEAST)
        if sequence.wants_prompt_logprobs:  # then every token's logits are needed
            n_reusable = 0
        reusable = sequence.token_ids[:n_reusable]
        source, n_keep = self._longest_prefix(reusable, sequence.owner)
        lane = self._lane_for(sequence, source, n_keep)
        if lane is not source and n_keep * CELLS_PER_TOKEN <= self._n_cells:
            n_keep = 0
        saved, n_saved = self._cache.find(reusable, sequence.owner)
        if saved is None or n_saved - n_keep < LITTLE_TOKENS:
            return LaneEdit(lane.index, source.index if n_keep else lane.index, n_keep)
        lane = self._lane_for(sequence, source, 0)
        return LaneEdit(lane.index, lane.index, n_saved, restored=saved.number)

    def _using(self, edit: LaneEdit) -> LaneEdit:
        """Add to an edit that what it restores is dropped where the lane has nearly all of it."""
        if edit.restored is None:
            return edit
        return replace(edit, dropped=self._cache.use(edit.restored, edit.n_keep))

    def _saving(self, lane: Lane, edit: LaneEdit) -> LaneEdit:
        """Add to an edit that what its lane loses is saved, unless another lane holds that, too."""
        lost = lane.left_over
        if not (lane.is_worth_saving and self._cache.takes(len(lost))):
            return edit
        is_trimmed = edit.source == edit.lane and edit.restored is None
        others = [other for other in self._candidates(lane.owner) if other is not lane]
        held = [common_prefix_length(other.token_ids, lost) for other in others]
        if len(lost) - max([edit.n_keep * is_trimmed, *held]) < LITTLE_TOKENS:
            return edit
        number, gone = self._cache.save(lost, lane.owner)
        n_saved = 0 if number is None else len(lost)
        return replace(edit, saved=number, n_saved=n_saved, dropped=edit.dropped + gone)

    def release(self, sequence: Sequence, *, n_valid: int) -> None:
        """Free a sequence's lane, whose cells [0, n_valid) may serve another."""
        lane = self._lane_of(sequence)
        lane.left_over = sequence.token_ids[:n_valid]
        self._n_released += 1
        lane.n_released = self._n_released
        lane.sequence = sequence.lane = None

    def longest_prefix_length(self, token_ids: list[int], owner: Owner) -> int:
        """Return how many of the tokens some lane holds, or may hold at once."""
        n_saved = self._cache.find(token_ids, owner)[1]
        return max(n_saved, self._longest_prefix(token_ids, owner)[1])

    def _lane_of(self, sequence: Sequence) -> Lane:
        assert sequence.lane is not None
        return self.lanes[sequence.lane]

    def _lane_for(self, sequence: Sequence, source: Lane, n_keep: int) -> Lane:
        """Return the source if it loses next to nothing, else what was left alone the longest."""
        places = self._places(sequence)
        is_at_hand = source in places or (source.sequence is None and n_keep >= LITTLE_TOKENS)
        if is_at_hand and n_keep and len(source.left_over) - n_keep < LITTLE_TOKENS:
            return source
        if not self.reuses:
            return places[0]
        return min(places, key=lambda lane: lane.n_released if lane.left_over else 0)

    def _places(self, sequence: Sequence) -> list[Lane]:
        """Return the free lanes with which the busy ones lie densely: any, while none is busy.

        llama.cpp batches only lanes that are neighbours. A batch holds one adapter's only, so those
        with one lie at the other end.
        """
        free = [lane for lane in self.lanes if lane.sequence is None]
        busy = [lane for lane in self.lanes if lane.sequence is not None]
        if sequence.adapter is not None:
            return free[-1:]
        if any(lane.owner[1] is not None for lane in busy):
            return free[:1]
        if not busy:
            return free
        low, high = busy[0].index, busy[-1].index
        between = [lane for lane in free if low < lane.index < high]
        return between or [lane for lane in free if lane.index in (low - 1, high + 1)]

    def _longest_prefix(self, token_ids: list[int], owner: Owner) -> tuple[Lane, int]:
        """Return the lane that holds most of the tokens, idle lanes first, and how many."""
        best, best_length = self.lanes[0], 0
        for lane in self._candidates(owner):
            length = common_prefix_length(lane.token_ids, token_ids)
            if length > best_length:
                best, best_length = lane, length
        return best, best_length

    def _candidates(self, owner: Owner) -> Iterator[Lane]:
        """Yield the lanes worth a look: idle ones first, because taking over costs nothing."""
        if self.reuses:
            lanes = (lane for lane in self.lanes if lane.owner == owner)
            yield from sorted(lanes, key=lambda lane: lane.sequence is not None)
