"""Where the program starts: `tgicli`, and `python -m tgicli`."""

from __future__ import annotations

from tgicli.cli.signals import leave_on_signals


def main() -> None:
    """Run the program. Signals come first: they must be heard while the rest is imported."""
    leave_on_signals()
    from tgicli.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
