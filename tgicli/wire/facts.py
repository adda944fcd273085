"""What a server says of itself, as TGI and OpenAI write it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of /info."""

    model_id: str
    model_sha: str | None = None
    model_pipeline_tag: str | None = None
    max_concurrent_requests: int
    max_best_of: int
    max_stop_sequences: int
    max_input_tokens: int
    max_total_tokens: int
    validation_workers: int = 1
    max_client_batch_size: int
    router: str = "text-generation-router"
    version: str
    sha: str | None = None
    docker_label: str | None = None
    server: str = "tgicli"  # ours alone: what tells a client that more options are understood


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """One model."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str


class ModelList(msgspec.Struct, frozen=True):
    """The answer of /v1/models."""

    data: list[ModelCard]
    object: str = "list"


def encode_model(name: str, owner: str) -> bytes:
    """Return the answer of /v1/models/NAME."""
    return msgspec.json.encode(ModelCard(id=name, owned_by=owner))


def encode_models(name: str, adapters: Iterable[str] = ()) -> bytes:
    """Return the answer of /v1/models: the model, then the adapters that go with it."""
    cards = [ModelCard(id=each, owned_by=name) for each in (name, *adapters)]
    return msgspec.json.encode(ModelList(cards))


def encode_info(info: Info) -> bytes:
    """Return the answer of /info."""
    return msgspec.json.encode(info)
