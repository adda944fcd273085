"""The pages of comparisons as text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.bench.report.pages import comparison_of, comparison_page, streaming_page
from tests.bench.report.test_page import named, words
from tests.bench.results import SETTING
from tgicli.bench.report.comparison import comparison_html
from tgicli.bench.result import Remark, Severity
from tgicli.bench.verdict import Verdict

EVIL = "<script>alert('x')</script>\" onload=\"x"


@pytest.mark.parametrize(
    ("factor", "word", "look", "facts"),
    [
        (1.1, "B IS SLOWER", "invalid", "slower: TTFT p50, TPOT p50, ICL p95, tokens/s"),
        (0.9, "B IS FASTER", "valid", "faster: TTFT p50, TPOT p50, ICL p95, tokens/s"),
        (1.0, "B IS THE SAME", "valid", "same within 5 %: TTFT p50, TPOT p50, ICL p95, tokens/s"),
    ],
)
def test_the_verdict_comes_first(factor: float, word: str, look: str, facts: str):
    page = comparison_page(factor)

    text = words(page)
    assert f"{word} {facts} 5 blocks of A B B A; decided Figures" in text
    assert f'class="verdict {look}"' in page


def test_where_verdicts_differ_all_are_named():
    comparison = comparison_of(1.1)
    undecided = replace(comparison.metrics["ttft"], low=0.9, high=1.3, verdict=Verdict.UNDECIDED)
    mixed = replace(comparison, metrics={**comparison.metrics, "ttft": undecided})

    page = comparison_html(mixed, ("a", "b"), SETTING, [])

    assert "B AGAINST A undecided: TTFT p50 slower: TPOT p50, ICL p95, tokens/s" in words(page)
    assert 'class="verdict warned"' in page


def test_answers_of_other_lengths_are_not_comparable():
    page = comparison_page(1.1, n_tokens=20)

    assert "NOT COMPARABLE" in words(page)
    assert 'class="verdict invalid"' in page


def test_a_side_that_can_not_be_believed_has_no_verdict():
    remarks = [Remark(Severity.INVALID, "B: 8 of 24 requests failed")]

    page = comparison_html(comparison_of(0.9), ("a", "b"), SETTING, ["decided"], remarks)

    text = words(page)
    assert "INVALID faster: TTFT p50" in text
    assert "invalid: B: 8 of 24 requests failed decided" in text
    assert 'class="verdict invalid"' in page


def test_a_comparison_without_a_whole_block_says_so():
    page = comparison_page(1.1, n_blocks=0)

    assert "NOT COMPARABLE" in words(page)
    assert "<svg" not in page


def test_each_metric_has_its_row_and_its_blocks():
    page = comparison_page(1.1, noise={"ttft": 0.031})

    text = words(page)
    assert re.search(r"TTFT p50, ms 100 110 \+10.0 % \+9.\d % to \+10.\d % slower 3.1 %", text)
    assert "tokens/s 400 363" in text
    assert len(named(page, "svg")) == 1 + 4  # all changes, and each metric's blocks
    assert re.search(r"(\+\d+\.\d %, ){4}\+\d+\.\d %; \+10\.0 % together", page)


def test_one_block_has_no_interval():
    page = comparison_page(1.1, n_blocks=1)

    assert "UNDECIDED undecided: TTFT p50" in words(page)
    assert re.search(r"TTFT p50, ms 100 110 \+10.\d % – undecided", words(page))  # noqa: RUF001


def test_words_from_elsewhere_are_only_words():
    page = comparison_html(comparison_of(), (EVIL, EVIL), SETTING, [EVIL])

    assert "<script" not in page
    assert " onload=" not in page.replace("&quot; onload=", "")


def test_streams_and_whole_answers_are_drawn_below_each_other():
    page = streaming_page()

    text = words(page)
    assert "VALID 8 pairs, 0 failed 4 of 4 texts are equal 3 of 4 token counts are" in text
    assert "streamed: first words after 80 ms, all after 404 ms" in text
    assert "whole: first words after 400 ms, all after 400 ms" in text
    assert "wait for it, of the whole's, % 20" in text


def test_what_must_be_known_of_streams_is_told_with_the_verdict():
    warned = streaming_page(Remark(Severity.WARNING, "lengths differ"))
    invalid = streaming_page(Remark(Severity.INVALID, "no request was answered"), ttft_ms=None)

    assert "VALID, with warnings" in words(warned)
    assert "warning: lengths differ" in words(warned)
    assert "INVALID" in words(invalid)
    assert "No pair was answered." in words(invalid)
