"""`tgicli models`: what is on disk, get one from a hub, look at one.

Called by `app` on the main thread. Only `pull` uses the network. Never loads a model: headers say
enough.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from tgicli.cli.size import count_text, download_progress, size_text
from tgicli.cli.value import check_name
from tgicli.errors import ConfigError, ModelLoadError, RequestError
from tgicli.models.cache import cached_names
from tgicli.models.gguf import GgufHeader, read_header
from tgicli.models.names import HubName
from tgicli.models.resolve import DEMO, ModelFile, Origin, demo_path, resolve
from tgicli.ui.status import Status
from tgicli.ui.terminal import Terminal, harmless

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Names = Annotated[bool, typer.Option("--names", help="The names alone.")]
_NO_MODELS = (
    "no model is on disk; get one with `tgicli models pull org/name`, or pip install 'tgicli[demo]'"
)

models_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@models_app.callback()
def models() -> None:
    """Find and get models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a model without loading it. The fields are the keys of --json."""

    name: str  # what -m takes
    origin: Origin
    path: str  # of the first part
    parts: list[str]  # all files
    n_bytes: int
    architecture: str
    n_parameters: int
    quantisation: str
    context_length: int | None
    n_layers: int | None
    n_vocab: int | None
    bos_id: int | None
    eos_id: int | None
    has_chat_template: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A model on disk that can't be used."""

    name: str
    problem: str


@models_app.command("list")
def list_models(ctx: typer.Context, json: Json = False, names: Names = False) -> None:
    """List the models on disk: the demo, and what was downloaded from a hub, by any program.

    \b
    Examples:
      tgicli models list
      tgicli models list --json | jq -r '.[].path'

    `hf cache rm model/org/name` removes a download; the cache is that of all Hugging Face tools.
    """
    terminal: Terminal = ctx.obj.terminal
    if names:
        lines = [jsonlib.dumps(_names(), indent=2)] if json else _names()
        for line in lines:
            _print(terminal, line)
        return
    found = list(_on_disk())
    if json:
        _print(terminal, jsonlib.dumps([asdict(model) for model in found], indent=2))
        return
    if not found:
        terminal.say(_NO_MODELS)
    whole = [model for model in found if isinstance(model, Facts)]
    if whole:
        _print(terminal, _table(whole))
    for model in found:
        if isinstance(model, Damage):
            terminal.say(f"{model.name}: {model.problem}")


@models_app.command("pull")
def pull(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="org/name[:QUANT | :FILE.gguf]", parser=check_name),
    ],
) -> None:
    """Download a model from a hub, or update it, and print its path.

    \b
    Examples:
      tgicli models pull ggml-org/gemma-3-1b-it-GGUF
      tgicli models pull ggml-org/gemma-3-1b-it-GGUF:Q8_0

    A download that was interrupted goes on where it was. Without a quantisation it is Q4_K_M, if
    there is one. HF_TOKEN opens private and gated repositories, HF_HOME is where models are kept.
    """
    terminal: Terminal = ctx.obj.terminal
    reference = HubName.parse(name)
    if name == DEMO:
        _print(terminal, str(resolve(name, offline=True).path))  # there, or it says how to get it
        return
    if reference is None:
        raise ConfigError(
            f"{name!r} can't be downloaded: it is no repository of a hub (org/name[:QUANT])"
        )
    from tgicli.models.hub import fetch

    status = Status(terminal)
    try:
        path = fetch(reference, progress=download_progress(status.show))
    finally:
        status.clear()
    _print(terminal, str(resolve(str(path)).path))


@models_app.command("info")
def info(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As -m takes it.", parser=check_name)],
    json: Json = False,
    template: Annotated[
        bool, typer.Option("--template", help="Print the chat template and nothing else.")
    ] = False,
) -> None:
    """Show what is known of a model on disk.

    \b
    Examples:
      tgicli models info demo
      tgicli models info ./model.gguf --template
    """
    terminal: Terminal = ctx.obj.terminal
    model = resolve(name, offline=True)
    headers = [read_header(part) for part in model.parts]
    if template:
        _print(terminal, _chat_template(name, headers[0]))
        return
    facts = _facts(name, model, headers)
    _print(terminal, jsonlib.dumps(asdict(facts), indent=2) if json else _sheet(facts))


def _names() -> list[str]:
    return [*([DEMO] if demo_path() else []), *cached_names()]


def _on_disk() -> Iterator[Facts | Damage]:
    for name in _names():
        try:
            model = resolve(name, offline=True)
            yield _facts(name, model, [read_header(part) for part in model.parts])
        except ModelLoadError as error:
            yield Damage(name=name, problem=str(error))


def _facts(name: str, model: ModelFile, headers: list[GgufHeader]) -> Facts:
    first = headers[0]  # the other parts have tensors and no metadata
    return Facts(
        name=name,
        origin=model.origin,
        path=str(model.path),
        parts=[str(part) for part in model.parts],
        n_bytes=sum(header.n_bytes for header in headers),
        architecture=first.architecture,
        n_parameters=sum(header.n_weights for header in headers),
        quantisation=first.quantisation,
        context_length=first.context_length,
        n_layers=first.n_layers,
        n_vocab=first.n_vocab,
        bos_id=first.bos_id,
        eos_id=first.eos_id,
        has_chat_template=first.chat_template is not None,
    )


def _chat_template(name: str, header: GgufHeader) -> str:
    if header.chat_template is None:
        raise RequestError(f"{name} has no chat template; prompts go to it as they are")
    return header.chat_template


def _table(models: Iterable[Facts]) -> str:
    rows = [("NAME", "SIZE", "QUANT", "CONTEXT", "TEMPLATE")]
    rows += [
        (
            model.name,
            size_text(model.n_bytes),
            model.quantisation,
            _number(model.context_length),
            "yes" if model.has_chat_template else "no",
        )
        for model in models
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def _sheet(facts: Facts) -> str:
    lines = {
        "name": facts.name,
        "path": facts.path,
        "size": f"{size_text(facts.n_bytes)} ({facts.n_bytes:,} bytes)",
        "architecture": facts.architecture,
        "parameters": count_text(facts.n_parameters),
        "quantisation": facts.quantisation,
        "context length": _number(facts.context_length),
        "layers": _number(facts.n_layers),
        "vocabulary": _number(facts.n_vocab),
        "chat template": "yes (--template prints it)" if facts.has_chat_template else "no",
    }
    if len(facts.parts) > 1:
        names = [Path(part).name for part in facts.parts]
        lines["parts"] = ("\n" + 16 * " ").join(names)
    return "\n".join(f"{label:16}{value}" for label, value in lines.items())


def _print(terminal: Terminal, text: str) -> None:
    shown = harmless(text) if terminal.stdout_is_terminal else text
    terminal.write_stdout(f"{shown}\n".encode(errors="surrogateescape"))


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
