"""The flags of `tgicli bench TARGET`, as they are written.

Imported by the command's module; nothing heavy is. `options` checks them and makes a job of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tgicli.cli.bench.values import (
    Counts,
    Rates,
    Seconds,
    Warmup,
    parse_counts,
    parse_rates,
    parse_seconds,
    parse_warmup,
)
from tgicli.cli.endpoint import PANEL as SERVER
from tgicli.cli.endpoint import EndpointFlags
from tgicli.cli.flags import LoadingFlags
from tgicli.cli.signature import argument, option
from tgicli.cli.value import check_name

LOAD, PROMPTS, MEASURING = "Load", "Prompts", "Measuring"
JUDGING, COMPARING, OUTPUT = "Judging", "Comparing", "Output"
OPEN_LANES = 8  # of a model in this process, where requests come whenever they do


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFlags:
    """How many requests, when."""

    concurrency: Counts | None = option(
        None,
        "--concurrency",
        "-c",
        metavar="N,...",
        panel=LOAD,
        parser=parse_counts,
        default_text="1,4,16",
        help="So many users, each of whom asks again once answered; a load point for each N.",
    )
    rate: Rates | None = option(
        None,
        metavar="R,...",
        panel=LOAD,
        parser=parse_rates,
        help="Send R requests a second, whatever becomes of those before; a load point for each. "
        f"A model in this process computes {OPEN_LANES} at once; the others wait.",
    )
    arrival: str = option(
        "poisson",
        metavar="KIND",
        panel=LOAD,
        help="When --rate sends: constant, poisson, gamma:K (a smaller K: burstier) or burst:N.",
    )
    burstiness: float | None = option(
        None, metavar="K", panel=LOAD, help="The same as --arrival gamma:K; 1 is poisson."
    )
    burst: int | None = option(
        None,
        metavar="N",
        panel=LOAD,
        least=1,
        help="The same as --arrival burst:N: N at once, then none until --rate allows the next N.",
    )
    ramp: str | None = option(
        None,
        metavar="A:B:S",
        panel=LOAD,
        help="Let the rate go from A to B requests a second within S seconds.",
    )
    trace: Path | None = option(
        None,
        metavar="FILE",
        panel=LOAD,
        help="Send what FILE says when it says it: JSON lines with `timestamp` and a prompt, or "
        "its length and its answer's.",
    )
    sweep: bool = option(
        False, "--sweep", panel=LOAD, help="Raise the concurrency until it brings no more."
    )
    max_in_flight: int | None = option(
        None,
        metavar="N",
        panel=LOAD,
        least=1,
        default_text="any number",
        help="With --rate: a request that would be one more is dropped, and counted. With --sweep "
        "or --find-max: the most users. Without: --concurrency N.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFlags:
    """What is asked."""

    prompt_tokens: str = option(
        "256",
        metavar="N",
        panel=PROMPTS,
        help="Tokens of a prompt: 256, 256+-64 (mean and deviation) or 128..512. Each begins "
        "anew, so that no prefix cache is measured.",
    )
    output_tokens: str = option(
        "128", metavar="N", panel=PROMPTS, help="Tokens to ask for, in the same words."
    )
    shared_prefix: int = option(
        0,
        metavar="N",
        panel=PROMPTS,
        least=0,
        help="Let all prompts begin with the same N tokens more, to measure a prefix cache.",
    )
    dataset: Path | None = option(
        None,
        metavar="FILE",
        panel=PROMPTS,
        help="Ask FILE's prompts: JSON lines with `prompt` or `messages`, or ShareGPT's JSON.",
    )
    chat: bool | None = option(
        None,
        panel=PROMPTS,
        default_text="chat, where there is a template",
        help="Ask as a conversation, or send the prompt as it is.",
    )
    ignore_eos: bool = option(
        True,
        panel=PROMPTS,
        help="Ask for all tokens, where the server allows it, or let the model end.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringFlags:
    """How long, how often."""

    duration: Seconds | None = option(
        None,
        metavar="TIME",
        panel=MEASURING,
        parser=parse_seconds,
        default_text="three minutes for all load points",
        help="Measure each load point for so long, after its warm-up.",
    )
    requests: int | None = option(
        None, metavar="N", panel=MEASURING, least=1, help="Or until N requests were measured."
    )
    warmup: Warmup | None = option(
        None,
        metavar="auto|TIME",
        panel=MEASURING,
        parser=parse_warmup,
        default_text="auto",
        help="Warm up at the load itself, and go on into measuring; auto: until it is steady, "
        "at a rate for a quarter of the duration, 10 s at most.",
    )
    repeat: int = option(
        1,
        metavar="N",
        panel=MEASURING,
        least=1,
        help="Measure all load points N times over; from 3 on the intervals are those of repeats.",
    )
    seed: int | None = option(
        None,
        metavar="N",
        panel=MEASURING,
        default_text="a new one each time",
        help="Ask the same prompts at the same times again.",
    )
    floor: bool = option(
        True,
        panel=MEASURING,
        help="Before each load point, measure for 2 s what this client adds by itself.",
    )
    llama_bench_rows: bool = option(
        False,
        "--llama-bench-rows",
        panel=MEASURING,
        help="With a model in this process: measure pp512 and tg128 first, five times each, as "
        "llama-bench does; but sampling, detokenising and Python are included.",
    )

    @property
    def is_open_ended(self) -> bool:
        """Whether nobody says how long to measure; then all points share what time there is."""
        return self.duration is None and self.requests is None

    @property
    def duration_s(self) -> float | None:
        """How long to measure a load point; None: nobody says."""
        return None if self.duration is None else self.duration.value

    @property
    def warmup_s(self) -> float | None:
        """How long to warm up; None: as long as the load wants."""
        return None if self.warmup is None else self.warmup.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingFlags:
    """What is good enough, and what right."""

    slo: str | None = option(
        None,
        metavar="KEY:MS,...",
        panel=JUDGING,
        help="Count the requests that meet an objective: ttft:200,tpot:50; also e2el, icl, "
        "stall and ttft_sched.",
    )
    find_max: bool = option(
        False,
        "--find-max",
        panel=JUDGING,
        help="Find the largest concurrency that meets --slo.",
    )
    strict: bool = option(
        False,
        "--strict",
        panel=JUDGING,
        help="Return 3 when a load point misses --slo, or a search finds none that meets it, and 5 "
        "when a comparison is undecided, or time was up before all was measured.",
    )
    check: bool = option(
        False,
        "--check",
        panel=JUDGING,
        help="Look at the text, too: the same under load as alone, and no other request's.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparingFlags:
    """What to compare it with."""

    vs: str | None = option(
        None,
        metavar="TARGET",
        panel=COMPARING,
        parser=check_name,
        help="Measure TARGET beside it, in turns (A B B A), and say which is faster.",
    )
    vs_api_key_file: Path | None = option(
        None,
        metavar="FILE",
        panel=COMPARING,
        help="Its key; ours and our headers go to the same host only.",
    )
    noise: bool = option(
        False,
        "--noise",
        panel=COMPARING,
        help="Compare it with itself: how large a difference is that is none.",
    )
    stream_vs_full: bool = option(
        False,
        "--stream-vs-full",
        panel=COMPARING,
        help="Ask everything twice, streamed and whole: what streaming gains, and costs.",
    )

    @property
    def is_wanted(self) -> bool:
        """Whether two things are measured in turns."""
        return self.vs is not None or self.noise or self.stream_vs_full


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFlags:
    """Where the figures go."""

    out: Path | None = option(
        None,
        "--out",
        "--json",
        "-o",
        metavar="FILE",
        panel=OUTPUT,
        help="Write the result to FILE as JSON; `-`: to stdout, instead of the table.",
    )
    html: Path | None = option(
        None, metavar="FILE", panel=OUTPUT, help="Write a report with charts, one file in all."
    )
    md: Path | None = option(None, metavar="FILE", panel=OUTPUT, help="Write a Markdown table.")
    csv: Path | None = option(
        None, metavar="FILE", panel=OUTPUT, help="Write a table of all figures."
    )
    records: Path | None = option(
        None,
        metavar="FILE",
        panel=OUTPUT,
        help="Write each request's stamps as JSON lines: `tgicli bench report FILE` computes all "
        "figures from them again.",
    )
    live: bool = option(True, panel=OUTPUT, help="Draw a panel on a terminal, or say a line.")
    quiet: bool = option(
        False, "--quiet", "-q", panel=OUTPUT, help="No progress and no notes on stderr."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFlags(EndpointFlags):
    """Which server to ask, and how."""

    retries: int = option(
        0,
        metavar="0",
        panel=SERVER,
        least=0,
        help="A bench asks once: what a busy server refuses is counted as refused.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchFlags:
    """What the command line, the variables and the file say."""

    target: str | None = argument(
        None,
        metavar="TARGET",
        parser=check_name,
        help="A server's URL, or a model: a GGUF file, or ORG/NAME[:QUANT|:FILE]. Without it "
        "--endpoint, else --model, else the demo model.",
    )
    load: LoadFlags
    prompts: PromptFlags
    measuring: MeasuringFlags
    judging: JudgingFlags
    comparing: ComparingFlags
    output: OutputFlags
    remote: ServerFlags
    loading: LoadingFlags
