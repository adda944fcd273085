"""The TGI dialect: requests as text-generation-inference reads them, in its order and words.

Pure; called by the server before anything is computed. Fields, defaults, limits and messages are
TGI's (router/src/lib.rs, validation.rs and infer/mod.rs at v3.3). A message here is what follows
`Input validation error: `.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from tgicli.core import GenerationRequest, Grammar, SamplingParams
from tgicli.errors import ContextOverflow, MalformedBody, RequestError
from tgicli.wire.grammars import GrammarBody, to_grammar
from tgicli.wire.limits import Limits

MAX_STEPS_CHECKED = 1024  # TGI computes longer answers in pieces, and checks the first one only
MIN_FREQUENCY_PENALTY, MAX_FREQUENCY_PENALTY = -2.0, 2.0

Unsigned = Annotated[int, Meta(ge=0, lt=2**32)]
Seed = Annotated[int, Meta(ge=0)]  # below 2**64, which core checks
Signed = Annotated[int, Meta(ge=-(2**31), lt=2**31)]


class Parameters(msgspec.Struct, frozen=True):
    """How to generate."""

    best_of: (
        Annotated[int, Meta(ge=0, description="Answers to choose the likeliest of.")] | None
    ) = None
    temperature: (
        Annotated[float, Meta(description="Above 0; flattens or sharpens the odds.")] | None
    ) = None
    repetition_penalty: Annotated[float, Meta(description="Above 0; 1 changes nothing.")] | None = (
        None
    )
    frequency_penalty: Annotated[float, Meta(description="In [-2, 2].")] | None = None
    top_k: Annotated[Signed, Meta(description="Keep the k likeliest tokens.")] | None = None
    top_p: Annotated[float, Meta(description="In (0, 1); keep that much probability.")] | None = (
        None
    )
    typical_p: Annotated[float, Meta(description="In (0, 1); keep the typical tokens.")] | None = (
        None
    )
    do_sample: Annotated[bool, Meta(description="Draw tokens instead of taking the likeliest.")] = (
        False
    )
    max_new_tokens: (
        Annotated[Unsigned, Meta(description="Default: what the context holds.")] | None
    ) = None
    return_full_text: (
        Annotated[bool, Meta(description="Put the prompt before the answer.")] | None
    ) = None
    stop: Annotated[
        list[str], Meta(description="End with a token that ends with one of these.")
    ] = []
    truncate: (
        Annotated[int, Meta(ge=0, description="Keep the last n tokens of the prompt.")] | None
    ) = None
    watermark: Annotated[bool, Meta(description="Mark the text as a model's.")] = False
    details: Annotated[bool, Meta(description="Tell how it ended, and with which tokens.")] = False
    decoder_input_details: Annotated[bool, Meta(description="Tell the prompt's tokens, too.")] = (
        False
    )
    seed: Annotated[Seed, Meta(description="Draw the same tokens again.")] | None = None
    top_n_tokens: Annotated[Unsigned, Meta(description="Tell the n likeliest tokens.")] | None = (
        None
    )
    grammar: GrammarBody | None = None
    adapter_id: Annotated[str, Meta(description="The LoRA adapter to use.")] | None = None


class GenerateBody(msgspec.Struct, frozen=True):
    """The body of /generate, /generate_stream and /."""

    inputs: Annotated[str, Meta(description="The prompt, as the model is to go on from it.")]
    # Left out is not the same as empty: TGI samples then.
    parameters: Parameters = msgspec.field(default_factory=lambda: Parameters(do_sample=True))
    stream: Annotated[bool, Meta(description="Of / only: answer with server-sent events.")] = False


_DECODER = msgspec.json.Decoder(GenerateBody)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class GenerateCall:
    """What a client of TGI asks for, as it was read."""

    body: GenerateBody
    streams: bool
    returns_full_text: bool

    @property
    def n_places(self) -> int:
        """Requests that this one counts for."""
        return max(1, self.body.parameters.best_of or 1)

    @property
    def wants_details(self) -> bool:
        """Whether the answer comes with details."""
        parameters = self.body.parameters
        return parameters.details or parameters.decoder_input_details

    @property
    def prefix(self) -> str:
        """What stands before the answer's text."""
        return self.body.inputs if self.returns_full_text else ""

    def to_request(
        self, request_id: str, limits: Limits, *, reuse_key: str = ""
    ) -> GenerationRequest:
        """Check all that can be told without counting tokens.

        Raises:
            RequestError: the first check that fails, in TGI's order and words.
        """
        parameters = self.body.parameters
        _check_sampling(parameters)
        _check_lengths(parameters, limits)
        if not self.body.inputs:
            raise RequestError("`inputs` cannot be empty")
        truncate = parameters.truncate
        if truncate is not None and not 1 <= truncate <= limits.max_input_tokens:
            raise RequestError(
                f"`truncate` must be strictly positive and less than {limits.max_input_tokens}. "
                f"Given: {truncate}"
            )
        return GenerationRequest(
            id=request_id,
            prompt=self.body.inputs,
            params=self._params(limits),
            truncate=truncate,
            best_of=self.n_places,
            prompt_logprobs=parameters.decoder_input_details,
            reuse_key=reuse_key,
            adapter=parameters.adapter_id,
        )

    def _params(self, limits: Limits) -> SamplingParams:
        parameters = self.body.parameters
        return SamplingParams(
            temperature=(parameters.temperature or 1.0) if _samples(parameters) else 0.0,
            top_k=parameters.top_k or 0,
            top_p=1.0 if parameters.top_p is None else parameters.top_p,
            typical_p=1.0 if parameters.typical_p is None else parameters.typical_p,
            repetition_penalty=parameters.repetition_penalty or 1.0,
            frequency_penalty=parameters.frequency_penalty or 0.0,
            seed=parameters.seed,
            max_new_tokens=parameters.max_new_tokens,
            stop=tuple(parameters.stop),
            keep_stop=True,
            logprobs=self.streams or self.wants_details,
            top_n_tokens=parameters.top_n_tokens or 0,
            grammar=_grammar(parameters, limits),
            watermark=parameters.watermark,
        )


def decode_generate(body: bytes, *, streams: bool | None, compatible: bool = False) -> GenerateCall:
    """Read a body; streams None: the body says it. compatible: the rules of `/`.

    Raises:
        MalformedBody: it is not JSON.
        RequestError: it has another shape, or asks a stream for what no stream can have.
    """
    read = _decode(_DECODER, body, "Failed to deserialize the JSON body into the target type")
    streams = read.stream if streams is None else streams
    if streams:
        _check_stream(read.parameters)
    wanted = read.parameters.return_full_text
    return GenerateCall(read, streams, compatible if wanted is None else wanted)


def field_names(body: bytes) -> set[str]:
    """Return the names of a body's fields, which say what kind of request it is.

    Raises:
        MalformedBody, RequestError: it is no JSON object.
    """
    fields = _decode(_FIELDS, body, "a body must be a JSON object")
    return set(fields)


def _decode(decoder: msgspec.json.Decoder[_Read], body: bytes, shape_words: str) -> _Read:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RequestError(f"{shape_words}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"Failed to parse the request body as JSON: {error}") from error


def fit(request: GenerationRequest, n_prompt: int | None, limits: Limits) -> GenerationRequest:
    """Check the lengths, now that the prompt's tokens are counted, and settle max_new_tokens.

    Where nobody can count them the request stays as it is.

    Raises:
        ContextOverflow: in TGI's words.
    """
    if n_prompt is None:
        return request
    n_input = n_prompt if request.truncate is None else min(n_prompt, request.truncate)
    room = limits.max_total_tokens - n_input
    wanted = request.params.max_new_tokens
    n_checked = max(0, room) if wanted is None else min(wanted, MAX_STEPS_CHECKED)
    if n_input + n_checked > limits.max_total_tokens:
        raise ContextOverflow(
            f"`inputs` tokens + `max_new_tokens` must be <= {limits.max_total_tokens}. "
            f"Given: {n_input} `inputs` tokens and {n_checked} `max_new_tokens`"
        )
    if n_input > limits.max_input_tokens or room < 1:
        raise ContextOverflow(
            f"`inputs` must have less than {limits.max_input_tokens} tokens. Given: {n_input}"
        )
    n_new = room if wanted is None else min(wanted, room)
    return replace(request, params=replace(request.params, max_new_tokens=n_new))


def _samples(parameters: Parameters) -> bool:
    warps = (parameters.top_k, parameters.top_p, parameters.typical_p)
    changes_temperature = parameters.temperature not in (None, 1.0)
    return parameters.do_sample or changes_temperature or any(warp is not None for warp in warps)


def _check_stream(parameters: Parameters) -> None:
    if parameters.best_of not in (None, 1):
        raise RequestError("`best_of` != 1 is not supported when streaming tokens")
    if parameters.decoder_input_details:
        raise RequestError("`decoder_input_details` == true is not supported when streaming tokens")


def _check_sampling(parameters: Parameters) -> None:
    if (parameters.best_of or 1) > 1 and not _samples(parameters):
        raise RequestError("you must use sampling when `best_of` is > 1")
    _check_positive("temperature", parameters.temperature)
    _check_positive("repetition_penalty", parameters.repetition_penalty)
    penalty = parameters.frequency_penalty
    if penalty is not None and not MIN_FREQUENCY_PENALTY <= penalty <= MAX_FREQUENCY_PENALTY:
        raise RequestError("`frequency_penalty` must be >= -2.0 and <= 2.0")
    _check_mass("top_p", parameters.top_p)
    _check_mass("typical_p", parameters.typical_p)
    _check_positive("top_k", parameters.top_k)


def _check_lengths(parameters: Parameters, limits: Limits) -> None:
    _check_positive("max_new_tokens", parameters.max_new_tokens)
    if len(parameters.stop) > limits.max_stop_sequences:
        raise RequestError(
            f"`stop` supports up to {limits.max_stop_sequences} stop sequences. "
            f"Given: {len(parameters.stop)}"
        )
    if parameters.seed is not None and (parameters.best_of or 1) > 1:
        raise RequestError("`seed` must not be set when `best_of` > 1")
    if (parameters.top_n_tokens or 0) > limits.max_top_n_tokens:
        raise RequestError(
            f"`top_n_tokens` must be >= 0 and <= {limits.max_top_n_tokens}. "
            f"Given: {parameters.top_n_tokens}"
        )


def check_best_of(call: GenerateCall, limits: Limits) -> None:
    """Check `best_of` against the server's limit: the one check that comes before a free place.

    Raises:
        RequestError: it is too large.
    """
    if call.n_places == 1:
        return
    if limits.max_best_of == 1:
        raise RequestError("`best_of` != 1 is not allowed for this endpoint")
    if call.n_places > limits.max_best_of:
        raise RequestError(
            f"`best_of` must be > 0 and <= {limits.max_best_of}. Given: {call.n_places}"
        )


def _check_positive(name: str, value: float | None) -> None:
    if value is not None and not 0 < value < float("inf"):
        raise RequestError(f"`{name}` must be strictly positive")


def _check_mass(name: str, value: float | None) -> None:
    if value is not None and not 0 < value < 1:
        raise RequestError(f"`{name}` must be > 0.0 and < 1.0")


def _grammar(parameters: Parameters, limits: Limits) -> Grammar | None:
    if parameters.grammar is None:
        return None
    if not limits.allows_grammar:
        raise RequestError("grammar is not supported")
    return to_grammar(parameters.grammar)
