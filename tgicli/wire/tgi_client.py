"""The TGI dialect from the client's side: /generate's requests written, its answers read.

Pure; called by the remote backend on the event loop, one TgiReader a request. Options that TGI's
requests have no field for are refused by name. Never leaves anything to a default that depends on
the server: `parameters` is always sent, and says whether tokens are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tgicli.core import (
    UNKNOWN_ID,
    Finish,
    FinishReason,
    GenerationRequest,
    Grammar,
    GrammarKind,
    Run,
    SamplingParams,
    Token,
    TopToken,
)
from tgicli.errors import StreamBroken
from tgicli.wire.answers import DONE, check_ended, read_json, to_reason
from tgicli.wire.carrying import Uncarried, grammar_refused, refuse_uncarried
from tgicli.wire.refusals import event_error
from tgicli.wire.servers import Server

ROUTE = "TGI's /generate"
_CARRIED = frozenset(
    {
        "top_k",
        "top_p",
        "typical_p",
        "repetition_penalty",
        "frequency_penalty",
        "keep_stop",
        "special",
        "watermark",
        "top_n_tokens",
        "truncate",
        "best_of",
        "prompt_logprobs",
        "adapter",
    }
)


def encode_generate(
    request: GenerationRequest, *, stream: bool | None, server: Server = Server.TGI
) -> bytes:
    """Return a body; stream None: the route says it.

    Raises:
        Uncarried: the request has an option that TGI's requests have no field for.
    """
    refuse_uncarried(request, _CARRIED, ROUTE)
    _check_schema(request.params.grammar)
    body: dict[str, Any] = {
        "inputs": request.prompt,
        "parameters": {
            "return_full_text": False,
            "details": True,
            "do_sample": not request.params.is_greedy,
            # None, too: TGI before 3 takes its absence for 100.
            "max_new_tokens": request.params.max_new_tokens,
            **_sampling(request.params),
            **_extras(request, server),
        },
    }
    return msgspec.json.encode(body if stream is None else {**body, "stream": stream})


def _check_schema(grammar: Grammar | None) -> None:
    if grammar is None or grammar.kind is not GrammarKind.JSON_SCHEMA:
        return
    if "properties" not in msgspec.json.decode(grammar.source, type=dict[str, msgspec.Raw]):
        raise Uncarried(f"a JSON Schema without `properties` can't be sent to {ROUTE}")


def _sampling(params: SamplingParams) -> dict[str, Any]:
    """Return the fields that say how to choose. TGI refuses neutral values of some of them."""
    chosen = {
        "temperature": (params.temperature, None),
        "top_k": (params.top_k, 0),
        "top_p": (params.top_p, 1.0),
        "typical_p": (params.typical_p, 1.0),
        "seed": (params.seed, None),
    }
    always = {
        "repetition_penalty": (params.repetition_penalty, 1.0),
        "frequency_penalty": (params.frequency_penalty, 0.0),
        "top_n_tokens": (params.top_n_tokens, 0),
        "watermark": (params.watermark, False),
    }
    # With any of the first five TGI draws, whatever do_sample says.
    fields = always if params.is_greedy else chosen | always
    return {name: value for name, (value, neutral) in fields.items() if value != neutral}


def _extras(request: GenerationRequest, server: Server) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "stop": list(request.params.stop) or None,
        "truncate": request.truncate,
        "adapter_id": request.adapter,
        "best_of": request.best_of if request.best_of > 1 else None,
        "decoder_input_details": request.prompt_logprobs or None,
        "grammar": tgi_grammar(request.params.grammar, server),
    }
    return {name: value for name, value in fields.items() if value is not None}


def tgi_grammar(grammar: Grammar | None, server: Server) -> dict[str, Any] | None:
    """Return TGI's `grammar`, which is its `response_format`, too.

    Raises:
        RequestError: TGI has no such kind of grammar.
    """
    match grammar:
        case None:
            return None
        case Grammar(GrammarKind.JSON_SCHEMA, source):
            return {"type": "json", "value": msgspec.json.decode(source)}
        case Grammar(GrammarKind.GBNF, source) if server is not Server.TGICLI:
            raise grammar_refused(grammar, "a TGI server")
        case Grammar(kind, source):
            return {"type": str(kind), "value": source}


class _WireToken(msgspec.Struct, frozen=True):
    """One token, in whatever list it stands."""

    text: str
    id: int = UNKNOWN_ID
    logprob: float | None = None
    special: bool = False


class _StreamDetails(msgspec.Struct, frozen=True):
    finish_reason: str
    generated_tokens: int
    seed: int | None = None
    input_length: int | None = None


class _StreamEvent(msgspec.Struct, frozen=True):
    """One event; old servers leave keys out, and others add some."""

    token: _WireToken | None = None
    top_tokens: list[_WireToken] | None = None
    generated_text: str | None = None
    details: _StreamDetails | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


class _Sequence(msgspec.Struct, frozen=True):
    """The details of a whole answer, or of one that best_of did not choose."""

    finish_reason: str
    generated_tokens: int
    tokens: list[_WireToken]
    seed: int | None = None
    prefill: list[_WireToken] = []
    top_tokens: list[list[_WireToken]] = []
    best_of_sequences: list[_Sequence] = []


class _Answer(msgspec.Struct, frozen=True):
    generated_text: str | None = None
    details: _Sequence | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_EVENT = msgspec.json.Decoder(_StreamEvent)
_ANSWER = msgspec.json.Decoder(_Answer | list[_Answer])


class TgiReader:
    """Read one answer of /generate_stream, /generate or /."""

    def __init__(self, request: GenerationRequest) -> None:
        self._request = request
        self._n_tokens = 0
        self._last: Token | None = None
        self._finish: Finish | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the last event came."""
        return self._finish is not None

    @property
    def is_complete(self) -> bool:
        """As has_ended: the last event has everything in it."""
        return self.has_ended

    def read_event(self, data: str) -> tuple[Token, ...]:
        """Return an event's token. `[DONE]`, which gateways add, has none."""
        if data == DONE:
            check_ended(self)
            return ()
        event = read_json(_EVENT, data)
        if bytes(event.error) != b"null":
            raise event_error(data)
        if event.token is None:
            raise StreamBroken(f"the server sent an event without a token: {data[:80]}")
        token = self._last = _to_token(event.token, event.top_tokens or ())
        self._n_tokens += 1
        if event.generated_text is not None:
            self._finish = self._end(event.details)
        return (token,)

    def read_whole(self, body: bytes, n_prompt_tokens: int | None) -> tuple[Token, ...]:
        """Return all tokens; as one piece of text if the server tells no details."""
        read = read_json(_ANSWER, body)
        if isinstance(read, list):
            if not read:
                raise StreamBroken("the server sent an empty list for an answer")
            read = read[0]
        if bytes(read.error) != b"null" or read.generated_text is None:
            raise event_error(body.decode("utf-8", "replace"))
        if read.details is None:
            token = self._last = Token(UNKNOWN_ID, read.generated_text)
            self._n_tokens = 1
            self._finish = self._end(None)
            return (token,)
        run = _to_run(read.details, n_prompt_tokens)
        self._finish = run.finish
        return run.tokens

    def finish(self) -> Finish:
        """Return the end."""
        assert self._finish is not None
        return self._finish

    def _end(self, details: _StreamDetails | None) -> Finish:
        if details is None:
            details = _StreamDetails(self._guess(), self._n_tokens)
        return Finish(
            tokens=(),
            reason=to_reason(details.finish_reason),
            n_prompt_tokens=details.input_length or 0,
            n_cached_tokens=0,
            n_generated_tokens=details.generated_tokens,
            seed=details.seed,
            has_usage=details.input_length is not None,
        )

    def _guess(self) -> FinishReason:
        """Say why an answer ended whose server does not."""
        if self._last is not None and self._last.special:
            return FinishReason.EOS_TOKEN
        if self._n_tokens == self._request.params.max_new_tokens:
            return FinishReason.LENGTH
        return FinishReason.STOP_SEQUENCE if self._request.params.stop else FinishReason.EOS_TOKEN


def _to_run(details: _Sequence, n_prompt: int | None) -> Run:
    # There is a list for each token, or none at all.
    tops = details.top_tokens or [[]] * len(details.tokens)
    if len(tops) != len(details.tokens):
        raise StreamBroken(
            f"the server sent {len(details.tokens)} tokens with {len(tops)} lists of top_tokens"
        )
    tokens = tuple(map(_to_token, details.tokens, tops))
    finish = Finish(
        tokens=(),
        reason=to_reason(details.finish_reason),
        n_prompt_tokens=n_prompt or 0,
        n_cached_tokens=0,
        n_generated_tokens=details.generated_tokens,
        seed=details.seed,
        others=tuple(_to_run(other, n_prompt) for other in details.best_of_sequences),
        prompt_tokens=tuple(_to_token(token, ()) for token in details.prefill),
        has_usage=n_prompt is not None,
    )
    return Run(tokens, finish)


def _to_token(token: _WireToken, top: Iterable[_WireToken]) -> Token:
    tops = tuple(
        TopToken(one.id, one.text, one.logprob, one.special)
        for one in top
        if one.logprob is not None
    )
    return Token(token.id, token.text, token.logprob, token.special, tops)
