"""Streams as servers write them, and what they mean.

The bytes in tests/data are written from the servers' sources and documentation, with what is odd
about each: comments before the first token and between two, roles in every chunk, empty chunks,
usage in a chunk of its own or not at all, CRLF, raw line separators of Unicode, no space behind
`data:`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.faulty import Script, answer
from tgicli.core import FinishReason, GenerationRequest, SamplingParams
from tgicli.wire.answers import AnswerReader
from tgicli.wire.openai_answer import OpenAIReader
from tgicli.wire.tgi_client import TgiReader

DATA = Path(__file__).parents[1] / "data"
PLAIN = SamplingParams()
TEXT = "Bonjour 🌍"
THOUGHTS = "The user greets."
OWNERS = {  # of models, as /v1/models tells
    "vllm": "vllm",
    "sglang": "sglang",
    "ollama": "library",
    "openai": "system",
    "llama_server": "llamacpp",
    "llama_cpp_python": "me",
}
CALLS = (
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
    '<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>\n'
)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """A stream, and what it says."""

    name: str
    text: str = TEXT
    thoughts: str = ""
    reason: FinishReason = FinishReason.EOS_TOKEN
    n_prompt: int = 9
    n_cached: int = 0
    n_generated: int
    has_usage: bool = True
    seed: int | None = None
    params: SamplingParams = PLAIN

    @property
    def bytes(self) -> bytes:
        """What the server sends."""
        return (DATA / f"{self.name}.sse").read_bytes()

    @property
    def request(self) -> GenerationRequest:
        """A request that such an answer may come to."""
        return GenerationRequest(id="golden", prompt="Hello", params=self.params)

    @property
    def route(self) -> str:
        """Which route it is the answer of: native, chat or completions."""
        if self.is_native:
            return "native"
        return "completions" if self.name.endswith("completions") else "chat"

    @property
    def pages(self) -> dict[str, Script]:
        """The pages by which its server is known."""
        if self.name.startswith("tgi"):
            info = {"model_id": "org/model", "max_total_tokens": 4096, "version": "3.3.6-dev0"}
            return {"/info": answer(200, json.dumps(info).encode()), "/health": answer(200)}
        owner = next(word for name, word in OWNERS.items() if self.name.startswith(name))
        card = {"id": "model", "object": "model", "owned_by": owner}
        listed = {"object": "list", "data": [card]}
        return {"/v1/models": answer(200, json.dumps(listed).encode())}

    @property
    def is_native(self) -> bool:
        """Whether it is TGI's dialect."""
        return self.name.startswith("tgi_native")

    def reader(self) -> AnswerReader:
        """Return a fresh reader for its dialect."""
        return TgiReader(self.request) if self.is_native else OpenAIReader(self.request)


GOLDEN = [
    Golden(name="tgi_native", text=f"{TEXT} \u2028\u0085", n_generated=6, seed=4211),
    Golden(
        name="tgi_native_1",
        reason=FinishReason.LENGTH,
        n_prompt=0,
        n_generated=3,
        has_usage=False,
    ),
    Golden(name="tgi_native_no_details", n_prompt=0, n_generated=4, has_usage=False),
    Golden(name="tgi_chat", n_generated=4),
    Golden(name="tgi_completions", reason=FinishReason.LENGTH, n_generated=3),
    Golden(
        name="vllm_chat",
        reason=FinishReason.STOP_SEQUENCE,
        n_generated=4,
        params=SamplingParams(stop=("\n\n",)),
    ),
    Golden(name="vllm_reasoning", thoughts=THOUGHTS, n_cached=8, n_generated=12),
    Golden(name="vllm_tools", text=CALLS, n_prompt=80, n_generated=31),
    Golden(name="vllm_completions", reason=FinishReason.LENGTH, n_generated=3),
    Golden(name="sglang_chat", thoughts=THOUGHTS, n_generated=9),
    Golden(name="ollama_chat", thoughts=THOUGHTS, n_generated=8),
    Golden(name="openai_chat", n_generated=4),
    Golden(
        name="openai_logprobs",
        reason=FinishReason.LENGTH,
        n_prompt=0,
        n_generated=3,
        has_usage=False,
        params=SamplingParams(top_n_tokens=2),
    ),
    Golden(name="llama_server_chat", thoughts=THOUGHTS, n_cached=3, n_generated=9),
    Golden(
        name="llama_cpp_python_chat",
        reason=FinishReason.LENGTH,
        n_prompt=0,
        n_generated=3,
        has_usage=False,
    ),
]
