"""What a grammar allows: the token ids among which the next one is sampled.

`compile` is called on the event loop or a worker thread, before a request is admitted; a Constraint
belongs to one sequence and is used by the runner, on the engine thread. The only place that imports
llguidance, and itself imported by whoever has a grammar only.

Never unconstrained: a grammar that does not compile is refused, and one that fails later ends its
sequence. llguidance itself would then allow an end token, so that half an answer looked whole.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper
from llguidance.gbnf_to_lark import gbnf_to_lark
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from tgicli.core import Grammar, GrammarKind
from tgicli.engine.llama import llama_cpp
from tgicli.engine.model import Model
from tgicli.errors import DecodeFailed, GrammarInvalid

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

Ids = npt.NDArray[np.int32]

# At most one blank between two JSON tokens, as TGI has it.
_COMPACT: JsonCompileOptions = {"whitespace_pattern": " ?"}
# Ways to read a text that are followed, for one token and at one place: so many take 10 ms or 20,
# and an object may have 200 optional keys. With llguidance's own limits a token can take seconds.
_LIMITS = LLParserLimits(step_max_items=5_000, max_items_in_row=1_000, verbose_errors=False)
_TOO_MANY = re.compile("Too many items|Current row has")
MOST_CHARACTERS = 65_536  # of a grammar
_MARK = b"\x02"  # merges with nothing
_NAMES = {
    GrammarKind.JSON_SCHEMA: "JSON schema",
    GrammarKind.REGEX: "regex",
    GrammarKind.GBNF: "GBNF grammar",
}


class Constraint:
    """One sequence's place in its grammar.

    After what completes the grammar only end tokens are allowed, so the answer ends by itself.
    """

    def __init__(self, matcher: LLMatcher, n_vocab: int) -> None:
        self._matcher = matcher
        self._n_vocab = n_vocab
        self._bits = allocate_token_bitmask(1, n_vocab)

    def allowed(self) -> Ids:
        """Return the ids that may come next, in increasing order; at least one.

        Raises:
            DecodeFailed: the grammar can't go on.
        """
        fill_next_token_bitmask(self._matcher, self._bits)
        self._check()
        flags = np.unpackbits(self._bits.view(np.uint8)[0], count=self._n_vocab, bitorder="little")
        ids = np.flatnonzero(flags.view(np.bool_)).astype(np.int32)
        if len(ids) == 0:
            raise DecodeFailed("the grammar allows none of the model's tokens here")
        return ids

    def accept(self, token_id: int) -> None:
        """Go on by an allowed token. Raises DecodeFailed if the grammar can't."""
        self._matcher.consume_token(token_id)
        self._check()

    @property
    def is_fulfilled(self) -> bool:
        """Whether the answer may end here."""
        return self._matcher.is_accepting()

    def _check(self) -> None:
        if not self._matcher.is_error():
            return
        reason = _reason(self._matcher.get_error())
        if _TOO_MANY.search(reason):
            raise _TooAmbiguous("the grammar is too ambiguous: a text can be read in too many ways")
        raise DecodeFailed(f"the grammar failed: {reason}")


class _TooAmbiguous(DecodeFailed):
    """To see what is allowed next would take so long that all other sequences would wait."""


class GrammarCompiler:
    """Compiles grammars for one model. From any thread."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._tokenizer: LLTokenizer | None = None  # a fraction of a second, at the first grammar

    def compile(self, grammar: Grammar) -> Constraint:
        """Return a new constraint. Takes milliseconds; the GIL is free for most of it.

        Raises:
            GrammarInvalid: it is not what its kind says, or asks for what can't be enforced.
        """
        name = _NAMES[grammar.kind]
        if (n := len(grammar.source)) > MOST_CHARACTERS:
            raise GrammarInvalid(
                f"the {name} has {n:,} characters, and may have {MOST_CHARACTERS:,}: a longer one "
                "takes seconds to compile"
            )
        source = _to_llguidance(grammar)
        matcher = LLMatcher(self._shared_tokenizer(), source, log_level=0, limits=_LIMITS)
        if matcher.is_error():
            raise GrammarInvalid(f"the {name} does not compile: {_reason(matcher.get_error())}")
        constraint = Constraint(matcher, self._model.n_vocab)
        try:
            constraint.allowed()  # also computes ahead what the engine thread would have to
        except _TooAmbiguous as error:
            raise GrammarInvalid(f"the {name} can't be followed: {error}") from error
        except DecodeFailed as error:
            raise GrammarInvalid(f"no text fulfils the {name}: {error}") from error
        return constraint

    def _shared_tokenizer(self) -> LLTokenizer:
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = _new_tokenizer(self._model)
            return self._tokenizer


def _to_llguidance(grammar: Grammar) -> str:
    """Write a grammar in llguidance's own form. It checks little; LLMatcher does."""
    match grammar.kind:
        case GrammarKind.JSON_SCHEMA:
            return _from_json_schema(grammar.source)
        case GrammarKind.REGEX:
            return LLMatcher.grammar_from_regex(grammar.source)
        case GrammarKind.GBNF:
            return LLMatcher.grammar_from_lark(_to_lark(grammar.source))


def _from_json_schema(source: str) -> str:
    try:
        schema = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise GrammarInvalid(f"the JSON schema is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise GrammarInvalid(f"a JSON schema is an object, got {source[:20]!r}")
    subschemas = list(_subschemas(schema))
    _type(subschemas)
    _close(subschemas)
    try:
        return LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=_COMPACT)
    except (ValueError, RecursionError) as error:  # nested too deeply
        raise GrammarInvalid(f"the JSON schema does not compile: {error}") from error


def _type(subschemas: list[dict[str, Any]]) -> None:
    """Let what speaks of properties be an object, where no schema says what it is.

    JSON Schema lets it be anything else, too; TGI's clients write so and mean an object.
    """
    for schema in subschemas:
        if schema.keys() & _OF_OBJECTS and not schema.keys() & _SAYING_WHAT:
            schema["type"] = "object"


def _close(subschemas: list[dict[str, Any]]) -> None:
    """Let no object have properties that its schema does not name, unless it says that it may.

    JSON Schema allows any others, and so a model might never stop; TGI and llama.cpp write none
    either. Where objects are made of several schemas that must all hold, nothing is changed: each
    of these would forbid what the others ask for.
    """
    if any(_combines(schema) for schema in subschemas):
        return
    for schema in subschemas:
        names = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
        has_names = names and all(name in names for name in _parts(schema.get("required")))
        if has_names and not schema.keys() & _OPENERS:
            schema["additionalProperties"] = False


# Keywords: that speak of objects only, that say what a value is, that say which other properties
# there may be, that hold one schema, several, named ones
_OF_OBJECTS = {
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "minProperties",
    "maxProperties",
}
_SAYING_WHAT = {"type", "const", "enum", "$ref", "anyOf", "oneOf", "allOf"}
_OPENERS = {"additionalProperties", "patternProperties", "x-guidance"}
_WITH_ONE = ("items", "additionalProperties")
_WITH_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_WITH_NAMED = ("properties", "patternProperties", "$defs", "definitions")


def _combines(schema: dict[str, Any]) -> bool:
    """Whether more than one of its keywords, or of its schemas, describe the same object."""
    n_keywords = sum(key in schema for key in ("properties", "anyOf", "oneOf", "$ref"))
    return n_keywords + len(_parts(schema.get("allOf"))) > 1


def _subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and all that it contains. Values (const, enum, ...) are no schemas."""
    unseen = [schema]
    while unseen:
        found = unseen.pop()
        if isinstance(found, dict):
            yield found
            unseen += [found.get(key) for key in _WITH_ONE]
            for key in (*_WITH_MANY, *_WITH_NAMED):
                unseen += _parts(found.get(key))


def _parts(value: Any) -> list[Any]:
    """Return what a keyword's value is made of; nothing if it is not what it should be."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _to_lark(gbnf: str) -> str:
    try:
        return gbnf_to_lark(_ESCAPE.sub(_to_character, gbnf))
    except IndexError as error:
        raise GrammarInvalid("the GBNF grammar ends inside an escape") from error
    except Exception as error:  # the converter raises nothing narrower
        raise GrammarInvalid(f"the GBNF grammar can't be converted: {error}") from error


# A backslash that is itself escaped begins none.
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|.)")


def _to_character(escape: re.Match[str]) -> str:
    """Write a Unicode escape as the character itself: the converter loses its leading zeros."""
    digits = escape[1] or escape[2]
    if not digits:
        return escape[0]
    code = int(digits, 16)
    if code > 0x10FFFF:
        raise ValueError(f"{escape[0]} is no character")
    return chr(code) if code >= 0xA0 else f"\\x{code:02x}"


def _reason(message: str) -> str:
    """Return what llguidance complains about, without its drawings of where, in one line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    for line in lines:
        if line.startswith("error: "):  # the regex parser's own words, below such a drawing
            return line.removeprefix("error: ")
    return re.sub(r"^(at )?\d+\(\d+\): ", "", lines[0]) if lines else "no reason given"


class _Vocabulary:
    """A model's tokens as llguidance asks for them."""

    def __init__(self, model: Model, end_ids: list[int]) -> None:
        pieces = [model.piece(token_id) for token_id in range(model.n_vocab)]
        self._model = model
        self._mark_ids = _plain_ids(model, _MARK)
        self.tokens = [piece.data for piece in pieces]
        self.special_token_ids = [i for i, piece in enumerate(pieces) if piece.special]
        self.eos_token_id = end_ids[0]
        self.bos_token_id: int | None = None

    def __call__(self, text: bytes) -> list[int]:
        """Tokenise what a grammar forces, as the model would: that is what is then allowed.

        SentencePiece puts a blank before a text; so it goes before a mark, and both are cut off.
        """
        ids = _plain_ids(self._model, text)
        if b"".join(self.tokens[i] for i in ids) == text:
            return ids
        return _plain_ids(self._model, _MARK + text)[len(self._mark_ids) :]


def _plain_ids(model: Model, text: bytes) -> list[int]:
    """Return a text's tokens, none of them a control token that it happens to spell."""
    size = len(text) + 2
    ids = (llama_cpp.llama_token * size)()
    n = llama_cpp.llama_tokenize(model.vocab, text, len(text), ids, size, False, False)
    return list(ids[:n])


def _new_tokenizer(model: Model) -> LLTokenizer:
    end_ids = [token_id for token_id in range(model.n_vocab) if model.piece(token_id).ends]
    if not end_ids:
        raise GrammarInvalid(
            f"{model.path.name} has no end-of-sequence token, so no grammar can end its answer"
        )
    vocabulary = TokenizerWrapper(_Vocabulary(model, end_ids))
    return LLTokenizer(vocabulary, n_vocab=model.n_vocab, eos_token=end_ids)
