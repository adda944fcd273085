"""The report as text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.bench.results import (
    FLOOR,
    HEALTH,
    SECOND,
    closed_records,
    closed_run,
    failed,
    open_run,
    point,
)
from tgicli.bench.plan import Closed, Point
from tgicli.bench.record import Outcome, Record
from tgicli.bench.recording import Measured, PointRun
from tgicli.bench.report.page import to_html
from tgicli.bench.report.style import DARK, LIGHT
from tgicli.bench.result import Estimate, Remark, Result, Severity
from tgicli.bench.summary import summarize_point

EVIL = "<script>alert('x')</script>\x1b[2J\" onload=\"x"


class Words(HTMLParser):
    """The page's elements in order, and its words."""

    VOID = frozenset({"meta"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data + " "


def words(page: str) -> str:
    return " ".join(Words(page).text.split())


def named(page: str, tag: str) -> list[dict[str, str | None]]:
    return [attributes for name, attributes in Words(page).tags if name == tag]


def test_validity_comes_before_everything_else():
    result, records = open_run(2, 4, 8)

    text = words(to_html(result, records))

    banner, setting, figures = (text.index(word) for word in ("INVALID", "Setting", "Figures"))
    assert banner < setting < figures
    assert "client 12 % CPU, loop p99 0.4 ms offered 2 / 4 / 8, achieved" in text
    assert "3 dropped 3 errors 3 refused as busy 3 cut off cache 0 %" in text


def test_users_first_requests_are_counted_and_named():
    result, records = closed_run(4)
    tagged = [replace(record, is_first_wave=i < 4) for i, record in enumerate(records)]
    steady = result.points[0].steady
    assert steady is not None
    with_wave = replace(result.points[0], steady=replace(steady, n_first_wave=4))

    before = words(to_html(result, records))
    text = words(to_html(replace(result, points=(with_wave,)), tagged))

    assert "users' first requests" not in before
    assert f"users' first requests 4 of {steady.n_requests}" in text
    assert text.count("its user's first,") == 2 * 4  # waiting and streaming


def test_the_worst_remark_is_first_and_names_its_point():
    result, records = open_run(2, 8)

    items = re.findall(r"<li>(.*?)</li>", to_html(result, records))

    assert [item.split(":")[0].removeprefix("<strong>") for item in items] == [
        "invalid",
        "warning",
        "note",
    ]
    assert "8 requests/s: the client used 97 %" in items[0]


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [
        (Severity.NOTE, "VALID client"),
        (Severity.WARNING, "VALID, with warnings client"),
        (Severity.INVALID, "INVALID client"),
    ],
)
def test_the_verdict_is_that_of_the_worst_remark(severity: Severity, verdict: str):
    remarked = point(closed_records(2), remarks=(Remark(severity, "a remark"),))

    assert verdict in words(to_html(Result(setting=closed_run(1)[0].setting, points=(remarked,))))


def test_all_that_is_needed_to_do_it_again_is_there():
    result, _ = closed_run(1, 4)
    setting = result.setting

    text = words(to_html(result))

    told = [setting.command, setting.target, setting.server, setting.model, str(setting.seed)]
    told += [setting.machine, f"Python {setting.python}", "2 cores", "prompt_tokens 256"]
    assert [fact for fact in told if fact not in text] == []


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing():
    result, records = open_run(2, 4)
    setting = replace(result.setting, target="the target", command="the command")

    page = to_html(replace(result, setting=setting), records)

    assert re.findall(r"https?:|//\w+\.|@import|url\(", page) == []
    assert re.findall(r"<[^>]*\s(?:on\w+|style|src|href)=", page) == []
    assert not named(page, "script")
    assert "default-src 'none'" in page


def test_no_words_from_elsewhere_become_markup():
    result, records = open_run(2, 4)
    setting = replace(
        result.setting, target=EVIL, server=EVIL, model=EVIL, command=EVIL, options={EVIL: EVIL}
    )
    first = result.points[0]
    figures = replace(
        first.figures,
        errors={EVIL: 1},
        problems={EVIL: 1},
        finish_reasons={EVIL: 1},
        metrics=dict(first.figures.metrics) | {EVIL: first.figures.metrics["ttft_ms"]},
    )
    remarks = (Remark(Severity.NOTE, EVIL),)
    changed = replace(first, name=EVIL, arrival=EVIL, full=figures, steady=None, remarks=remarks)

    page = to_html(Result(setting=setting, points=(changed, *result.points[1:])), records)

    assert not named(page, "script")
    assert not any("onload" in attributes for _, attributes in Words(page).tags)
    assert "\x1b" not in page
    assert "<script>alert('x')</script>␛[2J\" onload=\"x" in words(page)


def test_every_chart_has_a_title_and_words_of_its_own():
    result, records = closed_run(1, 4, 16)

    page = to_html(result, records)

    pictures = named(page, "svg")
    assert len(pictures) == 4 + 3 * 6
    ids = [attributes["id"] for _, attributes in Words(page).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for picture in pictures:
        assert picture["role"] == "img"
        assert set((picture["aria-labelledby"] or "").split()) <= set(ids)


def test_every_table_heading_says_what_it_heads():
    page = to_html(*closed_run(1, 4))

    scopes = [attributes.get("scope") for attributes in named(page, "th")]
    assert set(scopes) == {"col", "row", "colgroup"}
    assert len(named(page, "caption")) == len(named(page, "table"))


def test_a_percentile_of_too_few_requests_is_not_shown():
    result, records = closed_run(1)
    (row,) = re.findall(r"<tr><th scope=\"row\">concurrency 1<.*?</tr>", to_html(result, records))
    sample = result.points[0].figures.metrics["ttft_ms"]

    assert "p99" not in sample.quantiles
    assert f'title="{sample.n} can&#x27;t tell p99"' in row


def test_gaps_between_pieces_of_several_tokens_are_not_called_itl():
    records = closed_records(4)
    one = point(records)
    figures = replace(one.figures, tokens_per_chunk=4.0)
    result = Result(setting=closed_run(1)[0].setting, points=(replace(one, steady=figures),))

    page = to_html(result, records)

    assert "ICL (4.0 tok/chunk): histogram" in page
    assert "ITL:" not in page


def test_an_open_loop_s_first_token_is_counted_from_the_schedule():
    result, records = open_run(2, 4)

    text = words(to_html(result, records))

    assert "TTFT from schedule against load" in text
    assert "TTFT from schedule: histogram" in text
    assert "poisson, dispersion 1.04" in text


def test_what_is_drawn_is_what_the_figures_are_of():
    result, records = closed_run(4)
    sample = result.points[0].figures.metrics["ttft_ms"]

    assert f"TTFT: histogram of {sample.n:,} values" in to_html(result, records)


def test_repeats_are_drawn_one_by_one_and_the_difference_is_said():
    first = closed_records(2, seconds=10)
    second = [replace(r, block=1) for r in closed_records(2, begin_s=15, seconds=10)]
    both = [*first, *second]
    one = point(both, steady=None, client=replace(point(first).client, per_second_tokens=(1,) * 20))
    half = replace(one.full.metrics["ttft_ms"], n=len(first))
    figures = replace(one.full, metrics=dict(one.full.metrics) | {"ttft_ms": half})
    result = Result(setting=closed_run(1)[0].setting, points=(replace(one, full=figures),))

    text = words(to_html(result, both))

    assert f"of {len(both)} values; the figures are of {len(first)}" in text
    assert "Requests over time in the first repeat" in text


def test_without_records_the_figures_stand_alone():
    result, _ = closed_run(1, 4)

    page = to_html(result)

    assert words(page).count("Made without the requests' records") == 2
    assert "histogram" not in page
    assert "Tokens a second" in page


def test_figures_made_of_the_records_agree_with_what_is_drawn():
    records = closed_records(4)
    run = PointRun(
        records=tuple(records),
        warm_ns=3 * SECOND,
        end_ns=18 * SECOND,
        n_dropped=0,
        n_late=0,
        client=HEALTH,
    )
    load = Point(name="concurrency 4", load=Closed(4), duration_s=15)
    summary = summarize_point(Measured(point=load, runs=(run,)), slo=None, is_same_host=True)

    text = words(to_html(Result(setting=closed_run(1)[0].setting, points=(summary,)), records))

    for name, label in (("ttft_ms", "TTFT"), ("icl_ms", "ITL")):
        assert f"{label}: histogram of {summary.figures.metrics[name].n:,} values" in text
    assert "in the first repeat" not in text
    assert "shaded: measured" in text


def test_a_single_point_has_nothing_against_load():
    assert "Against load" not in to_html(*closed_run(4))


def test_a_run_in_which_nothing_was_measured_is_still_a_page():
    page = to_html(Result(setting=closed_run(1)[0].setting, points=()))

    assert "nothing was measured" in page


def test_what_could_not_be_measured_is_a_dash():
    one = point(closed_records(1))
    bare = replace(
        one.full,
        metrics={},
        output_tps=Estimate(None),
        cache_hit_share=None,
        mean_prompt_tokens=None,
        goodput_rps=Estimate(None),
        slo_attainment=Estimate(None),
    )
    result = Result(
        setting=closed_run(1)[0].setting, points=(replace(one, full=bare, steady=None, floor=None),)
    )

    text = words(to_html(result))

    assert "cache not told" in text
    assert "never steady" in text


def test_a_run_of_failures_is_drawn():
    records = [failed(record, Outcome.ERROR, 0) for record in closed_records(2)]
    one = point(closed_records(2))

    page = to_html(Result(setting=closed_run(1)[0].setting, points=(one,)), records)

    assert f"{len(records)} requests, {len(records)} of them failed or refused" in page


def test_a_long_run_draws_its_first_thousand_requests_and_says_so():
    many: list[Record] = [
        replace(record, index=n) for n, record in enumerate(closed_records(16, seconds=40) * 6)
    ]
    one = point(many)

    page = to_html(Result(setting=closed_run(1)[0].setting, points=(one,)), many)

    assert f"the first 1,000 of {len(many):,}" in page
    assert page.count("<title>request ") <= 2 * 1000


def test_what_the_client_adds_by_itself_is_told():
    text = words(to_html(*closed_run(4)))

    assert f"TTFT {FLOOR.ttft_added_p50_ms} ms, gap {FLOOR.icl_added_p50_ms} ms" in text


GROUNDS = {"text": ["page", "card", "valid-card", "warned-card", "invalid-card"]}
GROUNDS |= {"quiet": ["page", "card"], "valid": ["valid-card"], "warned": ["warned-card"]}
GROUNDS |= {"invalid": ["invalid-card"]}
MARKS = ["accent", "second", "bad"]  # of charts


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_words_and_marks_stand_out_from_their_ground(palette: dict[str, str]):
    for ink, grounds in GROUNDS.items():
        for ground in grounds:
            assert contrast(palette[ink], palette[ground]) >= 4.5, (ink, ground)
    for mark in MARKS:
        assert contrast(palette[mark], palette["measured"]) >= 3, mark


def test_both_palettes_name_the_same_colours():
    assert LIGHT.keys() == DARK.keys()


def contrast(first: str, second: str) -> float:
    """Return WCAG's ratio, from 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
