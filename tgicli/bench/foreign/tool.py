"""Tell by its fields which tool has written a file, and read it. For `bench compare`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tgicli.bench.comparable import Comparable
from tgicli.bench.foreign.aiperf import from_aiperf, is_aiperf
from tgicli.bench.foreign.guidellm import from_guidellm, is_guidellm
from tgicli.bench.foreign.vllm import from_vllm, is_vllm

TOOLS = "vllm bench serve, guidellm or AIPerf"


def from_foreign(documents: Sequence[object]) -> Comparable | None:
    """Read a file's JSON values, one or a line each; None: it is none of these tools'."""
    if documents and all(map(is_vllm, documents)) and not any(map(is_aiperf, documents)):
        return from_vllm(documents)
    if len(documents) != 1:
        return None
    if is_guidellm(documents[0]):
        return from_guidellm(documents[0])
    return from_aiperf(documents[0]) if is_aiperf(documents[0]) else None
