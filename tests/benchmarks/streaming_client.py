"""Ask a server for a stream, and stamp its tokens as they come. Used by serving.py.

One client for both sides, so both pay for it: httpx's lines, and one JSON object each.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx


@dataclass(slots=True)
class Answer:
    """What has come of one stream."""

    asked_s: float = field(default_factory=time.perf_counter)
    stamps_s: list[float] = field(default_factory=list)  # when each token came
    n_prompt: int = 0
    text: str = ""

    @property
    def ttft_s(self) -> float:
        """Time to the first token."""
        return self.stamps_s[0] - self.asked_s

    def worst_gap_s(self, start_s: float, stop_s: float) -> float:
        """Return the longest wait for a token, of those that ended or went on in this time."""
        pairs = pairwise(self.stamps_s)
        return max((b - a for a, b in pairs if b > start_s and a < stop_s), default=0.0)


async def ask_tgi(client: httpx.AsyncClient, prompt: str, n_new: int, answer: Answer) -> None:
    """Stream from TGI's own route."""
    body = {"inputs": prompt, "parameters": {"max_new_tokens": n_new, "details": True}}
    async for event in _events(client, "/generate_stream", body):
        answer.stamps_s.append(time.perf_counter())
        answer.text += event["token"]["text"]
        if details := event.get("details"):
            answer.n_prompt = details["input_length"]


async def ask_llama(client: httpx.AsyncClient, prompt: str, n_new: int, answer: Answer) -> None:
    """Stream from llama-server's own route."""
    body = {"prompt": prompt, "n_predict": n_new, "temperature": 0, "return_tokens": True}
    async for event in _events(client, "/completion", {**body, "stream": True}):
        answer.stamps_s += [time.perf_counter()] * len(event["tokens"])
        answer.text += event["content"]
        if event["stop"]:
            answer.n_prompt = event["tokens_evaluated"]


async def ask_openai(client: httpx.AsyncClient, prompt: str, n_new: int, answer: Answer) -> None:
    """Stream from OpenAI's route, which both have."""
    body = {"prompt": prompt, "max_tokens": n_new, "temperature": 0, "stream": True}
    body["stream_options"] = {"include_usage": True}
    async for event in _events(client, "/v1/completions", body):
        for choice in event["choices"]:
            if text := choice["text"]:
                answer.stamps_s.append(time.perf_counter())
                answer.text += text
        if usage := event.get("usage"):
            answer.n_prompt = usage["prompt_tokens"]


async def ask_chat(
    client: httpx.AsyncClient, messages: list[dict[str, str]], n_new: int, answer: Answer
) -> None:
    """Stream the next turn of a conversation from OpenAI's route, which both have."""
    body = {"messages": messages, "max_tokens": n_new, "temperature": 0, "stream": True}
    async for event in _events(client, "/v1/chat/completions", body):
        for choice in event["choices"]:
            if text := choice["delta"].get("content"):
                answer.stamps_s.append(time.perf_counter())
                answer.text += text


async def _events(
    client: httpx.AsyncClient, route: str, body: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    async with client.stream("POST", route, json=body) as response:
        if response.status_code != 200:
            raise SystemExit(f"{route} returned {response.status_code}: {await response.aread()!r}")
        async for line in response.aiter_lines():
            if line.startswith("data:") and not line.endswith("[DONE]"):
                event: dict[str, Any] = json.loads(line[5:])
                if "error" in event:
                    raise SystemExit(f"{route} broke off: {event}")
                yield event
