"""HTTP to one server, by httpx; its event streams by httpx-sse.

Used by the remote backend on the event loop; nothing of httpx gets past this module but by our own
names. What httpx raises becomes one of our errors by `faults`.

Never follows a redirect, writes no log, and reads no more of a body or of an event than a limit
allows.
"""

from __future__ import annotations

import asyncio
import codecs
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
    closing,
)
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

from tgicli import __version__
from tgicli.backends.clients import new_client
from tgicli.backends.endpoint import (
    MASK,
    Endpoint,
    RemoteOptions,
    shown_header,
    shown_query,
)
from tgicli.backends.faults import BREAKS, Faults, words_of_fault
from tgicli.backends.http_library import httpx, httpx_sse
from tgicli.backends.observing import Observation
from tgicli.backends.patience import Patience
from tgicli.backends.proxies import proxy_for
from tgicli.backends.watch import Watch
from tgicli.errors import ConfigError, StreamBroken, Unreachable
from tgicli.wire.refusals import event_error, words_of

MAX_EVENT_BYTES = 16 << 20  # more without an event's end is no event
MAX_BODY_BYTES = 64 << 20  # of an answer that is no stream
MAX_WORDS_BYTES = 64 << 10  # of a refusal
WORDS_S = 5.0  # to read a refusal
RESENT_WITHIN_S = 1.0  # a round trip to anywhere, and not much work
EVENT_STREAM = "text/event-stream"
_ERROR_FIELD = "error: {"
_CONNECTED = frozenset(
    f"connection.{what}.complete" for what in ("connect_tcp", "connect_unix_socket", "start_tls")
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A short answer, read whole."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request as it is sent, for showing: whatever may be secret is hidden in it."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


class HttpClient:
    """Connections to one server."""

    def __init__(self, options: RemoteOptions, *, is_observed: bool = False) -> None:
        """Prepare; nothing is sent.

        Raises:
            ConfigError: the URL, or the environment's proxy or certificates, can't be used.
        """
        self._endpoint = options.endpoint
        self._headers = _headers(options)
        _check_host(self._endpoint)
        proxy = proxy_for(self._endpoint)
        self._client = new_client(options, proxy=proxy, is_observed=is_observed)
        self._faults = Faults(self._endpoint.shown, proxy, options.timeouts.connect_s)

    async def get(self, path: str, patience: Patience) -> Reply:
        """Ask for a page.

        Raises:
            Unreachable, DeadlineExceeded: there is no answer.
        """
        async with self._exchange("GET", path, None, patience) as answer:
            return await answer.reply(patience)

    async def post(self, path: str, body: bytes, patience: Patience) -> Reply:
        """Send a body and read the whole answer. Raises as get."""
        async with self._exchange("POST", path, body, patience) as answer:
            return await answer.reply(patience)

    def stream(
        self, path: str, body: bytes, patience: Patience, observation: Observation | None = None
    ) -> AbstractAsyncContextManager[Answer]:
        """Send a body; give the answer once it has begun, and close it with the block.

        Raises:
            ConnectionRefused, Unreachable, DeadlineExceeded: it does not begin.
        """
        return self._exchange("POST", path, body, patience, observation)

    def describe(self, path: str, body: bytes) -> HttpCall:
        """Return what `stream` would send."""
        request = self._request("POST", path, body)
        endpoint = self._endpoint
        place = "http://localhost" if endpoint.socket is not None else endpoint.shown
        query = f"?{shown_query(endpoint.query)}" if endpoint.query else ""
        url = f"{place}{path or '/'}{query}"
        names = {name.lower() for name, _ in self._headers} | {"content-type"}
        headers = [(n, v) for n, v in request.headers.items() if n in names]
        if self._endpoint.has_password:
            headers.append(("authorization", f"Basic {MASK}"))
        return HttpCall(url, tuple((n, shown_header(n, v)) for n, v in headers), body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _request(self, method: str, path: str, body: bytes | None) -> httpx.Request:
        headers = [*self._headers]
        if body is not None and all(name.lower() != "content-type" for name, _ in headers):
            headers.append(("content-type", "application/json"))
        url = self._endpoint.url(path)
        return self._client.build_request(method, url, content=body, headers=headers)

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | None,
        patience: Patience,
        observation: Observation | None = None,
    ) -> AsyncGenerator[Answer, None]:
        with self._faults.translated(), closing(Watch(patience)) as watch, watch:
            response = await self._send(method, path, body, observation)
        try:
            yield Answer(response, observation)
        finally:
            await response.aclose()

    async def _send(
        self, method: str, path: str, body: bytes | None, observation: Observation | None
    ) -> httpx.Response:
        """Send a request; again if it met the end of a connection that was kept from another one.

        A server may close such a connection at any time, and that is seen at once. An end that
        comes later may come of the request itself: a body is not sent again then.
        """
        if observation is not None:
            observation.sent(time.perf_counter_ns())
        while True:
            connecting, sent_s = _Connecting(observation), time.monotonic()
            request = self._request(method, path, body)
            request.extensions["trace"] = connecting
            try:
                return await self._client.send(request, stream=True)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                is_late = time.monotonic() - sent_s > RESENT_WITHIN_S
                if _is_end(error) and not connecting.is_new and not (is_late and body is not None):
                    continue
                if connecting.has_cut_body and body is not None:
                    raise Unreachable(
                        f"{self._endpoint.shown} closed the connection before it had taken all of "
                        f"the request, {len(body):,} bytes: is that too much for it?"
                    ) from error
                raise


def _is_end(error: httpx.HTTPError) -> bool:
    """Whether a connection ended, and not what came on it is no HTTP."""
    return not isinstance(error, httpx.RemoteProtocolError) or "disconnected" in str(error)


class _Connecting:
    """Is told by httpcore what happens to one request."""

    def __init__(self, observation: Observation | None) -> None:
        self.is_new = False  # a connection was made for it
        self.has_cut_body = False  # the connection broke while the request was sent
        self._observation = observation

    async def __call__(self, event: str, info: Mapping[str, object]) -> None:
        if event.partition(".")[2].startswith("connect_"):  # of a connection, or a SOCKS proxy
            self.is_new = True
        elif event == "http11.send_request_body.failed":
            self.has_cut_body = True
        if self._observation is not None and event in _CONNECTED:
            self._observation.connected(time.perf_counter_ns())


class Answer:
    """One server's answer, as it comes."""

    def __init__(self, response: httpx.Response, observation: Observation | None = None) -> None:
        self._response = response
        self._observation = observation
        if observation is not None:
            observation.answered(_read_at_ns(response), response.status_code, response.headers)
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def reply(self, patience: Patience) -> Reply:
        """Read the whole answer; of a refusal the beginning.

        Raises:
            StreamBroken, DeadlineExceeded: it does not come to its end, or is too large.
        """
        if self.status != HTTPStatus.OK:
            return Reply(self.status, await self.words(), self.headers)
        body = bytearray()
        async with aclosing(_chunks(self._response, patience, self._observation)) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise StreamBroken(f"the answer is longer than {MAX_BODY_BYTES:,} bytes")
        return Reply(self.status, bytes(body), self.headers)

    async def words(self) -> bytes:
        """Read the beginning of a refusal, as far as it comes and can be read."""
        body = bytearray()
        if _strange_encoding(self.headers):
            return b""
        try:
            async with asyncio.timeout(WORDS_S):
                async for chunk in self._response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_WORDS_BYTES:
                        break
        except (*BREAKS, TimeoutError):
            pass  # the status says enough
        return bytes(body)

    async def events(self, patience: Patience) -> AsyncGenerator[str, None]:
        """Yield the events' data, as long as the body lasts.

        Raises:
            StreamBroken, DeadlineExceeded: it breaks off, stalls, or an event never ends.
            TgicliError: an event is called an error.
        """
        text = _EventText(self._response, patience, self._observation)
        async with aclosing(httpx_sse.EventSource(text).aiter_sse()) as events:
            async for event in events:
                text.has_events, text.n_unread = True, 0
                if event.event == "error":
                    if self._observation is not None:
                        self._observation.understood(event.data, ())
                    raise event_error(event.data)
                if event.data:
                    yield event.data
        if not text.has_events and text.beginning.lstrip()[:1] in (b"{", b"<"):
            words = words_of(text.beginning)  # an error's JSON, or a page
            raise StreamBroken(f"the server sent no event; it says: {words}")


class _EventText(httpx.Response):
    """What httpx-sse reads: a body's text, within a patience and a limit for one event.

    UTF-8 whatever the headers say, without a byte-order mark, as the standard wants it.
    """

    def __init__(
        self, response: httpx.Response, patience: Patience, observation: Observation | None
    ) -> None:
        super().__init__(200, headers={"content-type": EVENT_STREAM})
        self.n_unread = 0  # bytes since the last event; set to 0 by whoever sees one
        self.has_events = False  # set by the same
        self.beginning = b""  # of the body, up to the first event
        self._source = response
        self._patience = patience
        self._observation = observation

    async def aiter_text(self, chunk_size: int | None = None) -> AsyncGenerator[str, None]:
        decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        begins_line = True
        async with aclosing(_chunks(self._source, self._patience, self._observation)) as chunks:
            async for chunk in chunks:
                self.n_unread += len(chunk)
                if self.n_unread > MAX_EVENT_BYTES:
                    raise StreamBroken(
                        f"the server sent {self.n_unread:,} bytes without the end of an event"
                    )
                if text := decode(chunk):
                    yield _named(text, begins_line=begins_line)
                    begins_line = text.endswith("\n")
                if not self.has_events and len(self.beginning) < MAX_WORDS_BYTES:
                    self.beginning += chunk
        # The last event is one also where its blank line is missing.
        yield decode(b"", True) + "\n\n"


def _named(text: str, *, begins_line: bool) -> str:
    """Return a stream's text with an error as an event of that name.

    Older llama-servers write it as a field `error`, which nobody would read.
    """
    if _ERROR_FIELD not in text:
        return text
    named = text.replace(f"\n{_ERROR_FIELD}", "\nevent: error\ndata: {")
    if begins_line and named.startswith(_ERROR_FIELD):
        return f"event: error\ndata: {{{named.removeprefix(_ERROR_FIELD)}"
    return named


async def _chunks(
    response: httpx.Response, patience: Patience, observation: Observation | None
) -> AsyncGenerator[bytes, None]:
    """Yield a body's bytes as they come.

    Raises:
        StreamBroken: it breaks off.
        DeadlineExceeded: it stalls.
    """
    is_plain = "content-encoding" not in response.headers
    if strange := _strange_encoding(response.headers):
        raise StreamBroken(f"the answer is compressed with {strange}, unasked")
    body = response.aiter_raw() if is_plain else response.aiter_bytes()
    chunks = cast("AsyncGenerator[bytes]", body)
    async with aclosing(chunks):
        with closing(Watch(patience)) as watch:
            while True:
                try:
                    with watch:
                        chunk = await anext(chunks, None)
                except BREAKS as error:
                    words = ": ".join(filter(None, ("the connection broke", words_of_fault(error))))
                    raise StreamBroken(words) from error
                if observation is not None:
                    _tell(observation, response, chunk)
                if chunk is None:
                    return
                yield chunk


def _strange_encoding(headers: Mapping[str, str]) -> str | None:
    """Return the name of a compression that we do not read."""
    names = (name.strip() for name in headers.get("content-encoding", "").lower().split(","))
    return next((name for name in names if name not in ("", "identity", "gzip", "deflate")), None)


def _tell(observation: Observation, response: httpx.Response, chunk: bytes | None) -> None:
    at_ns = _read_at_ns(response)
    if chunk is None:
        observation.ended(at_ns)
    else:
        observation.read(at_ns, chunk)


def _read_at_ns(response: httpx.Response) -> int:
    """Return when the bytes came that were read last; where nobody stamps: now."""
    at_ns: int | None = response.extensions["network_stream"].get_extra_info("read_at_ns")
    return time.perf_counter_ns() if at_ns is None else at_ns


def _check_host(endpoint: Endpoint) -> None:
    """Check a URL as httpx does, which is stricter about names than our own check.

    Raises:
        ConfigError: no host can have that name.
    """
    words = "it names no host"
    try:
        if httpx.URL(endpoint.url("/")).host:
            return
    except (httpx.InvalidURL, ValueError) as error:
        words = str(error)
    raise ConfigError(f"{endpoint.shown} is no address of a server: {words}")


def _headers(options: RemoteOptions) -> list[tuple[str, str]]:
    """Return what every request has; what the user says comes instead of what we would."""
    usual = {
        "user-agent": f"tgicli/{__version__}",
        "accept": f"{EVENT_STREAM}, application/json",
        "accept-encoding": "identity",  # compressing would hold tokens back
    }
    if options.key is not None:
        usual["authorization"] = f"Bearer {options.key}"
    for name, _ in options.headers:
        usual.pop(name.lower(), None)
    return [*usual.items(), *options.headers]
