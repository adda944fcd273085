"""A TGI or OpenAI server as a backend: one request, one answer, token by token.

Lives on the event loop. Requests and answers are `wire`'s, HTTP is `http`'s. Closing a generate()
iterator, in whatever state, closes its connection, and so ends the request at the server. A busy
server is asked again, before the first token only: no text is ever lost or doubled. So is one that
refuses just a field, without it. Knows no terminal: a retry is told by a callback.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tgicli.backends.discovery import Discovery, Routes, to_error
from tgicli.backends.endpoint import RemoteOptions, Route
from tgicli.backends.faults import ConnectionRefused
from tgicli.backends.http import HttpCall, HttpClient, Reply
from tgicli.backends.observing import Observer
from tgicli.backends.patience import Patience, ShortPatience
from tgicli.backends.reading import AnswerReading
from tgicli.backends.retrying import Retry, RetryPolicy
from tgicli.core import (
    Event,
    GenerationRequest,
    ModelInfo,
    Progress,
    TokenizedPrompt,
)
from tgicli.errors import ModelNotFound, Overloaded, RequestError, TgicliError, WrongAddress
from tgicli.stats import BackendStats
from tgicli.wire.answers import AnswerReader
from tgicli.wire.carrying import Uncarried

if TYPE_CHECKING:
    from tgicli.backends.tokenizing import Tokenizing

FACTS_S = 10.0  # for a question that costs a server nothing


@dataclass(frozen=True, slots=True)
class _Plan:
    """One request, ready to be sent."""

    path: str
    body: bytes
    reader: AnswerReader
    stop: tuple[str, ...] = ()  # what the server keeps in the text, and nobody wants


class RemoteBackend:
    """A server somewhere else."""

    def __init__(
        self,
        options: RemoteOptions,
        *,
        retries: RetryPolicy | None = None,
        on_retry: Callable[[Retry], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Prepare; nothing is sent. on_retry is called on the event loop, before the wait.

        An observer is told what happens to each request; connections are kept longer then.

        Raises:
            ConfigError: the environment's proxy or certificates can't be used.
        """
        self._options = options
        self._http = HttpClient(options, is_observed=observer is not None)
        self._discovery = Discovery(self._http, options)
        self._retries = retries or RetryPolicy()
        self._on_retry = on_retry
        self._observer = observer
        self._n_waiting = 0
        self._n_running = 0

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the answer; with best_of, or the prompt's tokens, all of it at the end."""
        patience = Patience(self._options.timeouts)
        has_spoken, number = False, 0
        while True:
            try:
                async with aclosing(self._try(request, patience)) as events:
                    async for event in events:
                        has_spoken = has_spoken or not isinstance(event, Progress)
                        yield event
                return
            except (Overloaded, ConnectionRefused) as error:
                number += 1
                retry = None if has_spoken else self._retries.next(number, error)
                if retry is None:
                    raise
            await self._pause(retry, patience)

    async def _pause(self, retry: Retry, patience: Patience) -> None:
        """Wait before a retry.

        Raises:
            TgicliError: there would be no time left behind the wait.
        """
        if not patience.outlasts(retry.wait_s):
            raise retry.reason
        if self._on_retry is not None:
            self._on_retry(retry)
        await asyncio.sleep(retry.wait_s)
        patience.begin()

    async def _try(
        self, request: GenerationRequest, patience: Patience
    ) -> AsyncGenerator[Event, None]:
        """Ask once."""
        with self._counted() as accept:
            async with self._accepted(request, patience) as reading:
                accept()
                yield Progress(0, 0)
                async with aclosing(reading.events()) as events:
                    async for event in events:
                        yield event

    @asynccontextmanager
    async def _accepted(
        self, request: GenerationRequest, patience: Patience
    ) -> AsyncGenerator[AnswerReading, None]:
        """Send a request, and give its answer; again where the server refuses just a field of it.

        Raises:
            TgicliError: it refuses the request.
        """
        routes = await self._discovery.routes(patience)
        while True:
            plan = self._plan(request, routes)
            observation = None if self._observer is None else self._observer.observe(request)
            began_s = time.perf_counter()
            async with self._http.stream(plan.path, plan.body, patience, observation) as answer:
                if answer.status == HTTPStatus.OK:
                    self._discovery.learn(routes.quirks)
                    yield AnswerReading(
                        answer,
                        plan.reader,
                        patience,
                        began_s=began_s,
                        stop=plan.stop,
                        observation=observation,
                    )
                    return
                refusal = Reply(answer.status, await answer.words(), answer.headers)
            quirks = routes.quirks.learned(refusal.status, refusal.body)
            if quirks is None:
                raise self._refused(refusal, plan.path)
            routes = replace(routes, quirks=quirks)

    def _refused(self, refusal: Reply, path: str) -> TgicliError:
        """Return the error that a refusal means; what it makes doubtful is forgotten."""
        error = to_error(refusal, self._options.endpoint, path)
        is_elsewhere = isinstance(error, (ModelNotFound, WrongAddress))
        is_of_request = isinstance(error, RequestError)
        if is_elsewhere or (self._discovery.is_list_closed and not is_of_request):
            self._discovery.forget()
        return error

    @contextmanager
    def _counted(self) -> Iterator[Callable[[], None]]:
        """Count a request as waiting, and as running once the server has accepted it."""
        is_running = False

        def accept() -> None:
            nonlocal is_running
            is_running = True
            self._n_waiting -= 1
            self._n_running += 1

        self._n_waiting += 1
        try:
            yield accept
        finally:
            if is_running:
                self._n_running -= 1
            else:
                self._n_waiting -= 1

    def _plan(self, request: GenerationRequest, routes: Routes) -> _Plan:
        # Each dialect takes some milliseconds to import, and most programs need one.
        if _is_native(request, routes):
            return self._prompt_plan(request, routes)
        return self._openai_plan(request, routes)

    def _prompt_plan(self, request: GenerationRequest, routes: Routes) -> _Plan:
        """Send a prompt by TGI's route, or what that can't carry by OpenAI's, if both are there."""
        try:
            return self._native_plan(request, routes)
        except Uncarried as refused:
            if self._options.api is not None or self._options.endpoint.route is not Route.NONE:
                raise  # it was said which one
            prompt = f"{self._options.endpoint.openai_prefix}/completions"
            try:
                return self._openai_plan(request, replace(routes, prompt=prompt))
            except Uncarried:
                raise refused from None

    async def can_keep_stop(self, request: GenerationRequest) -> bool:
        """Say whether the server can leave a stop string in the text; may ask which one it is.

        Raises:
            TgicliError: it does not answer.
        """
        routes = await self._discovery.routes(Patience(self._options.timeouts))
        if _is_native(request, routes):
            return True
        from tgicli.wire.openai_client import carried_by

        return "keep_stop" in carried_by(routes.server)

    def _openai_plan(self, request: GenerationRequest, routes: Routes) -> _Plan:
        from tgicli.wire.openai_answer import OpenAIReader
        from tgicli.wire.openai_client import encode_chat, encode_completion

        reader, kept = OpenAIReader(request), _unwanted_stops(request, routes)
        if isinstance(request.prompt, str):
            path, encode = self._prompt_path(routes), encode_completion
        else:
            path, encode = self._chat_path(routes), encode_chat
        body = encode(
            request,
            server=routes.server,
            model=routes.model,
            counts_all=self._observer is not None,
            quirks=routes.quirks,
        )
        return _Plan(path, body, reader, kept)

    def _native_plan(self, request: GenerationRequest, routes: Routes) -> _Plan:
        from tgicli.wire.tgi_client import TgiReader, encode_generate

        if routes.model is not None:
            raise RequestError(
                f"model {routes.model} can't be sent to TGI's /generate: the server has one "
                f"model; leave it out"
            )
        is_whole = request.best_of > 1 or request.prompt_logprobs or not request.streams
        if routes.whole is None:  # one route for both
            path, stream = self._prompt_path(routes), not is_whole
            body = encode_generate(request, stream=stream, server=routes.server)
        else:
            is_whole = is_whole or routes.prompt is None
            path = routes.whole if is_whole else self._prompt_path(routes)
            body = encode_generate(request, stream=None, server=routes.server)
        return _Plan(path, body, TgiReader(request), _unwanted_stops(request, routes))

    def _prompt_path(self, routes: Routes) -> str:
        if routes.prompt is None:
            raise RequestError(
                f"{self._shown} takes no prompt as it is: its URL or its dialect names the chat "
                f"route",
                aside="use --chat",
            )
        return routes.prompt

    def _chat_path(self, routes: Routes) -> str:
        if routes.chat is None:
            raise RequestError(
                f"{self._shown} takes no conversation: its URL or its dialect names a route for "
                f"prompts",
                aside="use --no-chat",
            )
        return routes.chat

    async def describe(self, request: GenerationRequest) -> HttpCall:
        """Return what generate() would send; may ask the server which one it is.

        Raises:
            TgicliError: it does not answer, or the request can't be sent to it.
        """
        plan = self._plan(request, await self._discovery.routes(self._short()))
        return self._http.describe(plan.path, plan.body)

    async def tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        """Say how the model sees a request's prompt."""
        return await self._tokenizing(self._short()).tokenize(request)

    async def count_tokens(self, request: GenerationRequest) -> int | None:
        """Return the length of the prompt, before `truncate`; None: the server does not tell."""
        return await self._tokenizing(self._short()).count(request)

    def _tokenizing(self, patience: Patience) -> Tokenizing:
        from tgicli.backends.tokenizing import Tokenizing

        return Tokenizing(self._http, self._discovery, self._options.endpoint, patience)

    async def info(self) -> ModelInfo:
        """Say what answers, as far as the server tells."""
        patience = self._short()
        facts = await self._discovery.facts(patience)
        routes = await self._discovery.routes(patience)
        named = routes.model or (facts.models[0] if facts.models else None)
        return ModelInfo(
            name=named or self._shown,
            n_ctx=facts.n_ctx,
            description=f"{routes.server.value} at {self._shown}",
        )

    async def isolates(self) -> bool:
        """Say whether prefixes can be reused among the requests with one reuse_key only."""
        from tgicli.wire.openai_client import carried_by

        return "reuse_key" in carried_by((await self._discovery.routes(self._short())).server)

    def stats(self) -> BackendStats:
        """Say how many requests are at the server; only the own ones are known."""
        return BackendStats(n_waiting=self._n_waiting, n_running=self._n_running)

    async def health(self) -> bool:
        """Say whether the server is there; and its model, where a server can tell at no cost.

        Any answer but an error of the server's own is a sign of life: a page may be closed to us.
        """
        endpoint, patience = self._options.endpoint, self._short()
        reply, broken = None, HTTPStatus.INTERNAL_SERVER_ERROR
        try:
            if (await self._discovery.routes(patience)).server.has_cheap_health:
                reply = await self._http.get(f"{endpoint.prefix}/health", patience)
            if reply is None or HTTPStatus.OK < reply.status < broken:
                reply = await self._http.get(f"{endpoint.openai_prefix}/models", patience)
        except TgicliError:
            return False
        return reply.status < broken

    async def counters(self) -> str:
        """Return the server's page for Prometheus; empty where it has none."""
        try:
            reply = await self._http.get(f"{self._options.endpoint.prefix}/metrics", self._short())
        except TgicliError:
            return ""
        return reply.body.decode(errors="replace") if reply.status == HTTPStatus.OK else ""

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    @property
    def _shown(self) -> str:
        return self._options.endpoint.shown

    def _short(self) -> Patience:
        return ShortPatience(self._shown, FACTS_S)


def _is_native(request: GenerationRequest, routes: Routes) -> bool:
    """Whether a request is asked for in TGI's dialect."""
    return isinstance(request.prompt, str) and routes.is_native


def _unwanted_stops(request: GenerationRequest, routes: Routes) -> tuple[str, ...]:
    """Return the stop strings that the server keeps in the text, and the request does not want."""
    wants_none = routes.server.is_tgi and not request.params.keep_stop
    return request.params.stop if wants_none else ()
