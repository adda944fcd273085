"""A remote server behind our own: the backend of `tgicli serve --connect`.

Lives on the event loop. The remote server's errors are passed on, except those that only we can
mend, such as a key that it refuses: these go to the log. Our key is told to nobody, whatever the
remote server says.

Where the server cannot keep a stop string in the text, which is TGI's rule, the text ends before
it: TGI's clients never ask for the rule, so they could not drop it. OpenAI's servers mostly do not
tell which stop string it was, or that it was one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import TypeGuard
from urllib.parse import urlsplit

from tgicli.backends.endpoint import MASK, RemoteOptions
from tgicli.backends.remote import RemoteBackend
from tgicli.backends.retrying import RetryPolicy
from tgicli.core import Event, Finish, GenerationRequest, ModelInfo, TokenizedPrompt
from tgicli.errors import ModelNotFound, TgicliError, Unauthorized, Unreachable, WrongAddress
from tgicli.stats import BackendStats

_LOG = logging.getLogger(__name__)
_TELLING = 4  # so many characters of a secret say something
# Asides name flags of commands that ask a server; these are what a gateway has instead.
_FLAGS = {"--endpoint": "--connect", "--api": "--connect-api", "--model": "--connect-model"}


class Gateway:
    """A server somewhere else, on behalf of others."""

    def __init__(self, options: RemoteOptions) -> None:
        """Prepare; nothing is sent. A busy server is asked once: whether to try again is theirs.

        Raises:
            ConfigError: the environment's proxy or certificates can't be used.
        """
        self._remote = RemoteBackend(options, retries=RetryPolicy(n_retries=0))
        password = urlsplit(options.endpoint.origin).password
        self._secrets = [secret for secret in (options.key, password) if secret]

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the remote server's answer."""
        with self._for_clients():
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
        with self._for_clients():
            return await self._remote.tokenize(request)

    @contextmanager
    def _for_clients(self) -> Iterator[None]:
        """Make of the remote server's errors what our clients are told; log what we must mend."""
        try:
            yield
        except TgicliError as error:
            for secret in self._secrets:
                error.message = _masked(error.message, secret)
            _name_own_flags(error)
            if isinstance(error, (Unauthorized, WrongAddress, Unreachable, ModelNotFound)):
                _LOG.warning("%s", error)
            match error:
                case Unauthorized():
                    raise Unreachable("the gateway is not let in; its log has more") from error
                case WrongAddress():
                    words = "the gateway looks for its server in a wrong place; its log has more"
                    raise Unreachable(words) from error
            raise

    async def count_tokens(self, request: GenerationRequest) -> int | None:
        """Return None: the remote server checks the length, without being asked twice."""
        return None

    async def info(self) -> ModelInfo:
        """Say what answers."""
        try:
            return await self._remote.info()
        except TgicliError as error:
            _name_own_flags(error)
            raise

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


def _masked(words: str, secret: str) -> str:
    """Hide a secret in a server's words, also where they were cut short within it."""
    words = words.replace(secret, MASK)
    for n_shown in range(len(secret) - 1, _TELLING - 1, -1):
        words = words.replace(f"{secret[:n_shown]}...", f"{MASK}...")
    return words


def _name_own_flags(error: TgicliError) -> None:
    """Put our flags into an error's aside; those that we have not are left out.

    Errors are shared by all who wait for the same, and so are looked at again.
    """

    def own(match: re.Match[str]) -> str:
        verb, flag, comma = match.groups()
        if flag in _FLAGS.values():
            return match[0]
        return f"{verb}{_FLAGS[flag]}{comma}" if flag in _FLAGS else ""

    error.aside = re.sub(r"((?:use )?)(--[a-z-]+)((?:, )?)", own, error.aside)


def _is_uncounted(event: Event) -> TypeGuard[Finish]:
    """Whether a stream ended without its counts: one is left where a stop string cuts it off."""
    return isinstance(event, Finish) and not event.has_usage
