"""Write what two sides gave, measured in turns, as one HTML page. Pure.

The verdicts come first, then the figures, and every block: whoever doubts a verdict sees what it is
made of.
"""

from __future__ import annotations

from collections.abc import Sequence

from tgicli.bench.markdown import NONE
from tgicli.bench.named_metric import parse_metric, unit_of
from tgicli.bench.paired_sheets import change_words
from tgicli.bench.report.paired_charts import blocks, changes
from tgicli.bench.report.parts import (
    figure,
    headed,
    list_of,
    page,
    remark_item,
    scrolled,
    section,
    setting_section,
    table,
    title_cell,
    validity,
    verdict_card,
)
from tgicli.bench.report.svg import element, escaped, number_text
from tgicli.bench.report.tables import METRICS
from tgicli.bench.result import Remark, Setting
from tgicli.bench.verdict import Comparison, Ratio, Verdict

_WORDS = {
    Verdict.FASTER: "B IS FASTER",
    Verdict.SLOWER: "B IS SLOWER",
    Verdict.SAME: "B IS THE SAME",
    Verdict.UNDECIDED: "UNDECIDED",
}


def comparison_html(
    comparison: Comparison,
    names: tuple[str, str],
    setting: Setting,
    words: Sequence[str],
    remarks: Sequence[Remark] = (),
) -> str:
    """Return the page; words are those that must be known beside the verdicts."""
    title = f"{names[0]} (A) and {names[1]} (B)"
    header = headed(title, f"{setting.started_at}, tgicli {setting.tgicli}")
    main = element(
        "main",
        _verdicts(comparison, words, remarks),
        section("figures", "Figures", *_figures(comparison)),
        section("blocks", "Block by block", _blocks(comparison)),
        setting_section(setting),
    )
    return page(f"tgicli bench: {title}", header + main + _meanings(comparison))


def _verdicts(comparison: Comparison, words: Sequence[str], remarks: Sequence[Remark]) -> str:
    """Say first what may be said of B, or that nothing may."""
    by_verdict: dict[str, list[str]] = {}
    for label, ratio in comparison.metrics.items():
        by_verdict.setdefault(comparison.said(ratio), []).append(_name(label))
    facts = [f"{said}: {', '.join(titles)}" for said, titles in by_verdict.items()]
    items = [*map(remark_item, remarks), *(element("li", escaped(one)) for one in words)]
    word, look = validity({remark.severity for remark in remarks})
    if look != "invalid":
        word, look = _verdict(comparison), _look(comparison)
    return verdict_card("Verdict", word, look, facts, "".join(items))


def _verdict(comparison: Comparison) -> str:
    found = {ratio.verdict for ratio in comparison.metrics.values()}
    if comparison.lengths_differ or not found:
        return "NOT COMPARABLE"
    return _WORDS[found.pop()] if len(found) == 1 else "B AGAINST A"


def _look(comparison: Comparison) -> str:
    """Choose a colour: as in the terminal's table, red is slower and green is no worse."""
    verdicts = {ratio.verdict for ratio in comparison.metrics.values()}
    if comparison.lengths_differ or verdicts <= {Verdict.SLOWER}:
        return "invalid"
    return "valid" if verdicts <= {Verdict.FASTER, Verdict.SAME} else "warned"


def _figures(comparison: Comparison) -> list[str]:
    titles = ["metric", "A", "B", "change", "interval", "verdict"]
    if comparison.noise:
        titles.append("noise floor")
    rows = [
        element("tr", title_cell(_title(label), "row"), *_cells(label, ratio, comparison))
        for label, ratio in comparison.metrics.items()
    ]
    share = f"{100 * comparison.confidence:g}"
    caption = f"Geometric means of all turns; all intervals hold together with {share} %."
    found = [
        scrolled(
            table(caption, [[title_cell(one, "col") for one in titles]], rows), "Figures of both"
        )
    ]
    if comparison.metrics:
        said = {_name(label): comparison.said(one) for label, one in comparison.metrics.items()}
        ratios = {_name(label): one for label, one in comparison.metrics.items()}
        title = "Change with its interval"
        picture = changes("changes", title, ratios, said, comparison.same_within)
        within = f"{100 * comparison.same_within:g} %"
        found.append(figure(f"{title}; shaded: the same within {within}", picture, is_wide=True))
    return found


def _cells(label: str, ratio: Ratio, comparison: Comparison) -> list[str]:
    interval = NONE
    if ratio.low is not None and ratio.high is not None:
        interval = f"{change_words(ratio.low)} to {change_words(ratio.high)}"
    words = [number_text(ratio.a), number_text(ratio.b), change_words(ratio.value)]
    words += [interval, comparison.said(ratio)]
    if comparison.noise:
        floor = comparison.noise.get(label)
        words.append(NONE if floor is None else f"{100 * floor:.1f} %")
    return [element("td", escaped(one)) for one in words]


def _blocks(comparison: Comparison) -> str:
    pictures = [
        figure(
            escaped(f"{_name(label)}; dashed: together, shaded: its interval"),
            blocks(f"blocks-{number}", f"{_name(label)} block by block", ratio),
        )
        for number, (label, ratio) in enumerate(comparison.metrics.items())
    ]
    return element("div", *pictures, class_="charts")


def _meanings(comparison: Comparison) -> str:
    known = dict.fromkeys(parse_metric(label).name for label in comparison.metrics)
    words = {METRICS[name][0]: METRICS[name][1] for name in known if name in METRICS}
    return element("footer", element("h2", "What the words mean"), list_of(words))


def _title(label: str) -> str:
    """Return a metric's name with its unit, if that is not its name."""
    name, unit = _name(label), unit_of(parse_metric(label).name)
    return name if unit in ("", name) else f"{name}, {unit}"


def _name(label: str) -> str:
    """Return a metric's name for people, with its statistic."""
    metric = parse_metric(label)
    name = METRICS.get(metric.name, (label, ""))[0]
    return name if metric.statistic is None else f"{name} {metric.statistic}"
