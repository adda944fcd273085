"""Find a figure in a result by the name that a user gives it.

Called by comparisons and by the gate. Pure. A metric that has a distribution is compared by its
median unless the name says otherwise: `ttft`, `ttft.p90`, `tpot.mean`. Never picks a p99 by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from tgicli.bench.metrics import PER_REQUEST
from tgicli.bench.result import Estimate, PointResult
from tgicli.bench.sample_statistics import around
from tgicli.errors import ConfigError

SCALARS = ("output_tps", "rps_achieved", "goodput_rps", "slo_attainment")
SAMPLES = (*PER_REQUEST, "icl_ms")
STATISTICS = ("mean", "p50", "p90", "p95", "p99", "p99.9")
ALIASES = {
    "e2el": "e2e_ms",
    "itl": "icl_ms",
    "goodput": "goodput_rps",
    "rps": "rps_achieved",
    "stall": "stall_max_ms",
}
_MORE_IS_BETTER = {*SCALARS, "decode_tps", "e2e_tps", "prefill_tps_est"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a load point."""

    name: str  # as JSON has it: "ttft_ms", "output_tps"
    statistic: str | None = None  # of a distribution; None: it is one number

    @property
    def key(self) -> str:
        """What it is found by: a JSON name, and which statistic: "ttft_ms.p50", "output_tps"."""
        return self.name if self.statistic is None else f"{self.name}.{self.statistic}"

    @property
    def label(self) -> str:
        """How it is shown, and how a user writes it."""
        short = self.name.removesuffix("_ms")
        return short if self.statistic in (None, "p50") else f"{short}.{self.statistic}"

    @property
    def is_more_better(self) -> bool:
        """Whether a larger figure is a faster server."""
        return self.name in _MORE_IS_BETTER

    def of(self, point: PointResult) -> Estimate | None:
        """Return the figure; None where it was not measured, or by too few requests to tell."""
        figures = point.figures
        match self.name:
            case "output_tps":
                found: Estimate | None = figures.output_tps
            case "rps_achieved":
                found = around(figures.rps_achieved, figures.rps_within)
            case "goodput_rps":
                found = figures.goodput_rps
            case "slo_attainment":
                found = figures.slo_attainment
            case _:
                found = self._of_sample(point)
        return None if found is None or found.value is None else found

    def _of_sample(self, point: PointResult) -> Estimate | None:
        sample = point.figures.metrics.get(self.name)
        if sample is None or self.statistic is None:
            return None
        return sample.mean if self.statistic == "mean" else sample.quantiles.get(self.statistic)


METRICS = (
    *(Metric(name) for name in SCALARS),
    *(Metric(name, statistic) for name in SAMPLES for statistic in STATISTICS),
)


def unit_of(name: str) -> str:
    """Return the unit of a figure, by its JSON name; empty where it has none."""
    for end, unit in {"_ms": "ms", "_s": "s", "_tps": "tokens/s", "_tps_est": "tokens/s"}.items():
        if name.endswith(end):
            return unit
    return "1/s" if "rps" in name else ""


def parse_metric(text: str) -> Metric:
    """Read a name such as `ttft`, `ttft_ms`, `itl.p95` or `output_tps`.

    Raises:
        ConfigError: there is no such metric or statistic; names those there are.
    """
    name, dot, statistic = text.strip().partition(".")
    name = ALIASES.get(name, name)
    if name in SCALARS and not dot:
        return Metric(name)
    name = next((known for known in (name, f"{name}_ms") if known in SAMPLES), "")
    if not name:
        names = ", ".join(known.removesuffix("_ms") for known in (*SCALARS, *SAMPLES))
        raise ConfigError(f"there is no metric {text.strip()!r}; there are {names}")
    if dot and statistic not in STATISTICS:
        raise ConfigError(
            f"{text.strip()!r} asks for {statistic!r}; there are {', '.join(STATISTICS)}"
        )
    return Metric(name, statistic or "p50")
