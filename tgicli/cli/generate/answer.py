"""Answer one prompt: what `tgicli generate` does once its options are checked.

Called on the main thread. Who answers, a model in this process or a server, is `local_answer`'s,
`warm_answer`'s and `remote_answer`'s; `streaming` writes their events as the options want it.
"""

from __future__ import annotations

from tgicli.cli.generate.grammar import has_whole_form
from tgicli.cli.generate.options import GenerateOptions
from tgicli.cli.output import Output
from tgicli.core import Finish, FinishReason, Run
from tgicli.errors import DeadlineExceeded, StreamBroken, TgicliError
from tgicli.ui.terminal import Terminal


def answer(options: GenerateOptions, terminal: Terminal) -> None:
    """Stream the answer, say how it went.

    Raises:
        TgicliError: there is none, or not all of it.
    """
    try:
        run = _answer(options, terminal)
    except TgicliError as error:
        if options.output is Output.JSON and options.stream and not options.dry_run:
            _write_error(error, terminal)
        raise
    if run is not None:
        _last_words(options, terminal, run)


def _write_error(error: TgicliError, terminal: Terminal) -> None:
    """End a JSON stream as TGI does; behind a time limit only if the reader takes it now."""
    from tgicli.wire.tgi import encode_error

    is_late = isinstance(error, DeadlineExceeded)
    write = terminal.offer_stdout if is_late else terminal.write_stdout
    write(encode_error(error) + b"\n")


def _answer(options: GenerateOptions, terminal: Terminal) -> Run | None:
    if options.remote is None:
        return _answer_here(options, terminal)
    from tgicli.cli.generate.remote_answer import answer_remotely

    return answer_remotely(options, options.remote, terminal)


def _answer_here(options: GenerateOptions, terminal: Terminal) -> Run | None:
    """Let a server of the user's answer that has the model loaded, else load it."""
    from tgicli.cli.warm import servers_are_there

    if options.may_be_warm and servers_are_there():
        from tgicli.cli.generate.warm_answer import answer_warmly

        run = answer_warmly(options, terminal)
        if run is not None:
            return run
    from tgicli.cli.generate.local_answer import answer_locally

    return answer_locally(options, terminal)


def _last_words(options: GenerateOptions, terminal: Terminal, run: Run) -> None:
    """Say on stderr what the answer itself can't.

    Raises:
        StreamBroken: it is not all of the form that was asked for, or nobody knows.
    """
    finish = run.finish
    is_whole = has_whole_form(options.params.grammar, finish, run.tokens)
    is_cut = finish.reason is FinishReason.LENGTH and options.params.max_new_tokens is None
    if is_cut and is_whole and not options.quiet:
        terminal.say(f"the answer was cut off: {_limit(options, finish)}")
    if options.stats:
        terminal.say(_stats_line(finish))
    if not is_whole:
        perhaps = "perhaps " if is_whole is None else ""
        raise StreamBroken(
            f"the answer was cut off {perhaps}before its form was complete: "
            f"{_limit(options, finish)}"
        )


def _limit(options: GenerateOptions, finish: Finish) -> str:
    """Say what ended an answer."""
    if finish.reason is FinishReason.STOP_SEQUENCE:
        return "a stop string came"
    if options.params.max_new_tokens is not None:
        return f"--max-new-tokens {options.params.max_new_tokens} is reached"
    if options.remote is not None:
        return "the server's limit is reached"
    n_tokens = finish.n_prompt_tokens + finish.n_generated_tokens
    return f"the context of {n_tokens:,} tokens is full"


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
