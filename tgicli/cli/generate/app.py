"""`tgicli generate`: the command.

Called by the program's `app` on the main thread. What it is asked for is checked in `options`
before anything heavy is imported; `answer` does the work, and `batch` that of a file of prompts.
"""

from __future__ import annotations

from dataclasses import replace

import typer

from tgicli.cli.generate.flags import GenerateFlags
from tgicli.cli.generate.options import to_batch_options, to_options
from tgicli.cli.signature import takes
from tgicli.ui.terminal import Terminal

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("generate")
@takes(GenerateFlags)
def generate(ctx: typer.Context, flags: GenerateFlags) -> None:
    """Stream a model's answer to PROMPT.

    \b
    Examples:
      tgicli generate "Why is the sky blue?"
      git diff | tgicli generate "Write a commit message" -m ./model.gguf
      tgicli generate --file notes.txt --system "Summarise in three lines."
      tgicli generate "Once upon a time" --no-chat --max-new-tokens 100 --seed 7
      tgicli generate "Name a colour" --json --no-stream --details
      tgicli generate "Invent a person" --schema person.json
      tgicli generate "Name a colour" --endpoint http://localhost:8080
      tgicli generate --input prompts.jsonl --output answers.jsonl --concurrency 16

    The answer goes to stdout, everything else to stderr. Each option can also be set by a variable
    (--top-k by TGICLI_TOP_K) or in the configuration file; `tgicli config` shows what holds.
    """
    terminal: Terminal = ctx.obj.terminal
    flags = replace(flags, remote=flags.remote.unless_here(ctx, flags.loading.model))
    if flags.batch.is_wanted:
        batch_options = to_batch_options(ctx, flags)
        from tgicli.cli.batch.job import batch

        batch(batch_options, terminal)
        return
    options = to_options(ctx, flags, terminal)
    from tgicli.cli.generate.answer import answer

    answer(options, terminal)
