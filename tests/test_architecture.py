"""The rules of the house: who may import whom, through which door, and how long a file may be."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tgicli"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 400
LEVELS = [
    {"errors", "stats"},
    {"core"},
    {"config"},
    {"models", "engine", "wire"},
    {"backends", "server", "bench", "ui"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
DOORS: dict[
    str, str | tuple[str, ...]
] = {  # an outside library, and the only place that imports it
    "httpcore": "backends/",
    "httptools": "server/connection.py",
    "httpx": "backends/http_library.py",
    "httpx_sse": "backends/http_library.py",
    "huggingface_hub": ("models/download.py", "models/hub"),
    "jinja2": "engine/chat.py",
    "llama_cpp": "engine/llama.py",
    "llguidance": "engine/grammar.py",
    "markdown_it": "ui/",
    "msgspec": "wire/",
    "numpy": "engine/",
    "platformdirs": "config.py",
    "prometheus_client": ("bench/counters.py", "server/metrics.py"),
    "prompt_toolkit": "ui/editor.py",
    "rich": "ui/",
    "starlette": "server/",
    "tomllib": "config.py",
    "typer": "cli/",
    "uvicorn": ("server/connection.py", "server/run.py"),
    "uvloop": "cli/bench/load_process_main.py",
}
HEAVY = ["asyncio", "httpx", "llama_cpp", "numpy", "pydantic", "rich", "starlette", "uvicorn"]
HEAVY += ["prompt_toolkit"]


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0, names=names):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.ImportFrom():
                pytest.fail(f"{path} has a relative import")


def room_of(name: str) -> str:
    """Return `engine` for `tgicli.engine.runner`; the package's own name for its facts."""
    return name.split(".")[1] if "." in name else name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_its_own_room_and_those_below(path: Path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return

    for name in imports(path):
        other = room_of(name)
        if name.startswith("tgicli.") and other in LEVEL and other != room:
            assert LEVEL[other] < LEVEL[room], f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_an_outside_library_comes_in_by_its_own_door(path: Path):
    for name in imports(path):
        library = name.split(".")[0]
        if library in DOORS:
            assert str(path.relative_to(PACKAGE)).startswith(DOORS[library]), f"{path}: {name}"
        else:
            assert library == "tgicli" or library in sys.stdlib_module_names, f"{path}: {name}"


def test_every_room_has_a_level_and_every_level_a_room():
    rooms = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.name[0] != "_" and (path.is_dir() or path.suffix == ".py")
    }

    assert rooms <= LEVEL.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_fits_into_a_head(path: Path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


def loaded(*args: str) -> set[str]:
    """Return the modules that a run of the program has loaded at its end."""
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(list(sys.modules)), file=sys.stderr))\n"
        "from tgicli.cli.app import main\n"
        f"sys.argv[1:] = {list(args)!r}\n"
        "main()\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return set(json.loads(process.stderr.splitlines()[-1]))


def test_help_loads_nothing_heavy_and_no_command():
    modules = loaded("--help")

    assert modules.isdisjoint(HEAVY)
    assert modules.isdisjoint({"tgicli.cli.generate.app", "tgicli.cli.models", "tgicli.core"})


def test_reading_generates_options_loads_nothing_heavy():
    modules = loaded("generate", "", "--no-stdin", "--temperature", "0.5", "--stop", "x")

    assert "tgicli.cli.generate.app" in modules
    assert modules.isdisjoint(HEAVY)


def test_a_command_does_not_load_another():
    assert loaded("config", "path").isdisjoint({"tgicli.cli.generate.app", "tgicli.cli.completion"})
