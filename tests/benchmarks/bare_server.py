"""The least that an HTTP server can do: refuse everybody in constant words. Used by overload.py.

What it takes until a client has heard that from here is what client and machine take alone.
"""

from __future__ import annotations

import argparse
import asyncio
import re

BODY = b'{"error":"Model is overloaded","error_type":"overloaded"}'
REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
HEALTHY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Refusing(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        """Answer a request when all of it is there."""
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            self._data = b""
            self._transport.write(HEALTHY if head.startswith(b"GET /health ") else REFUSAL)


async def serve(host: str, port: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Refusing, host, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    asyncio.run(serve(options.host, options.port))
