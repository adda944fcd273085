"""The remote backend: which server it finds, which route it asks, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.faulty import (
    DONE,
    KEPT_HEAD,
    FaultyServer,
    Script,
    Step,
    answer,
    chat_event,
    chunk,
    close,
    end,
    head,
    next_request,
    reset,
    serving,
    stall,
    stream,
    tgi_error,
    tgi_event,
    tgi_stream,
    wait,
)
from tgicli.backends.endpoint import Endpoint, RemoteOptions, Timeouts
from tgicli.backends.remote import RemoteBackend
from tgicli.backends.retrying import Retry, RetryPolicy
from tgicli.core import (
    Delta,
    Event,
    Finish,
    FinishReason,
    GenerationRequest,
    Grammar,
    GrammarKind,
    Message,
    Progress,
    SamplingParams,
    visible_text,
)
from tgicli.errors import (
    ContextOverflow,
    Overloaded,
    RequestError,
    StreamBroken,
    TgicliError,
    Unauthorized,
    Unreachable,
)
from tgicli.wire.api import Api

PATIENCE_S = 20.0
PROMPT = GenerationRequest(id="x", prompt="Hello", params=SamplingParams(temperature=0))
CHAT = replace(PROMPT, prompt=(Message("user", "Hello"),))
TGI = answer(200, b'{"model_id":"org/model","max_total_tokens":4096,"max_concurrent_requests":9}')
HELLO = tgi_stream("Hel", "lo")
HELLO_CHAT = [chat_event(content="Hel"), chat_event(content="lo", reason="stop"), DONE]
DETAILS = {"finish_reason": "length", "generated_tokens": 1, "seed": 3, "prefill": []}
WHOLE = {
    "generated_text": "Hello",
    "details": {**DETAILS, "tokens": [{"id": 1, "text": "Hello", "logprob": -1, "special": False}]},
}
BUSY = answer(429, retry_after="0")
AT_ONCE = RetryPolicy(draw=lambda: 0.0)
_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    return asyncio.run(asyncio.wait_for(main, PATIENCE_S))


def backend_at(url: str, api: Api | None = None, **options: Any) -> RemoteBackend:
    remote = RemoteOptions(endpoint=Endpoint.from_url(url), api=api, **options)
    return RemoteBackend(remote, retries=AT_ONCE)


async def collect(backend: RemoteBackend, request: GenerationRequest) -> list[Event]:
    async with aclosing(backend.generate(request)) as events:
        return [event async for event in events]


def asked(server: FaultyServer, path: str, *requests: GenerationRequest, **options: Any) -> Finish:
    """Make requests one after the other; return the end of the last one."""

    async def main() -> list[Event]:
        async with aclosing(backend_at(server.url + path, **options)) as backend:
            for request in requests:
                events = await collect(backend, request)
            return events

    finish = run(main())[-1]
    assert isinstance(finish, Finish)
    return finish


def card(**fields: Any) -> Script:
    return answer(200, json.dumps({"data": [{"id": "m", **fields}]}).encode())


def test_what_a_server_is_is_asked_once():
    with serving(stream(*HELLO), pages={"/info": TGI}) as server:
        asked(server, "", PROMPT, PROMPT, PROMPT)

    assert [seen.path for seen in server.seen] == ["/info", *["/generate_stream"] * 3]


def gathered(server: FaultyServer, n_requests: int) -> list[list[Event] | BaseException]:
    """Make requests at once; return what becomes of each."""

    async def main() -> list[list[Event] | BaseException]:
        async with aclosing(backend_at(server.url)) as backend:
            requests = (collect(backend, PROMPT) for _ in range(n_requests))
            return await asyncio.gather(*requests, return_exceptions=True)

    return run(main())


def test_who_wants_to_know_at_the_same_time_asks_once():
    with serving(stream(*HELLO), pages={"/info": [wait(0.1), *TGI]}) as server:
        answers = gathered(server, 8)

    assert [seen.path for seen in server.seen] == ["/info", *["/generate_stream"] * 8]
    assert all(isinstance(events, list) for events in answers)


def test_who_wants_to_know_at_the_same_time_hears_the_same_refusal():
    with serving(stream(*HELLO), pages={"/info": [wait(0.1), *answer(401)]}) as server:
        answers = gathered(server, 8)

    assert [seen.path for seen in server.seen] == ["/info"]
    assert [type(error) for error in answers] == [Unauthorized] * 8


def test_when_the_one_who_asked_goes_away_another_one_asks():
    pages: dict[str, Script] = {"/info": [stall]}

    async def main(server: FaultyServer) -> list[Event]:
        async with aclosing(backend_at(server.url)) as backend:
            first, second, third = (asyncio.create_task(collect(backend, PROMPT)) for _ in range(3))
            while not server.seen:
                await asyncio.sleep(0.005)
            pages["/info"] = TGI
            first.cancel()
            second.cancel()
            return await third

    with serving(stream(*HELLO), pages=pages) as server:
        events = run(main(server))

    assert isinstance(events[-1], Finish)
    assert [seen.path for seen in server.seen] == ["/info", "/info", "/generate_stream"]


def test_a_path_before_the_routes_is_kept():
    with serving(stream(*HELLO), pages={"/a/b/info": TGI}) as server:
        asked(server, "/a/b/", PROMPT)

    assert server.posts[0].path == "/a/b/generate_stream"


TGICLI = answer(200, b'{"model_id":"m","max_total_tokens":99,"server":"tgicli"}')
HELLO_COMPLETION = [
    b'data: {"choices":[{"index":0,"text":"Hello","finish_reason":"stop"}]}\n\n',
    DONE,
]
ANY_OBJECT = Grammar(GrammarKind.JSON_SCHEMA, '{"type":"object"}')


@pytest.mark.parametrize(
    "changes", [{"presence_penalty": 0.5}, {"logit_bias": ((7, 5.0),)}, {"grammar": ANY_OBJECT}]
)
def test_what_tgis_route_can_not_carry_goes_by_openais(changes: dict[str, Any]):
    wants = replace(PROMPT, params=replace(PROMPT.params, **changes))
    with serving(stream(*HELLO_COMPLETION), pages={"/info": TGICLI}) as server:
        asked(server, "", wants)

    assert server.posts[0].path == "/v1/completions"


def test_what_no_route_carries_is_refused_in_the_words_of_the_first():
    wants = replace(PROMPT, params=replace(PROMPT.params, ignore_eos=True))
    with serving(pages={"/info": TGICLI}) as server, pytest.raises(RequestError, match="/generate"):
        asked(server, "", wants)


def test_who_names_a_route_gets_no_other():
    wants = replace(PROMPT, params=replace(PROMPT.params, presence_penalty=0.5))
    with serving(pages={"/info": TGICLI}) as server, pytest.raises(RequestError, match="/generate"):
        asked(server, "/generate_stream", wants)


def test_llama_server_is_known_by_its_props_where_it_tells_no_models():
    props = b'{"default_generation_settings":{"n_ctx":512},"total_slots":2,"chat_template":"x"}'
    with serving(stream(*HELLO_CHAT), pages={"/props": answer(200, props)}) as server:
        asked(server, "", replace(CHAT, params=replace(CHAT.params, typical_p=0.5)))

    assert server.posts[0].json["repeat_penalty"] == 1.0


def test_tgi_at_a_path_of_its_own_is_asked_there():
    """Such as a model's page on a hub: TGI's route `/`, whose body says whether it streams."""
    with serving(stream(*HELLO)) as server:
        asked(server, "/models/x", PROMPT, api=Api.TGI)

    assert server.posts[0].path == "/models/x"
    assert server.posts[0].json["stream"] is True


def test_tgi_at_a_path_of_its_own_is_asked_for_a_whole_answer_there():
    body = json.dumps([WHOLE]).encode()
    best = replace(PROMPT, best_of=2, params=SamplingParams(temperature=1))
    with serving(answer(200, body)) as server:
        asked(server, "/models/x", best, api=Api.TGI)

    assert server.posts[0].json["stream"] is False


def test_a_forced_tgi_needs_no_question():
    with serving(stream(*HELLO)) as server:
        asked(server, "", PROMPT, api=Api.TGI)

    assert [seen.path for seen in server.seen] == ["/generate_stream"]


def test_generate_is_asked_for_a_whole_answer():
    with serving(answer(200, json.dumps(WHOLE).encode(), x_prompt_tokens="7")) as server:
        finish = asked(server, "/generate", PROMPT)

    assert server.posts[0].path == "/generate"
    assert (visible_text(finish.tokens), finish.n_prompt_tokens) == ("Hello", 7)


@pytest.mark.parametrize(
    "changes",
    [
        {"best_of": 2, "params": SamplingParams(temperature=1)},
        {"prompt_logprobs": True},
    ],
)
def test_what_no_stream_can_have_is_asked_for_at_once(changes: dict[str, Any]):
    details: dict[str, Any] = {**WHOLE["details"], "best_of_sequences": [WHOLE["details"]]}  # type: ignore[dict-item]
    body = json.dumps({**WHOLE, "details": details}).encode()
    with serving(answer(200, body), pages={"/info": TGI}) as server:
        finish = asked(server, "", replace(PROMPT, **changes))

    assert server.posts[0].path == "/generate"
    assert len(finish.others) == 1


@pytest.mark.parametrize(
    ("path", "request_", "words"),
    [
        ("/v1/completions", CHAT, "takes no conversation"),
        ("/v1/chat/completions", PROMPT, "takes no prompt as it is"),
    ],
)
def test_a_route_takes_what_it_takes(path: str, request_: GenerationRequest, words: str):
    with serving(stream(*HELLO_CHAT)) as server, pytest.raises(RequestError, match=words):
        asked(server, path, request_)

    assert server.posts == []


def test_a_server_that_wants_a_key_says_so_before_anything_is_sent():
    with (
        serving(stream(*HELLO), pages={"/info": answer(401)}) as server,
        pytest.raises(Unauthorized),
    ):
        asked(server, "", PROMPT)

    assert server.posts == []


def test_a_busy_server_is_asked_again_also_what_it_is():
    pages = {"/info": answer(503)}
    told: list[Retry] = []

    def on_retry(retry: Retry) -> None:
        told.append(retry)
        pages["/info"] = TGI

    async def main(url: str) -> list[Event]:
        options = RemoteOptions(endpoint=Endpoint.from_url(url))
        backend = RemoteBackend(options, retries=AT_ONCE, on_retry=on_retry)
        async with aclosing(backend):
            return await collect(backend, PROMPT)

    with serving(stream(*HELLO), pages=pages) as server:
        run(main(server.url))

    assert [(retry.number, retry.n_retries) for retry in told] == [(1, 4)]
    assert isinstance(told[0].reason, Overloaded)


def test_a_request_that_was_refused_in_its_stream_is_accepted_anew():
    busy = stream(tgi_error("Model is overloaded", "overloaded"))

    async def main(url: str) -> list[Event]:
        async with aclosing(backend_at(url)) as backend:
            return await collect(backend, PROMPT)

    with serving(busy, stream(*HELLO)) as server:
        events = run(main(f"{server.url}/generate_stream"))

    assert [type(event).__name__ for event in events] == ["Progress", "Progress", "Delta", "Finish"]


def test_a_stop_string_ends_the_request_although_tgi_would_go_on():
    """TGI looks at the ends of tokens only."""
    events = [chunk(tgi_event(1, "one")), chunk(tgi_event(2, " twoEND"[:7] + "three"))]
    stops = replace(PROMPT, params=SamplingParams(temperature=0, stop=("END",)))
    with serving([head(), *events, stall], pages={"/info": TGI}) as server:
        finish = asked(server, "", stops)

    assert server.n_gone == 1
    assert finish.reason is FinishReason.STOP_SEQUENCE
    assert visible_text(finish.tokens) == " two"
    assert (finish.n_generated_tokens, finish.has_usage) == (2, False)


def test_an_answer_that_tgi_cuts_in_the_token_of_a_stop_string_was_stopped():
    stops = replace(PROMPT, params=SamplingParams(temperature=0, stop=("END",)))
    events = tgi_stream("one", " ENDS", reason="length")
    with serving(stream(*events), pages={"/info": TGI}) as server:
        finish = asked(server, "", stops)

    assert finish.reason is FinishReason.STOP_SEQUENCE
    assert visible_text(finish.tokens) == " "


def test_a_stop_string_that_is_to_be_kept_is():
    stops = replace(PROMPT, params=SamplingParams(temperature=0, stop=("END",), keep_stop=True))
    events = tgi_stream("one", " END", reason="stop_sequence")
    with serving(stream(*events), pages={"/info": TGI}) as server:
        finish = asked(server, "", stops)

    assert visible_text(finish.tokens) == " END"


def test_closing_the_iterator_closes_the_connection():
    async def main(url: str) -> tuple[int, int]:
        async with aclosing(backend_at(url)) as backend:
            async with aclosing(backend.generate(PROMPT)) as events:
                await anext(events)
                await anext(events)
                during = backend.stats().n_running
            return during, backend.stats().n_running

    with serving([head(), chunk(tgi_event(1, "a")), stall]) as server:
        assert run(main(f"{server.url}/generate_stream")) == (1, 0)
    assert server.n_gone == 1


def test_a_request_that_is_not_accepted_yet_waits():
    async def main(url: str) -> tuple[int, int, int]:
        async with aclosing(backend_at(url)) as backend:
            reader = asyncio.create_task(collect(backend, PROMPT))
            while not server.posts:
                await asyncio.sleep(0.005)
            stats = backend.stats()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            return stats.n_waiting, stats.n_running, backend.stats().n_waiting

    with serving([stall]) as server:
        assert run(main(f"{server.url}/generate_stream")) == (1, 0, 0)
    assert server.n_gone == 1


def test_a_connection_is_used_again():
    twice = [KEPT_HEAD, *map(chunk, HELLO), end, next_request, KEPT_HEAD, *map(chunk, HELLO), end]
    with serving(twice) as server:
        asked(server, "/generate_stream", PROMPT, PROMPT)

    assert (len(server.posts), server.n_connections) == (2, 1)


def test_a_request_that_meets_the_end_of_a_kept_connection_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("tgicli.backends.reading.DRAIN_S", 5)
    monkeypatch.setattr("tgicli.backends.http.RESENT_WITHIN_S", 30)
    once = [KEPT_HEAD, *map(chunk, HELLO), end, next_request, reset]
    with serving(once, stream(*HELLO)) as server:
        asked(server, "/generate_stream", PROMPT, PROMPT)

    assert (len(server.posts), server.n_connections) == (3, 2)


def test_a_request_that_a_server_works_on_before_it_dies_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("tgicli.backends.reading.DRAIN_S", 5)
    monkeypatch.setattr("tgicli.backends.http.RESENT_WITHIN_S", 0.1)
    once = [KEPT_HEAD, *map(chunk, HELLO), end, next_request, wait(0.5), reset]
    with (
        serving(once, stream(*HELLO)) as server,
        pytest.raises(Unreachable, match="gave no answer: the connection broke"),
    ):
        asked(server, "/generate_stream", PROMPT, PROMPT)

    assert len(server.posts) == 2


def test_a_server_that_takes_no_such_long_request_is_told_from_one_that_breaks():
    long = replace(PROMPT, prompt="x" * 20_000_000)
    told = r"before it had taken all of the request, 20,000,\d+ bytes"

    with serving([close]) as server:
        server.reads_bodies = False
        with pytest.raises(Unreachable, match=told):
            asked(server, "/generate_stream", long)


def test_a_reader_that_takes_its_time_loses_nothing():
    events = tgi_stream("a", "b", "c")

    async def main(url: str) -> str:
        limits = Timeouts(first_token_s=5, token_s=0.2)
        text = ""
        backend = backend_at(url, timeouts=limits)
        async with aclosing(backend), aclosing(backend.generate(PROMPT)) as got:
            async for event in got:
                await asyncio.sleep(0.3)
                text += "" if isinstance(event, Progress) else visible_text(event.tokens)
        return text

    with serving(
        [head(), *[step for one in events for step in (chunk(one), wait(0.02))], end]
    ) as s:
        assert run(main(f"{s.url}/generate_stream")) == "abc"


def test_counts_that_never_come_are_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tgicli.backends.patience.ENDING_S", 0.1)
    endless = Timeouts(first_token_s=None, token_s=None)
    events = [chat_event(content="Hi"), chat_event(reason="stop")]
    with serving([head(), *map(chunk, events), stall]) as server:
        finish = asked(server, "/v1/completions", PROMPT, timeouts=endless)

    assert not finish.has_usage


def test_many_requests_run_at_once():
    async def main(url: str) -> list[list[Event]]:
        async with aclosing(backend_at(url)) as backend:
            return await asyncio.gather(*(collect(backend, PROMPT) for _ in range(150)))

    with serving(stream(*HELLO)) as server:
        answers = run(main(f"{server.url}/generate_stream"))

    assert all(isinstance(events[-1], Finish) for events in answers)


def test_the_times_are_from_the_request_on():
    late = [wait(0.15), head(), chunk(HELLO[0]), wait(0.1), chunk(HELLO[1]), end]
    with serving(late) as server:
        finish = asked(server, "/generate_stream", PROMPT)

    assert finish.prefill_s >= 0.15
    assert finish.decode_s >= 0.05


def test_an_answer_without_a_token_took_until_its_end():
    events = [chat_event(role="assistant"), chat_event(reason="stop"), DONE]
    with serving(stream(*events), pages={"/v1/models": card()}) as server:
        finish = asked(server, "", CHAT)

    assert 0 < finish.prefill_s < 60
    assert finish.decode_s == 0


@pytest.mark.parametrize("ending", [end, close, chunk(tgi_error("it broke", "generation"))])
def test_what_might_have_become_a_stop_string_is_told_before_what_broke(ending: Step):
    stops = replace(PROMPT, params=SamplingParams(temperature=0, stop=("END",)))
    events = [chunk(tgi_event(1, "one")), chunk(tgi_event(2, " E"))]

    seen: list[Event] = []

    async def main(url: str) -> None:
        async with aclosing(backend_at(url)) as backend:
            async for event in backend.generate(stops):
                seen.append(event)

    broken = pytest.raises(TgicliError)
    with serving([head(), *events, ending], pages={"/info": TGI}) as server, broken:
        run(main(server.url))

    assert [event.text for event in seen if isinstance(event, Delta)] == ["one", " E"]


def test_what_goes_wrong_behind_an_answer_s_end_is_no_failure():
    trouble = b'data: {"error": {"message": "no usage today", "type": "server_error"}}\n\n'
    events = [chat_event(content="Hi", reason="stop"), trouble]
    with serving(stream(*events), pages={"/v1/models": card()}) as server:
        finish = asked(server, "", CHAT)

    assert finish.reason is FinishReason.EOS_TOKEN


@pytest.mark.parametrize("before", [[], [chat_event(content="Hi")]])
@pytest.mark.parametrize("behind", [[], [DONE]])
def test_an_error_that_older_llama_servers_write_as_a_field_is_told(
    before: list[bytes], behind: list[bytes]
):
    field = b'error: {"code":400,"message":"too long","type":"exceed_context_size_error"}\n\n'
    events = stream(*before, field, *behind)

    with (
        serving(events, pages={"/v1/models": card()}) as server,
        pytest.raises(ContextOverflow, match="too long"),
    ):
        asked(server, "", CHAT)


def test_a_text_that_looks_like_such_a_field_is_a_text():
    text = 'a\nerror: {"code":400}\n'

    async def main(url: str) -> str:
        async with aclosing(backend_at(url)) as backend:
            events = await collect(backend, CHAT)
        return "".join(event.text for event in events if isinstance(event, Delta))

    with serving(
        stream(chat_event(content=text), chat_event(reason="stop"), DONE),
        pages={"/v1/models": card()},
    ) as server:
        assert run(main(server.url)) == text


def test_info_is_what_the_server_tells():
    async def info(url: str) -> tuple[str, int]:
        async with aclosing(backend_at(url)) as backend:
            told = await backend.info()
            return told.name, told.n_ctx

    with serving(stream(*HELLO), pages={"/info": TGI}) as server:
        assert run(info(server.url)) == ("org/model", 4096)
    with serving(
        stream(*HELLO), pages={"/v1/models": card(owned_by="vllm", max_model_len=77)}
    ) as server:
        assert run(info(server.url)) == ("m", 77)


def test_what_llama_servers_props_tell_is_asked_for_once():
    async def info(url: str) -> list[int]:
        async with aclosing(backend_at(url)) as backend:
            return [(await backend.info()).n_ctx for _ in range(2)]

    props = answer(200, b'{"default_generation_settings":{"n_ctx":512}}')
    pages = {"/v1/models": card(owned_by="llamacpp"), "/props": props}
    with serving(stream(*HELLO), pages=pages) as server:
        assert run(info(server.url)) == [512, 512]

    assert [seen.path for seen in server.seen].count("/props") == 1


@pytest.mark.parametrize(
    ("pages", "is_healthy"),
    [
        ({"/info": TGI, "/health": answer(200)}, True),
        ({"/info": TGI, "/health": answer(503)}, False),
        ({"/v1/models": card()}, True),
        ({}, False),
    ],
)
def test_health_is_what_the_server_says(pages: dict[str, Script], is_healthy: bool):
    async def health(url: str) -> bool:
        async with aclosing(backend_at(url)) as backend:
            return await backend.health()

    with serving(stream(*HELLO), pages=pages) as server:
        assert run(health(server.url)) is is_healthy
    assert run(health(server.url)) is False  # it is gone


def test_a_server_that_does_not_tell_tokens_is_not_guessed():
    async def main(url: str) -> int | None:
        async with aclosing(backend_at(url)) as backend:
            with pytest.raises(RequestError, match="does not tell how it tokenizes"):
                await backend.tokenize(PROMPT)
            return await backend.count_tokens(PROMPT)

    with serving(stream(*HELLO), pages={"/v1/models": card()}) as server:
        assert run(main(server.url)) is None


def test_vllm_tells_the_number_of_tokens():
    async def main(url: str) -> int | None:
        async with aclosing(backend_at(url)) as backend:
            return await backend.count_tokens(CHAT)

    with serving(
        answer(200, b'{"count":7}'), pages={"/v1/models": card(owned_by="vllm")}
    ) as server:
        assert run(main(server.url)) == 7
    assert server.posts[0].json == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
    }


def test_an_openai_server_that_does_not_stream_is_understood():
    body = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'
    with serving(answer(200, body), pages={"/v1/models": card()}) as server:
        finish = asked(server, "", CHAT)

    assert visible_text(finish.tokens) == "Hi"


def test_a_whole_answer_that_breaks_off_is_broken():
    cut = [head(media_type="application/json"), chunk(b'{"gen')]

    with serving(cut) as server, pytest.raises(StreamBroken):
        asked(server, "/generate", PROMPT)


def test_a_unix_socket_is_a_server_like_others(tmp_path: Path):
    with serving(stream(*HELLO), pages={"/info": TGI}, path=tmp_path / "s") as server:
        finish = asked(server, "", PROMPT)

    assert finish.n_generated_tokens == 2
