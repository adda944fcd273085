"""Which server this is: what /info, /v1/models and /props tell. Pure; called by the remote backend.

What each server's OpenAI routes take beyond OpenAI's own fields is not asked for anywhere, so it
must be known by the server's name; `openai_client` knows it. OpenAI itself is known by its host:
proxies say of all they have that OpenAI owns it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from tgicli.wire.answers import try_json

_Told = TypeVar("_Told")


class Server(enum.Enum):
    """Programs that answer."""

    TGI = "text-generation-inference"
    TGICLI = "tgicli"
    VLLM = "vLLM"
    SGLANG = "SGLang"
    LLAMA_SERVER = "llama-server"
    LLAMA_CPP_PYTHON = "llama_cpp.server"
    OLLAMA = "Ollama"
    LM_STUDIO = "LM Studio"
    OPENAI = "OpenAI"
    UNKNOWN = "an unknown server"

    @property
    def is_tgi(self) -> bool:
        """Whether it speaks TGI's dialect, and keeps stop strings in the text."""
        return self in (Server.TGI, Server.TGICLI)

    @property
    def has_cheap_health(self) -> bool:
        """Whether its /health costs nothing; LiteLLM's asks each model that it has."""
        engines = (Server.VLLM, Server.SGLANG, Server.LLAMA_SERVER)
        return self.is_tgi or self in engines


_OWNERS = {  # `owned_by` in /v1/models
    "vllm": Server.VLLM,
    "sglang": Server.SGLANG,
    "llamacpp": Server.LLAMA_SERVER,
    "me": Server.LLAMA_CPP_PYTHON,
    "library": Server.OLLAMA,
    "organization_owner": Server.LM_STUDIO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server tells of itself; without models, or 0: it does not."""

    server: Server
    models: tuple[str, ...] = ()
    n_ctx: int = 0


class _Info(msgspec.Struct, frozen=True):
    model_id: str
    max_total_tokens: int = 0
    server: str = ""


class _ModelMeta(msgspec.Struct, frozen=True):
    n_ctx: int = 0


class _Model(msgspec.Struct, frozen=True):
    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    meta: _ModelMeta | None = None
    parent: Any = None  # vLLM: the model that an adapter goes with

    @property
    def n_ctx(self) -> int:
        return self.max_model_len or (self.meta.n_ctx if self.meta else 0)


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model] | None  # Ollama without models: null


class _GenerationSettings(msgspec.Struct, frozen=True):
    n_ctx: int = 0


class _Props(msgspec.Struct, frozen=True):
    default_generation_settings: _GenerationSettings


def read_info(body: bytes) -> ServerFacts | None:
    """Read the answer of /info; None when it is not TGI's."""
    info = try_json(_Info, body)
    if info is None:
        return None
    return ServerFacts(
        server=Server.TGICLI if info.server == Server.TGICLI.value else Server.TGI,
        models=(info.model_id,),
        n_ctx=info.max_total_tokens,
    )


def read_models(body: bytes, named: str | None = None) -> ServerFacts | None:
    """Read the answer of /v1/models; None when it is none.

    A list may be of several servers' models. What is told of the server is what the card of the
    model that is named says, or all of them where none is.
    """
    found = try_json(_Models, body)
    if found is None:
        return None
    cards = found.data or []
    meant = [card for card in cards if card.id == named] or cards
    owners = {card.id for card in cards if card.owned_by == card.id}
    return ServerFacts(
        server=_agreed({_server_of(card, owners) for card in meant}, Server.UNKNOWN),
        models=tuple(card.id for card in cards),
        n_ctx=_agreed({_n_ctx_of(card, cards) for card in meant}, 0),
    )


def _agreed(told: set[_Told], otherwise: _Told) -> _Told:
    return told.pop() if len(told) == 1 else otherwise


def _server_of(model: _Model, owners: set[str]) -> Server:
    if model.owned_by in owners:  # the model itself, or that of an adapter
        return Server.TGI  # or tgicli, which does as TGI does
    return _OWNERS.get(model.owned_by or "", Server.UNKNOWN)


def _n_ctx_of(model: _Model, models: list[_Model]) -> int:
    if model.n_ctx or model.parent is None:
        return model.n_ctx
    return next((other.n_ctx for other in models if other.id == model.parent), 0)


def read_props(body: bytes) -> ServerFacts | None:
    """Read the answer of llama-server's /props; None when it is another's."""
    props = try_json(_Props, body)
    if props is None:
        return None
    return ServerFacts(
        server=Server.LLAMA_SERVER,
        n_ctx=props.default_generation_settings.n_ctx,
    )
