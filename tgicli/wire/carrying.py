"""What a request asks for beyond what every server understands. Pure; used by the client dialects.

An option that a dialect has no field for is refused by name, never dropped: so are options that
core learns later, until a dialect says that it carries them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields

from tgicli.core import GenerationRequest, Grammar
from tgicli.errors import RequestError

_OF_PARAMS = frozenset({"temperature", "max_new_tokens", "seed", "stop", "logprobs"})
_EVERYWHERE = frozenset({"id", "prompt", "params", "streams"}) | _OF_PARAMS
_CHECKED_BY_KIND = frozenset({"grammar"})  # each dialect has some kinds of it
_SECRET = frozenset({"reuse_key"})  # is made from a client's key
_WITHOUT_EFFECT_ON_GREEDY = frozenset({"top_k", "top_p", "typical_p", "min_p"})


class Uncarried(RequestError):
    """A dialect has no field for what is asked; another one may."""


def refuse_uncarried(request: GenerationRequest, carried: Collection[str], where: str) -> None:
    """Refuse a request with an option that is not among those carried.

    Raises:
        Uncarried: it has one; names it, with its value.
    """
    for name, value in wanted(request):
        if name not in carried:
            shown = "as asked" if name in _SECRET else _shown(value)
            raise Uncarried(f"{name} {shown} can't be sent to {where}; leave it out")


def wanted(request: GenerationRequest) -> Iterator[tuple[str, object]]:
    """Yield the options that are set to something else than core's neutral value."""
    skipped = _EVERYWHERE | _CHECKED_BY_KIND
    if request.params.is_greedy:
        skipped |= _WITHOUT_EFFECT_ON_GREEDY
    if not request.params.stop:
        skipped |= {"keep_stop"}
    for owner in (request.params, request):
        for field in fields(owner):
            value = getattr(owner, field.name)
            if field.name not in skipped and value != field.default:
                yield field.name, value


def grammar_refused(grammar: Grammar, where: str) -> Uncarried:
    """Return the error for a kind of grammar that a dialect has no field for."""
    return Uncarried(f"a grammar of the kind {grammar.kind} can't be sent to {where}")


def _shown(value: object) -> str:
    return str(value) if isinstance(value, int | float | str) else "as asked"
