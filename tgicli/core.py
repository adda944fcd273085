"""The vocabulary: what is asked, what streams back, and who answers.

Every room speaks in these words and no other: values are immutable and valid once built, so they
cross threads freely. Never does I/O, never imports anything heavier than `dataclasses`.

A stream is `Progress+ Delta* Finish`: its first Progress says that the request was accepted, and it
ends with Finish, which brings the last tokens, or raises; there is no third way.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Protocol

from tgicli.errors import RequestError
from tgicli.stats import BackendStats


class FinishReason(enum.StrEnum):
    """Why a stream ended, in TGI's words (`abort` is ours: the reader went away)."""

    LENGTH = "length"
    EOS_TOKEN = "eos_token"
    STOP_SEQUENCE = "stop_sequence"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants called."""

    id: str
    name: str
    arguments: str  # JSON


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str  # system, user, assistant or tool, as the model's template knows them
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None  # of the call that this turn answers


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call."""

    name: str
    description: str | None
    parameters: str  # its arguments' JSON Schema


class GrammarKind(enum.StrEnum):
    """The languages in which a grammar can be written."""

    JSON_SCHEMA = "json_schema"
    REGEX = "regex"
    GBNF = "gbnf"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer must look like, as a whole."""

    kind: GrammarKind
    source: str


INFINITY = float("inf")
LEAST_TEMPERATURE = 1e-5  # a lower one counts as 0: dividing logits by it may overflow
MOST_STOP_CHARACTERS = 1_000  # each one costs memory while the answer lives
EXTREME = 1e30  # the largest factor by which logits can be multiplied without an overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """How to choose the next token. Valid once built."""

    # 0, and what is next to it, means greedy; None: a remote server's own
    temperature: float | None = 0.8
    top_k: int = 0  # keep the k most likely tokens; 0: all
    top_p: float = 1.0  # nucleus mass in (0, 1]
    typical_p: float = 1.0  # locally typical mass in (0, 1] (Meister et al., arXiv:2202.00666)
    min_p: float = 0.0  # share of the best token's probability in [0, 1) (arXiv:2407.01082)
    repetition_penalty: float = 1.0  # CTRL's: divides positive logits, multiplies negative ones
    frequency_penalty: float = 0.0  # subtracted once per occurrence, in [-2, 2]
    presence_penalty: float = 0.0  # subtracted once per token that occurred, in [-2, 2]
    seed: int | None = None  # in [0, 2**64); None: drawn at admission, reported in Finish
    max_new_tokens: int | None = None  # None: until the context is full; the prompt is not counted
    stop: tuple[str, ...] = ()  # matched on text, never shown
    keep_stop: bool = False  # TGI's rule: the token that completes a stop string ends it, shown
    grammar: Grammar | None = None  # only what it allows is sampled
    logit_bias: tuple[tuple[int, float], ...] = ()  # (token id, what is added to its logit)
    watermark: bool = False  # make the text tell that it is a model's (arXiv:2301.10226)
    logprobs: bool = False  # report each token's log-probability (costs a pass over the vocabulary)
    top_n_tokens: int = 0  # report the n most likely tokens of each step; implies logprobs
    ignore_eos: bool = False  # go on after an end-of-generation token (benchmarks)

    def __post_init__(self) -> None:
        if self.temperature is not None:
            _check(0 <= self.temperature < INFINITY, "temperature must be >= 0", self.temperature)
        _check(self.top_k >= 0, "top_k must be >= 0", self.top_k)
        _check(0 < self.top_p <= 1, "top_p must be in (0, 1]", self.top_p)
        _check(0 < self.typical_p <= 1, "typical_p must be in (0, 1]", self.typical_p)
        _check(0 <= self.min_p < 1, "min_p must be in [0, 1)", self.min_p)
        penalty, most = self.repetition_penalty, EXTREME
        _check(0 < penalty < INFINITY, "repetition_penalty must be > 0", penalty)
        rule = f"repetition_penalty must be in [{1 / most:g}, {most:g}]"
        _check(1 / most <= penalty <= most, rule, penalty)
        penalty = self.frequency_penalty
        _check(-2 <= penalty <= 2, "frequency_penalty must be in [-2, 2]", penalty)
        penalty = self.presence_penalty
        _check(-2 <= penalty <= 2, "presence_penalty must be in [-2, 2]", penalty)
        if self.seed is not None:
            _check(0 <= self.seed < 2**64, "seed must be in [0, 2**64)", self.seed)
        if self.max_new_tokens is not None:
            _check(self.max_new_tokens >= 1, "max_new_tokens must be >= 1", self.max_new_tokens)
        _check(self.top_n_tokens >= 0, "top_n_tokens must be >= 0", self.top_n_tokens)
        if "" in self.stop:
            raise RequestError("a stop string must not be empty")
        longest = max(map(len, self.stop), default=0)
        rule = f"a stop string must have {MOST_STOP_CHARACTERS:,} characters at most"
        _check(longest <= MOST_STOP_CHARACTERS, rule, longest)

    @property
    def is_greedy(self) -> bool:
        """Whether the most likely token is always taken."""
        return self.temperature is not None and self.temperature < LEAST_TEMPERATURE

    @property
    def is_plain_greedy(self) -> bool:
        """Whether the largest logit is all that matters."""
        return self.is_greedy and not (self.has_penalties or self.logit_bias or self.grammar)

    @property
    def has_penalties(self) -> bool:
        """Whether earlier tokens change the logits."""
        return (
            self.repetition_penalty != 1
            or self.frequency_penalty != 0
            or self.presence_penalty != 0
        )

    @property
    def wants_logprobs(self) -> bool:
        """Whether each token must carry its log-probability."""
        return self.logprobs or self.top_n_tokens > 0


def _check(holds: bool, rule: str, value: float) -> None:
    if not holds:
        raise RequestError(f"{rule}, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One thing to generate. Valid once built.

    A `str` prompt goes to the model as it is (with its BOS token); messages go through its chat
    template.
    """

    id: str
    prompt: str | tuple[Message, ...]
    params: SamplingParams = SamplingParams()
    truncate: int | None = None  # keep the last n prompt tokens; None: all of them
    best_of: int = 1  # run n times with seeds of their own, keep the highest mean logprob
    tools: tuple[Tool, ...] = ()  # shown to the model by its chat template
    continues: bool = False  # the last message is the beginning of the answer
    prompt_logprobs: bool = False  # report the prompt's tokens in Finish
    reuse_key: str = ""  # prefixes are reused among requests with the same key only
    adapter: str | None = None  # the name of a LoRA adapter; None: what all requests get
    streams: bool = True  # False: all of the answer comes at once, with Finish
    generates: bool = True  # False: only its tokens are asked for, and an empty text may have none
    special: bool = False  # show special tokens, too: a server must send tokens, not text

    def __post_init__(self) -> None:
        if not self.prompt and self.generates:
            raise RequestError("the prompt is empty")
        if self.truncate is not None:
            _check(self.truncate >= 1, "truncate must be >= 1", self.truncate)
        _check(self.best_of >= 1, "best_of must be >= 1", self.best_of)
        if self.best_of > 1 and self.params.is_greedy:
            raise RequestError(
                f"best_of {self.best_of} needs sampling: with temperature 0 all runs are equal"
            )
        if self.best_of > 1 and self.params.seed is not None:
            raise RequestError(f"best_of {self.best_of} draws its own seeds; leave the seed out")


UNKNOWN_ID = -1  # of a token whose id a remote server did not tell; no vocabulary has it


@dataclass(frozen=True, slots=True)
class TopToken:
    """One of the most likely tokens of a step."""

    id: int
    text: str
    logprob: float
    special: bool


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token, with the text that it released.

    The text of a token that ends inside a character, or inside what may become a stop string, is
    empty: the next token that decides carries it. So the texts joined are the answer, and each is
    whole.

    OpenAI's servers tell pieces of text, not tokens: there a piece stands for a token, with
    UNKNOWN_ID unless an id came with it.
    """

    id: int
    text: str
    # Natural, after penalties, temperature and filters; None: not asked for.
    logprob: float | None = None
    special: bool = False  # a control token; its text is not part of the answer
    top: tuple[TopToken, ...] = ()  # best first
    reasoning: bool = False  # thought before the answer, told apart by a server; no part of it

    @property
    def is_answer(self) -> bool:
        """Whether its text is a part of the answer: it is no control token and no thought."""
        return not (self.special or self.reasoning)


def visible_text(tokens: Iterable[Token]) -> str:
    """Join the tokens' texts, without the control tokens' and what is reasoning."""
    return "".join([token.text for token in tokens if token.is_answer])


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the prompt is computed."""

    n_computed: int
    n_prompt_tokens: int  # 0: a remote server has not told


@dataclass(frozen=True, slots=True)
class Delta:
    """Tokens that came since the last event; `text` is what they add to the answer."""

    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """What these tokens add to the answer."""
        return visible_text(self.tokens)

    @classmethod
    def merge(cls, deltas: Iterable[Delta]) -> Delta:
        """Join neighbours into one."""
        return cls(tuple(token for delta in deltas for token in delta.tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The end of a stream that came to its end, with its last tokens.

    A remote server that tells no token at its end is given one without text, with UNKNOWN_ID.
    """

    tokens: tuple[Token, ...]
    reason: FinishReason
    n_prompt_tokens: int
    n_cached_tokens: int  # of the prompt, taken from an earlier request's KV cells
    n_generated_tokens: int  # the EOS token counts
    seed: int | None  # the seed that repeats this stream; None when greedy
    queue_s: float = 0.0  # from submission to the first computed step
    prefill_s: float = 0.0  # from there to the first token
    decode_s: float = 0.0  # from the first token to the last
    others: tuple[Run, ...] = ()  # best_of: the runs that were not chosen, in run order
    prompt_tokens: tuple[Token, ...] = ()  # if asked for; the first one has no log-probability
    # False: a remote server told no counts, so n_prompt_tokens is 0, and pieces of text were
    # counted for n_generated_tokens.
    has_usage: bool = True
    # Whether its grammar allows an end here; None: there is none, or a remote server did not tell.
    fulfils_grammar: bool | None = None

    @property
    def n_tokens_of_all_runs(self) -> int:
        """How many tokens all runs generated, with those that best_of did not choose."""
        return self.n_generated_tokens + sum(run.finish.n_generated_tokens for run in self.others)

    @property
    def text(self) -> str:
        """What the last tokens add to the answer."""
        return visible_text(self.tokens)


@dataclass(frozen=True, slots=True)
class Run:
    """One whole generation: what best_of compares."""

    tokens: tuple[Token, ...]  # all, the last ones too
    finish: Finish

    @property
    def mean_logprob(self) -> float:
        """Mean log-probability of its tokens; minus infinity when it has none."""
        logprobs = [token.logprob for token in self.tokens if token.logprob is not None]
        return sum(logprobs) / len(logprobs) if logprobs else float("-inf")


Event = Progress | Delta | Finish


async def collect(events: AsyncIterator[Event]) -> Run:
    """Read a stream to its end."""
    tokens: list[Token] = []
    async for event in events:
        match event:
            case Delta():
                tokens += event.tokens
            case Finish():
                return Run((*tokens, *event.tokens), event)
    raise AssertionError("a stream ends with Finish or raises")


@dataclass(frozen=True, slots=True)
class PromptToken:
    """One token of a prompt, and the bytes [start, stop) of the text that it stands for."""

    id: int
    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class TokenizedPrompt:
    """A prompt as the model sees it."""

    text: str  # what a chat template made of messages
    tokens: tuple[PromptToken, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What answers. A count is 0 where a remote server does not tell it."""

    name: str
    n_ctx: int  # tokens one request may hold, prompt and answer together
    description: str  # e.g. "llama 135M Q4_1"


class Backend(Protocol):
    """Whoever turns a request into a stream: the local engine or a remote server."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the answer. Closing the iterator cancels the request, in any state.

        Raises:
            TgicliError: the request was refused, or its stream broke.
        """
        ...

    async def tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        """Say how the model sees a request's prompt; `truncate` does not apply.

        Raises:
            RequestError: the prompt can't be encoded, or the backend can't tell.
        """
        ...

    async def count_tokens(self, request: GenerationRequest) -> int | None:
        """Return the length of the prompt, before `truncate`; None: only generate() will tell.

        Raises:
            RequestError: the prompt can't be encoded.
        """
        ...

    async def info(self) -> ModelInfo:
        """Say what answers."""
        ...

    def stats(self) -> BackendStats:
        """Say what it is doing."""
        ...

    async def health(self) -> bool:
        """Say whether a request would be computed now."""
        ...

    async def aclose(self) -> None:
        """Cancel what runs and release everything."""
        ...
