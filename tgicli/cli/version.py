"""The text of `tgicli --version`.

Called by `app` on the main thread. Works without llama-cpp-python, and says so.
"""

from __future__ import annotations

import platform

from tgicli import __version__
from tgicli.errors import ModelLoadError


def version_text() -> str:
    """Name every version that can matter in a bug report, and the devices found."""
    python = f"Python {platform.python_version()} ({platform.system()} {platform.machine()})"
    return "\n".join([f"tgicli {__version__}", python, *_llama_lines()]) + "\n"


def _llama_lines() -> list[str]:
    try:
        from tgicli.engine.build import build_info

        build = build_info()
    except ModelLoadError as error:
        return [str(error)]
    return [
        f"llama-cpp-python {build.binding_version}",
        f"llama.cpp {build.version}",
        *(f"backend {backend}" for backend in build.backends),
        *(f"device {device.label}" for device in build.devices),
        f"GPU offload: {'yes' if build.has_gpu_offload else 'no, this build is for the CPU alone'}",
    ]
