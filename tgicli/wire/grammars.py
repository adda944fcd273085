"""Grammars as TGI's requests write them. Pure.

Source: router/src/lib.rs (GrammarType) and validation.rs at v3.3; `gbnf` is ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tgicli.core import Grammar, GrammarKind
from tgicli.errors import GrammarInvalid, RequestError


class GrammarBody(msgspec.Struct, frozen=True):
    """What the answer must look like."""

    type: Literal["json", "json_object", "json_schema", "regex", "gbnf"]
    value: Annotated[
        Any, Meta(description="A JSON Schema, {schema: ...} for json_schema, or an expression.")
    ]


def to_grammar(body: GrammarBody) -> Grammar:
    """Return core's grammar.

    Raises:
        GrammarInvalid: the value is not what its type wants.
    """
    match body.type:
        case "regex" | "gbnf":
            if not isinstance(body.value, str):
                raise GrammarInvalid(f"grammar is not valid: a {body.type} must be a string")
            return Grammar(GrammarKind(body.type), body.value)
        case "json_schema":
            if not isinstance(body.value, dict) or "schema" not in body.value:
                raise GrammarInvalid("grammar is not valid: json_schema must have a 'schema' field")
            return _json(body.value["schema"])
        case "json" | "json_object":
            return _json(body.value)


def _json(schema: object) -> Grammar:
    if isinstance(schema, str):
        try:
            schema = msgspec.json.decode(schema)
        except (msgspec.DecodeError, RecursionError) as error:
            raise GrammarInvalid(f"grammar is not valid: {error}") from error
    if not isinstance(schema, dict):
        raise RequestError("grammar is not supported")
    if "properties" not in schema:
        raise GrammarInvalid("grammar is not valid: Grammar must have a 'properties' field")
    return Grammar(GrammarKind.JSON_SCHEMA, msgspec.json.encode(schema).decode())
