"""Files of prompts: what is read, what is refused and where, and what is drawn."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest

from tgicli.bench.dataset_entries import Item
from tgicli.bench.datasets import (
    Drawn,
    draw,
    read_dataset,
    read_jsonl,
    read_sharegpt,
    read_trace,
    repetition,
)
from tgicli.bench.prompts import Length
from tgicli.bench.result import Severity
from tgicli.bench.ruler import Ruler, Word
from tgicli.bench.trace_blocks import Opening
from tgicli.bench.words import WORDS
from tgicli.core import Message
from tgicli.errors import ConfigError

RULER = Ruler(
    words=(Word("word", 1.0),),
    n_overhead=10.0,
    n_nonce=8.0,
    n_inner_nonce=8.0,
    n_task=9.0,
    characters_per_token=4.0,
)
COUNTING = dataclasses.replace(
    RULER,
    words=tuple(Word(text, 1.0) for text in WORDS),
    n_nonce=9.0,
    n_inner_nonce=9.0,
    n_task=8.0,
)
ITEMS = tuple(Item(prompt=text) for text in "abcde")
MS = 1_000_000


def file(folder: Path, text: str | bytes, name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lines(folder: Path, *entries: object) -> Path:
    return file(folder, "\n".join(json.dumps(entry) for entry in entries))


def conversations(folder: Path, *turns: list[tuple[str, str]]) -> Path:
    entries = [
        {"id": str(number), "conversations": [{"from": who, "value": text} for who, text in turn]}
        for number, turn in enumerate(turns)
    ]
    return file(folder, json.dumps(entries, indent=1), "sharegpt.json")


def test_a_line_is_a_prompt_and_maybe_how_long_the_answer_is(tmp_path: Path):
    path = lines(
        tmp_path,
        {"prompt": "One"},
        {"prompt": "Two", "max_tokens": 5},
        {"prompt": "Three", "output_tokens": 7, "other": None},
    )

    assert read_jsonl(path).items == (
        Item(prompt="One"),
        Item(prompt="Two", max_new_tokens=5),
        Item(prompt="Three", max_new_tokens=7),
    )


def test_a_line_may_be_a_conversation(tmp_path: Path):
    parts = [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]

    (item,) = read_jsonl(lines(tmp_path, {"messages": turns})).items

    assert item.prompt == (Message("system", "Be brief."), Message("user", "Hi"))


def test_blank_lines_and_a_byte_order_mark_are_nothing(tmp_path: Path):
    path = file(tmp_path, b'\xef\xbb\xbf\n{"prompt": "a"}\r\n  \n{"prompt": "b"}\n\n')

    assert [item.prompt for item in read_jsonl(path).items] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"prompt": "a"', "not JSON: .*at 15"),
        ("[1]", "it must be an object, got .1."),
        ("{}", "neither `prompt` nor `messages`"),
        ('{"prompt": ""}', "`prompt` must be text, and not empty, got ''"),
        ('{"prompt": 5}', "`prompt` must be text, and not empty, got 5"),
        ('{"prompt": "a", "messages": []}', "both `prompt` and `messages`"),
        ('{"prompt": "a\\ud800"}', "`prompt` has half a character"),
        ('{"messages": []}', "`messages` is empty"),
        ('{"messages": ["a"]}', "a message must be an object, got 'a'"),
        ('{"messages": [{"content": "a"}]}', "a message's `role` must be text.* got nothing"),
        ('{"messages": [{"role": "user"}]}', "a message's `content` must be a list, got nothing"),
        ('{"messages": [{"role": "user", "content": [{"image": 1}]}]}', "is no text"),
        ('{"prompt": "a", "max_tokens": 0}', "`max_tokens` must be a whole number > 0, got 0"),
        ('{"prompt": "a", "max_tokens": 1.5}', "`max_tokens` must be a whole .* got 1.5"),
        ('{"prompt": "a", "output_tokens": true}', "`output_tokens` must be a whole .* got True"),
        ('{"prompt": "a", "output_tokens": "9"}', "`output_tokens` must be a whole .* got '9'"),
        ('{"prompt": "a", "max_tokens": ' + "9" * 5000 + "}", "JSON that can't be read"),
        ("[" * 100_000, "JSON that can't be read"),
    ],
)
def test_a_bad_line_is_told_by_file_line_and_reason(tmp_path: Path, line: str, words: str):
    path = file(tmp_path, '{"prompt": "good"}\n\n' + line + '\n{"prompt": "good"}')

    with pytest.raises(ConfigError, match=rf"data\.jsonl, line 3: .*{words}"):
        read_jsonl(path)


def test_a_line_that_is_no_utf_8_is_told(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"line 1: not UTF-8 at its byte 13"):
        read_jsonl(file(tmp_path, b'{"prompt": "\xff"}'))


@pytest.mark.parametrize("read", [read_jsonl, read_sharegpt, read_trace, read_dataset])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, read):
    with pytest.raises(ConfigError, match=r"missing can't be read: No such file"):
        read(tmp_path / "missing")


@pytest.mark.parametrize("read", [read_jsonl, read_trace])
def test_a_file_without_a_line_is_told(tmp_path: Path, read):
    with pytest.raises(ConfigError, match="has no prompt"):
        read(file(tmp_path, "\n \n"))


def test_sharegpt_gives_the_first_question_and_the_length_of_its_answer(tmp_path: Path):
    path = conversations(
        tmp_path,
        [("system", "Be kind."), ("human", "Why?"), ("gpt", "x" * 40), ("human", "And?")],
        [("user", "How?"), ("human", "Well?")],
    )

    assert read_dataset(path).items == (
        Item(prompt="Why?", answer="x" * 40),
        Item(prompt="How?"),
    )


def test_conversations_without_a_question_are_left_out_and_counted(tmp_path: Path):
    path = conversations(tmp_path, [("gpt", "Hello")], [], [("human", "Hi")])

    dataset = read_sharegpt(path)

    assert [item.prompt for item in dataset.items] == ["Hi"]
    assert "2 of 3 conversations have no question" in dataset.remarks[0].text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "has no conversation in which a person asks"),
        ('{"a": 1}', "is not a list of conversations"),
        ("[\n1]", "conversation 1: it must be an object, got 1"),
        ('[{"conversations": 5}]', "conversation 1: `conversations` must be a list, got 5"),
        ('[{"conversations": [{"from": "gpt"}]}]', "a turn must have `from` and `value`"),
        ("[\n{,\n]", r"not JSON: .*at line 2, column 2"),
    ],
)
def test_what_is_not_sharegpts_shape_is_told(tmp_path: Path, text: str, words: str):
    with pytest.raises(ConfigError, match=rf"data\.jsonl.*{words}"):
        read_sharegpt(file(tmp_path, text))


def test_a_trace_has_mooncakes_milliseconds_and_lengths(tmp_path: Path):
    path = lines(
        tmp_path,
        {"timestamp": 3000, "input_length": 50, "output_length": 9, "hash_ids": [1, 2]},
        {"timestamp": 1000, "input_length": 60, "output_length": 8, "hash_ids": [1]},
    )

    trace = read_trace(path)

    assert trace.offsets_ns == (0, 2000 * MS)
    assert trace.items == (
        Item(prompt=None, n_prompt_tokens=60, max_new_tokens=8),
        Item(prompt=None, n_prompt_tokens=50, max_new_tokens=9),
    )
    assert "2 requests within 2 s; timestamps read as milliseconds" in trace.remarks[0].text
    assert "hash_ids are not replayed" in trace.remarks[1].text  # [1] has 50 tokens here, there 60


def test_prompts_with_equal_hash_ids_begin_alike(tmp_path: Path):
    path = lines(
        tmp_path,
        {"timestamp": 0, "input_length": 100, "hash_ids": [1, 2, 3, 4]},
        {"timestamp": 1, "input_length": 80, "hash_ids": [1, 2, 9]},
        {"timestamp": 2, "input_length": 90, "hash_ids": [5, 2, 3]},
    )

    trace = read_trace(path)
    texts = [
        str(one.prompt)
        for one in drawn(trace.items, None, ruler=COUNTING, keeps_order=True).prompts
    ]

    assert [n_tokens(text) for text in texts] == [100, 80, 90]
    assert [one.opening for one in trace.items] == [Opening((1, 2), 32), Opening((1, 2), 32), None]
    assert common([text.split() for text in texts[:2]]) == 64
    assert common([text.split() for text in texts[1:]]) == 0
    assert "blocks of 32 tokens: an earlier prompt has 24 %" in trace.remarks[1].text


def test_a_prompt_that_came_before_has_a_number_of_its_own_at_its_end(tmp_path: Path):
    entry = {"timestamp": 0, "input_length": 70, "hash_ids": [1, 2]}

    trace = read_trace(lines(tmp_path, entry, entry))
    first, second = drawn(trace.items, None, ruler=COUNTING).prompts

    assert str(first.prompt).removesuffix(first.nonce) == str(second.prompt).removesuffix(
        second.nonce
    )
    assert first.nonce != second.nonce
    assert [n_tokens(str(one.prompt)) for one in (first, second)] == [70, 70]


def test_a_prompt_too_short_for_its_block_is_its_number(tmp_path: Path):
    entry = {"timestamp": 0, "input_length": 3, "hash_ids": [1]}

    first, second = drawn(read_trace(lines(tmp_path, entry, entry)).items, None).prompts

    assert (first.prompt, second.prompt) == (first.nonce, second.nonce)


def test_a_trace_with_a_decimal_point_has_seconds(tmp_path: Path):
    trace = read_trace(
        lines(tmp_path, {"timestamp": 1, "prompt": "a"}, {"timestamp": 1.25, "prompt": "b"})
    )

    assert trace.offsets_ns == (0, 250 * MS)
    assert [item.prompt for item in trace.items] == ["a", "b"]
    assert len(trace.remarks) == 1


def test_a_trace_is_an_open_loop(tmp_path: Path):
    entries = [{"timestamp": 500 * number, "input_length": 9} for number in range(5)]

    load = read_trace(lines(tmp_path, *entries)).to_open(max_in_flight=3)

    assert (load.rate, load.arrival, load.max_in_flight) == (2.0, "trace", 3)
    assert load.offsets_ns == tuple(500 * MS * number for number in range(5))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"input_length": 5}', "`timestamp` must be a number, got nothing"),
        ('{"timestamp": "5", "input_length": 5}', "`timestamp` must be a number, got '5'"),
        ('{"timestamp": NaN, "input_length": 5}', "`timestamp` must be a number, got nan"),
        ('{"timestamp": 1' + "0" * 400 + ', "input_length": 5}', "`timestamp` must be a number"),
        ('{"timestamp": 5}', "none of `prompt`, `messages` and `input_length`"),
        ('{"timestamp": 5, "input_length": 0}', "`input_length` must be a whole number > 0, got 0"),
        ('{"timestamp": 5, "input_length": 5, "output_length": -1}', "`output_length` .* got -1"),
        ('{"timestamp": 5, "input_length": 5, "hash_ids": 1}', "`hash_ids` must be a list, got 1"),
        (
            '{"timestamp": 5, "input_length": 5, "hash_ids": [1.5]}',
            "`hash_ids` must be whole numbers, got 1.5",
        ),
    ],
)
def test_a_bad_line_of_a_trace_is_told(tmp_path: Path, line: str, words: str):
    with pytest.raises(ConfigError, match=rf"line 1: {words}"):
        read_trace(file(tmp_path, line))


def drawn(
    items: tuple[Item, ...] = ITEMS, n: int | None = 5, *, seed: int = 1, ruler=RULER, **options
):
    lengths = Length(16, 16)
    return draw(items, n, output_tokens=lengths, seed=seed, ruler=ruler, **options)


def letters(found: Drawn) -> str:
    """Return what ITEMS' prompts are behind their numbers, in order."""
    return "".join(str(prompt.prompt)[-1] for prompt in found.prompts)


def n_tokens(text: str) -> int:
    """Count as COUNTING does: words, and nine for a number."""
    return sum(9 if word.isdigit() else 1 for word in text.split())


def common(texts: list[list[str]]) -> int:
    """Return how many words they begin with alike."""
    pairs = enumerate(zip(*texts, strict=False))
    return next(index for index, (one, other) in pairs if one != other)


def test_all_prompts_are_asked_before_one_is_asked_again():
    asked = letters(drawn(n=12))

    assert Counter(Counter(asked).values()) == {2: 3, 3: 2}
    assert set(asked[:5]) == set("abcde")


def test_the_same_seed_draws_the_same_and_another_another():
    assert drawn(n=50, seed=1) == drawn(n=50, seed=1)
    assert letters(drawn(n=50, seed=1)) != letters(drawn(n=50, seed=2))


def test_an_order_may_be_kept():
    assert letters(drawn(n=7, keeps_order=True)) == "abcdeab"


def test_every_prompt_has_a_number_of_its_own_even_when_it_repeats():
    prompts = drawn(n=20).prompts

    assert len({prompt.nonce for prompt in prompts}) == 20
    assert all(str(prompt.prompt)[:-1] == f"{prompt.nonce} " for prompt in prompts)


def test_a_conversations_number_comes_first_of_all():
    chat = Item(prompt=(Message("system", "Be brief."), Message("user", "Hi")))

    (prompt,) = drawn((chat,), 1).prompts

    assert prompt.prompt == (Message("system", f"{prompt.nonce} Be brief."), Message("user", "Hi"))


def test_repeating_is_said():
    (told,) = drawn(n=6).remarks

    assert told.severity is Severity.NOTE
    assert "prompts repeat: 5 for 6 requests" in told.text
    assert drawn(n=5).remarks == ()
    assert repetition(5, 5) is None


def test_an_answer_is_as_long_as_the_file_says_or_as_the_one_it_has():
    items = (
        Item(prompt="a", max_new_tokens=3),
        Item(prompt="b", answer="x" * 40),
        Item(prompt="c"),
    )

    own = drawn(items, 3, keeps_order=True).prompts
    overridden = drawn(items, 3, keeps_order=True, overrides_lengths=True).prompts

    assert [prompt.max_new_tokens for prompt in own] == [3, 10, 16]
    assert [prompt.max_new_tokens for prompt in overridden] == [16, 16, 16]


def test_a_prompt_of_which_only_the_length_is_known_is_made():
    items = (Item(prompt=None, n_prompt_tokens=30), Item(prompt=None, n_prompt_tokens=2))

    long, short = drawn(items, 2, keeps_order=True).prompts

    assert (long.n_tokens, short.n_tokens) == (30, 8)  # no shorter than its number
    assert long.prompt == f"{long.nonce}" + " word" * 22
    assert short.prompt == short.nonce


def test_prompts_that_do_not_fit_are_left_out_and_counted():
    long = Item(prompt="x" * 400)  # 100 tokens, 18 around it, 16 new ones

    kept = drawn((*ITEMS, long), 6, n_ctx=133)
    fitting = drawn((long,), 1, n_ctx=134)

    assert not any("xx" in str(prompt.prompt) for prompt in kept.prompts)
    assert "1 of 6 prompts do not fit into 133 tokens" in kept.remarks[0].text
    assert len(fitting.prompts) == 1
    with pytest.raises(ConfigError, match="none of the 1 prompts fits into a context of 133"):
        drawn((long,), 1, n_ctx=133)


def test_without_a_number_what_fits_is_taken_once_and_nothing_repeats():
    long = Item(prompt="x" * 400)

    kept = drawn((*ITEMS, long), None, n_ctx=133)

    assert len(kept.prompts) == len(ITEMS)
    assert len(kept.remarks) == 1
