"""The headers in which TGI tells what an answer took. Pure; used by the routes on the loop."""

from __future__ import annotations

from collections.abc import Sequence

from tgicli.core import Finish
from tgicli.server.record import Record


def compute_headers(n_characters: int, *, on_gpu: bool | None) -> dict[str, str]:
    """Return what a stream tells, too; n_characters are the prompts', on_gpu None is not known."""
    told = {"x-compute-characters": str(n_characters)}
    if on_gpu is None:
        return told
    return {"x-compute-type": "gpu+optimized" if on_gpu else "cpu+optimized", **told}


def wall_header(record: Record) -> dict[str, str]:
    """Return the seconds since the request came, which TGI tells on all routes but completions."""
    return {"x-compute-time": f"{record.elapsed_s:.6f}"}


def timing_headers(
    record: Record, finishes: Sequence[Finish], *, validated_s: float, n: int = 1
) -> dict[str, str]:
    """Return what a whole answer tells besides; times are milliseconds, and sums.

    There are n answers to each prompt, which counts once.
    """
    inference_s = sum(finish.prefill_s + finish.decode_s for finish in finishes)
    n_generated = sum(finish.n_generated_tokens for finish in finishes)
    return {
        "x-total-time": _ms(record.elapsed_s),
        "x-validation-time": _ms(validated_s),
        "x-queue-time": _ms(sum(finish.queue_s for finish in finishes)),
        "x-inference-time": _ms(inference_s),
        "x-time-per-token": _ms(inference_s / max(1, n_generated)),
        "x-prompt-tokens": str(sum(finish.n_prompt_tokens for finish in finishes[::n])),
        "x-generated-tokens": str(n_generated),
    }


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))
