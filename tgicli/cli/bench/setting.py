"""Say what was measured, how and where, so that it can be done again. Used by `job`."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from tgicli import __version__
from tgicli.bench.result import Setting
from tgicli.bench.slo import Slo
from tgicli.cli.bench.jobs import Opened
from tgicli.cli.bench.options import BenchOptions

_CPU_INFO = Path("/proc/cpuinfo")


def setting_of(options: BenchOptions, opened: Opened, *, ignores_eos: bool) -> Setting:
    """Return the setting of a run that is about to begin."""
    return Setting(
        target=options.target.shown,
        server=opened.server,
        model=opened.model,
        command=options.command,
        seed=options.seed,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        tgicli=__version__,
        python=platform.python_version(),
        machine=_machine(),
        n_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _n_cores(),
        is_same_host=options.target.is_same_host,
        options=_shaping(options) | {"chat": opened.chats, "ignore_eos": ignores_eos},
    )


def _shaping(options: BenchOptions) -> dict[str, str | int | float | bool | None]:
    """Return the options that shape the work: with others, figures can't be compared."""
    return {
        "prompt_tokens": str(options.prompt_tokens),
        "output_tokens": str(options.output_tokens),
        "shared_prefix": options.shared_prefix,
        "dataset": None if options.dataset is None else options.dataset.name,
        "max_in_flight": options.max_in_flight,
        "repeat": options.measuring.repeat,
        "slo": None if options.slo is None else _in_order(options.slo),
    }


def _in_order(slo: Slo) -> str:
    """Write an objective in one way, in whatever order its limits were given."""
    return " ".join(sorted(str(slo).split()))


def _n_cores() -> int:
    return os.cpu_count() or 1


def _machine() -> str:
    """Return e.g. `Linux x86_64, AMD EPYC 7B13`."""
    system = f"{platform.system()} {platform.machine()}"
    name = _cpu_name()
    return f"{system}, {name}" if name else system


def _cpu_name() -> str:
    try:
        lines = _CPU_INFO.read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "")
