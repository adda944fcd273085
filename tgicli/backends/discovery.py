"""Find out which server is behind an address, and which of its routes takes what.

Used by the remote backend on the event loop, once for each address. In this order: what the user
says (--api), what the URL's path says, then what /info (TGI), /v1/models (OpenAI's servers) and
/props (llama-server) answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urljoin

from tgicli.backends.endpoint import Endpoint, RemoteOptions, Route, shown_url
from tgicli.backends.http import HttpClient, Reply
from tgicli.backends.patience import Patience
from tgicli.backends.watch import Watch
from tgicli.errors import ModelError, TgicliError, Unauthorized, WrongAddress
from tgicli.wire.api import Api
from tgicli.wire.quirks import NO_QUIRKS, Quirks
from tgicli.wire.refusals import parse_retry_after, redirect_error, refusal_error
from tgicli.wire.servers import (
    Server,
    ServerFacts,
    read_info,
    read_models,
    read_props,
)

MAX_LISTED = 10  # models in an error
_OPENAI_HOSTS = ("api.openai.com", "openai.azure.com")
# These say nothing about the server behind the address; the others only that there is no such page.
_ANSWERS_FOR_ALL = frozenset({401, 403, 407, 408, 429, 500, 502, 503, 504, 529})
_CLOSED = frozenset({401, 403, 500})  # the same, or that one page is so by itself and for good


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Where a server takes what; None: nowhere."""

    server: Server
    prompt: str | None  # a prompt as it is, for a stream
    chat: str | None  # a conversation, for OpenAI's chat route; its template is the server's
    whole: str | None = None  # a prompt as it is, answered at once; None: `prompt`, as it says
    is_native: bool  # `prompt` speaks TGI's dialect; otherwise it is OpenAI's completions
    model: str | None = None  # its name in requests, where it needs one
    quirks: Quirks = NO_QUIRKS  # of its OpenAI routes, as far as they are known


class Discovery:
    """What is known about one server."""

    def __init__(self, http: HttpClient, options: RemoteOptions) -> None:
        self._http = http
        self._options = options
        self._endpoint = options.endpoint
        self._routes: Routes | None = None
        self._facts: ServerFacts | None = None
        self._has_asked_props = False
        self.is_list_closed = False  # of models; what kind of server it is was not told
        self._redirect: tuple[Reply, str] | None = None  # and of which page it is
        self._asking: asyncio.Future[None] | None = None  # while somebody asks for the routes

    async def routes(self, patience: Patience) -> Routes:
        """Return where the server takes what; asks it once, for all who want to know meanwhile.

        Raises:
            TgicliError: it does not answer, or nobody knows it, or it has several models.
        """
        while self._routes is None:
            if self._asking is None:
                await self._ask_for_all(patience)
            else:
                with closing(Watch(patience)) as watch, watch:
                    await asyncio.shield(self._asking)
        return self._routes

    def learn(self, quirks: Quirks) -> None:
        """Keep what made the server take a request."""
        if self._routes is not None and quirks != self._routes.quirks:
            self._routes = replace(self._routes, quirks=quirks)

    def forget(self) -> None:
        """Ask again next time: another server is there now, or another model."""
        self._routes = self._facts = None
        self._has_asked_props = self.is_list_closed = False

    async def _ask_for_all(self, patience: Patience) -> None:
        """Find the routes; an error is for all who wait, too."""
        asking = self._asking = asyncio.get_running_loop().create_future()
        try:
            self._routes = await self._find(patience)
        except TgicliError as error:
            asking.set_exception(error)
            asking.exception()  # perhaps nobody waits
            raise
        finally:
            self._asking = None
            if not asking.done():  # found; or whoever asked is gone, and one who waits will ask
                asking.set_result(None)

    async def facts(self, patience: Patience) -> ServerFacts:
        """Return what the server tells of itself, as far as it does."""
        routes = await self.routes(patience)
        facts = self._facts
        if facts is None:
            found = await (self._info(patience) if routes.is_native else self._models(patience))
            facts = self._facts = found or ServerFacts(server=routes.server)
        tells_props = routes.server is Server.LLAMA_SERVER and not self._has_asked_props
        if tells_props and (props := await self._props(patience)) is not None:
            facts = self._facts = replace(facts, n_ctx=props.n_ctx)
        return facts

    async def _find(self, patience: Patience) -> Routes:
        endpoint, api = self._endpoint, self._options.api
        self._redirect = None
        match api:
            case Api.TGI:
                return await self._forced_tgi(patience)
            case Api.OPENAI_CHAT | Api.OPENAI_COMPLETIONS:
                return await self._openai(api, patience)
        match endpoint.route:
            case Route.GENERATE | Route.GENERATE_STREAM:
                return self._tgi()
            case Route.CHAT:
                return await self._openai(Api.OPENAI_CHAT, patience)
            case Route.COMPLETIONS:
                return await self._openai(Api.OPENAI_COMPLETIONS, patience)
            case Route.V1:
                return await self._openai(None, patience)
        if await self._info(patience) is not None:
            return self._tgi()
        if await self._models(patience) is None and await self._props(patience) is None:
            if self._redirect is not None:
                reply, path = self._redirect
                raise to_error(reply, endpoint, path)
            raise WrongAddress(
                f"{endpoint.shown}{endpoint.path} is no server that is known here: neither "
                f"{endpoint.prefix}/info nor {endpoint.openai_prefix}/models answers as one",
                aside="name the whole URL of a route, or the dialect with --api",
            )
        return await self._openai(None, patience)

    async def _forced_tgi(self, patience: Patience) -> Routes:
        """Return the routes of a server that is said to speak TGI's dialect."""
        endpoint = self._endpoint
        has_other_path = endpoint.route is Route.NONE and endpoint.path
        if has_other_path and await self._info(patience) is None:
            return Routes(
                server=Server.TGI,
                prompt=endpoint.path,  # takes what TGI takes at /
                chat=None,
                is_native=True,
                model=self._options.model,
            )
        return self._tgi()

    def _tgi(self) -> Routes:
        prefix, is_whole = self._endpoint.prefix, self._endpoint.route is Route.GENERATE
        return Routes(
            server=self._facts.server if self._facts else Server.TGI,
            prompt=None if is_whole else f"{prefix}/generate_stream",
            whole=f"{prefix}/generate",
            chat=f"{prefix}/v1/chat/completions",
            is_native=True,
            model=self._options.model,
        )

    async def _openai(self, api: Api | None, patience: Patience) -> Routes:
        prefix = self._endpoint.openai_prefix
        if self._facts is None and not self._is_known_openai():
            await self._models(patience)
        if self._facts is not None and self._facts.server is Server.TGI:
            await self._info(patience)  # tells whether it is ours
        facts = self._facts or ServerFacts(server=self._known_server())
        return Routes(
            server=facts.server,
            prompt=None if api is Api.OPENAI_CHAT else f"{prefix}/completions",
            chat=None if api is Api.OPENAI_COMPLETIONS else f"{prefix}/chat/completions",
            is_native=False,
            model=self._options.model or self._only(facts),
        )

    def _is_known_openai(self) -> bool:
        """Whether nothing needs to be asked: these hosts have hundreds of models."""
        return self._options.model is not None and self._endpoint.is_within(
            *_OPENAI_HOSTS, "router.huggingface.co"
        )

    def _known_server(self) -> Server:
        return Server.OPENAI if self._endpoint.is_within(*_OPENAI_HOSTS) else Server.UNKNOWN

    def _only(self, facts: ServerFacts) -> str | None:
        """Return the name of the only model, None if the server tells of none.

        Raises:
            WrongAddress: there are several.
        """
        if len(facts.models) > 1:
            some = ", ".join(facts.models[:MAX_LISTED])
            more = ", ..." if len(facts.models) > MAX_LISTED else ""
            raise WrongAddress(
                f"{self._endpoint.shown} has {len(facts.models)} models: {some}{more}",
                aside="choose one with --model",
            )
        return facts.models[0] if facts.models else None

    async def _info(self, patience: Patience) -> ServerFacts | None:
        path = self._endpoint.prefix + "/info"
        return self._remember(await self._http.get(path, patience), path, read_info)

    async def _models(self, patience: Patience) -> ServerFacts | None:
        """Read the list of models; who names one can do without, where it is closed or broken."""
        path = self._endpoint.openai_prefix + "/models"
        reply = await self._http.get(path, patience)
        if reply.status not in _CLOSED:
            return self._remember(reply, path, self._read_models)
        if self._options.model is None:
            raise _unlisted(to_error(reply, self._endpoint, path))
        self.is_list_closed = True
        self._facts = ServerFacts(server=self._known_server())
        return self._facts

    def _read_models(self, body: bytes) -> ServerFacts | None:
        """Read what the list tells; of OpenAI's own hosts it is known without."""
        facts = read_models(body, self._options.model)
        if facts is not None and self._known_server() is Server.OPENAI:
            return replace(facts, server=Server.OPENAI)
        return facts

    async def _props(self, patience: Patience) -> ServerFacts | None:
        path = self._endpoint.prefix + "/props"
        found = self._remember(await self._http.get(path, patience), path, read_props)
        self._has_asked_props = True
        return found

    def _remember(
        self, reply: Reply, path: str, read: Callable[[bytes], ServerFacts | None]
    ) -> ServerFacts | None:
        """Keep what a page tells; None when there is none, or it tells something else.

        Raises:
            TgicliError: the server refuses whoever asks.
        """
        if reply.status in _ANSWERS_FOR_ALL:
            raise to_error(reply, self._endpoint, path)
        if _is_redirect(reply):  # perhaps another page is not
            self._redirect = self._redirect or (reply, path)
        found = read(reply.body) if reply.status == HTTPStatus.OK else None
        self._facts = found or self._facts
        return found


def _unlisted(error: TgicliError) -> TgicliError:
    """Say how to do without a list of models, where that is kept or broken, and not the server."""
    if isinstance(error, (ModelError, Unauthorized)):
        error.aside += "; with --model no list is needed"
    return error


def to_error(reply: Reply, endpoint: Endpoint, path: str) -> TgicliError:
    """Return the error that an answer with another status than 200 means."""
    from datetime import UTC, datetime

    url = f"{endpoint.shown}{path}"
    if _is_redirect(reply):
        url, there = _moved(reply.headers.get("location", ""), endpoint, path)
        return redirect_error(reply.status, there, url=url)
    advised = parse_retry_after(reply.headers.get("retry-after", ""), datetime.now(UTC))
    return refusal_error(reply.status, reply.body, url=url, retry_after_s=advised)


def _is_redirect(reply: Reply) -> bool:
    return HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST


def _moved(location: str, endpoint: Endpoint, path: str) -> tuple[str, str]:
    """Return what has moved where, as it may be shown: the address that was given, if all of it."""
    url = f"{endpoint.shown}{path}"
    try:
        there = shown_url(urljoin(url, location)) if location else ""
    except ValueError:  # it is no URL
        there = shown_url(location)
    place, question, query = there.partition("?")
    added = path.removeprefix(endpoint.path)
    if added and place.endswith(added):
        return url.removesuffix(added), f"{place.removesuffix(added)}{question}{query}"
    return url, there
