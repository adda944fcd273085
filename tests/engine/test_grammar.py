"""Grammars, enforced on models that would write anything else."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.engine.grammars import REGEXES, SCHEMAS, obj, regex, schema_grammar
from tests.engine.running import GREEDY, Answers, alone, answering
from tgicli.core import Grammar, GrammarKind, SamplingParams
from tgicli.engine.grammar import Constraint, GrammarCompiler
from tgicli.engine.model import LoadOptions, Model
from tgicli.engine.sequence import Sequence as LivingSequence
from tgicli.errors import DecodeFailed, GrammarInvalid

PROMPT = [30, 90, 127, 90, 30, 181, 90]
HOT = SamplingParams(temperature=1.0, seed=0)
SEEDS = range(3)
N_NEW = 900


@dataclass
class Writer:
    """A model that is stepped by hand, and the grammars compiled for it."""

    answers: Answers
    compiler: GrammarCompiler

    def submit(
        self,
        name: str,
        grammar: Grammar,
        params: SamplingParams = HOT,
        *,
        prompt: Sequence[int] = PROMPT,
        n_new: int = N_NEW,
        constraint: Constraint | None = None,
    ) -> None:
        params = replace(params, grammar=grammar)
        constraint = constraint or self.compiler.compile(grammar)
        sequence = LivingSequence(name, list(prompt), params, n_new, constraint=constraint)
        self.answers.submit_sequence(sequence)

    def write(
        self, grammar: Grammar, params: SamplingParams = HOT, *, prompt: Sequence[int] = PROMPT
    ) -> list[str]:
        """Return one whole answer for each seed, all written at once."""
        names = [f"seed {seed}" for seed in SEEDS]
        for name, seed in zip(names, SEEDS, strict=True):
            self.submit(name, grammar, replace(params, seed=seed), prompt=prompt)
        self.answers.run()
        assert [self.answers.finish[name].reason for name in names] == ["eos_token"] * len(names)
        assert not any(token.special for name in names for token in self.answers.tokens[name][:-1])
        return [self.answers.text(name) for name in names]

    def ids(self, grammar: Grammar, params: SamplingParams, *, n_new: int) -> list[int]:
        self.submit("alone", grammar, params, n_new=n_new)
        self.answers.run()
        return self.answers.ids("alone")


@contextmanager
def writing(path: Path, *, n_lanes: int = len(SEEDS)) -> Iterator[Writer]:
    with answering(path, n_lanes=n_lanes, n_ctx=1024) as answers:
        yield Writer(answers, GrammarCompiler(answers.model))


@pytest.fixture
def compiler(tiny_model: Path) -> Iterator[GrammarCompiler]:
    model = Model.load(tiny_model, LoadOptions())
    yield GrammarCompiler(model)
    model.close()


def gbnf(source: str) -> Grammar:
    return Grammar(GrammarKind.GBNF, source)


def allows(compiler: GrammarCompiler, grammar: Grammar, text: str) -> bool:
    """Whether a text, byte by byte, is a whole answer."""
    model = compiler._model
    by_byte = {model.piece(i).data: i for i in reversed(range(model.n_vocab))}
    end_id = next(i for i in range(model.n_vocab) if model.piece(i).ends)
    constraint = compiler.compile(grammar)
    try:
        for byte in text.encode():
            constraint.accept(by_byte[bytes([byte])])
    except DecodeFailed:
        return False
    return end_id in constraint.allowed()


def check_schema(answer: str, schema: dict[str, Any]) -> None:
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(json.loads(answer))


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_every_answer_fulfils_its_schema(tiny_model: Path, schema: dict[str, Any]) -> None:
    with writing(tiny_model) as writer:
        answers = writer.write(schema_grammar(schema))

    for answer in answers:
        check_schema(answer, schema)


@pytest.mark.parametrize("name", ["llama", "llama_spm"])
@pytest.mark.parametrize("source", REGEXES)
def test_every_answer_matches_its_regex(
    tiny_models: Callable[[str], Path], name: str, source: str
) -> None:
    with writing(tiny_models(name)) as writer:
        answers = writer.write(regex(source))

    assert [answer for answer in answers if not re.fullmatch(source, answer)] == []


@pytest.mark.parametrize("source", [r"<\|im_start\|>ok", r"(<\|bos\|>|<\|im_start\|>)+ok"])
def test_a_control_token_s_name_is_written_as_text(tiny_model: Path, source: str) -> None:
    with writing(tiny_model) as writer:
        answers = writer.write(regex(source), replace(HOT, logit_bias=((0, 100.0), (2, 100.0))))

    assert all(re.fullmatch(source, answer) for answer in answers)


@pytest.mark.model
@pytest.mark.parametrize("name", ["flat", "array", "formats", "unicode", "references"])
def test_a_real_model_fulfils_a_schema_too(demo_model: Path, name: str) -> None:
    with writing(demo_model) as writer:
        prompt = writer.answers.model.tokenize("An example in JSON:\n", add_special=True)
        answers = writer.write(schema_grammar(SCHEMAS[name]), prompt=prompt)

    for answer in answers:
        check_schema(answer, SCHEMAS[name])


@pytest.mark.parametrize(
    "params",
    [
        GREEDY,
        replace(HOT, repetition_penalty=1.8, frequency_penalty=1.0, presence_penalty=1.0),
        replace(HOT, top_k=3, top_p=0.9, min_p=0.05, temperature=3.0),
        replace(HOT, typical_p=0.5),
        replace(HOT, logprobs=True, top_n_tokens=5),
        replace(HOT, logit_bias=((50, 100.0), (0, 100.0), (1, 100.0))),
    ],
    ids=["greedy", "penalties", "filters", "typical", "logprobs", "bias"],
)
def test_a_grammar_holds_whatever_else_is_asked_for(
    tiny_model: Path, params: SamplingParams
) -> None:
    source = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}){0,9}"

    with writing(tiny_model) as writer:
        if params is GREEDY:
            writer.ids(regex(source), params, n_new=50)
            answers = [writer.answers.text("alone")]
        else:
            answers = writer.write(regex(source), params)

    assert all(re.fullmatch(source, answer) for answer in answers)


@pytest.mark.parametrize("letter", ["x", "y", "z"])
@pytest.mark.parametrize("logprobs", [False, True])
def test_a_logit_bias_counts_among_the_allowed_tokens(
    tiny_model: Path, letter: str, logprobs: bool
) -> None:
    with writing(tiny_model) as writer:
        (token_id,) = writer.answers.model.tokenize(letter, add_special=False)
        bias = ((token_id, 50.0), (999_999, 100.0))
        biased = replace(GREEDY, logit_bias=bias, logprobs=logprobs)
        first = writer.ids(regex("[xyz]"), biased, n_new=4)[0]

    assert first == token_id


def test_log_probabilities_are_shared_among_the_allowed_tokens(tiny_model: Path) -> None:
    with writing(tiny_model) as writer:
        writer.ids(regex("[xyz]"), replace(HOT, top_n_tokens=5), n_new=4)
        first, last = writer.answers.tokens["alone"]

    assert sorted(top.text for top in first.top) == ["x", "y", "z"]
    assert sum(2.718281828**top.logprob for top in first.top) == pytest.approx(1)
    assert {top.text for top in last.top} == {"<|eos|>", "<|im_end|>"}
    assert [top.special for top in (*first.top, *last.top)] == [False] * 3 + [True] * 2


def test_the_likeliest_of_the_allowed_tokens_is_as_likely_as_the_model_says(
    tiny_model: Path,
) -> None:
    everything = replace(GREEDY, top_n_tokens=60)
    with writing(tiny_model) as writer:
        writer.answers.answer(PROMPT, everything, n_new=1)
        likely = [
            top.text for top in writer.answers.tokens["alone"][0].top if top.text in ascii_lowercase
        ]

        writer.ids(regex(f"[{''.join(likely)}]"), everything, n_new=1)
        first = writer.answers.tokens["alone"][0]

    assert [top.text for top in first.top] == likely


def test_penalties_count_what_was_written_under_a_grammar(tiny_model: Path) -> None:
    likely = tuple((token_id, 100.0) for token_id in range(256))

    with writing(tiny_model) as writer:
        params = replace(GREEDY, repetition_penalty=1e6, logit_bias=likely)
        writer.ids(regex("[a-z]{12}"), params, n_new=12)

        assert len(set(writer.answers.text("alone"))) == 12


def test_an_answer_is_cut_by_its_length_as_any_other(tiny_model: Path) -> None:
    with writing(tiny_model) as writer:
        writer.ids(regex("[a-z]{40}"), HOT, n_new=7)

        assert writer.answers.finish["alone"].reason == "length"
        assert re.fullmatch("[a-z]+", writer.answers.text("alone"))


def test_without_an_end_only_end_tokens_follow(tiny_model: Path) -> None:
    with writing(tiny_model) as writer:
        writer.ids(regex("ok"), replace(HOT, ignore_eos=True), n_new=12)

        assert writer.answers.text("alone") == "ok"
        assert len(writer.answers.tokens["alone"]) == 12


def test_neighbours_of_a_grammar_write_what_they_write_alone(tiny_model: Path) -> None:
    prompts = {"a": PROMPT, "b": [5, 6, 7]}
    expected = alone(tiny_model, prompts, n_new=40)

    with writing(tiny_model, n_lanes=4) as writer:
        for name, prompt in prompts.items():
            writer.answers.submit(name, prompt, n_new=40)
            writer.submit(f"{name} in JSON", schema_grammar(SCHEMAS["flat"]), prompt=prompt)
        writer.answers.run()

        assert {name: writer.answers.ids(name) for name in prompts} == expected


def test_a_seed_gives_the_same_answer_alone_and_in_a_batch(tiny_model: Path) -> None:
    grammars = {name: schema_grammar(SCHEMAS[name]) for name in ("flat", "enum", "bounds")}
    params = replace(HOT, seed=11)
    with writing(tiny_model, n_lanes=1) as writer:
        expected = {
            name: writer.ids(grammar, params, n_new=60) for name, grammar in grammars.items()
        }

    with writing(tiny_model, n_lanes=4) as writer:
        writer.answers.submit("free", PROMPT, n_new=60)
        for name, grammar in grammars.items():
            writer.submit(name, grammar, params, n_new=60)
        writer.answers.run()

        assert {name: writer.answers.ids(name) for name in grammars} == expected


def test_a_grammar_that_fails_ends_its_sequence_and_no_other(tiny_model: Path) -> None:
    expected = alone(tiny_model, {"x": PROMPT}, HOT, n_new=20)["x"]
    with writing(tiny_model) as writer:
        broken = writer.compiler.compile(regex("yes"))
        with pytest.raises(DecodeFailed):
            broken.accept(PROMPT[0])

        writer.answers.submit("free", PROMPT, HOT, n_new=20)
        writer.submit("broken", regex("yes"), constraint=broken)
        writer.answers.run()

        assert isinstance(error := writer.answers.errors["broken"], DecodeFailed)
        assert "doesn't satisfy the grammar" in str(error)
        assert writer.answers.ids("free") == expected


def test_a_grammar_that_fails_in_the_midst_leaves_its_neighbour_s_draws_alone(
    tiny_model: Path,
) -> None:
    expected = alone(tiny_model, {"x": PROMPT}, HOT, n_new=20)["x"]
    with writing(tiny_model) as writer:
        breaking = writer.compiler.compile(regex("[a-z]{90}"))
        writer.answers.submit("free", PROMPT, HOT, n_new=20)
        writer.submit("breaking", regex("[a-z]{90}"), constraint=breaking)
        while not writer.answers.tokens["breaking"]:
            writer.answers.step()

        with pytest.raises(DecodeFailed):
            breaking.accept(PROMPT[0])
        writer.answers.run()

        assert isinstance(writer.answers.errors["breaking"], DecodeFailed)
        assert writer.answers.ids("free") == expected


@pytest.mark.parametrize(
    ("grammar", "is_fulfilled"),
    [(regex("[a-z]+"), True), (regex("[a-z]{90}"), False)],
)
def test_an_answer_that_its_length_ends_tells_whether_its_grammar_allows_an_end_there(
    tiny_model: Path, grammar: Grammar, is_fulfilled: bool
) -> None:
    with writing(tiny_model) as writer:
        writer.submit("cut", grammar, n_new=3)
        writer.submit("free", regex("a"))
        writer.answers.submit("unbound", PROMPT, n_new=3)
        writer.answers.run()

        finish = writer.answers.finish
        assert finish["cut"].reason == "length"
        assert finish["cut"].fulfils_grammar == is_fulfilled
        assert finish["free"].fulfils_grammar
        assert finish["unbound"].fulfils_grammar is None


def test_a_grammar_must_be_compiled_before_its_sequence_exists() -> None:
    params = replace(HOT, grammar=regex("a"))

    with pytest.raises(AssertionError, match="compiled at admission"):
        LivingSequence("x", [1], params, 4)


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ('{"b":1,"a":{"c":2}}', True),
        ('{ "b" : 1 , "a" : { "c" : 2 } }', True),
        ('{"a":{"c":2},"b":1}', False),  # not the schema's order
        ('{"b":  1,"a":{"c":2}}', False),  # two blanks
        ('{"b":1,\n"a":{"c":2}}', False),
        ('{"b":1,"a":{"c":2}} ', False),
        ('{"b":1}', False),
    ],
)
def test_json_is_compact_and_its_keys_are_in_the_schemas_order(
    compiler: GrammarCompiler, answer: str, allowed: bool
) -> None:
    schema = obj(b={"type": "integer"}, a=obj(c={"type": "integer"}))

    assert allows(compiler, schema_grammar(schema), answer) is allowed


@pytest.mark.model
def test_a_grammar_that_begins_too_ambiguously_is_refused(demo_model: Path) -> None:
    with (
        writing(demo_model) as writer,
        pytest.raises(GrammarInvalid, match="can't be followed: the grammar is too ambiguous"),
    ):
        writer.compiler.compile(gbnf("root ::= x*\nx ::= [^z] | x x"))


def test_an_object_may_have_many_optional_keys(compiler: GrammarCompiler) -> None:
    keys = {f"k{number}": {"const": 1} for number in range(200)}

    assert allows(compiler, schema_grammar({"properties": keys}), '{"k199":1}')


def test_an_ambiguous_grammar_ends_before_it_is_slow(compiler: GrammarCompiler) -> None:
    constraint = compiler.compile(gbnf("root ::= root root | [a-z]"))
    letter_id = constraint.allowed()[0].item()
    steps_s: list[float] = []

    def go_on() -> None:
        for _ in range(500):
            began_s = time.perf_counter()
            constraint.accept(letter_id)
            constraint.allowed()
            steps_s.append(time.perf_counter() - began_s)

    with pytest.raises(DecodeFailed, match="too ambiguous"):
        go_on()

    assert max(steps_s) < 0.5


ONE = {"type": "object", "properties": {"a": {"const": 1}}}
TWO = {"type": "object", "properties": {"b": {"const": 2}}}


@pytest.mark.parametrize(
    ("schema", "answer", "allowed"),
    [
        (ONE, '{"a":1}', True),
        (ONE, '{"a":1,"b":2}', False),
        (ONE | {"additionalProperties": True}, '{"a":1,"b":2}', True),
        (ONE | {"patternProperties": {"^x": {"const": 1}}}, '{"a":1,"b":2}', True),
        ({"type": "array", "items": ONE}, '[{"b":2}]', False),
        ({"type": "array", "prefixItems": [ONE], "items": False}, '[{"b":2}]', False),
        ({"type": "object", "additionalProperties": ONE}, '{"k":{"b":2}}', False),
        ({"type": "object", "patternProperties": {"^k": ONE}}, '{"k":{"b":2}}', False),
        ({"$ref": "#/definitions/one", "definitions": {"one": ONE}}, '{"b":2}', False),
        ({"anyOf": [ONE, TWO]}, '{"b":2}', True),
        ({"anyOf": [ONE, TWO]}, '{"c":3}', False),
        ({"allOf": [ONE, TWO]}, '{"a":1,"b":2}', True),
        (ONE | {"allOf": [TWO]}, '{"a":1,"b":2}', True),
        (ONE | {"anyOf": [TWO]}, '{"a":1,"b":2}', True),
        (ONE | {"oneOf": [TWO]}, '{"a":1,"b":2}', True),
        (ONE | {"$ref": "#/$defs/two", "$defs": {"two": TWO}}, '{"a":1,"b":2}', True),
        ({"allOf": [ONE]}, '{"a":1,"b":2}', False),
        (ONE | {"required": ["b"]}, '{"a":1,"b":2}', True),
        ({"type": "object"}, '{"anything":["at",{"all":null}]}', True),
        ({"const": ONE}, json.dumps(ONE, separators=(",", ":")), True),
    ],
)
def test_properties_that_a_schema_does_not_name_come_only_where_it_says_so(
    compiler: GrammarCompiler, schema: dict[str, Any], answer: str, allowed: bool
) -> None:
    assert allows(compiler, schema_grammar(schema), answer) is allowed


UNTYPED = {"properties": {"a": {"const": 1}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "answer", "allowed"),
    [
        (UNTYPED, '{"a":1}', True),
        (UNTYPED, "7", False),
        (UNTYPED, '{"b":2}', False),
        ({"required": ["a"]}, '"a"', False),
        ({"additionalProperties": {"const": 1}}, "[]", False),
        ({"type": "array", "items": UNTYPED}, "[7]", False),
        ({"properties": {"inner": UNTYPED}, "required": ["inner"]}, '{"inner":"x"}', False),
        ({"anyOf": [UNTYPED, {"type": "null"}]}, "null", True),
        ({"anyOf": [UNTYPED, {"type": "null"}]}, "true", False),
        ({"type": ["object", "null"], **UNTYPED}, "null", True),
        ({"properties": {"properties": {"const": 1}}}, '{"properties":1}', True),
        ({"anyOf": [{"type": "null"}, UNTYPED], "minProperties": 0}, "null", True),
        ({"$ref": "#/$defs/n", "minProperties": 0, "$defs": {"n": {"type": "null"}}}, "null", True),
        ({"properties": {}}, '{"a":1}', True),
        ({"enum": [7], "required": ["a"]}, "7", True),
        ({"const": UNTYPED}, json.dumps(UNTYPED, separators=(",", ":")), True),
    ],
)
def test_a_schema_that_speaks_of_properties_means_an_object(
    compiler: GrammarCompiler, schema: dict[str, Any], answer: str, allowed: bool
) -> None:
    assert allows(compiler, schema_grammar(schema), answer) is allowed


@pytest.mark.parametrize(
    ("source", "answer", "allowed"),
    [
        ('root ::= "yes" | "no"', "no", True),
        ('root ::= "yes" | "no"', "noo", False),
        ('root ::= item{2,3}  # a list\nitem ::= "- " [^\\n]+ "\\n"', "- a\n- b\n", True),
        ('root ::= "(" root ")" | "x"', "((x))", True),
        ('root ::= "(" root ")" | "x"', "((x)", False),
        (r'root ::= "\u00e9" [\u00e0-\u00ff] "\x41" "\U0001F600" "\u0022"', 'éèA😀"', True),
        (r'root ::= "\\u00e9"', r"\u00e9", True),
        (r'root ::= "\u000a1"', "\n1", True),
        ('root ::= some-word\nsome-word ::= [a-z]+ "/"?', "word/", True),
    ],
)
def test_gbnf_means_what_llama_cpp_means_by_it(
    compiler: GrammarCompiler, source: str, answer: str, allowed: bool
) -> None:
    assert allows(compiler, gbnf(source), answer) is allowed


@pytest.mark.parametrize(
    ("kind", "source", "message"),
    [
        ("json_schema", '{"type": 3', "the JSON schema is not JSON: Expecting ','"),
        ("json_schema", "[" * 60_000, "the JSON schema is not JSON: maximum recursion"),
        ("json_schema", " " * 70_000, "the JSON schema has 70,000 characters, and may have 65,536"),
        ("json_schema", '{"items":' * 200 + "{}" + "}" * 200, "does not compile: recursion limit"),
        ("json_schema", "[1]", "a JSON schema is an object, got '[1]'"),
        ("json_schema", '{"type":"text"}', "the JSON schema does not compile: Invalid type: text"),
        ("json_schema", '{"properties":5}', "properties must be an object"),
        ("json_schema", '{"not":{}}', 'Unimplemented keys: ["not"]'),
        ("json_schema", '{"type":"string","format":"x"}', "Unknown format: x"),
        (
            "json_schema",
            '{"type":"number","minimum":2,"maximum":1}',
            "minimum (2) is greater than maximum (1)",
        ),
        ("json_schema", '{"$ref":"#/$defs/x"}', "'/$defs/x' does not exist"),
        ("json_schema", '{"$ref":"https://a.b/c"}', "does not fetch resources"),
        ("regex", "(a", "the regex does not compile: unclosed group"),
        ("regex", "(?=a)b", "look-ahead and look-behind, is not supported"),
        ("regex", r"(a)\1", "backreferences are not supported"),
        ("gbnf", "root ::= x", "the GBNF grammar can't be converted: Rule 'x' not found"),
        ("gbnf", 'start ::= "a"', "No 'root' rule found"),
        ("gbnf", 'root ::= "a', "Unexpected end of input at line 1"),
        ("gbnf", 'root ::= "\\', "the GBNF grammar ends inside an escape"),
        ("gbnf", r'root ::= "\U00110000"', r"\U00110000 is no character"),
        ("gbnf", "root ::= [b-a]", "the GBNF grammar does not compile: invalid character class"),
        ("gbnf", 'root ::= "a"{5,2}', "the GBNF grammar does not compile: range end must be >="),
        ("gbnf", "root ::= root", "no text fulfils the GBNF grammar"),
    ],
)
def test_a_grammar_that_does_not_compile_is_refused_with_the_reason(
    compiler: GrammarCompiler, kind: str, source: str, message: str
) -> None:
    with pytest.raises(GrammarInvalid, match=re.escape(message)) as caught:
        compiler.compile(Grammar(GrammarKind(kind), source))

    assert "\n" not in str(caught.value)
