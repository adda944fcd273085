"""The flags of `tgicli serve`, as they are written.

Imported by the command's module, which checks them, and, as values, by what does its work: nothing
would be gained by copying them into another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tgicli.cli.endpoint import Secret, parse_secret
from tgicli.cli.flags import LOADING, LoadingFlags, NamedLoras, parse_named_loras
from tgicli.cli.serve.connect import ConnectFlags
from tgicli.cli.signature import option

ADDRESS, LIMITS, BEHAVIOUR, ACCESS = "Address", "Limits", "Behaviour", "Who may ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFlags:
    """How much may be asked for."""

    max_concurrent_requests: int = option(
        128,
        metavar="N",
        panel=LIMITS,
        least=1,
        help="Requests that may run and wait; one more is refused with status 429.",
    )
    max_batch_size: int = option(
        8, metavar="N", panel=LIMITS, least=1, help="Requests computed at once; others wait."
    )
    cache_ram: int = option(
        1024,
        metavar="MIB",
        panel=LIMITS,
        least=0,
        help="RAM for conversations that made room for others; 0: none.",
    )
    max_total_tokens: int | None = option(
        None,
        metavar="N",
        panel=LIMITS,
        least=2,
        default_text="what the model was trained on, 4096 at most",
        help="Tokens that prompt and answer may have together.",
    )
    max_input_tokens: int | None = option(
        None,
        metavar="N",
        panel=LIMITS,
        least=1,
        default_text="one less than that",
        help="Tokens that a prompt may have.",
    )
    max_batch_prefill_tokens: int | None = option(
        None,
        metavar="N",
        panel=LIMITS,
        least=1,
        default_text="--batch-size",
        help="Prompt tokens in one step.",
    )
    max_queue_wait: float | None = option(
        None,
        metavar="S",
        panel=LIMITS,
        least=0,
        default_text="as long as it takes",
        help="Refuse a request that waited S seconds for its first step.",
    )
    payload_limit: int = option(
        2_000_000, metavar="BYTES", panel=LIMITS, least=1, help="Size of a request's body."
    )
    max_best_of: int = option(2, metavar="N", panel=LIMITS, least=1, help="Largest best_of.")
    max_stop_sequences: int = option(
        4, metavar="N", panel=LIMITS, least=0, help="Stop strings in a request."
    )
    max_top_n_tokens: int = option(
        5, metavar="N", panel=LIMITS, least=0, help="Largest top_n_tokens."
    )
    max_client_batch_size: int = option(
        4, metavar="N", panel=LIMITS, least=1, help="Prompts in one request to /v1/completions."
    )
    grammar_support: bool = option(True, panel=LIMITS, help="Allow grammars, or refuse them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeFlags:
    """What the command line, the variables and the file say."""

    hostname: str = option(
        "127.0.0.1", metavar="HOST", panel=ADDRESS, help="Listen on this address; 0.0.0.0: on all."
    )
    port: int = option(
        3000,
        "--port",
        "-p",
        metavar="N",
        panel=ADDRESS,
        least=0,
        most=65535,
        help="Listen on this port; 0: on any free one, which is printed.",
    )
    uds: Path | None = option(
        None, metavar="PATH", panel=ADDRESS, help="Listen on a Unix socket instead."
    )
    ssl_certfile: Path | None = option(
        None, metavar="FILE", panel=ADDRESS, help="Speak TLS with this certificate (PEM)."
    )
    ssl_keyfile: Path | None = option(
        None, metavar="FILE", panel=ADDRESS, help="The certificate's private key (PEM)."
    )
    limits: LimitFlags
    shutdown_timeout: float = option(
        90.0,
        metavar="S",
        panel=BEHAVIOUR,
        least=0,
        help="On SIGTERM, let running requests finish for S seconds.",
    )
    stall_timeout: float = option(
        60.0,
        metavar="S",
        panel=BEHAVIOUR,
        least=0,
        help="Give up a reader that takes nothing for S seconds.",
    )
    json_output: bool = option(
        False, "--json-output", panel=BEHAVIOUR, help="Write the access log as JSON."
    )
    live: bool = option(
        True, panel=BEHAVIOUR, help="Draw a panel on a terminal, or write plain lines there, too."
    )
    quiet: bool = option(
        False, "--quiet", "-q", panel=BEHAVIOUR, help="No access log and no panel."
    )
    api_key: tuple[Secret, ...] = option(
        (),
        metavar="KEY",
        panel=ACCESS,
        parser=parse_secret,
        help="Ask for this key. Repeatable; others see a command line, so rather use "
        "TGICLI_API_KEY or --api-key-file.",
    )
    api_key_file: Path | None = option(
        None, metavar="FILE", panel=ACCESS, help="Ask for one of the keys in FILE, one a line."
    )
    isolate_keys: bool = option(
        False,
        "--isolate-keys",
        panel=ACCESS,
        help="Reuse prefixes among requests with the same key only.",
    )
    cors_allow_origin: tuple[str, ...] = option(
        (),
        metavar="ORIGIN",
        panel=ACCESS,
        help="Let pages of this origin ask (`*`: all). Repeatable.",
    )
    remote: ConnectFlags
    loading: LoadingFlags
    lora_adapters: tuple[NamedLoras, ...] = option(
        (),
        metavar="NAME=FILE,...",
        panel=LOADING,
        parser=parse_named_loras,
        help="Load adapters that requests choose by name (adapter_id, or OpenAI's model). "
        "Repeatable.",
    )

    @property
    def batch_size(self) -> int:
        """Tokens of a batch at most, by TGI's flag or by llama.cpp's."""
        return self.limits.max_batch_prefill_tokens or self.loading.batch_size

    @property
    def named_lora(self) -> tuple[tuple[str, Path], ...]:
        """The adapters that requests choose by name."""
        return tuple(pair for group in self.lora_adapters for pair in group.adapters)
