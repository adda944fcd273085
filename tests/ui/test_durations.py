from __future__ import annotations

from tgicli.ui.durations import duration_text


def test_times_are_spelled_as_clocks_do():
    assert [duration_text(s) for s in (0, 59.6, 3723)] == ["0:00", "1:00", "1:02:03"]
