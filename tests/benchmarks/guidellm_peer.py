"""Run guidellm, a load generator, and read what it measured. For bench_accuracy and bench_peers.

It lives in a virtual environment of its own, since it brings torch and transformers:
    python -m venv DIR && DIR/bin/pip install guidellm
With prompts from a file it asks for no tokenizer, so it needs no hub.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import print_command


@dataclass(frozen=True, slots=True)
class GuideRequest:
    """One answered request, as guidellm stamped it: seconds of its clock, time.time."""

    text: str
    n_tokens: int
    began_s: float
    first_s: float
    last_s: float

    @property
    def ttft_ms(self) -> float:
        """To the first token."""
        return (self.first_s - self.began_s) * 1e3

    @property
    def itl_ms(self) -> float:
        """The mean gap of this request: it keeps no stamps of single chunks."""
        return (self.last_s - self.first_s) * 1e3 / (self.n_tokens - 1)


@dataclass(frozen=True, slots=True)
class GuideRun:
    """What it measured."""

    requests: tuple[GuideRequest, ...]  # in the order in which they began
    metrics: dict[str, Any]  # its own figures of the requests that succeeded, by its names

    def figure(self, name: str, which: str) -> float:
        """Return one of its own figures: a percentile such as p50, or the mean."""
        found = self.metrics[name]["successful"]
        return float(found["mean"] if which == "mean" else found["percentiles"][which])


def default_guidellm() -> Path:
    """Return where it is looked for unless somebody says."""
    import platformdirs  # a dependency of tgicli's

    return Path(platformdirs.user_cache_dir("tgicli", appauthor=False)) / "guidellm/bin/guidellm"


def run_guidellm(
    program: Path,
    url: str,
    prompts: Sequence[str],
    *,
    model: str | None,  # None: the first that the server names
    n_streams: int,
    n_tokens: int,
    seconds: float,
) -> GuideRun:
    """Let it ask /v1/chat/completions; exits with its last words if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder) / "prompts.jsonl", Path(folder) / "told.json"
        lines = (json.dumps({"prompt": p, "output_tokens_count": n_tokens}) for p in prompts)
        asked.write_text("\n".join(lines))
        command: list[str | Path] = [program, "run", "--disable-progress"]
        named = "" if model is None else f",model={model}"
        command += ["--backend", f"kind=openai_http,target={url}{named}"]
        command += ["--profile", f"kind=concurrent,streams={n_streams}"]
        command += ["--constraint", f"kind=max_duration,seconds={seconds:g}"]
        command += ["--data", f"kind=json_file,path={asked}", "--output", f"kind=json,path={told}"]
        print_command(command)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0 or not told.exists():
            raise SystemExit(f"guidellm returned {done.returncode}: {done.stderr.decode()[-2000:]}")
        return _read(json.loads(told.read_text())["benchmarks"][0])


def _read(told: dict[str, Any]) -> GuideRun:
    requests = [_request(one) for one in told["requests"]["successful"]]
    if not requests:
        raise SystemExit("guidellm had no answer in time; see --seconds")
    requests.sort(key=lambda one: one.began_s)
    return GuideRun(tuple(requests), told["metrics"])


def _request(told: dict[str, Any]) -> GuideRequest:
    times = told["info"]["timings"]
    return GuideRequest(
        text=told["output"],
        n_tokens=told["output_metrics"]["text_tokens"],
        began_s=times["request_start"],
        first_s=times["first_token_iteration"],
        last_s=times["last_token_iteration"],
    )
