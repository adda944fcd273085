"""What is shown of a server: the panel's numbers, the log's lines, and how errors pass through."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from tests.server.gated import GatedBackend
from tests.ui.pty import PseudoTerminal
from tgicli.cli.flags import LoadingFlags
from tgicli.cli.serve.connect import ConnectFlags
from tgicli.cli.serve.flags import LimitFlags, ServeFlags
from tgicli.cli.serve.watching import watch
from tgicli.server.record import Record
from tgicli.server.service import ServerOptions, Service
from tgicli.ui.terminal import Terminal
from tgicli.wire.limits import Limits

OPTIONS = ServeFlags(limits=LimitFlags(), loading=LoadingFlags(), remote=ConnectFlags())
URL = "http://127.0.0.1:3000"


async def make_service() -> Service:
    limits = Limits(max_total_tokens=99, max_input_tokens=98)
    options = ServerOptions(limits=limits, max_concurrent_requests=8)
    return Service(backend=GatedBackend(), options=options, model_id="gated", version="1")


def on_stream(stderr: io.StringIO) -> Terminal:
    return Terminal(stdin=None, stdout=None, stderr=stderr)


def record(**changes: Any) -> Record:
    made = Record("a1", "POST", "/generate", "127.0.0.1")
    for name, value in {"status": 200, **changes}.items():
        setattr(made, name, value)
    return made


def shown_speed(pseudo: PseudoTerminal) -> float:
    """Return what stands below `tokens/s`."""
    rows = pseudo.window.everything()
    place = next(i for i, row in enumerate(rows) if "tokens/s" in row)
    return float(rows[place + 1].split()[0])


def test_the_speed_counts_tokens_of_answers_that_are_not_complete():
    async def serve(pseudo: PseudoTerminal) -> float:
        service = await make_service()
        async with watch(service, OPTIONS, pseudo.terminal, URL):
            for _ in range(8):
                service.metrics.generated(25)
                await asyncio.sleep(0.1)
            return await asyncio.to_thread(shown_speed, pseudo)

    with PseudoTerminal() as pseudo:
        speed = asyncio.run(serve(pseudo))

    assert speed > 0


@pytest.mark.parametrize("is_live", [True, False])
def test_what_the_block_raises_comes_out_as_it_is(is_live: bool):
    async def serve(terminal: Terminal) -> None:
        async with watch(await make_service(), replace(OPTIONS, live=is_live), terminal, URL):
            raise ZeroDivisionError

    with PseudoTerminal() as pseudo, pytest.raises(ZeroDivisionError):
        asyncio.run(serve(pseudo.terminal))


def test_a_log_has_a_line_for_each_request_but_for_those_of_machines():
    async def serve(stderr: io.StringIO) -> None:
        async with watch(await make_service(), OPTIONS, on_stream(stderr), URL) as report:
            report(record(error_type="cancelled"))
            report(record(path="/health"))
            report(record(path="/health", status=503))

    stderr = io.StringIO()
    asyncio.run(serve(stderr))

    ready, *lines = stderr.getvalue().splitlines()
    assert ready.startswith(f"serving gated on {URL}; 8 requests at most")
    assert [line.split()[2:5] for line in lines] == [
        ["POST", "/generate", "200"],
        ["POST", "/health", "503"],
    ]
    assert "error=cancelled" in lines[0]


def test_every_line_of_a_json_log_is_json_also_a_traceback():
    async def serve(stderr: io.StringIO) -> None:
        options = replace(OPTIONS, json_output=True)
        async with watch(await make_service(), options, on_stream(stderr), URL) as report:
            try:
                raise ZeroDivisionError
            except ZeroDivisionError:
                logging.getLogger("anybody").exception("it broke")
            report(record())

    stderr = io.StringIO()
    asyncio.run(serve(stderr))

    _, complaint, line = map(str.strip, stderr.getvalue().splitlines())
    assert "ZeroDivisionError" in json.loads(complaint)["complaint"]
    assert json.loads(line)["status"] == 200


def test_what_went_wrong_is_said_below_the_panel():
    async def serve(pseudo: PseudoTerminal) -> None:
        async with watch(await make_service(), OPTIONS, pseudo.terminal, URL):
            await asyncio.to_thread(pseudo.wait_for, "tgicli serve")
            logging.getLogger("anybody").error("it broke")

    with PseudoTerminal() as pseudo:
        asyncio.run(serve(pseudo))

    rows = pseudo.window.everything()
    assert rows[-1] == "it broke"
    assert any("tgicli serve" in row for row in rows)


def test_nothing_is_said_when_nothing_shall_be():
    async def serve(stderr: io.StringIO) -> None:
        options = replace(OPTIONS, quiet=True)
        async with watch(await make_service(), options, on_stream(stderr), URL) as report:
            report(record())

    stderr = io.StringIO()
    asyncio.run(serve(stderr))

    assert stderr.getvalue() == ""
