"""Grammars of many kinds, for the tests of this folder and their models."""

from __future__ import annotations

import json
from typing import Any

from tgicli.core import Grammar, GrammarKind

WORD = {"type": "string", "maxLength": 6}


def obj(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has all these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


SCHEMAS: dict[str, dict[str, Any]] = {
    "flat": obj(name=WORD, age={"type": "integer"}, alive={"type": "boolean"}),
    "enum": obj(colour={"enum": ["red", "green", "blue", 7, None, True]}),
    "const": obj(kind={"const": "point"}, version={"const": 3}),
    "nested": obj(a=obj(b=obj(c={"type": "null"}, d={"enum": [1, 2]}))),
    "array": obj(tags={"type": "array", "items": WORD, "minItems": 2, "maxItems": 4}),
    "objects": {"type": "array", "items": obj(x={"type": "integer"}), "minItems": 1, "maxItems": 3},
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "boolean"}, WORD],
        "items": False,
        "minItems": 2,
    },
    "any of": obj(value={"anyOf": [{"type": "integer"}, WORD, {"type": "null"}]}),
    "one of": obj(shape={"oneOf": [obj(r={"const": 1}), obj(w={"const": 2}, h={"const": 3})]}),
    "all of": {"allOf": [obj(a={"type": "boolean"}), obj(b={"enum": ["x"]})], "maxProperties": 2}
    | {"additionalProperties": False, "properties": {"a": {}, "b": {}}},
    "types": obj(either={"type": ["boolean", "null"]}),
    "bounds": obj(
        n={"type": "integer", "minimum": -3, "maximum": 117},
        p={"type": "number", "exclusiveMinimum": 0, "maximum": 1.5},
    ),
    "multiple": obj(n={"type": "integer", "multipleOf": 7, "minimum": 0, "maximum": 1000}),
    "lengths": obj(s={"type": "string", "minLength": 3, "maxLength": 5}),
    "pattern": obj(plate={"type": "string", "pattern": "^[A-Z]{2}-[0-9]{1,4}$"}),
    "formats": obj(
        day={"type": "string", "format": "date"},
        clock={"type": "string", "format": "time"},
        id={"type": "string", "format": "uuid"},
        host={"type": "string", "format": "ipv4"},
    ),
    "unicode": obj(
        größe={"enum": ["groß", "klein", "日本", "😀\n"]}, **{'quo"te': {"const": "\\"}}
    ),
    "optional": {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "b": {"type": "null"}, "c": {"const": 0}},
        "required": ["b"],
    },
    "additional": {
        "type": "object",
        "properties": {"a": {"const": 1}},
        "required": ["a"],
        "additionalProperties": {"type": "boolean"},
        "maxProperties": 3,
    },
    "references": {
        "$defs": {"word": WORD, "pair": obj(left={"$ref": "#/$defs/word"}, right={"const": 2})},
        **obj(first={"$ref": "#/$defs/pair"}, second={"$ref": "#/$defs/pair"}),
    },
    "recursive": {
        "$defs": {"node": {"anyOf": [{"type": "null"}, obj(next={"$ref": "#/$defs/node"})]}},
        "$ref": "#/$defs/node",
    },
    "escapes": {"type": "string", "maxLength": 30},
}
REGEXES = [
    r"yes|no|maybe",
    r"\d{3}-\d{4}",
    r"[a-z]{1,12}@[a-z]{1,8}\.(com|org)",
    r"^(Mon|Tue|Wed)day$",
    r"(a|b)*c",
    r"#[0-9a-fA-F]{6}",
    r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,3})?",
    r"[äöüß]{2,4} ?€",
    r"a/b\\c\"d\[e\]",
    r"( the| and){3}\n",
]


def schema_grammar(schema: dict[str, Any]) -> Grammar:
    return Grammar(GrammarKind.JSON_SCHEMA, json.dumps(schema))


def regex(source: str) -> Grammar:
    return Grammar(GrammarKind.REGEX, source)
