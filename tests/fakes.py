"""Stand-ins that inject a fault or a clock. FakeRunner computes nothing and counts up."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as ReadOnlyList

from tgicli.core import SamplingParams, Token
from tgicli.engine.chunks import Cut, cut_small
from tgicli.engine.lanes import LaneEdit
from tgicli.engine.scheduler import Result, Row
from tgicli.engine.sequence import Sampled, Sequence
from tgicli.errors import DecodeFailed

EOS_ID = 0


class FakeRunner:
    """Samples the last token id plus one, and checks that each lane holds what its rows build on.

    A lane remembers the adapter of its cells, and the rows of one batch must have the same.
    `fails(rows)` says whether a batch fails; then the lanes' cells behind row.start are undefined.
    A lane is copied by the next batch, as in llama.cpp, so nothing may be restored into it before.
    With `saves=False` nothing can be restored, as without memory for copies.
    """

    def __init__(
        self,
        n_lanes: int = 4,
        *,
        n_ctx: int = 1_000,
        n_batch: int = 64,
        can_trim: bool = True,
        prefix_reuse: bool = True,
        max_saved_tokens: int = 0,
        saves: bool = True,
        fails: Callable[[ReadOnlyList[Row]], bool] = lambda rows: False,
    ) -> None:
        self.n_lanes = n_lanes
        self.n_ctx = n_ctx
        self.n_batch = n_batch
        self.cut: Cut = cut_small
        self.reuses_prefixes = prefix_reuse and can_trim
        self._can_trim = can_trim
        self.max_saved_tokens = max_saved_tokens
        self.saved: dict[int, list[int]] = {}
        self._saves = saves
        self._to_be_copied: set[int] = set()  # lanes
        self.decode_s = 0.0
        self.cells: list[list[int]] = [[] for _ in range(n_lanes)]
        self.batches: list[list[tuple[int, int]]] = []  # (lane, count) of each row of each batch
        self.adapters: list[str | None] = []  # of each batch
        self._computed_with: list[str | None] = [None] * n_lanes
        self._saved_with: dict[int, str | None] = {}
        self.forgotten: list[str] = []
        self._fails = fails

    @property
    def n_computed(self) -> int:
        """Tokens computed in all batches."""
        return sum(count for batch in self.batches for _, count in batch)

    def edit_lane(self, edit: LaneEdit) -> int:
        if edit.saved is not None and self._saves:
            self.cells[edit.lane] = self.cells[edit.lane][: edit.n_saved]
            self.saved[edit.saved] = self.cells[edit.lane]
            self._saved_with[edit.saved] = self._computed_with[edit.lane]
        if edit.restored is not None:
            assert edit.lane not in self._to_be_copied, "a lane is written over before its copy"
            self.cells[edit.lane] = self.saved.get(edit.restored, [])
            self._computed_with[edit.lane] = self._saved_with.get(edit.restored)
        for number in edit.dropped:
            assert self.saved.pop(number, None) is not None or not self._saves
        assert sum(map(len, self.saved.values())) <= self.max_saved_tokens
        if edit.restored is not None and not self.cells[edit.lane]:
            return 0
        return self._fill_lane(edit)

    def _fill_lane(self, edit: LaneEdit) -> int:
        source = self.cells[edit.source]
        trims = edit.n_keep < len(source) or edit.source != edit.lane
        if trims and edit.n_keep and not self._can_trim:
            self.cells[edit.lane] = []
            return 0
        assert edit.n_keep <= len(source), "a lane is to keep more than its source holds"
        self.cells[edit.lane] = source[: edit.n_keep]
        if edit.source != edit.lane:
            self._to_be_copied.add(edit.source)
        self._computed_with[edit.lane] = self._computed_with[edit.source]
        return edit.n_keep

    def run(self, rows: ReadOnlyList[Row]) -> list[Result]:
        self._to_be_copied.clear()
        self.batches.append([(self._lane(row), row.count) for row in rows])
        (adapter,) = {row.sequence.adapter for row in rows}
        self.adapters.append(adapter)
        assert sum(row.count for row in rows) <= self.n_batch
        failed = self._fails(rows)
        for row in rows:
            cells = self.cells[self._lane(row)]
            assert cells == row.sequence.token_ids[: row.start], "the lane holds something else"
            if row.start == 0:
                self._computed_with[self._lane(row)] = adapter
            assert self._computed_with[self._lane(row)] == adapter, "computed with something else"
            new = row.sequence.token_ids[row.start : row.start + row.count]
            cells += [-1] * len(new) if failed else new
        if failed:
            raise DecodeFailed("llama_decode returned -3")
        return [sampled(row.sequence.token_ids[-1] + 1) if row.samples else None for row in rows]

    def forget(self, sequence: Sequence) -> None:
        self.forgotten.append(sequence.request_id)

    def prompt_tokens(self, sequence: Sequence) -> tuple[Token, ...]:
        return ()

    @staticmethod
    def _lane(row: Row) -> int:
        assert row.sequence.lane is not None
        return row.sequence.lane


def sampled(token_id: int) -> Sampled:
    """Return a sampled token whose text is its number in brackets."""
    return Sampled(
        token_id, b"[%d]" % token_id, special=token_id == EOS_ID, ends=token_id == EOS_ID
    )


def sequence(
    token_ids: list[int] | int,
    *,
    name: str = "a",
    max_new_tokens: int = 4,
    stop: tuple[str, ...] = (),
    adapter: str | None = None,
    is_turn: bool = False,
) -> Sequence:
    """Return a sequence; a number stands for a prompt of that many distinct tokens."""
    if isinstance(token_ids, int):
        token_ids = list(range(1_000, 1_000 + token_ids))
    params = SamplingParams(temperature=0, stop=stop)
    return Sequence(name, list(token_ids), params, max_new_tokens, adapter=adapter, is_turn=is_turn)


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
