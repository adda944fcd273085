"""What a report's charts show, as SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

from tests.bench.results import SECOND, closed_records, failed
from tgicli.bench.record import Outcome
from tgicli.bench.report.charts import (
    Moments,
    Series,
    ecdf,
    histogram,
    over_load,
    throughput,
    timeline,
)
from tgicli.bench.result import Estimate

LABELS = ("requests at once", "ms")


def told(picture: str) -> str:
    """Return the words for who can't see it."""
    return ET.fromstring(picture)[1].text or ""


def with_class(picture: str, name: str) -> list[ET.Element]:
    return [part for part in ET.fromstring(picture).iter() if part.get("class") == name]


def texts(picture: str) -> list[str]:
    return [part.text or "" for part in ET.fromstring(picture).iter("text")]


def test_a_histogram_s_bars_hold_all_values():
    picture = histogram("h", "TTFT", [float(n % 17) for n in range(200)], {"p50": 8.0}, "ms")

    words = [(bar[0].text or "").rpartition(": ")[2] for bar in with_class(picture, "bar")]
    assert sum(map(int, words)) == 200
    assert told(picture) == "200 values from 0 to 16, p50 8"
    assert "p50" in texts(picture)


def test_quantiles_that_are_close_share_no_place_for_their_names():
    picture = histogram("h", "TTFT", [1.0, 100.0], {"p50": 50.0, "p90": 51.0, "p99": 99.0}, "ms")

    assert len(with_class(picture, "mark")) == 3
    assert [text for text in texts(picture) if text.startswith("p")] == ["p50", "p99"]


def test_an_ecdf_of_many_values_has_few_steps_and_ends_at_all():
    picture = ecdf("e", "ICL", [float(n) for n in range(10_000)], {}, "ms")

    (curve,) = with_class(picture, "line")
    places = re.findall(r"[ML]([\d.]+) ([\d.]+)", curve.get("d", ""))
    assert len(places) <= 2 * 200 + 1
    assert float(places[-1][1]) == 20
    assert all(float(a[1]) >= float(b[1]) for a, b in pairwise(places))


def test_requests_that_overlap_have_lanes_of_their_own_and_a_free_lane_is_used_again():
    records = closed_records(4, seconds=10)

    picture, n_drawn = timeline("t", "Requests", records, Moments(end_s=12))

    tops = {box.get("d", "").split()[1].partition("h")[0] for box in with_class(picture, "wait")}
    assert n_drawn == len(records)
    assert "4 at once, at most" in texts(picture)
    assert len(tops) == 4


def test_a_request_shows_its_wait_its_stream_and_how_it_ended():
    first, second, third, *_ = closed_records(3)
    records = [first, failed(second), failed(third, Outcome.CUT)]

    picture, _ = timeline("t", "Requests", records, Moments(end_s=5))

    assert [len(with_class(picture, name)) for name in ("wait", "bar", "bad", "cut")] == [
        3,
        1,
        1,
        1,
    ]
    (streamed,) = with_class(picture, "bar")
    assert (streamed[0].text or "").startswith("request 0: ok, ")
    assert told(picture) == "3 requests, 1 of them failed or refused"


def test_a_refusal_is_red_although_it_never_streamed():
    record = failed(closed_records(1)[0], Outcome.BUSY, 0)

    picture, _ = timeline("t", "Requests", [record], Moments(end_s=1))

    assert len(with_class(picture, "bad")) == 1
    assert with_class(picture, "wait") == []


def test_the_measured_stretch_is_shaded_and_has_the_mean():
    moments = Moments(end_s=4, shaded=(1, 3))

    picture = throughput("s", "Tokens", [0, 80, 100, 10], 90.0, moments)

    assert len(with_class(picture, "measured")) == 1
    assert len(with_class(picture, "second")) == 1
    assert told(picture) == "4 seconds, from 0 to 100 tokens a second, 90 on average while measured"


def test_a_timeline_begins_when_its_point_does():
    records = closed_records(1, begin_s=100)

    picture, _ = timeline("t", "Requests", records[:1], Moments(end_s=10))

    assert records[0].send_ns == 100 * SECOND
    assert with_class(picture, "wait")[0].get("d", "").startswith("M50 ")


def test_figures_stand_over_their_loads_with_intervals_and_two_shapes():
    p50 = Series(name="p50", estimates=(Estimate(10, 8, 12), Estimate(20, 18, 25)))
    p90 = Series(name="p90", estimates=(None, Estimate(40)))

    picture = over_load("o", "TTFT", [1, 16], [p50, p90], LABELS)

    dots, squares = with_class(picture, "line-dot"), with_class(picture, "second-dot")
    assert {dot.tag for dot in dots} == {"circle"}
    assert {square.tag for square in squares} == {"path"}
    assert (len(dots), len(squares)) == (3, 2)  # one of each in the legend
    assert told(picture) == "p50: 10 at 1, 20 at 16; p90: 40 at 16"
    assert "requests at once (log scale)" in texts(picture)


def test_a_single_series_needs_no_legend():
    picture = over_load(
        "o",
        "Speed",
        [1, 2],
        [Series(name="tokens/s", estimates=(Estimate(1), Estimate(2)))],
        LABELS,
    )

    assert "tokens/s" not in texts(picture)
