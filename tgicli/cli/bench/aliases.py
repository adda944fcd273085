"""Let what was written for `vllm bench serve` be pasted behind `tgicli bench`.

Used by the command before its options are read. Pure: words in, words out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_NAMES = {  # vLLM's, and ours
    "--request-rate": "--rate",
    "--max-concurrency": "--max-in-flight",
    "--num-prompts": "--requests",
    "--goodput": "--slo",
    "--random-input-len": "--prompt-tokens",
    "--random-output-len": "--output-tokens",
    "--random-prefix-len": "--shared-prefix",
    "--dataset-path": "--dataset",
    "--base-url": "--endpoint",
}
_OBJECTIVE = re.compile(r"\w+:[\d.]+\Z")


def to_our_words(args: Sequence[str]) -> list[str]:
    """Return the command line with our names of options, in our spelling."""
    words = list(_joined_objectives(list(map(_renamed, args))))
    return _joined_url(words)


def _renamed(word: str) -> str:
    name, sign, value = word.partition("=")
    return f"{_NAMES.get(name.replace('_', '-'), name)}{sign}{value}"


def _joined_objectives(words: Sequence[str]) -> Iterator[str]:
    """Make one value of `--slo ttft:200 tpot:50`."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        yield word
        if word == "--slo":
            several = []
            while rest and _OBJECTIVE.match(rest[0]):
                several.append(rest.pop(0))
            if several:
                yield ",".join(several)


def _joined_url(words: list[str]) -> list[str]:
    """Make one URL of vLLM's base and its `--endpoint`, which is a path."""
    places = [i for i, word in enumerate(words[:-1]) if word == "--endpoint"]
    paths = [i for i in places if words[i + 1].startswith("/")]
    bases = [i for i in places if i not in paths]
    if not paths or not bases:
        return words
    url = words[bases[-1] + 1].rstrip("/") + words[paths[-1] + 1]
    gone = {i + offset for i in places for offset in (0, 1)}
    return [*(word for i, word in enumerate(words) if i not in gone), "--endpoint", url]
