"""`tgicli serve`: the command.

Called by the program's `app` on the main thread. What it is asked for is checked here before
anything heavy is imported; `run` does the work.
"""

from __future__ import annotations

from dataclasses import replace

import typer

from tgicli.cli.precedence import refuse_flags
from tgicli.cli.serve.connect import checked_connect
from tgicli.cli.serve.flags import ServeFlags
from tgicli.cli.signature import takes
from tgicli.errors import ConfigError

# Beside those that load it; no other server tells when a request's wait in its queue is over.
_OF_OWN_MODEL = (
    "cache_ram",
    "lora_adapters",
    "max_batch_prefill_tokens",
    "max_batch_size",
    "max_queue_wait",
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("serve")
@takes(ServeFlags)
def serve(ctx: typer.Context, flags: ServeFlags) -> None:
    """Serve a model over HTTP, as text-generation-inference (TGI) does.

    \b
    Examples:
      tgicli serve
      tgicli serve -m ./model.gguf --port 8080 --max-concurrent-requests 8
      tgicli serve --connect http://gpu-box:8000 --max-concurrent-requests 8
      curl -N http://127.0.0.1:3000/generate_stream -H 'Content-Type: application/json' \\
        -d '{"inputs": "Once upon a time", "parameters": {"max_new_tokens": 20}}'

    TGI's and OpenAI's clients work unchanged; GET / shows a demo page, GET /docs the routes.
    """
    flags = replace(flags, remote=checked_connect(ctx, flags.remote))
    if flags.remote.connect:
        words = "is for a model in this process; leave it out, or --connect"
        refuse_flags(ctx, _OF_OWN_MODEL, words)
    _check(flags)
    from tgicli.cli.serve.run import serve as run

    run(flags, ctx.obj.terminal)


def _check(flags: ServeFlags) -> None:
    """Refuse what contradicts itself.

    Raises:
        ConfigError: something does.
    """
    limits = flags.limits
    total, longest = limits.max_total_tokens, limits.max_input_tokens
    if total is not None and longest is not None and longest >= total:
        raise ConfigError(
            f"--max-input-tokens {longest} must be less than --max-total-tokens {total}, "
            f"or there is no room for an answer"
        )
    if (flags.ssl_certfile is None) != (flags.ssl_keyfile is None):
        raise ConfigError("--ssl-certfile and --ssl-keyfile need each other; give both")
    names = [name for name, _ in flags.named_lora]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"--lora-adapters: {twice[0]} names two adapters; rename one")
