"""A remote server behind our own: the backend of `tgicli serve --connect`.

Lives on the event loop. The remote server's errors are passed on, except that it refuses our API
key, which our clients can't mend.

Where the server cannot keep a stop string in the text, which is TGI's rule, the text ends before
it: TGI's clients never ask for the rule, so they could not drop it. OpenAI's servers mostly do not
tell which stop string it was, or that it was one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import TypeGuard

from tgicli.backends.endpoint import RemoteOptions
from tgicli.backends.remote import RemoteBackend
from tgicli.backends.retrying import RetryPolicy
from tgicli.core import BackendStats, Event, Finish, GenerationRequest, ModelInfo, TokenizedPrompt
from tgicli.errors import TgicliError, Unauthorized, Unreachable


class Gateway:
    """A server somewhere else, on behalf of others."""

    def __init__(self, options: RemoteOptions) -> None:
        """Prepare; nothing is sent. A busy server is asked once: whether to try again is theirs.

        Raises:
            ConfigError: the environment's proxy or certificates can't be used.
        """
        self._remote = RemoteBackend(options, retries=RetryPolicy(n_retries=0))

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the remote server's answer."""
        with _with_our_key():
            request = await self._without_kept_stop(request)
            async with aclosing(self._remote.generate(request)) as events:
                async for event in events:
                    yield await self._counted(request, event) if _is_uncounted(event) else event

    async def _without_kept_stop(self, request: GenerationRequest) -> GenerationRequest:
        """Return the request as the server can carry it: without keep_stop, if need be."""
        params = request.params
        if not (params.stop and params.keep_stop) or await self._remote.can_keep_stop(request):
            return request
        return replace(request, params=replace(params, keep_stop=False))

    async def _counted(self, request: GenerationRequest, finish: Finish) -> Finish:
        """Return a finish with the prompt's tokens, if the remote server tells them when asked."""
        try:
            count = await self._remote.count_tokens(request)
        except TgicliError:
            count = None
        if count is None:
            return finish
        return replace(finish, n_prompt_tokens=min(count, request.truncate or count))

    async def tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        """Say how the remote server's model sees a request's prompt."""
        with _with_our_key():
            return await self._remote.tokenize(request)

    async def count_tokens(self, request: GenerationRequest) -> int | None:
        """Return None: the remote server checks the length, without being asked twice."""
        return None

    async def info(self) -> ModelInfo:
        """Say what answers."""
        return await self._remote.info()

    async def isolates(self) -> bool:
        """Say whether the remote server can keep the prefixes of our clients apart."""
        return await self._remote.isolates()

    def stats(self) -> BackendStats:
        """Say how many requests are at the remote server."""
        return self._remote.stats()

    async def health(self) -> bool:
        """Say whether the remote server is there."""
        return await self._remote.health()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._remote.aclose()


def _is_uncounted(event: Event) -> TypeGuard[Finish]:
    """Whether a stream ended without its counts: one is left where a stop string cuts it off."""
    return isinstance(event, Finish) and not event.has_usage


@contextmanager
def _with_our_key() -> Iterator[None]:
    """Take a key that is refused for ours, not for our client's."""
    try:
        yield
    except Unauthorized as error:
        raise Unreachable(f"the gateway is not let in: {error.message}") from error
