"""Let schemathesis look for answers that /openapi.json does not know.

By hand, in a virtual environment of its own, because its pytest plugin is for an older pytest:
    python -m venv st && st/bin/pip install schemathesis
    python -m tests.server.check_schema --st st/bin/st --examples 200

It thinks up requests that fit the document and requests that don't, and complains of a status 5xx,
of a status, media type or body that is not documented, and of wrong answers to other methods. One
of its checks is left out: that whatever fits the document is served. A document can't say that a
prompt is longer than the context.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from tests.server.conftest import running_server
from tests.tiny import write

LIMITS = ("--max-total-tokens", "48", "--max-batch-size", "4", "--threads", "1")


def main() -> None:
    """Run it against a server with a tiny model; exits with its status."""
    options = _parse()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(write("llama", Path(folder)), *LIMITS) as server,
    ):
        command = [options.st, "run", f"{server.url}/openapi.json", "--continue-on-failure"]
        command += ["--max-examples", str(options.examples), "--warnings", "off"]
        command += ["--exclude-checks", "positive_data_acceptance"]
        status = subprocess.run(command, cwd=folder, check=False).returncode
        bugs = [line for line in server.stderr if line.startswith("Traceback")]
    print(f"tracebacks in the server's log: {len(bugs)}")
    raise SystemExit(status or bool(bugs))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--st", default="st", metavar="PATH", help="schemathesis' program")
    parser.add_argument("--examples", type=int, default=50, metavar="N", help="for each operation")
    return parser.parse_args()


if __name__ == "__main__":
    main()
