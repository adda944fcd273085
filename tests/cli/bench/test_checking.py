"""What the text's check says."""

from __future__ import annotations

from tgicli.bench.check import CheckResult
from tgicli.cli.bench.checking import check_words


def test_refusals_are_told():
    found = CheckResult(
        n_prompts=4,
        matches={},
        crossings=(),
        echoes={"alone": 4},
        problems={},
        errors={},
        n_busy=3,
        n_answered=13,
    )

    assert "  3 were refused as the server was full, and are not compared" in check_words(found)
