"""What does reading one event of a stream cost?

A server of 60 lines, in a process of its own, streams one token an event in TGI's shape. Readers
take the same stream, each in a process of its own, and count their CPU time:
    bare      asyncio's StreamReader: lines that begin with `data:`, decoded by msgspec
    httpx     httpx's aiter_raw, nothing decoded
    sse       httpx-sse's aiter_sse, decoded by json
    tgicli    the remote backend, from the socket to core's events
once with each event in a packet of its own, as a model makes them, and once with all events at
once, as after a stall. The connection is made before the clock starts for nobody: the cost of
making it is in, so the number of events is large.

What would make it lie: other programs on the machine (CPU time suffers less than wall time, but
caches are shared), and a slow server, which shows as wall time and not here.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from harness import Spread, add_rounds_options, print_table, rounds

PACE_S = 0.0005  # between two events that are to come alone
EVENT = (
    b'data: {"index":%d,"token":{"id":323,"text":" and","logprob":-1.203125,"special":false},'
    b'"generated_text":null,"details":null}\n\n'
)
LAST = (
    b'data: {"index":%d,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},'
    b'"generated_text":"...","details":{"finish_reason":"eos_token","generated_tokens":%d,'
    b'"seed":null,"input_length":5}}\n\n'
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def main() -> None:
    """Print the table, or be one of the processes."""
    options = _parse()
    if options.serve:
        asyncio.run(_serve(options.events))
    elif options.reader:
        print(asyncio.run(_cpu_s(READERS[options.reader], options.port, options.burst)))
    else:
        _measure(options)


def _parse() -> argparse.Namespace:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_rounds_options(made, repeat=7)
    made.add_argument("--events", type=int, default=5000, metavar="N", help="in a stream")
    for name in ("--serve", "--burst"):
        made.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    made.add_argument("--reader", help=argparse.SUPPRESS)
    made.add_argument("--port", type=int, help=argparse.SUPPRESS)
    return made.parse_args()


def _measure(options: argparse.Namespace) -> None:
    command = [sys.executable, __file__, "--events", str(options.events)]
    with subprocess.Popen([*command, "--serve"], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = server.stdout.readline().decode().strip()
        print(f"- {options.events:,} events a stream, microseconds of CPU an event")
        rows = []
        for burst in (False, True):
            run = functools.partial(_round, command, port, burst, options.events)
            measured = rounds(options, run)
            for name in READERS:
                figures = [one[name] for one in measured]
                bare = [one["bare"] for one in measured]
                what = f"{name}, {'all at once' if burst else 'one a packet'}"
                rows.append(
                    [what, Spread.of(figures).text(1), Spread.of_ratios(figures, bare).text(2)]
                )
        server.terminate()
    print_table(["", "us an event", "against bare"], rows)


def _round(command: list[str], port: str, burst: bool, n_events: int) -> dict[str, float]:
    """Run each reader once; return microseconds an event."""
    flags = ["--port", port, *(["--burst"] if burst else [])]
    return {
        name: float(subprocess.check_output([*command, "--reader", name, *flags])) / n_events * 1e6
        for name in READERS
    }


async def _cpu_s(read: Callable[[int, str], Awaitable[int]], port: int, burst: bool) -> float:
    path = "/burst" if burst else "/paced"
    await read(port, "/short")  # imports and first uses
    began_s = time.process_time()
    n_events = await read(port, path)
    spent_s = time.process_time() - began_s
    if n_events < 1000:
        raise SystemExit(f"only {n_events} events were read")
    return spent_s


async def _read_bare(port: int, path: str) -> int:
    import msgspec

    decode = msgspec.json.Decoder(dict[str, Any]).decode
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n" % path.encode()
    )
    n_events = 0
    while line := await reader.readline():
        if line.startswith(b"data:"):
            n_events += bool(decode(line[5:])["token"])
    writer.close()
    return n_events


async def _read_httpx(port: int, path: str) -> int:
    import httpx

    n_events = 0
    async with (
        httpx.AsyncClient(timeout=None) as client,
        client.stream("POST", f"http://127.0.0.1:{port}{path}") as response,
    ):
        async for chunk in response.aiter_raw():
            n_events += chunk.count(b"\n\n")
    return n_events


async def _read_sse(port: int, path: str) -> int:
    import httpx
    import httpx_sse

    n_events = 0
    async with (
        httpx.AsyncClient(timeout=None) as client,
        httpx_sse.aconnect_sse(client, "POST", f"http://127.0.0.1:{port}{path}") as source,
    ):
        async for event in source.aiter_sse():
            n_events += bool(json.loads(event.data)["token"])
    return n_events


async def _read_tgicli(port: int, path: str) -> int:
    from tgicli.backends.endpoint import Endpoint, RemoteOptions
    from tgicli.backends.remote import RemoteBackend
    from tgicli.core import GenerationRequest, Progress
    from tgicli.wire.api import Api

    endpoint = Endpoint.from_url(f"http://127.0.0.1:{port}{path}/generate_stream")
    backend = RemoteBackend(RemoteOptions(endpoint=endpoint, api=Api.TGI))
    request = GenerationRequest(id="x", prompt="x")
    n_events = 0
    async with aclosing(backend), aclosing(backend.generate(request)) as events:
        async for event in events:
            n_events += 0 if isinstance(event, Progress) else len(event.tokens)
    return n_events


READERS = {"bare": _read_bare, "httpx": _read_httpx, "sse": _read_sse, "tgicli": _read_tgicli}


async def _serve(n_events: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        await reader.readexactly(length)
        count = 10 if b"/short" in head else n_events
        chunks = [_chunk(EVENT % index) for index in range(1, count)]
        chunks.append(_chunk(LAST % (count, count)))
        writer.write(HEAD)
        if b"/paced" in head:
            for chunk in chunks:
                writer.write(chunk)
                await asyncio.sleep(PACE_S)
        else:
            writer.write(b"".join(chunks))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


if __name__ == "__main__":
    main()
