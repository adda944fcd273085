"""`--check`: is the text the same under load as alone, and does no answer hold another's?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tgicli.bench.check import CheckResult, check_prompts, judge_answers
from tgicli.cli.bench.single_jobs import CheckJob

if TYPE_CHECKING:
    from tgicli.cli.bench.runs import Loads


async def check_text(loads: Loads) -> CheckResult:
    """Ask for code words, and judge the answers."""
    prompts = check_prompts(seed=loads.options.seed)
    answers = await loads.load.do(CheckJob(prompts=prompts), loads.screen.hears)
    return judge_answers(prompts, answers)


def check_words(found: CheckResult) -> Iterator[str]:
    """Say what was found, a line each."""
    yield f"text: {'sound' if found.is_sound else 'NOT SOUND'}, {found.n_prompts} prompts"
    for stage, match in found.matches.items():
        if match.n:
            places = sorted(match.first_differences)
            where = f", others from character {places[0]} on" if places else ""
            yield f"  {stage}: {match.n_equal} of {match.n} texts as alone{where}"
    for crossing in found.crossings:
        yield f"  {crossing.stage}: answer {crossing.index} has the code word of {crossing.other}"
    if found.n_busy:
        yield f"  {found.n_busy} were refused as the server was full, and are not compared"
    for name, n in (*found.problems.items(), *found.errors.items()):
        yield f"  {name}: {n}"
    if not found.can_tell:
        yield "  the model repeats no code word, so a mix-up would not have shown"
