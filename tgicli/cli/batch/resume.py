"""Which prompts are still to be asked, given the answers of an earlier run.

Called by `job` on the main thread, before anything is loaded. An answer counts where its prompt
and the parameters are the same again; where they are not, the user decides, not we.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    keys = {prompt.key for prompt in prompts}
    answers = [record for record in file.records if record.is_answer]
    counting = {record.key for record in answers} & keys
    if earlier is Earlier.RESTART:
        counting = set()
    elif earlier is Earlier.KEEP:
        _check_same(answers, prompts, shown)
    file.keep(counting)
    return [prompt for prompt in prompts if prompt.key not in counting]


def _check_same(answers: Iterable[Record], prompts: list[Prompt], shown: Path) -> None:
    """Refuse to mix answers to different questions.

    Raises:
        ConfigError: some would be.
    """
    changed = [answer.key for answer in answers if not _is_asked(answer.key, prompts)]
    if changed:
        raise ConfigError(
            f"{len(changed):,} of the answers in --output {shown} are to something else: "
            f"{_what_changed(changed[0], prompts)}; use --redo-changed to ask those again, "
            f"--restart to ask all again, or another file"
        )


def _is_asked(key: Key, prompts: list[Prompt]) -> bool:
    return key.index < len(prompts) and prompts[key.index].key == key


def _what_changed(key: Key, prompts: list[Prompt]) -> str:
    if key.index >= len(prompts):
        return f"there is no prompt {key.index + 1:,} any more"
    prompt = prompts[key.index]
    is_same_line = key.digest.partition(".")[0] == prompt.key.digest.partition(".")[0]
    if is_same_line:
        return "the options, the model or the server have changed"
    return f"line {prompt.number} of the prompts has changed"
