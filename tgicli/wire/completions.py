"""OpenAI's /v1/completions: prompts in, texts out.

Pure; called on the event loop by the server, one CompletionEncoder a request. Never frames events
and never reads a clock.

A stream has one chunk a token. The last chunk of each answer has its finish_reason and, unless
stream_options speaks, its usage, as TGI's clients expect it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tgicli.core import (
    UNKNOWN_ID,
    Delta,
    Finish,
    GenerationRequest,
    Run,
    Token,
    visible_text,
)
from tgicli.errors import RequestError
from tgicli.wire.decoding import read
from tgicli.wire.limits import Limits
from tgicli.wire.openai import (
    AnswerHead,
    BatchTooLarge,
    SamplingBody,
    SuffixRefused,
    Usage,
    WireReason,
    check_n_top,
    of_answer,
    usage_of,
    wire_logprob,
    wire_reason,
)


class CompletionBody(SamplingBody, frozen=True, kw_only=True):
    """A request of /v1/completions."""

    prompt: Annotated[
        str | list[str | int | list[int]],
        Meta(description="A text or several; token ids are refused."),
    ]
    max_tokens: Annotated[
        int | None,
        Meta(
            description="Longest answer; absent: until the context is full.",
            extra_json_schema={"minimum": 1},
        ),
    ] = None
    logprobs: Annotated[
        int | bool | None,
        Meta(description="Report each token's log-probability, and so many alternatives."),
    ] = None
    echo: Annotated[bool | None, Meta(description="Begin the answer with the prompt.")] = None
    suffix: Annotated[str | None, Meta(description="Refused.")] = None
    best_of: Annotated[
        int | None, Meta(description="Run so often and answer with the likeliest; n must be 1.")
    ] = None

    @property
    def n_top(self) -> int | None:
        """How many alternatives to report; None: no log-probabilities at all."""
        return None if self.logprobs is False else self.logprobs

    def prompts(self, limits: Limits) -> list[str]:
        """Return the texts to continue."""
        given = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if not given:
            raise RequestError("prompt is an empty list; give a text or several")
        texts = [text for text in given if isinstance(text, str)]
        if len(texts) < len(given):
            raise RequestError("prompt holds token ids; give a text or a list of texts")
        if len(texts) > limits.max_client_batch_size:
            raise BatchTooLarge(
                f"Number of prompts exceeds the maximum allowed batch size of"
                f" {limits.max_client_batch_size}"
            )
        return texts

    def check(self, limits: Limits) -> None:
        """Refuse what this server never does."""
        if self.suffix:
            raise SuffixRefused(
                "Suffix is not supported and can be achieved by preprocessing the prompt."
            )
        if self.logprobs is True:
            raise RequestError("logprobs is the number of alternatives, 0 for none; got true")
        if self.n_top is not None:
            check_n_top("logprobs", self.n_top, limits)
        if self.stream and self.echo and self.n_top is not None:
            raise RequestError("echo with logprobs can't be streamed; leave one of the three out")

    def runs_each(self, n: int, limits: Limits) -> int:
        """Return how many runs the best one of is chosen from; n is the number of answers."""
        best_of = n if self.best_of is None else self.best_of
        if best_of == n:  # OpenAI's default: all runs are answers
            return 1
        if not 1 <= best_of <= limits.max_best_of:
            raise RequestError(f"best_of must be in [1, {limits.max_best_of}], got {best_of}")
        if n > 1:
            raise RequestError(f"best_of {best_of} goes with n 1 only, got n {n}")
        if self.stream:
            raise RequestError(f"best_of {best_of} can't be streamed; leave stream out")
        return best_of


_BODY = msgspec.json.Decoder(CompletionBody)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionCall:
    """A request of /v1/completions, understood."""

    requests: tuple[GenerationRequest, ...]  # n for the first prompt, n for the second, ...
    n: int  # answers to each prompt
    stream: bool
    include_usage: bool | None  # None: nothing was said
    echo: bool
    n_top: int | None  # alternatives to report; None: no log-probabilities


def decode_completion(body: bytes, limits: Limits, *, id: str) -> CompletionCall:
    """Read a body of /v1/completions; the requests' ids are `{id}-{index}`.

    Raises:
        RequestError: it can't be served; names the option, its value and what is allowed.
    """
    asked = read(_BODY, body, what="the body")
    asked.check(limits)
    prompts = asked.prompts(limits)
    n = asked.count_answers(len(prompts), limits)
    params = asked.to_params(
        limits, max_tokens=asked.max_tokens, grammar=asked.grammar(), n_top=asked.n_top
    )
    echo = bool(asked.echo)
    requests = (
        GenerationRequest(
            id=f"{id}-{index}",
            prompt=prompts[index // n],
            params=of_answer(params, index % n),
            best_of=asked.runs_each(n, limits),
            prompt_logprobs=echo and asked.n_top is not None,
            adapter=asked.adapter(limits),
        )
        for index in range(len(prompts) * n)
    )
    return CompletionCall(
        requests=tuple(requests),
        n=n,
        stream=bool(asked.stream),
        include_usage=asked.include_usage,
        echo=echo,
        n_top=asked.n_top,
    )


class CompletionLogprobs(msgspec.Struct, frozen=True):
    """Log-probabilities: four lists of the same length, one item a token."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]  # where the token starts in the text, in characters


class CompletionChoice(msgspec.Struct, frozen=True):
    """One answer, or a piece of it."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: WireReason | None


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of /v1/completions, or a chunk of its stream."""

    object: Literal["text_completion"] = "text_completion"
    id: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage | UnsetType | None = UNSET


@dataclass(slots=True)
class _Answer:
    """How far one answer of a stream is."""

    n_characters: int = 0
    finish: Finish | None = None


@dataclass(slots=True)
class CompletionEncoder:
    """Encode the answers to one call."""

    call: CompletionCall
    head: AnswerHead
    _answers: list[_Answer] = field(init=False)

    def __post_init__(self) -> None:
        self._answers = [_Answer() for _ in self.call.requests]

    def encode(self, index: int, event: Delta | Finish) -> Iterator[bytes]:
        """Yield the chunks, one a token, of an event of the index-th request."""
        answer = self._answers[index]
        if self.call.echo and answer.n_characters == 0:
            yield self._text_chunk(index, self._echo(index))
        finish = event if isinstance(event, Finish) else None
        ordinary = event.tokens[:-1] if finish else event.tokens
        for token in ordinary:
            yield self._token_chunk(index, (token,))
        if finish:
            answer.finish = finish
            yield self._token_chunk(index, finish.tokens[-1:], finish)

    def encode_usage(self) -> bytes | None:
        """Return the chunk that ends the stream, if it was asked for; all answers are finished."""
        if not self.call.include_usage:
            return None
        finishes = [answer.finish for answer in self._answers if answer.finish is not None]
        return self._encode([], usage_of(finishes, n=self.call.n))

    def encode_whole(self, runs: Sequence[Run]) -> bytes:
        """Return the whole answer; the runs stand in the order of the call's requests."""
        choices = [self._whole_choice(index, run) for index, run in enumerate(runs)]
        return self._encode(choices, usage_of([run.finish for run in runs], n=self.call.n))

    def _whole_choice(self, index: int, run: Run) -> CompletionChoice:
        echo = self._echo(index) if self.call.echo else ""
        logprobs = None
        if self.call.n_top is not None:
            # The prompt's tokens come only when it is echoed, so the offsets begin with either.
            logprobs = self._logprobs((*run.finish.prompt_tokens, *run.tokens), 0)
        text = echo + visible_text(run.tokens)
        return CompletionChoice(index, text, logprobs, wire_reason(run.finish.reason))

    def _echo(self, index: int) -> str:
        prompt = self.call.requests[index].prompt
        assert isinstance(prompt, str), "completions have no messages"
        return prompt

    def _token_chunk(
        self, index: int, tokens: tuple[Token, ...], finish: Finish | None = None
    ) -> bytes:
        logprobs = None
        if self.call.n_top is not None and any(token.is_answer for token in tokens):
            logprobs = self._logprobs(tokens, self._answers[index].n_characters)
        return self._text_chunk(index, visible_text(tokens), logprobs, finish)

    def _text_chunk(
        self,
        index: int,
        text: str,
        logprobs: CompletionLogprobs | None = None,
        finish: Finish | None = None,
    ) -> bytes:
        self._answers[index].n_characters += len(text)
        reason = None if finish is None else wire_reason(finish.reason)
        choice = CompletionChoice(index, text, logprobs, reason)
        return self._encode([choice], self._chunk_usage(finish))

    def _chunk_usage(self, finish: Finish | None) -> Usage | UnsetType | None:
        match self.call.include_usage:
            case None:
                return UNSET if finish is None else usage_of([finish])
            case True:
                return None
            case False:
                return UNSET

    def _logprobs(self, tokens: Iterable[Token], offset: int) -> CompletionLogprobs:
        shown = [token for token in tokens if token.is_answer]
        offsets = []
        for token in shown:
            offsets.append(offset)
            offset += len(token.text)
        return CompletionLogprobs(
            tokens=[token.text for token in shown],
            token_logprobs=[_logprob(token) for token in shown],
            top_logprobs=[_alternatives(token) for token in shown] if self.call.n_top else None,
            text_offset=offsets,
        )

    def _encode(self, choices: list[CompletionChoice], usage: Usage | UnsetType | None) -> bytes:
        return msgspec.json.encode(
            Completion(
                id=self.head.id,
                created=self.head.created,
                model=self.head.model,
                system_fingerprint=self.head.system_fingerprint,
                choices=choices,
                usage=usage,
            )
        )


def _logprob(token: Token) -> float | None:
    """Return null for the prompt's first token, as OpenAI does: nothing comes before it."""
    return None if token.logprob is None else wire_logprob(token.logprob)


def _alternatives(token: Token) -> dict[str, float] | None:
    """Return the best tokens' texts, and the chosen one's, which may not be among them.

    If it is, it stands there with its own text, of which the answer may show more or less.
    """
    if token.logprob is None:
        return None
    best = {top.text: wire_logprob(top.logprob) for top in reversed(token.top)}
    ordered = dict(reversed(best.items()))
    if token.id != UNKNOWN_ID and any(top.id == token.id for top in token.top):
        return ordered
    return {**ordered, token.text: wire_logprob(token.logprob)}
