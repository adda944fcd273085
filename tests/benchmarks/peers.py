"""Build llama.cpp's own programs from the source of the installed llama-cpp-python.

It downloads llama-cpp-python's source archive of the installed version, unpacks the llama.cpp in it
and builds llama-completion, llama-batched-bench, llama-bench and llama-server with the options that
the wheel's default build uses (Release, shared libraries, ggml's defaults, so GGML_NATIVE too);
what is switched off touches no kernel: tests, examples, downloads, the web page. Needs pip, CMake
and a C++ compiler; takes some ten minutes of two cores and 1.5 GB of disk. A second run builds only
what is missing.

What would make a comparison lie: a wheel that was not built here (a prebuilt one is made for an
older CPU), or was built with CMAKE_ARGS. So every benchmark prints the instruction sets that the
installed library was compiled for and the commits of both; --cmake passes options on, to follow a
wheel that was built otherwise.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

from harness import BINDING, peers_folder

PROGRAMS = ("llama-completion", "llama-batched-bench", "llama-bench", "llama-server")
OPTIONS = (
    "CMAKE_BUILD_TYPE=Release",
    "BUILD_SHARED_LIBS=ON",
    "LLAMA_CURL=OFF",
    "LLAMA_OPENSSL=OFF",
    "LLAMA_BUILD_TESTS=OFF",
    "LLAMA_BUILD_EXAMPLES=OFF",
    "LLAMA_BUILD_APP=OFF",
    "LLAMA_USE_PREBUILT_UI=OFF",
)


def main() -> None:
    """Download, configure, build, and print the folder."""
    options = _parse()
    folder: Path = options.folder.absolute()
    source = _unpack(_download(folder / "sdist"), folder / "source")
    definitions = [f"-D{option}" for option in (*OPTIONS, *options.cmake)]
    _run("cmake", "-S", source, "-B", folder, *definitions)
    if options.configure_only:
        return
    jobs = str(options.jobs)
    _run("cmake", "--build", folder, "--config", "Release", "-j", jobs, "--target", *PROGRAMS)
    print(folder)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=peers_folder(),
        help="where to build; the programs lie in its bin/ (default: %(default)s)",
    )
    parser.add_argument("--jobs", "-j", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument(
        "--cmake", action="append", default=[], metavar="NAME=VALUE", help="one more CMake option"
    )
    parser.add_argument("--configure-only", action="store_true", help="stop before the compiler")
    return parser.parse_args()


def _download(folder: Path) -> Path:
    """Fetch the source archive; pip may need to install the archive's build backend for a while."""
    version = importlib.metadata.version(BINDING)
    archive = folder / f"{BINDING.replace('-', '_')}-{version}.tar.gz"
    if not archive.exists():
        only = ("--no-deps", "--no-binary", BINDING, f"{BINDING}=={version}")
        _run(sys.executable, "-m", "pip", "download", *only, "--dest", folder)
    return archive


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack the archive; return the llama.cpp in it."""
    source = folder / archive.name.removesuffix(".tar.gz") / "vendor" / "llama.cpp"
    if not source.exists():
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
    return source


def _run(*arguments: str | Path) -> None:
    words = list(map(str, arguments))
    print(f"$ {shlex.join(words)}", file=sys.stderr, flush=True)
    done = subprocess.run(words, stdout=sys.stderr)
    if done.returncode != 0:
        raise SystemExit(f"{words[0]} returned {done.returncode}")


if __name__ == "__main__":
    main()
