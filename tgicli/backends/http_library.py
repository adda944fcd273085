"""Import httpx without its command line: Click and Rich, which take as long as the rest of it.

The door to httpx and httpx-sse, for `http` and its neighbours. `httpx/__init__.py` does without
its module `_main` where Click is not installed; here it is told that it can't be imported.
"""

from __future__ import annotations

import sys

_COMMAND_LINE = "httpx._main"

if "httpx" not in sys.modules:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]  # an import of it fails
try:
    import httpx as httpx
    import httpx_sse as httpx_sse
finally:
    if sys.modules.get(_COMMAND_LINE, sys) is None:
        del sys.modules[_COMMAND_LINE]
