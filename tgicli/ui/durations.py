"""A time as a clock shows it. Pure; for what is left of downloads, batches and load tests."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """Spell a time as `0:42` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
