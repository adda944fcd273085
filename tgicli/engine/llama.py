"""Load llama.cpp's and ggml's C functions, and keep their log off the terminal.

The only place that imports llama-cpp-python: the rest of the room says `from tgicli.engine.llama
import llama_cpp`. Importing this module loads the shared library; so it is itself imported as late
as can be.

NOTE: `import llama_cpp` also imports the high-level classes, numpy, jinja2 and diskcache, which we
never use and which take five times as long as the C declarations. So the submodule is loaded beside
a bare package object.
"""

from __future__ import annotations

import collections
import functools
import importlib
import importlib.util
import sys
import types
from typing import Any

from tgicli.errors import ModelLoadError

N_LOG_LINES = 12


def _import_low_level() -> Any:
    """Import `llama_cpp.llama_cpp` without running the package's `__init__`."""
    if "llama_cpp" in sys.modules:
        return importlib.import_module("llama_cpp.llama_cpp")
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.submodule_search_locations is None:
        raise ModelLoadError("llama-cpp-python is not installed; run: pip install llama-cpp-python")
    package = types.ModuleType("llama_cpp")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["llama_cpp"] = package
    try:
        return importlib.import_module("llama_cpp.llama_cpp")
    except (OSError, RuntimeError) as error:  # the shared library is missing or does not load
        raise ModelLoadError(f"llama-cpp-python is installed but does not load: {error}") from error
    finally:
        del sys.modules["llama_cpp"]  # whoever wants the whole package gets it


llama_cpp: Any = _import_low_level()


class LogTail:
    """The last warnings and errors that llama.cpp logged, for the message when something fails."""

    def __init__(self) -> None:
        self.lines: collections.deque[str] = collections.deque(maxlen=N_LOG_LINES)
        self._level = 0
        self._open = ""
        # llama.cpp keeps the pointer for ever, so the callback must live as long.
        self.callback = llama_cpp.llama_log_callback(self._receive)

    def _receive(self, level: int, text: bytes, _user_data: object) -> None:
        """Take one piece of log. Called by llama.cpp on any of its threads."""
        if level != _CONTINUED:
            self._level = level
        if self._level not in (_WARNING, _ERROR):
            return
        *lines, self._open = (self._open + text.decode("utf-8", "replace")).split("\n")
        self.lines.extend(line for line in lines if line.strip())

    def clear(self) -> None:
        """Forget what was logged."""
        self.lines.clear()


def ggml(name: str, result: type | None, *arguments: type) -> Any:
    """Return one of ggml's functions, which the binding does not declare; libllama finds it."""
    function = llama_cpp._lib[name]  # [] makes a fresh one, unlike the dot
    function.restype, function.argtypes = result, arguments
    return function


_WARNING, _ERROR, _CONTINUED = 3, 4, 5  # ggml_log_level


@functools.cache
def quiet_log() -> LogTail:
    """Send llama.cpp's log to a LogTail, once a process, before anything else is called."""
    tail = LogTail()
    llama_cpp.llama_log_set(tail.callback, None)
    return tail
