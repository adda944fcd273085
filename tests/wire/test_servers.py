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


def models(*cards: dict[str, Any]) -> ServerFacts:
    found = read_models(encoded({"object": "list", "data": list(cards)}))
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
        ("system", Server.OPENAI),
        ("somebody", Server.UNKNOWN),
        (None, Server.UNKNOWN),
    ],
)
def test_a_models_owner_tells_the_server(owner: str | None, server: Server):
    assert models({"id": "m", "owned_by": owner}).server is server


def test_tgis_model_owns_itself():
    found = read_models(encode_models("m"))

    assert found is not None
    assert found.server is Server.TGI


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
