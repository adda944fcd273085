"""`tgicli doctor [MODEL]`: what this machine can run, and whether a model fits.

Called by `app` on the main thread. `diagnosis` finds the facts; here they become text or JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from tgicli.cli.command import check_file, file_problem, goes_on_beside_a_broken_file
from tgicli.cli.flags import LOADING, LoadingFlags
from tgicli.cli.signature import argument, option, takes
from tgicli.cli.value import check_name
from tgicli.errors import ConfigError, ModelLoadError

if TYPE_CHECKING:
    from tgicli.cli.diagnosis import Diagnosis, Fit, Holding

_WIDTH = 20  # of the labels

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorFlags:
    """What the command line, the variables and the file say."""

    name: str | None = argument(
        None,
        metavar="MODEL",
        parser=check_name,
        help="As -m takes it; `demo` is the demo model. It is not loaded.",
    )
    json: bool = option(False, "--json", panel="Output", help="As one JSON object.")
    max_batch_size: int = option(
        1, metavar="N", panel=LOADING, least=1, help="Requests computed at once, as in `serve`."
    )
    loading: LoadingFlags


@app.command("doctor")
@goes_on_beside_a_broken_file
@takes(DoctorFlags)
def doctor(ctx: typer.Context, flags: DoctorFlags) -> None:
    """Say what this machine can run, and whether MODEL fits.

    \b
    Examples:
      tgicli doctor
      tgicli doctor demo --max-batch-size 8
      tgicli doctor ./model.gguf --ctx-size 32768 --kv-type q8_0
      tgicli doctor org/name --json | jq .fit.fits

    A model that does not fit is exit status 8, before anything of it is loaded; a configuration
    file that is wrong is 2, and the rest is told without it.
    """
    from tgicli.cli.diagnosis import diagnose, fit

    terminal = ctx.obj.terminal
    problem = file_problem(ctx) or _hidden_problem(ctx)
    found = diagnose(None if problem is None else str(problem))
    if not flags.json:
        terminal.write_stdout(_sheet(found).encode(errors="surrogateescape"))
    name = flags.name or flags.loading.model
    fits = None if name is None else fit(name, flags.loading, n_lanes=flags.max_batch_size)
    if flags.json:
        terminal.write_stdout(_to_json(found, fits).encode())
    elif fits is not None:
        terminal.write_stdout(_fit_sheet(fits).encode(errors="surrogateescape"))
    if fits is not None and fits.refusal is not None:
        raise ModelLoadError(fits.refusal)
    if problem is not None:
        raise problem


def _hidden_problem(ctx: typer.Context) -> ConfigError | None:
    """Return what is wrong with the configuration file where this command does not look."""
    try:
        check_file(ctx)
    except ConfigError as error:
        return error
    return None


def _to_json(found: Diagnosis, fits: Fit | None) -> str:
    import json

    told = asdict(found) | {"fit": None if fits is None else asdict(fits)}
    return f"{json.dumps(told, indent=2)}\n"


def _sheet(found: Diagnosis) -> str:
    return "".join(f"{label:{_WIDTH}}{text}\n" for label, text in _lines(found))


def _lines(found: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "tgicli", f"{found.tgicli}, Python {found.python}, {found.system}"
    yield from _llama_lines(found)
    yield "cores", f"{found.n_cores} for this process"
    yield "memory", _memory(found.free_memory_bytes, found.total_memory_bytes)
    for name, place in found.places.items():
        yield name, place.path if place.exists else f"{place.path} (not there)"
        if place.problem is not None:
            yield name, f"wrong, and left out here: {place.problem}"
    yield "cached models", str(found.n_cached_models)
    yield (
        "servers",
        "may be found by `generate` and `chat`" if found.has_servers else "none of this user's",
    )
    for library, version in found.libraries.items():
        yield library, version or "not installed"
    for variable, is_set in found.secrets.items():
        yield variable, "set" if is_set else "not set"


def _llama_lines(found: Diagnosis) -> Iterator[tuple[str, str]]:
    llama = found.llama
    if llama is None:
        yield "llama.cpp", found.problem or "does not load"
        return
    yield "llama.cpp", f"{llama.version}, llama-cpp-python {llama.binding_version}"
    for backend in llama.backends:
        yield "backend", backend
    for device in llama.devices:
        number = "" if device.gpu is None else f" (GPU {device.gpu})"
        memory = _memory(device.free_bytes, device.total_bytes)
        yield "device", f"{device.name}{number}: {device.description}, {device.kind}, {memory}"
    yield "GPU offload", "yes" if llama.has_gpu_offload else "no, this build is for the CPU alone"


def _memory(free_bytes: int | None, total_bytes: int | None) -> str:
    from tgicli.engine.memory import gib

    if not free_bytes or not total_bytes:
        return "memory unknown"
    return f"{gib(free_bytes)} of {gib(total_bytes)} free"


def _fit_sheet(fits: Fit) -> str:
    lanes = "" if fits.n_lanes == 1 else f"{fits.n_lanes} x "
    lines = [
        ("model", fits.model),
        ("context", f"{lanes}{fits.n_ctx:,} tokens, {fits.kv_type}"),
        ("GPU layers", f"{fits.n_gpu_layers} of {fits.n_layers}"),
        *((holding.device, _holding_text(holding)) for holding in fits.holdings),
    ]
    if fits.note is not None:
        lines.append(("note", fits.note))
    lines.append(("fits", "yes" if fits.fits else "no"))
    return "\n" + "".join(f"{label:{_WIDTH}}{text}\n" for label, text in lines)


def _holding_text(holding: Holding) -> str:
    from tgicli.engine.memory import gib

    spare = f" + {gib(holding.spare_bytes)} to spare" if holding.spare_bytes else ""
    return (
        f"{gib(holding.needed_bytes)} needed, {gib(holding.free_bytes)} free: "
        f"{gib(holding.weights_bytes)} weights + {gib(holding.kv_bytes)} KV cache + "
        f"{gib(holding.compute_bytes)} to compute{spare}"
    )
