"""Which server it is, by what its pages tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tgicli.wire.facts import Info, encode_info, encode_models
from tgicli.wire.servers import Server, ServerFacts, read_info, read_models, read_props

TGI_INFO = {
    "model_id": "org/model",
    "model_sha": None,
    "max_concurrent_requests": 128,
    "max_input_tokens": 4095,
    "max_total_tokens": 4096,
    "router": "text-generation-router",
    "version": "3.3.6-dev0",
}
NOTHING = [b"", b"[]", b"{}", b"null", b"<html>", b"\xff", b'{"error":"Unexpected endpoint"}']


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def models(*cards: dict[str, Any], named: str | None = None) -> ServerFacts:
    found = read_models(encoded({"object": "list", "data": list(cards)}), named)
    assert found is not None
    return found


def test_info_tells_tgi():
    assert read_info(encoded(TGI_INFO)) == ServerFacts(
        server=Server.TGI, models=("org/model",), n_ctx=4096
    )


def test_our_own_servers_info_tells_that_it_is_ours():
    info = Info(
        model_id="m",
        max_concurrent_requests=1,
        max_best_of=1,
        max_stop_sequences=1,
        max_input_tokens=1,
        max_total_tokens=2,
        max_client_batch_size=1,
        version="1",
    )

    found = read_info(encode_info(info))

    assert found is not None
    assert found.server is Server.TGICLI


@pytest.mark.parametrize(
    ("owner", "server"),
    [
        ("vllm", Server.VLLM),
        ("sglang", Server.SGLANG),
        ("llamacpp", Server.LLAMA_SERVER),
        ("me", Server.LLAMA_CPP_PYTHON),
        ("library", Server.OLLAMA),
        ("organization_owner", Server.LM_STUDIO),
        ("openai", Server.UNKNOWN),  # LiteLLM says so of all models
        ("system", Server.UNKNOWN),
        ("somebody", Server.UNKNOWN),
        (None, Server.UNKNOWN),
    ],
)
def test_a_models_owner_tells_the_server(owner: str | None, server: Server):
    assert models({"id": "m", "owned_by": owner}).server is server


@pytest.mark.parametrize("named", [None, "m", "adapter", "tgi"])
def test_tgis_model_owns_itself_and_its_adapters(named: str | None):
    found = read_models(encode_models("m", ["adapter"]), named)

    assert found is not None
    assert found.server is Server.TGI


MIXED = (
    {"id": "a", "owned_by": "vllm", "max_model_len": 4096},
    {"id": "b", "owned_by": "somebody"},
    {"id": "c", "owned_by": "sglang", "max_model_len": 512},
)


@pytest.mark.parametrize(
    ("named", "server", "n_ctx"),
    [
        ("a", Server.VLLM, 4096),
        ("b", Server.UNKNOWN, 0),
        ("c", Server.SGLANG, 512),
        ("d", Server.UNKNOWN, 0),
        (None, Server.UNKNOWN, 0),
    ],
)
def test_the_card_of_the_model_that_is_named_decides(named: str | None, server: Server, n_ctx: int):
    found = models(*MIXED, named=named)

    assert found == ServerFacts(server=server, models=("a", "b", "c"), n_ctx=n_ctx)


def test_what_all_cards_say_is_so_for_a_model_that_is_not_listed():
    cards = ({"id": name, "owned_by": "vllm", "max_model_len": 77} for name in "ab")

    assert models(*cards, named="c") == ServerFacts(server=Server.VLLM, models=("a", "b"), n_ctx=77)


def test_an_adapter_of_vllms_has_its_models_context():
    model = {"id": "m", "owned_by": "vllm", "max_model_len": 77, "parent": None}
    adapter = {"id": "lora", "owned_by": "vllm", "max_model_len": None, "parent": "m"}

    assert models(model, adapter, named="lora").n_ctx == 77


@pytest.mark.parametrize(
    ("card", "n_ctx"),
    [
        ({"id": "m", "max_model_len": 8192}, 8192),
        ({"id": "m", "meta": {"n_ctx": 512, "n_ctx_train": 2048}}, 512),
        ({"id": "m", "meta": None}, 0),
    ],
)
def test_a_models_card_may_tell_its_context(card: dict[str, Any], n_ctx: int):
    assert models(card).n_ctx == n_ctx


def test_a_server_may_have_several_models_or_none():
    assert models({"id": "a"}, {"id": "b"}).models == ("a", "b")
    assert models().models == ()
    assert read_models(b'{"object":"list","data":null}') is not None


def test_props_tell_llama_server():
    found = read_props(
        encoded(
            {
                "default_generation_settings": {"n_ctx": 1024, "params": {}},
                "total_slots": 2,
                "chat_template": "{{ messages }}",
            }
        )
    )

    assert found == ServerFacts(server=Server.LLAMA_SERVER, n_ctx=1024)


@pytest.mark.parametrize("read", [read_info, read_models, read_props])
@pytest.mark.parametrize("body", NOTHING)
def test_what_is_something_else_tells_nothing(read: Any, body: bytes):
    assert read(body) is None
