"""`tgicli doctor`: what it tells is true, and what does not fit is known before it is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tgicli
from tests.cli.conftest import Cli, Outcome
from tgicli.cli.local import DEFAULT_CTX, DEFAULT_LANE_CTX
from tgicli.engine.build import build_info
from tgicli.engine.devices import devices
from tgicli.engine.hardware import n_usable_cores
from tgicli.errors import ExitStatus

CPU_ONLY = pytest.mark.skipif(len(devices()) > 1, reason="this build has a GPU")
WITHOUT_LLAMA = """\
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "llama_cpp" else find(name, *more)
from tgicli.cli.app import main
sys.argv[1:] = sys.argv[1:] or ["doctor"]
main()
"""


def told(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def rows(outcome: Outcome) -> dict[str, str]:
    """Return the sheet's lines by label; of lines with one label the last."""
    lines = (line for line in outcome.stdout.splitlines() if line)
    return {line[:20].strip(): line[20:] for line in lines}


def test_the_build_and_the_machine_are_told(cli: Cli):
    outcome = cli("doctor")

    build = build_info()
    assert (outcome.status, outcome.stderr) == (ExitStatus.OK, "")
    shown = rows(outcome)
    assert shown["tgicli"].startswith(f"{tgicli.__version__}, Python {sys.version.split()[0]}")
    assert shown["llama.cpp"] == f"{build.version}, llama-cpp-python {build.binding_version}"
    assert shown["cores"] == f"{n_usable_cores()} for this process"
    assert " GiB free" in shown["memory"]
    assert "model" not in shown


@pytest.mark.parametrize(("n_lanes", "n_ctx"), [(1, DEFAULT_CTX), (8, DEFAULT_LANE_CTX)])
def test_a_context_is_as_large_as_generate_or_serve_make_it(n_lanes: int, n_ctx: int, cli: Cli):
    found = told(cli("doctor", "demo", "--max-batch-size", str(n_lanes), "--json"))

    assert found["fit"]["n_ctx"] == n_ctx


def test_json_has_each_device_with_its_memory(cli: Cli):
    found = told(cli("doctor", "--json"))

    named = [(device["name"], device["kind"]) for device in found["llama"]["devices"]]
    assert named == [(device.name, device.kind.value) for device in devices()]
    assert all(0 < d["free_bytes"] <= d["total_bytes"] for d in found["llama"]["devices"])
    assert found["fit"] is None


@CPU_ONLY
def test_a_build_for_the_cpu_alone_says_so(cli: Cli):
    assert rows(cli("doctor"))["GPU offload"] == "no, this build is for the CPU alone"


def test_a_secret_is_told_to_be_set_and_not_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TGICLI_API_KEY", "s3cret")
    monkeypatch.delenv("HF_TOKEN", raising=False)

    outcome = cli("doctor")

    assert (rows(outcome)["TGICLI_API_KEY"], rows(outcome)["HF_TOKEN"]) == ("set", "not set")
    assert "s3cret" not in outcome.stdout + cli("doctor", "--json").stdout


def test_the_configuration_file_is_told_with_whether_it_is_there(
    cli: Cli, config_file: Callable[[str], Path]
):
    assert rows(cli("doctor"))["config file"].endswith(" (not there)")

    path = config_file("temperature = 1\n")

    assert rows(cli("doctor"))["config file"] == str(path)


@pytest.mark.parametrize("text", ["threads = [", "threads = 0", "nonsense = 1"])
def test_a_configuration_file_that_is_wrong_is_told_and_the_rest_too(
    cli: Cli, config_file: Callable[[str], Path], tiny_model: Path, text: str
):
    path = config_file(text)

    outcome = cli("doctor", str(tiny_model))
    found = told(cli("doctor", "--json"))

    assert outcome.status == ExitStatus.USAGE
    assert str(path) in outcome.stderr
    assert rows(outcome)["config file"].startswith(f"wrong, and left out here: {path}")
    assert rows(outcome)["fits"] == "yes"
    assert found["places"]["config file"]["problem"] in outcome.stderr


def test_a_model_that_fits_is_told_with_what_it_takes(cli: Cli, tiny_model: Path):
    outcome = cli("doctor", str(tiny_model), "--max-batch-size", "4", "--json")

    fit = told(outcome)["fit"]
    (holding,) = fit["holdings"]
    assert outcome.status == ExitStatus.OK
    assert (fit["n_ctx"], fit["n_lanes"], fit["kv_type"]) == (2048, 4, "f16")
    assert (fit["n_layers"], fit["n_gpu_layers"]) == (3, 0)
    assert holding["kv_bytes"] == 4 * 2048 * 2 * 2 * 32 * 2  # K and V of 2 layers of 32 halves
    assert holding["needed_bytes"] == sum(
        holding[part] for part in ("weights_bytes", "kv_bytes", "compute_bytes", "spare_bytes")
    )
    assert fit["fits"] is holding["fits"] is True


def test_a_smaller_type_takes_a_smaller_cache(cli: Cli, demo_model: Path):
    def kv_bytes(kv_type: str) -> int:
        outcome = cli("doctor", str(demo_model), "--kv-type", kv_type, "--json")
        return int(told(outcome)["fit"]["holdings"][0]["kv_bytes"])

    assert kv_bytes("q8_0") == pytest.approx(kv_bytes("f16") * 34 / 64, rel=1e-3)


def test_a_model_that_does_not_fit_fails_with_both_numbers(cli: Cli, demo_model: Path):
    huge = ("--ctx-size", "100000", "--max-batch-size", "100")

    outcome = cli("doctor", str(demo_model), *huge)

    assert outcome.status == ExitStatus.MODEL
    assert rows(outcome)["fits"] == "no"
    assert " with a context of 10,000,000 tokens needs " in outcome.stderr
    assert " GiB are free; choose a smaller --ctx-size" in outcome.stderr


def test_the_model_of_a_setting_is_looked_at_too(
    cli: Cli, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TGICLI_MODEL", str(tiny_model))

    assert rows(cli("doctor"))["model"] == str(tiny_model)
    assert rows(cli("doctor"))["fits"] == "yes"


def test_a_model_that_is_not_there_is_refused(cli: Cli):
    outcome = cli("doctor", "./missing.gguf")

    assert outcome.status == ExitStatus.MODEL
    assert "missing.gguf" in outcome.stderr


@CPU_ONLY
@pytest.mark.parametrize("command", [("doctor",), ("generate", "Hi")])
def test_a_gpu_that_is_not_there_is_refused(cli: Cli, tiny_model: Path, command: tuple[str, ...]):
    outcome = cli(*command, "-m", str(tiny_model), "--main-gpu", "1")

    assert outcome.status == ExitStatus.USAGE
    assert "error: --main-gpu 1: there is no such GPU; llama.cpp finds none" in outcome.stderr


@pytest.mark.parametrize("command", [("doctor",), ("generate", "Hi")])
def test_one_gpu_and_several_contradict_each_other(
    cli: Cli, tiny_model: Path, command: tuple[str, ...]
):
    both = ("--main-gpu", "0", "--tensor-split", "1,1")

    outcome = cli(*command, "-m", str(tiny_model), *both)

    assert outcome.status == ExitStatus.USAGE
    assert "--main-gpu uses one GPU alone, --tensor-split several" in outcome.stderr


@pytest.mark.parametrize(("args", "status"), [((), 0), (("demo",), 8)])
def test_without_llama_cpp_python_the_rest_is_told(args: tuple[str, ...], status: int):
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_LLAMA, "doctor", *args], capture_output=True, text=True
    )

    assert process.returncode == status
    assert "llama-cpp-python is not installed" in process.stdout
    assert "\nmemory  " in process.stdout
