"""`tgicli chat`: the command.

Called by the program's `app` on the main thread. What it is asked for is checked in `options`
before anything heavy is imported; `run` does the work.
"""

from __future__ import annotations

from dataclasses import replace

import typer

from tgicli.cli.chat.flags import ChatFlags
from tgicli.cli.chat.options import to_options
from tgicli.cli.signature import takes

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("chat")
@takes(ChatFlags)
def chat(ctx: typer.Context, flags: ChatFlags) -> None:
    """Talk to a model: question, answer, question.

    \b
    Examples:
      tgicli chat
      tgicli chat "Why is the sky blue?"
      tgicli chat --load sky.json
      tgicli chat -m ./model.gguf --system "Answer in one sentence."
      tgicli chat --endpoint http://localhost:8080
      tgicli chat --profile work
      printf 'Name a colour.\\nAnother one.\\n' | tgicli chat

    /help lists what can be typed beside questions: /retry, /undo, /save and others. Ctrl-C stops
    the answer and keeps the conversation. Without a terminal at stdin, each line of it is a
    question; the first error ends the run.
    """
    flags = replace(flags, remote=flags.remote.unless_here(ctx, flags.loading.model))
    options = to_options(ctx, flags)
    from tgicli.cli.chat.run import run_chat

    run_chat(options, ctx.obj.terminal)
