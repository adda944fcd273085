from __future__ import annotations

import pytest

from tgicli.server.timings import compute_headers


@pytest.mark.parametrize(
    ("on_gpu", "told"),
    [
        (False, {"x-compute-type": "cpu+optimized"}),
        (True, {"x-compute-type": "gpu+optimized"}),
        (None, {}),
    ],
)
def test_the_hardware_is_told_where_it_is_known(on_gpu: bool | None, told: dict[str, str]):
    headers = compute_headers(7, on_gpu=on_gpu)

    assert headers == {"x-compute-characters": "7", **told}
