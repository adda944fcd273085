"""Call a Python client library for a test: see tests/clients/library.py.

Runs as a program, with the library's name as its argument, and imports nothing of this project.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import inspect
import json
import operator
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any


async def reply(library: object, request: dict[str, Any]) -> Any:
    """Make the client, call its method, and return what it gives as JSON types."""
    client = getattr(library, request["name"])(*request["made_of"], **request["made_with"])
    method = operator.attrgetter(request["method"])(client)
    answer = method(*request["arguments"], **request["named"])
    if inspect.isawaitable(answer):
        answer = await answer
    if isinstance(answer, AsyncIterator | Iterator):
        return await items_of(answer, request["n_items"])
    if isinstance(answer, AbstractAsyncContextManager):
        async with answer as items:
            return await items_of(items, request["n_items"])
    if isinstance(answer, AbstractContextManager):
        with answer as items:
            return await items_of(items, request["n_items"])
    return to_json(answer)


async def items_of(answer: Any, most: int | None) -> list[Any]:
    """Return a stream's first items."""
    items = answer if isinstance(answer, AsyncIterator) else one_by_one(answer)
    given: list[Any] = []
    async for item in items:
        given.append(to_json(item))
        if len(given) == most:
            break
    return given


async def one_by_one(items: Iterator[object]) -> AsyncIterator[object]:
    """Give a plain iterator's items."""
    for item in items:
        yield item


def to_json(value: Any) -> Any:
    """Return JSON types for a client's dataclass or Pydantic model, and all else as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value


def main() -> None:
    """Answer requests, one JSON object a line, until stdin ends."""
    library = importlib.import_module(sys.argv[1])
    for line in sys.stdin:
        answer: dict[str, Any]
        try:
            answer = {"value": asyncio.run(reply(library, json.loads(line)))}
        except Exception as error:  # whatever a client raises is its answer
            classes = [kind.__name__ for kind in type(error).__mro__]
            answer = {"raised": classes, "message": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
