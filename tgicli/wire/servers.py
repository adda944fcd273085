"""Which server this is: what /info, /v1/models and /props tell. Pure; called by the remote backend.

What each server's OpenAI routes take beyond OpenAI's own fields is not asked for anywhere, so it
must be known by the server's name; `openai_client` knows it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import msgspec

from tgicli.wire.answers import try_json


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


_OWNERS = {  # `owned_by` in /v1/models
    "vllm": Server.VLLM,
    "sglang": Server.SGLANG,
    "llamacpp": Server.LLAMA_SERVER,
    "me": Server.LLAMA_CPP_PYTHON,
    "library": Server.OLLAMA,
    "organization_owner": Server.LM_STUDIO,
    "openai": Server.OPENAI,
    "openai-internal": Server.OPENAI,
    "system": Server.OPENAI,
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


def read_models(body: bytes) -> ServerFacts | None:
    """Read the answer of /v1/models; None when it is none."""
    found = try_json(_Models, body)
    if found is None:
        return None
    models = found.data or []
    lengths = [m.max_model_len or (m.meta.n_ctx if m.meta else 0) for m in models]
    return ServerFacts(
        server=_server_of(models[0]) if models else Server.UNKNOWN,
        models=tuple(model.id for model in models),
        n_ctx=lengths[0] if lengths else 0,
    )


def _server_of(model: _Model) -> Server:
    if model.owned_by == model.id:
        return Server.TGI  # or tgicli, which does as TGI does
    return _OWNERS.get(model.owned_by or "", Server.UNKNOWN)


def read_props(body: bytes) -> ServerFacts | None:
    """Read the answer of llama-server's /props; None when it is another's."""
    props = try_json(_Props, body)
    if props is None:
        return None
    return ServerFacts(
        server=Server.LLAMA_SERVER,
        n_ctx=props.default_generation_settings.n_ctx,
    )
