"""The flags of `generate` that say what an answer must look like, and whether it does.

Imported by `flags` on the main thread; nothing heavy is. Whether a grammar compiles only its
model's tokenizer tells, or the server; what can be told before is told here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import typer

from tgicli.cli.precedence import only_one
from tgicli.cli.signature import option
from tgicli.core import Finish, FinishReason, Grammar, GrammarKind, Token, visible_text
from tgicli.errors import ConfigError

PANEL = "Form of the answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrammarFlags:
    """One grammar, in one of three languages."""

    schema: str | None = option(
        None,
        metavar="FILE|JSON",
        panel=PANEL,
        help="Answer in JSON that a JSON Schema allows: a file that holds it, or the schema.",
    )
    regex: str | None = option(
        None, metavar="REGEX", panel=PANEL, help="Answer what an expression matches as a whole."
    )
    gbnf: str | None = option(
        None,
        metavar="FILE|GBNF",
        panel=PANEL,
        help="Answer what a grammar of llama.cpp's allows: a file that holds it, or the rules.",
    )

    def to_grammar(self, ctx: typer.Context) -> Grammar | None:
        """Return the grammar; a flag wins over a variable, and that over the file.

        Raises:
            ConfigError: two are named in one place, or it can't be read.
        """
        named = ("schema", "regex", "gbnf")
        match only_one(ctx, (name for name in named if getattr(self, name) is not None)):
            case "schema":
                return Grammar(GrammarKind.JSON_SCHEMA, _schema(self.schema or ""))
            case "regex":
                return Grammar(GrammarKind.REGEX, self.regex or "")
            case "gbnf":
                return Grammar(GrammarKind.GBNF, _gbnf(self.gbnf or ""))
        return None


def has_whole_form(grammar: Grammar | None, finish: Finish, tokens: Iterable[Token]) -> bool | None:
    """Whether no limit and no stop string ended an answer before its form was complete.

    tokens are all of the answer's. None: it can't be told; of a server's answers only JSON can.
    """
    is_stopped = finish.reason is FinishReason.STOP_SEQUENCE
    if grammar is None or not (is_stopped or finish.reason is FinishReason.LENGTH):
        return True
    if finish.fulfils_grammar is False:
        return False
    if finish.fulfils_grammar and not is_stopped:  # a stop string, which is left out, may be of it
        return True
    if grammar.kind is GrammarKind.JSON_SCHEMA:
        return _is_json(visible_text(tokens))
    return True if is_stopped else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _schema(given: str) -> str:
    source = given if given.lstrip().startswith(("{", "[")) else _read(given, "--schema")
    try:
        schema = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--schema is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise ConfigError('--schema must be a JSON object, such as {"type": "object"}')
    return source


def _gbnf(given: str) -> str:
    return given if "::=" in given else _read(given, "--gbnf")


def _read(path: str, flag: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"can't read {flag} {path}: {words}") from error
