"""What llama.cpp says of itself."""

from __future__ import annotations

import pytest

from tgicli.engine.build import build_info, parse_backends


def test_the_build_has_a_version_and_a_device():
    build = build_info()

    assert build.binding_version[0].isdigit()
    assert "(ggml " in build.version
    assert any(device.label.startswith("CPU: ") for device in build.devices)
    assert any(backend.startswith("CPU: ") for backend in build.backends)


def test_without_an_offload_there_is_no_other_device():
    build = build_info()

    assert build.has_gpu_offload or len(build.devices) == 1


@pytest.mark.parametrize(
    ("system_info", "backends"),
    [
        ("CPU : SSE3 = 1 | AVX = 1 | NEON = 0 | REPACK = 1 | ", ["CPU: SSE3, AVX, REPACK"]),
        (
            "CUDA : ARCHS = 750,800 | USE_GRAPHS = 1 | CPU : AVX = 1 | ",
            ["CUDA: ARCHS=750,800, USE_GRAPHS", "CPU: AVX"],
        ),
        ("", []),
    ],
)
def test_the_features_of_each_backend_get_a_line(system_info: str, backends: list[str]):
    assert list(parse_backends(system_info)) == backends
