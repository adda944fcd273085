"""Many prompts to a busy server, interrupted and killed: each is answered exactly once.

`BATCH_PROMPTS=1000 pytest tests/cli/batch/test_server.py` asks a thousand.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.conftest import RunningServer, eventually, running_server

N_PROMPTS = int(os.environ.get("BATCH_PROMPTS", "160"))
CONCURRENCY = 32
LIMITS = ["--max-concurrent-requests", "8", "--threads", "1"]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("TGICLI_")},
    "TGICLI_CONFIG": os.devnull,
}


def start(server: RunningServer, prompts: Path, answers: Path) -> subprocess.Popen[str]:
    """Start to ask the server."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tgicli", "generate", "--endpoint", server.url, "--no-chat"),
            *("--input", str(prompts), "--output", str(answers)),
            *("--concurrency", str(CONCURRENCY), "--max-new-tokens", "40", "--seed", "1"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )


def whole_lines(path: Path) -> list[str]:
    data = path.read_text() if path.exists() else ""
    return data[: data.rfind("\n") + 1].splitlines()


def has_lines(path: Path, n: float) -> Callable[[], bool]:
    return lambda: len(whole_lines(path)) >= n


@pytest.mark.slow
def test_interrupted_twice_and_killed_once_every_prompt_is_answered_exactly_once(
    tiny_model: Path, tmp_path: Path
):
    prompts, answers = tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl"
    prompts.write_text(
        "".join(
            json.dumps({"id": f"p{i}", "prompt": f"Prompt {i}"}) + "\n" for i in range(N_PROMPTS)
        )
    )
    blows = [(signal.SIGINT, 0.2), (signal.SIGKILL, 0.4), (signal.SIGINT, 0.6)]
    seen: list[str] = []

    with running_server(tiny_model, *LIMITS) as server:
        for blow, share in blows:
            process = start(server, prompts, answers)
            assert eventually(has_lines(answers, share * N_PROMPTS), within_s=60)
            process.send_signal(blow)
            _, err = process.communicate(timeout=30)
            if blow == signal.SIGINT:
                assert process.returncode == 130
                assert f"of {N_PROMPTS:,} prompts are answered in {answers}" in err
            assert set(seen) <= set(whole_lines(answers)), "an answer was lost or changed"
            seen = whole_lines(answers)
            assert len(seen) < N_PROMPTS, "the signal came too late to prove anything"
        process = start(server, prompts, answers)
        out, err = process.communicate(timeout=300)

    final = [json.loads(line) for line in whole_lines(answers)]
    assert (process.returncode, out) == (0, "")
    assert [line["index"] for line in final] == list(range(N_PROMPTS))
    assert Counter(line["id"] for line in final) == Counter(f"p{i}" for i in range(N_PROMPTS))
    assert all(line["generated_tokens"] == 40 and line["text"] for line in final)
    assert set(seen) <= set(whole_lines(answers))
    assert sorted(os.listdir(tmp_path)) == ["answers.jsonl", "prompts.jsonl"]
