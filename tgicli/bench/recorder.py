"""Take notes of requests while they are answered, and make records of them afterwards.

A Recorder is given to a remote backend as its observer, and to the attack that asks. Called on the
event loop. While tokens come, a Note only keeps what it is told; whatever has to be looked for in
the answer is looked for once it has ended.

A backend that knows no observers, such as the model in this process, is stamped where its events
reach the attack.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tgicli.bench.answer_facts import (
    NOT_UTF8,
    Answer,
    Piece,
    Understood,
    counted_so_far,
    failure_problems,
    head_problems,
    queue_ms_of,
    stream_problems,
)
from tgicli.bench.plan import Prompt
from tgicli.bench.record import NS_PER_MS, Chunk, Outcome, Record
from tgicli.core import Delta, Event, Finish, GenerationRequest, Token, visible_text
from tgicli.errors import Overloaded, TgicliError

_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request of a load, and where its record belongs."""

    request: GenerationRequest
    prompt: Prompt
    index: int = 0
    point: int = 0
    side: int = 0
    block: int = 0
    sched_ns: int | None = None  # since the run began
    is_first_wave: bool = False


class Recorder:
    """Observes the requests of one run. All of its records' times count from `began_ns`."""

    def __init__(self) -> None:
        """Begin the run now, or at a time of time.perf_counter_ns."""
        self.began_ns = time.perf_counter_ns()
        self.n_connections = 0  # that were made
        self.n_pieces = 0  # tokens of all requests, as far as their servers tell them apart
        self.is_observing = False  # whether a backend tells it anything
        self._notes: dict[str, Note] = {}
        self._n_ids = 0
        self._ttfts_ms: list[float] = []

    @property
    def now_ns(self) -> int:
        """How long the run has lasted."""
        return time.perf_counter_ns() - self.began_ns

    @property
    def n_asked(self) -> int:
        """How many requests have begun."""
        return self._n_ids

    def new_id(self) -> str:
        """Return an id that no request of this run has."""
        self._n_ids += 1
        return f"bench-{self._n_ids}"

    def observe(self, request: GenerationRequest) -> Note | None:
        """Return who is to be told of a request; None: it is not one of the load's."""
        note = self._notes.get(request.id)
        if note is not None:
            self.is_observing = note.is_observed = True
        return note

    def came(self, tokens: tuple[Token, ...], *, ttft_ms: float | None) -> None:
        """Count tokens that came; ttft_ms: how long the request's first ones took."""
        self.n_pieces += len(tokens)
        if ttft_ms is not None:
            self._ttfts_ms.append(ttft_ms)

    def take_ttfts_ms(self) -> tuple[float, ...]:
        """Return how long first tokens took that came since the last call; for showing."""
        taken, self._ttfts_ms = tuple(self._ttfts_ms), []
        return taken

    def begin(self, asked: Asked) -> Note:
        """Return an empty note for a request that is about to be sent."""
        note = self._notes[asked.request.id] = Note(self, asked)
        return note

    def end(self, note: Note) -> Record:
        """Return the record of a request that has ended."""
        del self._notes[note.asked.request.id]
        return note.to_record()


class Note:
    """What is known of one request so far. Its times are time.perf_counter_ns's.

    Satisfies `backends.observing.Observation`.
    """

    def __init__(self, recorder: Recorder, asked: Asked) -> None:
        self.asked = asked
        self.is_observed = False
        self._recorder = recorder
        self._begin(time.perf_counter_ns())

    def _begin(self, at_ns: int) -> None:
        self._send_ns = self._read_ns = at_ns
        self._conn_ns: int | None = None
        self._head_ns: int | None = None
        self._first_event_ns: int | None = None
        self._end_ns: int | None = None
        self._has_end = False
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._n_reads = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_garbled = False
        self._events: list[Understood] = []
        self._pieces: list[Piece] = []
        self._finish: Finish | None = None
        self._error: TgicliError | None = None
        self._is_cut = False

    def sent(self, at_ns: int) -> None:
        """Begin; anew, if it is tried again."""
        self._begin(at_ns)

    def connected(self, at_ns: int) -> None:
        """Keep when the connection was ready."""
        self._recorder.n_connections += self._conn_ns is None
        self._conn_ns = at_ns

    def answered(self, at_ns: int, status: int, headers: Mapping[str, str]) -> None:
        """Keep the answer's head."""
        self._head_ns, self._status, self._headers = at_ns, status, headers

    def read(self, at_ns: int, data: bytes) -> None:
        """Count a read, and check that its bytes are text."""
        if at_ns != self._read_ns or not self._n_reads:
            self._read_ns = at_ns
            self._n_reads += 1
        self._check_text(data)

    def understood(self, data: str, tokens: tuple[Token, ...]) -> None:
        """Keep an event, and the tokens in it."""
        self._events.append(Understood(data, bool(tokens)))
        self._keep(tokens, n_counted=counted_so_far(data))

    def ended(self, at_ns: int) -> None:
        """Keep when the body's end came."""
        self._end_ns, self._has_end = at_ns, True
        self._check_text(b"", is_end=True)

    def heard(self, event: Event) -> None:
        """Take what the backend yields; its tokens, too, where no observer was told of them."""
        if not isinstance(event, Delta | Finish):
            return
        if not self.is_observed:
            self._read_ns = time.perf_counter_ns()
            self._n_reads += 1
            self._keep(event.tokens, n_counted=None)
        if isinstance(event, Finish):
            self._finish = event
            self._ends()

    def failed(self, error: TgicliError) -> None:
        """Keep the error that ended it."""
        self._error = error
        self._ends()

    def cut(self) -> None:
        """Keep that it was ended by us."""
        self._is_cut = True
        self._ends()

    def _ends(self) -> None:
        if self._end_ns is None:
            self._end_ns = time.perf_counter_ns()

    def _keep(self, tokens: tuple[Token, ...], *, n_counted: int | None) -> None:
        if self._first_event_ns is None:
            self._first_event_ns = self._read_ns
        if tokens:
            ttft_ms = None if self._pieces else (self._read_ns - self._send_ns) / NS_PER_MS
            self._pieces.append(Piece(self._read_ns, self._n_reads, tokens, n_counted))
            self._recorder.came(tokens, ttft_ms=ttft_ms)

    def _check_text(self, data: bytes, *, is_end: bool = False) -> None:
        try:
            self._decoder.decode(data, is_end)
        except UnicodeDecodeError:
            self._is_garbled = True
            self._decoder.reset()

    @property
    def tpot_ms(self) -> float | None:
        """Per token after the first piece; for showing, not for the record."""
        n_more = sum(len(piece.tokens) for piece in self._pieces[1:])
        span_ns = self._pieces[-1].at_ns - self._pieces[0].at_ns if n_more else 0
        return span_ns / NS_PER_MS / n_more if n_more else None

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        if self._finish is not None:
            return Outcome.OK
        if self._is_cut:
            return Outcome.CUT
        # A full server refuses; one that has begun to answer and then tells an error is broken.
        is_refusal = isinstance(self._error, Overloaded) and self._status != _OK
        return Outcome.BUSY if is_refusal else Outcome.ERROR

    def to_record(self) -> Record:
        """Return what became of it, once it has ended."""
        asked, finish = self.asked, self._finish
        answer = Answer(self._pieces, self._events, finish, is_observed=self.is_observed)
        chunks, count = answer.chunks()
        return Record(
            index=asked.index,
            point=asked.point,
            side=asked.side,
            block=asked.block,
            is_first_wave=asked.is_first_wave,
            sched_ns=asked.sched_ns,
            send_ns=self._send_ns - self._recorder.began_ns,
            conn_ns=self._since_began(self._conn_ns),
            head_ns=self._since_began(self._head_ns),
            first_event_ns=self._since_began(self._first_event_ns),
            chunks=tuple(c._replace(at_ns=c.at_ns - self._recorder.began_ns) for c in chunks),
            end_ns=self._since_began(self._end_ns) or self._recorder.now_ns,
            n_events=len(self._events) if self.is_observed else self._n_reads,
            n_reads=self._n_reads,
            outcome=self.outcome,
            error=type(self._error).__name__ if self._error else "",
            message=str(self._error or ""),
            finish_reason=finish.reason.value if finish else None,
            n_prompt_tokens=finish.n_prompt_tokens if finish else 0,
            n_cached_tokens=answer.n_cached_tokens,
            n_tokens=count.n,
            n_hidden_tokens=count.n_hidden,
            token_source=count.source,
            n_prompt_asked=asked.prompt.n_tokens,
            n_new_asked=asked.prompt.max_new_tokens,
            queue_ms=queue_ms_of(self._headers),
            is_streamed=asked.request.streams,
            text="".join(visible_text(piece.tokens) for piece in self._pieces),
            nonce=asked.prompt.nonce,
            problems=tuple(self._problems(answer, chunks, count.n_seen)),
        )

    def _since_began(self, at_ns: int | None) -> int | None:
        return None if at_ns is None else at_ns - self._recorder.began_ns

    def _problems(self, answer: Answer, chunks: Sequence[Chunk], n_tokens: int) -> list[str]:
        if not self.is_observed or self._status != _OK:
            return []
        problems = head_problems(self._headers)
        if self._is_garbled:
            problems.append(NOT_UTF8)
        if self._error is not None:
            problems += failure_problems(answer.events)
        if self.asked.request.streams:
            problems += stream_problems(
                answer, chunks, n_tokens, sent_ns=self._send_ns, has_end=self._has_end
            )
        return problems
