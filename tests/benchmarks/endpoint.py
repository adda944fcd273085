"""How long does `tgicli generate --endpoint` take until its request is sent?

A socket listens here. The program is started, and the time stops when its whole request has come:
the interpreter, the imports, the options, the client, the connection. Beside it, by turns, `python
-c "import typer, httpx"` from its start to its exit, which does less than half of that. Twice: with
the dialect said (one request), and with it found out (a question before it).

What would make it lie: other programs on the machine (--patience measures disturbed rounds again)
and a cold disk; a run before the first round brings the files into the page cache.
"""

from __future__ import annotations

import argparse
import functools
import os
import socket
import subprocess
import sys
import time
from typing import NamedTuple

from harness import Spread, add_rounds_options, print_command, print_table, rounds

IMPORTS = [sys.executable, "-c", "import typer, httpx"]
INFO = b'{"model_id":"m"}'
ANSWER = b'{"generated_text":"."}'
SLOW_S = 30.0


class Seconds(NamedTuple):
    """Wall time of one round."""

    request: float
    imports: float


def main() -> None:
    """Print the table."""
    options = _parse()
    rows = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(SLOW_S)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        said = _command(f"{url}/generate_stream")
        found_out = _command(url)
        for what, command in (("said", said), ("found out", found_out)):
            print_command(command)
            run = functools.partial(_round, command, listening)
            run()
            measured = rounds(options, run)
            request, imports = zip(*measured, strict=True)
            rows.append(
                [
                    f"dialect {what}",
                    Spread.of(request).text(3),
                    Spread.of(imports).text(3),
                    Spread.of_ratios(request, imports).text(2),
                ]
            )
    print_table(["", "request sent after s", "import typer, httpx s", "ratio"], rows)


def _parse() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_rounds_options(made, repeat=15)
    return made.parse_args()


def _command(url: str) -> list[str]:
    return [sys.executable, "-m", "tgicli", "generate", "--no-chat", "--endpoint", url, "Hello"]


def _round(command: list[str], listening: socket.socket) -> Seconds:
    return Seconds(_request_s(command, listening), _imports_s())


def _request_s(command: list[str], listening: socket.socket) -> float:
    began_s = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TGICLI_CONFIG": os.devnull},
    ) as process:
        took_s = None
        while took_s is None:
            client, _ = listening.accept()
            with client:
                client.settimeout(SLOW_S)
                while took_s is None and (head := _read_request(client)):
                    if head.startswith(b"POST"):
                        took_s = time.perf_counter() - began_s
                    _reply(client, ANSWER if took_s else INFO)
        if process.wait() != 0:
            raise SystemExit(f"tgicli returned {process.returncode}")
    return took_s


def _read_request(client: socket.socket) -> bytes:
    """Read a whole request; return its head, nothing when there is no more."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += client.recv(65536)
    return head


def _reply(client: socket.socket, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    client.sendall(head % len(body) + body)


def _imports_s() -> float:
    began_s = time.perf_counter()
    subprocess.run(IMPORTS, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main()
