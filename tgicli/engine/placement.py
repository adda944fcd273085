"""Decide how many of a model's layers go on the GPUs, before any of it is loaded.

Called on the thread that will load the model. On a build without a GPU it asks nothing; with one,
llama.cpp simulates the model once, and a few times more when not all of it fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tgicli.engine.devices import devices
from tgicli.engine.dry_run import measure
from tgicli.engine.memory import Device, Need, Shortage, gpus_among, most_gpu_layers, shortages
from tgicli.engine.model import ALL_LAYERS, LoadOptions
from tgicli.engine.room import refusal
from tgicli.engine.runner import ContextOptions, context_params
from tgicli.errors import ConfigError, ModelLoadError

NeedWith = Callable[[int], Need]  # what a model needs with so many layers on the GPUs


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a model goes, and whether there is room."""

    options: LoadOptions
    need: Need
    missing: tuple[Shortage, ...]
    note: str | None  # what the user should know about it


def place(
    path: Path, options: LoadOptions, context: ContextOptions
) -> tuple[LoadOptions, str | None]:
    """Choose the layers for the GPUs, all that fit unless a number is given.

    Also returns what the user should know about it.

    Raises:
        ConfigError: a GPU is named that is not there.
        ModelLoadError: what was asked for does not fit, or llama.cpp can't read the file.
    """
    present = devices()
    check_gpus(options, present)
    if not gpus_among(present) or options.gpu_layers == 0:
        return replace(options, gpu_layers=0), None
    placement = choose(options, present, need_with(path, options, context))
    if placement.missing:
        n_tokens = context.n_tokens
        raise ModelLoadError(refusal(path.name, placement.need, placement.missing, n_tokens))
    return placement.options, placement.note


def need_with(path: Path, options: LoadOptions, context: ContextOptions) -> NeedWith:
    """Return a function that measures the model with so many layers on the GPUs."""

    @cache
    def measured(n_gpu_layers: int) -> Need:
        load = replace(options, gpu_layers=n_gpu_layers)
        params = context_params(context, on_gpu=n_gpu_layers != 0)
        return measure(path, load, params, n_tokens=context.n_tokens)

    return measured


def choose(options: LoadOptions, present: Sequence[Device], measured: NeedWith) -> Placement:
    """Choose by what the devices have and what the model needs."""
    gpus, note = gpus_among(present), None
    need = measured(_wanted(options, gpus))
    missing = shortages(need, gpus)
    if missing and options.gpu_layers is None:
        fitting = most_gpu_layers(need.n_layers, measured, present)
        note = f"all layers need {missing[0]}: {fitting} of {need.n_layers} layers go on the GPU"
        need = measured(fitting)
    return Placement(
        options=replace(options, gpu_layers=need.n_gpu_layers),
        need=need,
        missing=tuple(shortages(need, present)),
        note=note,
    )


def _wanted(options: LoadOptions, gpus: Sequence[Device]) -> int:
    if not gpus:
        return 0
    return ALL_LAYERS if options.gpu_layers is None else options.gpu_layers


def check_gpus(options: LoadOptions, present: Sequence[Device]) -> None:
    """Refuse GPUs that are not there.

    Raises:
        ConfigError: one is named; the message names those that are.
    """
    gpus = gpus_among(present)
    named = ", ".join(f"{index} ({gpu.label})" for index, gpu in enumerate(gpus))
    there = f"there is {named}" if gpus else "llama.cpp finds none (see `tgicli doctor`)"
    if options.main_gpu is not None and options.main_gpu >= len(gpus):
        raise ConfigError(f"--main-gpu {options.main_gpu}: there is no such GPU; {there}")
    if len(options.tensor_split) > len(gpus):
        shares = ",".join(f"{share:g}" for share in options.tensor_split)
        raise ConfigError(
            f"--tensor-split {shares}: {len(options.tensor_split)} shares are too many; {there}"
        )
