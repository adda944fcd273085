"""Answer one prompt: what `tgicli generate` does once its options are checked.

Called on the main thread. Who answers, a model in this process or a server, is `local_answer`'s,
`warm_answer`'s and `remote_answer`'s; `streaming` writes their events as the options want it.
"""

from __future__ import annotations

from tgicli.cli.generate.options import GenerateOptions
from tgicli.cli.output import Output
from tgicli.core import Finish, FinishReason
from tgicli.errors import DeadlineExceeded, TgicliError
from tgicli.ui.terminal import Terminal


def answer(options: GenerateOptions, terminal: Terminal) -> None:
    """Stream the answer, say how it went."""
    try:
        finish = _answer(options, terminal)
    except TgicliError as error:
        if options.output is Output.JSON and options.stream and not options.dry_run:
            _write_error(error, terminal)
        raise
    if finish is not None:
        _last_words(options, terminal, finish)


def _write_error(error: TgicliError, terminal: Terminal) -> None:
    """End a JSON stream as TGI does; behind a time limit only if the reader takes it now."""
    from tgicli.wire.tgi import encode_error

    is_late = isinstance(error, DeadlineExceeded)
    write = terminal.offer_stdout if is_late else terminal.write_stdout
    write(encode_error(error) + b"\n")


def _answer(options: GenerateOptions, terminal: Terminal) -> Finish | None:
    if options.remote is None:
        return _answer_here(options, terminal)
    from tgicli.cli.generate.remote_answer import answer_remotely

    return answer_remotely(options, options.remote, terminal)


def _answer_here(options: GenerateOptions, terminal: Terminal) -> Finish | None:
    """Let a server of the user's answer that has the model loaded, else load it."""
    from tgicli.cli.warm import servers_are_there

    if options.may_be_warm and servers_are_there():
        from tgicli.cli.generate.warm_answer import answer_warmly

        finish = answer_warmly(options, terminal)
        if finish is not None:
            return finish
    from tgicli.cli.generate.local_answer import answer_locally

    return answer_locally(options, terminal)


def _last_words(options: GenerateOptions, terminal: Terminal, finish: Finish) -> None:
    """Say on stderr what the answer itself can't."""
    is_cut = finish.reason is FinishReason.LENGTH and options.params.max_new_tokens is None
    if is_cut and not options.quiet:
        n_tokens = finish.n_prompt_tokens + finish.n_generated_tokens
        cause = f"the context of {n_tokens:,} tokens is full"
        if options.remote is not None:
            cause = "the server's limit is reached"
        terminal.say(f"the answer was cut off: {cause}")
    if options.stats:
        terminal.say(_stats_line(finish))


def _stats_line(finish: Finish) -> str:
    """Say in one line what was computed, how fast and with which seed."""
    n_computed = finish.n_prompt_tokens - finish.n_cached_tokens
    n_decoded = finish.n_generated_tokens - 1  # the first one comes out of the prompt
    prompt, unit = "prompt of unknown length", "pieces"
    if finish.has_usage:
        unit = "tokens"
        prompt = f"prompt {finish.n_prompt_tokens:,} tokens ({finish.n_cached_tokens:,} cached)"
    answer = f"answer {finish.n_generated_tokens:,} {unit}"
    parts = [
        f"{prompt} in {finish.prefill_s:.2f} s{_rate(n_computed, unit, finish.prefill_s)}",
        f"{answer} in {finish.decode_s:.2f} s{_rate(n_decoded, unit, finish.decode_s)}",
        f"ended by {finish.reason}",
    ]
    if finish.seed is not None:
        parts.append(f"seed {finish.seed}")
    return "; ".join(parts)


def _rate(count: int, unit: str, seconds: float) -> str:
    return f", {count / seconds:,.1f} {unit}/s" if count > 0 and seconds > 0 else ""
