"""Where the program starts: `tgicli`, and `python -m tgicli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program; a Ctrl-C while it is still being imported ends it like any other."""
    try:
        from tgicli.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
