"""`--check`: is the text the same under load as alone, and does no answer hold another's?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tgicli.bench.check import CheckResult, check_prompts, judge_answers
from tgicli.cli.bench.single_jobs import CheckJob

if TYPE_CHECKING:
    from tgicli.cli.bench.runs import Bench


async def check_text(bench: Bench) -> CheckResult:
    """Ask for code words, and judge the answers."""
    prompts = check_prompts(seed=bench.options.seed)
    answers = await bench.process.do(CheckJob(prompts=prompts), bench.screen.hears)
    return judge_answers(prompts, answers)
