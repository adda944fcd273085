"""The bridge between the engine's thread and the event loop.

Lives on the event loop. Two doors, immutable luggage: `engine.submit/abort` go down,
`call_soon_threadsafe` comes up, once per batch. Closing a generate() iterator, in whatever state,
is what cancels a request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from tgicli.backends.stream import TokenStream
from tgicli.core import (
    Event,
    GenerationRequest,
    Grammar,
    ModelInfo,
    Progress,
    Run,
    SamplingParams,
    TokenizedPrompt,
    collect,
)
from tgicli.engine.engine import Emitted, Engine
from tgicli.engine.prompt import PromptEncoder, room_for_answer
from tgicli.engine.runner import ContextOptions, Runner
from tgicli.engine.sampler import draw_seed
from tgicli.engine.sequence import Sequence
from tgicli.engine.spans import spans
from tgicli.errors import RequestError, StreamBroken
from tgicli.stats import BackendStats, Batches

if TYPE_CHECKING:
    from tgicli.engine.grammar import Constraint, GrammarCompiler

MAX_HEARTBEAT_AGE_S = 30.0
N_COMPILERS = 2  # grammars that are compiled at once
N_TOKENIZING = 2  # texts whose tokens are asked for; these are not answered, and take no place
LONG_PROMPT_CHARACTERS = 20_000  # tokenising one takes long enough to be felt on the event loop


class LocalBackend:
    """A model in this process."""

    def __init__(self, encoder: PromptEncoder, runner: Runner) -> None:
        """Start the engine on a runner, which is the backend's from here on. On the event loop."""
        self._encoder = encoder
        self._runner = runner
        self._grammars: GrammarCompiler | None = None
        # Threads of their own: grammars that take long would hold up everybody's prompts.
        self._compilers = ThreadPoolExecutor(N_COMPILERS, "grammar")
        self._tokenizing = asyncio.Semaphore(N_TOKENIZING)
        self._streams: dict[str, TokenStream] = {}
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._engine = Engine(runner, self._deliver)
        self._engine.start()

    @classmethod
    async def open(cls, encoder: PromptEncoder, options: ContextOptions) -> LocalBackend:
        """Make a context for the encoder's model and start computing.

        Raises:
            ModelLoadError: there is no room for the context.
        """
        runner = await asyncio.to_thread(Runner, encoder.model, options)
        return cls(encoder, runner)

    def _deliver(self, emitted: list[Emitted]) -> None:
        """Carry a step's events to the event loop. Called on the engine's thread."""
        self._loop.call_soon_threadsafe(self._spread, emitted)

    def _spread(self, emitted: list[Emitted]) -> None:
        for item in emitted:
            if stream := self._streams.get(item.request_id):  # else its reader has left
                stream.put(item.event)

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Stream the answer; with best_of, all of it at the end."""
        if request.best_of > 1:
            return self._generate_best(request)
        return self._generate(request) if request.streams else self._generate_whole(request)

    async def _generate_whole(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        async with aclosing(self._generate(request)) as events:
            yield await anext(events)  # accepted
            run = await collect(events)
        yield replace(run.finish, tokens=run.tokens)

    async def _generate(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        sequence = await self._to_sequence(request)
        stream = self._streams[request.id] = TokenStream()
        try:
            yield Progress(0, sequence.n_prompt)  # accepted
            self._check_open()
            self._engine.submit(sequence)
            async for event in stream:
                yield event
        finally:  # finished, failed, cancelled or abandoned: the same path
            del self._streams[request.id]
            self._engine.abort(request.id)  # no-op if it has finished

    async def _to_sequence(self, request: GenerationRequest) -> Sequence:
        self._check_open()
        self._check_adapter(request.adapter)
        params = request.params
        self._check_bias(params)
        token_ids = await self._encode(request)
        room = room_for_answer(len(token_ids), params.max_new_tokens, self._runner.n_ctx)
        if params.seed is None:
            params = replace(params, seed=draw_seed())
        return Sequence(
            request.id,
            token_ids,
            params,
            room,
            reuse_key=request.reuse_key,
            adapter=request.adapter,
            constraint=await self._compile(params.grammar),
            wants_prompt_logprobs=request.prompt_logprobs,
            is_turn=not isinstance(request.prompt, str),
        )

    def _check_open(self) -> None:
        if self._is_closed:
            raise StreamBroken("the model was closed; nothing more can be asked of it")

    def _check_adapter(self, name: str | None) -> None:
        """Refuse an adapter that is not loaded, in the words of TGI's `adapter_id`."""
        names = self._runner.adapter_names
        if name is None or name in names:
            return
        words = f"`adapter_id` {name!r} is not loaded"
        if names:
            raise RequestError(f"{words}; loaded are {', '.join(names)}")
        raise RequestError(f"{words}; none is", aside="--lora-adapters")

    def _check_bias(self, params: SamplingParams) -> None:
        n_vocab = self._encoder.model.n_vocab
        unknown = [token_id for token_id, _ in params.logit_bias if token_id >= n_vocab]
        if unknown:
            raise RequestError(
                f"logit_bias: the vocabulary has {n_vocab:,} tokens, and no token {unknown[0]}"
            )

    async def _compile(self, grammar: Grammar | None) -> Constraint | None:
        """Compile a grammar, which takes long enough to be felt on the event loop.

        Raises:
            GrammarInvalid: it does not compile.
        """
        if grammar is None:
            return None
        if self._grammars is None:
            from tgicli.engine.grammar import GrammarCompiler  # imports llguidance

            self._grammars = GrammarCompiler(self._encoder.model)
        return await self._loop.run_in_executor(self._compilers, self._grammars.compile, grammar)

    async def _encode(self, request: GenerationRequest) -> list[int]:
        if isinstance(request.prompt, str) and len(request.prompt) < LONG_PROMPT_CHARACTERS:
            return self._encoder.encode(request)
        return await asyncio.to_thread(self._encoder.encode, request)

    async def _generate_best(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Run the request best_of times at once; yield the run with the highest mean logprob."""
        params = replace(request.params, logprobs=True)
        single = replace(request, best_of=1, params=params)
        first, *rest = [
            self._generate(replace(single, id=f"{request.id}/{index}"))
            for index in range(request.best_of)
        ]
        async with aclosing(first):
            yield await anext(first)  # accepted
            runs = await _collect_all([first, *rest])
        best = max(runs, key=lambda run: run.mean_logprob)
        others = tuple(run for run in runs if run is not best)
        yield replace(best.finish, tokens=best.tokens, others=others)

    async def tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        """Say how the model sees a request's prompt."""
        async with self._tokenizing:
            return await asyncio.to_thread(self._tokenize, request)

    def _tokenize(self, request: GenerationRequest) -> TokenizedPrompt:
        token_ids = self._encoder.encode(replace(request, truncate=None))
        text = self._encoder.render(request)
        return TokenizedPrompt(text, spans(self._encoder.model, text, token_ids))

    async def count_tokens(self, request: GenerationRequest) -> int:
        """Return the length of the prompt, before `truncate`."""
        return len(await self._encode(replace(request, truncate=None)))

    def stats(self) -> BackendStats:
        """Say what the engine is doing."""
        engine, counters = self._engine, self._engine.counters
        return BackendStats(
            n_waiting=engine.n_waiting,
            n_running=engine.n_running,
            n_prompt_tokens=counters.n_prompt_tokens,
            n_cached_tokens=counters.n_cached_tokens,
            steps_s=counters.steps_s,
            decode_s=self._runner.decode_s,
            worst_step_s=counters.worst_step_s,
            batches=Batches(
                n_reserved_tokens=engine.n_reserved_tokens,
                n_cells=self._runner.n_lanes * self._runner.n_ctx,
                prefill=counters.prefill.stats(),
                decode=counters.decode.stats(),
            ),
        )

    async def info(self) -> ModelInfo:
        """Say what answers."""
        model = self._encoder.model
        return ModelInfo(
            name=model.path.stem,
            n_ctx=self._runner.n_ctx,
            description=model.description,
        )

    async def health(self) -> bool:
        """Say whether the engine's thread goes round, or waits for work."""
        return time.perf_counter() - self._engine.heartbeat_s < MAX_HEARTBEAT_AGE_S

    async def aclose(self) -> None:
        """Stop the engine after its current step and free the context; the model stays.

        What still streams ends with StreamBroken.
        """
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.to_thread(self._engine.close)
        # One that compiles still reads the model's vocabulary.
        await asyncio.to_thread(self._compilers.shutdown, cancel_futures=True)
        self._runner.close()


async def _collect_all(streams: Iterable[AsyncGenerator[Event, None]]) -> list[Run]:
    """Read streams to their ends, side by side; if one fails all fail, as in TGI."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_collect(events)) for events in streams]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


async def _collect(stream: AsyncGenerator[Event, None]) -> Run:
    async with aclosing(stream) as events:
        return await collect(events)
