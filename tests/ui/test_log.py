"""The log: lines in order, whoever reads them, and nobody waits."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator
from typing import IO

from tgicli.ui.log import MAX_LINES, Log
from tgicli.ui.terminal import Terminal


def on_stream(stderr: IO[str]) -> Log:
    return Log(Terminal(stdin=None, stdout=None, stderr=stderr), lambda n: f"<{n}>")


@contextlib.contextmanager
def full_pipe() -> Iterator[tuple[IO[str], int]]:
    """Give a stream that takes nothing, and what empties it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, b"." * 4096):
            pass
    os.set_blocking(writing, True)
    with os.fdopen(writing, "w") as stream:
        yield stream, reading
    os.close(reading)


def test_lines_come_in_order_and_all_of_them():
    stream = io.StringIO()
    log = on_stream(stream).start()

    for number in range(MAX_LINES):
        log.write(f"{number} é")
    log.close()

    assert stream.getvalue().splitlines() == [f"{number} é" for number in range(MAX_LINES)]


def test_a_line_appears_while_the_log_is_open():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading) as lines:
        log = on_stream(stream).start()

        log.write("now")

        assert lines.readline() == "now\n"
        log.close()


def test_a_reader_that_takes_nothing_holds_nobody_and_learns_what_is_missing():
    with full_pipe() as (stream, reading):
        log = on_stream(stream).start()

        for number in range(5 * MAX_LINES):
            log.write(str(number))
        log.close()  # gives up after a moment
        data = b""
        while b">\n" not in data:
            data += os.read(reading, 65536)
        log._writer.join()

    *lines, note = data.decode().lstrip(".").splitlines()
    n_missing = int(note.strip("<>"))
    assert lines == [str(number) for number in range(len(lines))]
    assert len(lines) >= MAX_LINES
    assert len(lines) + n_missing == 5 * MAX_LINES


def test_many_threads_may_write():
    stream = io.StringIO()
    log = on_stream(stream).start()

    def write(name: str) -> None:
        for _ in range(50):
            log.write(name)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()

    assert sorted(stream.getvalue().split()) == sorted("abcd" * 50)
