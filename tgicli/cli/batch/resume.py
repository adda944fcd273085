"""Which prompts are still to be asked, given the answers of an earlier run.

Called by `job` on the main thread, before anything is loaded. An answer counts where its prompt
and the parameters are the same again, wherever that prompt stands now; where they are not, the
user decides, not we.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from pathlib import Path

from tgicli.cli.batch.input import Prompt
from tgicli.cli.batch.options import Earlier
from tgicli.cli.batch.output import AnswerFile
from tgicli.errors import ConfigError
from tgicli.wire.batch_answers import Key, Record


def resume(file: AnswerFile, prompts: list[Prompt], earlier: Earlier, shown: Path) -> list[Prompt]:
    """Return the prompts that have no answer yet; the file keeps those that count.

    What failed is asked again.

    Raises:
        ConfigError: answers are there to something else, and nobody said what becomes of them.
        StreamBroken: the file can't be written.
    """
    records = file.records
    found = {} if earlier is Earlier.RESTART else _match(records, prompts)
    if earlier is Earlier.KEEP:
        _check_same(records, found, prompts, shown)
    file.keep(found)
    answered = set(found.values())
    return [prompt for prompt in prompts if prompt.key.index not in answered]


def _match(records: Sequence[Record], prompts: Sequence[Prompt]) -> dict[int, int]:
    """Return, for each answer's place in the file, which prompt it is to; one answer a prompt.

    A prompt that stands where it stood has its own answer, also where others are the same as it.
    """
    answers = [(place, record.key) for place, record in enumerate(records) if record.is_answer]
    unanswered = {prompt.key for prompt in prompts}
    found: dict[int, int] = {}
    for place, key in answers:
        if key in unanswered:
            unanswered.remove(key)
            found[place] = key.index
    moved: dict[str, deque[int]] = defaultdict(deque)
    for prompt in prompts:
        if prompt.key in unanswered:
            moved[prompt.key.digest].append(prompt.key.index)
    for place, key in answers:
        if place not in found and moved[key.digest]:
            found[place] = moved[key.digest].popleft()
    return found


def _check_same(
    records: Sequence[Record], found: dict[int, int], prompts: Sequence[Prompt], shown: Path
) -> None:
    """Refuse to mix answers to different questions.

    Raises:
        ConfigError: some would be.
    """
    known = {records[place].key for place in found}  # a second answer to one of these may go
    changed = [record.key for record in records if record.is_answer and record.key not in known]
    if changed:
        raise ConfigError(
            f"{len(changed):,} of the answers in --output {shown} are to something else: "
            f"{_what_changed(changed[0], set(found.values()), prompts)}; use --redo-changed to "
            f"drop those and ask what has changed, --restart to ask all again, or another file"
        )


def _what_changed(key: Key, answered: set[int], prompts: Sequence[Prompt]) -> str:
    same_lines = [prompt.key for prompt in prompts if _line(prompt.key) == _line(key)]
    if any(same.digest != key.digest for same in same_lines):
        return "the options, the model or the server have changed"
    if key.index >= len(prompts) or key.index in answered:
        return f"what was prompt {key.index + 1:,} is not there any more"
    return f"line {prompts[key.index].number} of the prompts has changed"


def _line(key: Key) -> str:
    """Name the line alone."""
    return key.digest.partition(".")[0]
