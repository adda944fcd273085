"""How a remote server's model sees a prompt, where the server tells.

Used by the remote backend on the event loop. TGI and llama-server tell the tokens, vLLM and
llama_cpp.server their number; others do not tell.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from tgicli.backends.discovery import Discovery, to_error
from tgicli.backends.endpoint import Endpoint
from tgicli.backends.http import HttpClient
from tgicli.backends.patience import Patience
from tgicli.core import GenerationRequest, TokenizedPrompt
from tgicli.errors import RequestError
from tgicli.wire import tokenize_client as wire
from tgicli.wire.openai_client import encode_chat
from tgicli.wire.servers import Server

_Read = TypeVar("_Read")


class Tokenizing:
    """Asks one server about prompts."""

    def __init__(
        self, http: HttpClient, discovery: Discovery, endpoint: Endpoint, patience: Patience
    ) -> None:
        self._http = http
        self._discovery = discovery
        self._endpoint = endpoint
        self._patience = patience

    async def tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        """Return a prompt's tokens.

        Raises:
            RequestError: the server does not tell.
        """
        server = (await self._discovery.routes(self._patience)).server
        if server.is_tgi:
            return await self._ask_tgi(request, server)
        if server is Server.LLAMA_SERVER:
            return await self._ask_llama(request)
        raise self._silent(server)

    async def count(self, request: GenerationRequest) -> int | None:
        """Return the number of a prompt's tokens; None: the server does not tell."""
        routes = await self._discovery.routes(self._patience)
        if routes.server is Server.VLLM:
            body = wire.encode_vllm(request, routes.model)
            return await self._post("/tokenize", body, wire.read_count)
        if routes.server is Server.LLAMA_CPP_PYTHON and isinstance(request.prompt, str):
            body = wire.encode_input(request.prompt)
            return await self._post("/extras/tokenize/count", body, wire.read_count)
        if routes.server.is_tgi or routes.server is Server.LLAMA_SERVER:
            return len((await self.tokenize(request)).tokens)
        return None

    async def _ask_tgi(self, request: GenerationRequest, server: Server) -> TokenizedPrompt:
        if isinstance(request.prompt, str):
            text = request.prompt
            body = wire.encode_inputs(text)
            return await self._post("/tokenize", body, lambda read: wire.read_tokens(read, text))
        body = encode_chat(request, server=server, model=None)
        return await self._post("/chat_tokenize", body, wire.read_tokenized_chat)

    async def _ask_llama(self, request: GenerationRequest) -> TokenizedPrompt:
        text = request.prompt
        if not isinstance(text, str):
            body = encode_chat(request, server=Server.LLAMA_SERVER, model=None)
            text = await self._post("/apply-template", body, wire.read_template)
        body = wire.encode_content(text)
        return await self._post("/tokenize", body, lambda read: wire.read_pieces(read, text))

    async def _post(self, path: str, body: bytes, read: Callable[[bytes], _Read]) -> _Read:
        path = self._endpoint.prefix + path
        reply = await self._http.post(path, body, self._patience)
        if reply.status != HTTPStatus.OK:
            raise to_error(reply, self._endpoint, path)
        return read(reply.body)

    def _silent(self, server: Server) -> RequestError:
        return RequestError(
            f"{server.value} at {self._endpoint.shown} does not tell how it tokenizes a prompt"
        )
