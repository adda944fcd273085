"""`tgicli --version`."""

from __future__ import annotations

import subprocess
import sys

import tgicli
from tests.cli.conftest import Cli
from tgicli.cli.version import version_text
from tgicli.engine.build import build_info
from tgicli.errors import ExitStatus

WITHOUT_LLAMA = """\
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "llama_cpp" else find(name, *more)
from tgicli.cli.app import main
sys.argv[1:] = ["--version"]
main()
"""


def test_every_version_that_matters_is_named(cli: Cli):
    outcome = cli("--version")

    build = build_info()
    assert outcome.status == ExitStatus.OK
    assert outcome.stdout == version_text()
    assert outcome.stdout.startswith(
        f"tgicli {tgicli.__version__}\nPython {sys.version.split()[0]} "
    )
    assert (
        f"\nllama-cpp-python {build.binding_version}\nllama.cpp {build.version}\n" in outcome.stdout
    )


def test_the_devices_are_named(cli: Cli):
    for device in build_info().devices:
        assert f"\ndevice {device.label}\n" in cli("--version").stdout


def test_it_works_without_llama_cpp_python():
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_LLAMA], capture_output=True, text=True, check=True
    )

    assert process.stdout.startswith(f"tgicli {tgicli.__version__}\nPython ")
    assert "llama-cpp-python is not installed" in process.stdout
