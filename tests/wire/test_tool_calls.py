"""Tool calls: any split of a text gives the same pieces, and nothing is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tgicli.core import Tool
from tgicli.errors import RequestError
from tgicli.wire.tool_calls import (
    CallArguments,
    CallStart,
    ForcedCall,
    FreeAnswer,
    Piece,
    TextPiece,
    WrittenCall,
    calls_grammar,
    forced_tools,
    read_calls,
)

NAMES = ("weather", "add")
WEATHER = '{"name": "weather", "arguments": {"city": "Paris"}}'
ADD = '{"name":"add","parameters":{"a":1}}'
PARIS = WrittenCall("weather", '{"city": "Paris"}')
ONE = WrittenCall("add", '{"a":1}')


def push(splitter: ForcedCall | FreeAnswer, texts: Iterable[str]) -> list[Piece]:
    """Return all pieces, neighbours of a kind joined."""
    pieces = [piece for text in texts for piece in splitter.push(text)]
    return joined([*pieces, *splitter.finish()])


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    result: list[Piece] = []
    for piece in pieces:
        match result[-1] if result else None, piece:
            case TextPiece(before), TextPiece(text):
                result[-1] = TextPiece(before + text)
            case CallArguments(index, before), CallArguments(same, text) if index == same:
                result[-1] = CallArguments(index, before + text)
            case _:
                result.append(piece)
    return result


def cut(text: str, places: Sequence[int]) -> list[str]:
    """Cut a text at these places, which may repeat or lie outside."""
    ends = sorted({min(place, len(text)) for place in places} | {0, len(text)})
    return ["", *(text[start:end] for start, end in pairwise(ends)), ""]


PLACES = st.lists(st.integers(0, 120), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(), JSON, max_size=3)
# Pieces of calls in any order: what is nearly a call is where a splitter errs.
NEARLY_CALLS = st.lists(
    st.sampled_from(
        ["<tool_call>", "</tool_call>", WEATHER, ADD, "[", "]", ",", "{", '"name"', " ", "\n", "Hi"]
    ),
    max_size=7,
).map("".join)


@given(text=NEARLY_CALLS | st.text(max_size=30), places=PLACES)
@example(text="<tool", places=[2])
@example(text=WEATHER + ADD, places=[3, 60])
@example(text=f"Hi <tool_call>{ADD}", places=[4, 30])
@example(text=f"Hi{WEATHER}", places=[2])
def test_a_free_answer_is_split_alike_however_it_comes(text: str, places: list[int]):
    pieces = push(FreeAnswer(NAMES), cut(text, places))

    assert pieces == push(FreeAnswer(NAMES), [text])
    words, calls = told_apart(text)
    assert [piece for piece in pieces if isinstance(piece, TextPiece)] == (
        [TextPiece(words)] if words else []
    )
    assert [piece.name for piece in pieces if isinstance(piece, CallStart)] == [
        call.name for call in calls
    ]


def told_apart(text: str) -> tuple[str, list[WrittenCall]]:
    """Return the words and the calls of a whole answer."""
    words, tag, rest = "", "", text
    if not re.match(r'\s*(<tool_call>|\{\s*"name")', text):
        words, tag, rest = text.partition("<tool_call>")
    calls = read_calls(tag + rest, NAMES)
    return (words if calls else text), calls


SAID = "<think>\nIs it {warm}?\n</think>\n\nLet me < look"
CALLED = f"<tool_call>\n{WEATHER}\n</tool_call>\n"


@given(places=PLACES)
@example(places=[*range(len(SAID + CALLED))])
def test_words_may_come_before_calls(places: list[int]):
    pieces = push(FreeAnswer(NAMES), cut(SAID + CALLED + f"<tool_call>{ADD}", places))

    assert pieces == [
        TextPiece(SAID),
        CallStart(0, "weather"),
        CallArguments(0, '{"city": "Paris"}'),
        CallStart(1, "add"),
        CallArguments(1, '{"a":1}'),
    ]


@given(places=PLACES)
@example(places=[*range(len(SAID + CALLED))])
def test_words_may_come_before_a_forced_call(places: list[int]):
    pieces = push(ForcedCall(), cut(SAID + CALLED, places))

    assert pieces == [
        TextPiece(SAID),
        CallStart(0, "weather"),
        CallArguments(0, '{"city": "Paris"}'),
    ]


@pytest.mark.parametrize("kind", [ForcedCall, lambda: FreeAnswer(NAMES)], ids=["forced", "free"])
def test_words_come_at_once_but_for_what_may_become_a_tag(
    kind: Callable[[], ForcedCall | FreeAnswer],
):
    splitter = kind()

    said = [[*splitter.push(text)] for text in ("Hi <", "b> ", "<tool", "s")]

    assert said == [[TextPiece("Hi ")], [TextPiece("<b> ")], [], [TextPiece("<tools")]]


@pytest.mark.parametrize(
    "text",
    [f"Hi {WEATHER}", f"{CALLED}Hi", f"Hi {CALLED}Hi {CALLED}", f"Hi <tool_call> {CALLED}"],
    ids=["bare", "behind", "between", "a tag of words"],
)
def test_other_words_beside_calls_make_them_words(text: str):
    assert push(FreeAnswer(NAMES), [text]) == [TextPiece(text)]


@given(arguments=ARGUMENTS, places=PLACES, separators=st.sampled_from([(",", ":"), (", ", ": ")]))
@example(arguments={"}": '{"\\'}, places=[*range(60)], separators=(", ", ": "))
def test_a_forced_call_gives_its_arguments_as_they_were_written(
    arguments: dict[str, object], places: list[int], separators: tuple[str, str]
):
    written = json.dumps(arguments, ensure_ascii=False, separators=separators)
    text = json.dumps({"name": "add", "arguments": "?"}, separators=separators)

    pieces = push(ForcedCall(), cut(text.replace('"?"', written), places))

    assert pieces == [CallStart(0, "add"), CallArguments(0, written)]


@given(places=PLACES)
def test_a_forced_call_may_stand_within_tags(places: list[int]):
    pieces = push(ForcedCall(), cut(f"<tool_call>\n{WEATHER}\n</tool_call>\n", places))

    assert pieces == [CallStart(0, "weather"), CallArguments(0, '{"city": "Paris"}')]


@given(length=st.integers(0, len(WEATHER)), places=PLACES)
def test_a_forced_call_that_is_cut_off_loses_nothing(length: int, places: list[int]):
    text = WEATHER[:length]

    pieces = push(ForcedCall(), cut(text, places))

    match pieces:
        case [CallStart(0, "weather"), CallArguments(0, arguments)]:
            assert '{"city": "Paris"}'.startswith(arguments)
            assert arguments in text
        case _:
            assert pieces == ([TextPiece(text)] if text else [])
            assert length <= WEATHER.index('{"city"')


@given(text=st.text(max_size=30), places=PLACES)
@example(text=r'{"name":"\x","arguments":{}}', places=[])
def test_what_no_grammar_forced_is_text(text: str, places: list[int]):
    assert push(ForcedCall(), cut(text, places)) == ([TextPiece(text)] if text else [])


def test_a_forced_calls_name_comes_before_its_first_argument():
    splitter = ForcedCall()

    assert list(splitter.push('{"name":"add","arguments":')) == []
    assert list(splitter.push('{"a":')) == [CallStart(0, "add"), CallArguments(0, '{"a":')]
    assert list(splitter.push("1}")) == [CallArguments(0, "1}")]
    assert list(splitter.push("}")) == []


@pytest.mark.parametrize(
    "text", ["H", "<b>", "{}", '{"nam3"', "<tool_calls", '{"n ame"', "[", "\tx"]
)
def test_what_can_be_no_call_is_text_at_once(text: str):
    assert joined(FreeAnswer(NAMES).push(text)) == [TextPiece(text)]


@pytest.mark.parametrize("text", [" ", "<to", "<tool_call>", "\n{", '{ "na', '{"name": "x'])
def test_what_may_become_a_call_is_held_back(text: str):
    assert list(FreeAnswer(NAMES).push(text)) == []


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (WEATHER, [PARIS]),
        (f" {ADD}\n", [ONE]),
        (f"{WEATHER}\n{ADD}", [PARIS, ONE]),
        (f"<tool_call>\n{WEATHER}\n</tool_call>", [PARIS]),
        (f"<tool_call>{WEATHER}", [PARIS]),
        (f"<tool_call>{WEATHER}</tool_call>\n<tool_call>{ADD}</tool_call>", [PARIS, ONE]),
        (f"<tool_call>[{WEATHER}, {ADD}]</tool_call>", [PARIS, ONE]),
        ("", []),
        ("<tool_call></tool_call>", []),
        ("<tool_call>[]</tool_call>", []),
        (f"[{WEATHER}]", []),
        (f"I call {WEATHER}", []),
        (f"{WEATHER} as you wish", []),
        (f"<tool_call>{WEATHER} {ADD}</tool_call>", []),
        ('{"name": "Alice", "arguments": {}}', []),
        ('{"name": "add", "arguments": [1]}', []),
        ('{"name": "add", "arguments": "{}"}', []),
        ('{"name": "add"}', []),
        ('{"name": "add", "arguments": {"a": NaN}}', []),
        ('{"name": "add", "arguments": {"a": 1}', []),
        ('{"name": ' + "[" * 100_000, []),
    ],
    ids=lambda value: str(value)[:60],
)
def test_only_an_answer_that_is_all_calls_of_known_tools_is_calls(
    text: str, calls: list[WrittenCall]
):
    assert read_calls(text, NAMES) == calls


def test_without_parallel_calls_the_first_one_is_given():
    pieces = push(FreeAnswer(NAMES, parallel=False), [WEATHER + ADD])

    assert pieces == [CallStart(0, "weather"), CallArguments(0, '{"city": "Paris"}')]


def test_the_grammar_allows_each_tools_call_and_keeps_references_valid():
    parameters = {"properties": {"p": {"$ref": "#/$defs/P"}, "$ref": {"type": "string"}}}
    tools = [Tool("add", None, "{}"), Tool("draw", None, json.dumps(parameters))]

    schema = json.loads(calls_grammar(tools).source)

    assert schema["$defs"] == {
        "tool0": {"type": "object"},
        "tool1": {
            "properties": {"p": {"$ref": "#/$defs/tool1/$defs/P"}, "$ref": {"type": "string"}},
            "type": "object",
        },
    }
    assert [call["properties"] for call in schema["anyOf"]] == [
        {"name": {"const": "add"}, "arguments": {"$ref": "#/$defs/tool0"}},
        {"name": {"const": "draw"}, "arguments": {"$ref": "#/$defs/tool1"}},
    ]


def test_parameters_that_are_nested_too_deeply_are_refused():
    parameters = '{"a":' * 900 + "{}" + "}" * 900

    with pytest.raises(RequestError, match="nested too deeply"):
        calls_grammar([Tool("deep", None, parameters)])


def test_what_a_grammar_forces_can_be_read_off_it():
    add, now, other = (Tool(name, None, "{}") for name in ("add", "now", "other"))
    tools = (add, now)

    assert forced_tools(calls_grammar(tools), tools) == tools
    assert forced_tools(calls_grammar([now]), tools) == (now,)
    assert forced_tools(calls_grammar([other]), tools) == ()
    assert forced_tools(None, tools) == ()
