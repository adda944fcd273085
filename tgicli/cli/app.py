"""The program: its commands, and the one place where an error becomes an exit status.

`main` is what the shell starts. It knows the commands by name and imports them when they run.
Nothing else catches our errors for good, prints a traceback or ends the process.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tgicli.cli.command import adopt, choose_profile
from tgicli.cli.lazy import LazyCommand, LazyGroup
from tgicli.cli.signals import Terminated, stop_tidily
from tgicli.errors import ConfigError, ExitStatus, TgicliError
from tgicli.ui.terminal import Terminal

if TYPE_CHECKING:
    from typer._click.core import Context

PROGRAM = "tgicli"
_EXTRA = re.compile(r"Got unexpected extra argument\(s\) \((.*)\)", re.DOTALL)  # Click's words
_N_TELLING = 4  # characters of a flag that many others begin with, such as --no


class Commands(LazyGroup):
    """What `tgicli` can do."""

    modules = MappingProxyType(
        {
            "generate": LazyCommand(
                "tgicli.cli.generate.app", "app", "Stream a model's answer to PROMPT."
            ),
            "chat": LazyCommand(
                "tgicli.cli.chat.app", "app", "Talk to a model: question, answer, question."
            ),
            "serve": LazyCommand(
                "tgicli.cli.serve.app",
                "app",
                "Serve a model over HTTP, as text-generation-inference (TGI) does.",
            ),
            "bench": LazyCommand(
                "tgicli.cli.bench.app", "app", "Measure how fast a model or a server answers."
            ),
            "models": LazyCommand("tgicli.cli.models", "models_app", "Find and get models."),
            "config": LazyCommand(
                "tgicli.cli.config", "app", "Show what every option is set to, and where."
            ),
            "doctor": LazyCommand(
                "tgicli.cli.doctor", "app", "Say what this machine can run, and whether MODEL fits."
            ),
            "completion": LazyCommand(
                "tgicli.cli.completion", "app", "Print a shell's completions."
            ),
        }
    )


@dataclass(slots=True, eq=False)
class Run:
    """What belongs to one run of the program; Click's context object."""

    terminal: Terminal
    shows_traceback: bool = False


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they show local variables, and so secrets
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda token: token.replace("_", "-"),
        "max_content_width": 100,
    },
    epilog="Exit status:\n" + "\n".join(f"  {s:3}  {s.meaning}" for s in ExitStatus),
)


def _show_version(ctx: typer.Context, value: bool) -> None:
    if value:
        from tgicli.cli.version import version_text

        ctx.obj.terminal.write_stdout(version_text().encode())
        raise typer.Exit


def _show_tracebacks(ctx: typer.Context, value: bool) -> None:
    ctx.obj.shows_traceback |= value


def _choose_profile(ctx: typer.Context, value: str | None) -> None:
    choose_profile(ctx, value)


@app.callback()
def _tgicli(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_show_version,
            help="Show the versions of tgicli, Python and llama.cpp, and the devices; then exit.",
        ),
    ] = False,
    traceback: Annotated[
        bool,
        typer.Option(
            "--traceback",
            is_eager=True,
            envvar="TGICLI_TRACEBACK",
            callback=_show_tracebacks,
            help="With an error, show where it was raised.",
        ),
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            is_eager=True,
            envvar="TGICLI_PROFILE",
            metavar="NAME",
            callback=_choose_profile,
            help="Let the configuration file's [profiles.NAME] win over the rest of it.",
        ),
    ] = None,
) -> None:
    """Stream tokens from a local language model to a terminal or a pipe.

    \b
    Examples:
      tgicli generate "Why is the sky blue?"
      tgicli chat
      git diff | tgicli generate "Write a commit message" -m ./model.gguf
      tgicli serve --max-concurrent-requests 8
      tgicli bench http://localhost:8080
      tgicli models list
    """


def run(args: Sequence[str], terminal: Terminal) -> int:
    """Run a command; the only place where an error becomes an exit status."""
    this = Run(terminal)
    try:
        _call(args, this)
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        _complain(_usage(error), this)
        return error.exit_code
    except TgicliError as error:
        _complain(error, this)
        return error.exit_status
    except (KeyboardInterrupt, typer.Abort):
        return ExitStatus.INTERRUPTED
    except Terminated:
        return ExitStatus.TERMINATED
    except BrokenPipeError:
        terminal.silence()  # or the interpreter would complain at exit
        return ExitStatus.BROKEN_PIPE
    except Exception as error:
        _complain_of_bug(error, this)
        return ExitStatus.BUG
    return ExitStatus.OK


def _call(args: Sequence[str], this: Run) -> None:
    # Not Typer's own main(): it makes a closed pipe status 1, and prints errors in its own words.
    commands = adopt(typer.main.get_command(app))
    with commands.make_context(PROGRAM, list(args), obj=this) as ctx:
        commands.invoke(ctx)


def _usage(error: typer.TyperException) -> TgicliError:
    """Say a usage error in our words, with what may have been meant and where help is."""
    ctx = getattr(error, "ctx", None)
    text = error.message.removesuffix(".")
    if extra := _EXTRA.fullmatch(text):
        text = f"`{extra[1]}` is more than it takes{_advice(ctx)}"
    elif close := _meant(error, ctx):
        text = f"{text}; did you mean {' or '.join(close)}?"
    elif not hasattr(error, "possibilities"):
        text = error.format_message().removesuffix(".")
    path = PROGRAM if ctx is None else ctx.command_path
    said = ConfigError(f"{text[:1].lower()}{text[1:]}\n`{path} --help` shows what there is")
    return said.with_traceback(error.__traceback__)


def _advice(ctx: Context | None) -> str:
    """Say what a word too many may have been meant for."""
    if ctx is None:
        return ""
    if any(param.param_type_name == "argument" for param in ctx.command.params):
        return "; put quotes around what belongs together"
    names_model = any(param.name == "model" for param in ctx.command.params)
    return "; a model is named by -m" if names_model else ""


def _meant(error: typer.TyperException, ctx: Context | None) -> list[str]:
    """Return the flags that an unknown one may stand for: those that it begins, else its likes."""
    given = getattr(error, "option_name", None)
    if not hasattr(error, "possibilities") or given is None or ctx is None:
        return []
    import difflib

    flags = [flag for param in ctx.command.params for flag in (*param.opts, *param.secondary_opts)]
    begun = [flag for flag in flags if flag.startswith(given)]
    if begun and len(given) > _N_TELLING:
        return begun[:3]
    return difflib.get_close_matches(given, flags, n=2, cutoff=0.75)


def _complain(error: TgicliError, this: Run) -> None:
    if this.shows_traceback:
        _show_traceback(error, this.terminal)
    this.terminal.complain(error)


def _complain_of_bug(error: Exception, this: Run) -> None:
    if this.shows_traceback:
        _show_traceback(error, this.terminal)
    name = ": ".join(filter(None, [type(error).__name__, str(error)]))
    this.terminal.say(f"bug: {name}" if this.shows_traceback else f"bug: {name}; try --traceback")


def _show_traceback(error: Exception, terminal: Terminal) -> None:
    import traceback  # source lines only, never local variables

    lines = traceback.format_exception(error)
    terminal.write_stderr("".join(lines).encode("utf-8", errors="replace"))


def _open_closed_streams() -> None:
    """Point closed standard descriptors to nowhere, or the next file opened would become one."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor: this one


def main() -> NoReturn:
    """Run the program and end the process with its exit status."""
    _open_closed_streams()
    terminal = Terminal.from_process()
    stop_tidily(terminal)
    sys.exit(run(sys.argv[1:], terminal))
