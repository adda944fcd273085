"""`tgicli bench`: measure a target, compare two results, report on one, test this client.

Called by the program's `app` on the main thread. What it is asked for is checked here or in
`options` before anything heavy is imported; `job` does the work.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tgicli.cli.bench.aliases import to_our_words
from tgicli.cli.bench.flags import BenchFlags
from tgicli.cli.bench.status import EPILOG
from tgicli.cli.command import DefaultGroup
from tgicli.cli.signature import takes

if TYPE_CHECKING:  # the Click inside Typer: needed to spell signatures, never imported
    from typer._click.core import Context


class BenchGroup(DefaultGroup):
    """`bench TARGET` is `bench run TARGET`."""

    default = "run"

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the words, in vLLM's spelling, too."""
        return super().parse_args(ctx, to_our_words(args))


app = typer.Typer(cls=BenchGroup, add_completion=False, rich_markup_mode=None, epilog=EPILOG)


@app.callback()
def bench() -> None:
    """Measure how fast a model or a server answers."""


@app.command("run")
@takes(BenchFlags)
def run(ctx: typer.Context, flags: BenchFlags) -> None:
    """Measure how fast a model or a server answers.

    \b
    Examples:
      tgicli bench http://localhost:8080
      tgicli bench ./model.gguf --concurrency 1,8 --duration 30s
      tgicli bench http://localhost:8080 --rate 2,4,8 --slo ttft:500,tpot:50
      tgicli bench http://localhost:8080 --sweep --html report.html
      tgicli bench http://localhost:8080 --vs http://localhost:9090
      tgicli bench http://localhost:8080 --stream-vs-full
      tgicli bench http://localhost:8080 --json - | jq .points[0].steady.metrics.ttft_ms

    Without more words: 1, 4 and 16 users who ask for 128 tokens after a prompt of 256, within three
    minutes in all. The table goes to stdout, everything else to stderr. Ctrl-C ends early and shows
    what was measured. Nothing is asked twice: a refused request is counted as one.
    """
    from tgicli.cli.bench.options import to_options

    options = to_options(ctx, flags)
    from tgicli.cli.bench.job import run_job

    _end(run_job(options, ctx.obj.terminal))


@app.command("compare")
def compare(
    ctx: typer.Context,
    base: Annotated[
        Path,
        typer.Argument(metavar="BASE", help="A result, as --json writes it; or another tool's."),
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another one, of the same loads.")],
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITIONS",
            help="Return 3 when one holds beyond doubt: tpot>5%,output_tps<-5%.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Return 5 when a condition can't be decided.")
    ] = False,
    allow_differences: Annotated[
        bool,
        typer.Option(
            "--allow-differences",
            help="Compare different work, too, such as two models; the differences are told.",
        ),
    ] = False,
) -> None:
    """Compare two results, and say whether the second one is worse.

    \b
    Examples:
      tgicli bench compare base.json new.json
      tgicli bench compare base.json new.json --fail-on 'tpot>5%,output_tps<-5%'
      tgicli bench compare q4.json q8.json --allow-differences
      tgicli bench compare vllm-base.json vllm-new.json --fail-on 'ttft.mean>10%'

    A condition fails only if even the end of the interval that speaks for the new one is past it. A
    measurement that was invalid is refused with 4; two that were made of different work (another
    model, other prompts, other loads) with 2.

    What `vllm bench serve` (--save-result, --save-detailed), guidellm and AIPerf have written is
    read, too. Figures that come without an interval are shown, and decide nothing.
    """
    from tgicli.cli.bench.comparing import compare_files

    status = compare_files(
        base,
        new,
        fail_on,
        ctx.obj.terminal,
        is_strict=strict,
        allows_differences=allow_differences,
    )
    _end(status)


@app.command("report")
def report(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What --records or --json has written.")
    ],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a report with charts.")
    ] = None,
    md: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a Markdown table.")] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a table of all figures.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "--json", "-o", metavar="FILE", help="Write it as JSON; `-`: stdout."
        ),
    ] = None,
) -> None:
    """Show a result again; from records, all figures are computed anew.

    \b
    Examples:
      tgicli bench report records.jsonl
      tgicli bench report result.json --html report.html
    """
    from tgicli.cli.bench.flags import OutputFlags
    from tgicli.cli.bench.reporting import report_file

    output = OutputFlags(out=out, html=html, md=md, csv=csv)
    _end(report_file(file, output, ctx.obj.terminal))


@app.command("selftest")
def selftest(ctx: typer.Context) -> None:
    """Measure what this client adds by itself, on this machine.

    \b
    Examples:
      tgicli bench selftest

    A server of known times runs beside it; what comes later than it was sent is the client's doing.
    """
    from tgicli.cli.bench.selftest import run_selftest

    _end(run_selftest(ctx.obj.terminal))


def _end(status: int) -> None:
    if status:
        raise typer.Exit(status)
