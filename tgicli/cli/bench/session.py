"""What the process that makes the load holds between jobs: the open targets and one recorder.

Lives on that process's event loop. All records of a run count their times from one beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tgicli.backends.endpoint import RemoteOptions
from tgicli.bench.recorder import Recorder
from tgicli.cli.bench.target import LocalTarget
from tgicli.core import Backend, GenerationRequest, Message, SamplingParams
from tgicli.errors import RequestError

if TYPE_CHECKING:
    from tgicli.backends.remote import RemoteBackend
    from tgicli.bench.counters import Count

MIN_ROOM = 256  # tokens for a chat template, and for prompts that come out longer than wanted


@dataclass(frozen=True, slots=True)
class Side:
    """An open target."""

    backend: Backend
    chats: bool  # prompts go through the chat template
    can_ignore_eos: bool = True  # it can be told to go on after the model's end
    remote: RemoteBackend | None = None  # None: a model in this process

    async def counters(self) -> dict[str, Count]:
        """Return what the server has counted so far, if it tells."""
        from tgicli.bench.counters import read_counters

        return {} if self.remote is None else read_counters(await self.remote.counters())


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a model in this process needs room for."""

    n_lanes: int
    n_prompt: int  # tokens of the longest prompt
    n_new: int

    @property
    def n_prompt_at_most(self) -> int:
        """With a chat template, and with prompts that come out longer than wanted."""
        return self.n_prompt + max(self.n_prompt // 8, MIN_ROOM)


class Session:
    """The state of the process."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()  # ends a measurement early
        self.recorder = Recorder()
        self.sides: dict[int, Side] = {}
        self._stack = AsyncExitStack()

    async def open_remote(self, number: int, options: RemoteOptions, *, chats: bool) -> Side:
        """Open a server, and find out which one it is.

        Raises:
            TgicliError: it does not answer.
        """
        opened = observed(options, self.recorder)
        backend = await self._stack.enter_async_context(opened)
        can_ignore_eos = await _can_ignore_eos(backend, chats=chats)
        side = self.sides[number] = Side(backend, chats, can_ignore_eos, backend)
        return side

    async def open_local(
        self,
        number: int,
        target: LocalTarget,
        room: Room,
        *,
        chat: bool | None,
        on_progress: Callable[[float], None],
        on_note: Callable[[str], None],
    ) -> Side:
        """Load a model; on_note is called with what its user should know about that.

        Raises:
            ModelError: it can't be loaded, or there is no room for the lanes.
        """
        opened = _local_side(target, room, chat, on_progress, on_note)
        side = self.sides[number] = await self._stack.enter_async_context(opened)
        return side

    async def aclose(self) -> None:
        """Close all targets."""
        await self._stack.aclose()


@asynccontextmanager
async def observed(
    options: RemoteOptions, recorder: Recorder
) -> AsyncGenerator[RemoteBackend, None]:
    """Give a server that is asked once, and observed."""
    from tgicli.backends.remote import RemoteBackend
    from tgicli.backends.retrying import RetryPolicy

    remote = RemoteBackend(options, retries=RetryPolicy(n_retries=0), observer=recorder)
    async with aclosing(remote) as backend:
        yield backend


async def _can_ignore_eos(backend: RemoteBackend, *, chats: bool) -> bool:
    """Say whether the server takes such a request, as far as its kind tells."""
    params = SamplingParams(temperature=0, max_new_tokens=1, ignore_eos=True)
    prompt = (Message("user", "a"),) if chats else "a"
    try:
        await backend.describe(GenerationRequest(id="probe", prompt=prompt, params=params))
    except RequestError:
        return False
    return True


@asynccontextmanager
async def _local_side(
    target: LocalTarget,
    room: Room,
    chat: bool | None,
    on_progress: Callable[[float], None],
    on_note: Callable[[str], None],
) -> AsyncGenerator[Side, None]:
    from tgicli.backends.local import LocalBackend
    from tgicli.cli.local import Expected, context_options, placed
    from tgicli.engine.model import Model
    from tgicli.engine.prompt import PromptEncoder

    loading, path = target.loading, target.path
    assert path is not None

    def tell(fraction: float) -> bool:
        loop.call_soon_threadsafe(on_progress, fraction)
        return True

    loop = asyncio.get_running_loop()
    expected = Expected(n_ctx=room.n_prompt_at_most + room.n_new, n_lanes=room.n_lanes)
    load, note = placed(path, loading, expected)
    if note is not None:
        on_note(note)
    model = await asyncio.to_thread(Model.load, path, load, tell)
    try:
        context = context_options(
            loading,
            model,
            n_prompt=room.n_prompt_at_most,
            max_new_tokens=room.n_new,
            n_lanes=room.n_lanes,
        )
        encoder = PromptEncoder(model)
        local = await LocalBackend.open(encoder, context)
        async with aclosing(local) as backend:
            chats = model.chat_template is not None if chat is None else chat
            yield Side(backend, chats)
    finally:
        model.close()
