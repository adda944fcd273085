"""Whether a model fits: devices and needs are values here, no machine is asked."""

from __future__ import annotations

import pytest

from tgicli.engine.memory import (
    HOST,
    MARGIN_BYTES,
    Device,
    DeviceKind,
    Need,
    Share,
    gib,
    gpus_among,
    most_gpu_layers,
    share_of,
    shortages,
)

GIB = 1 << 30
N_LAYERS = 33  # 32 blocks of 200 MiB, and an output of 1 GiB
BLOCK, OUTPUT, KV, COMPUTE = 200 << 20, GIB, 100 << 20, 300 << 20


def host(free: float) -> Device:
    return device(HOST, free, DeviceKind.CPU)


def device(name: str, free: float, kind: DeviceKind = DeviceKind.GPU) -> Device:
    n_bytes = int(free * GIB)
    return Device(
        name=name, description="a card", kind=kind, free_bytes=n_bytes, total_bytes=n_bytes
    )


def need(n_gpu_layers: int, gpu_names: tuple[str, ...] = ("CUDA0",)) -> Need:
    """Put the last layers on the GPUs in equal parts, as llama.cpp does; the output is the last."""
    first = N_LAYERS - n_gpu_layers
    shares = {HOST: Share(compute_bytes=1 << 20)}
    for layer in range(N_LAYERS):
        index = (layer - first) * len(gpu_names) // max(n_gpu_layers, 1)
        name = HOST if layer < first else gpu_names[index]
        block = Share(weights_bytes=BLOCK, kv_bytes=KV)
        mine = Share(weights_bytes=OUTPUT) if layer == N_LAYERS - 1 else block
        shares[name] = shares.get(name, Share(compute_bytes=COMPUTE)) + mine
    return Need(shares=shares, n_layers=N_LAYERS, n_gpu_layers=n_gpu_layers)


def test_what_fits_exactly_with_the_margin_fits():
    share = need(N_LAYERS).shares["CUDA0"]
    free = (share.total_bytes + MARGIN_BYTES) / GIB

    assert shortages(need(N_LAYERS), [device("CUDA0", free)]) == []
    assert len(shortages(need(N_LAYERS), [device("CUDA0", free - 1 / GIB)])) == 1


def test_the_host_needs_no_margin():
    just_enough = need(0).shares[HOST].total_bytes / GIB

    assert shortages(need(0), [host(just_enough)]) == []
    assert shortages(need(0), [host(just_enough - 1 / GIB)])


def test_a_shortage_says_both_numbers_and_what_they_are_made_of():
    (shortage,) = shortages(need(N_LAYERS), [device("CUDA0", 4)])

    assert str(shortage) == (
        "11.2 GiB on CUDA0 (7.2 GiB of weights, 3.1 GiB for the context, 0.3 GiB to compute, "
        "0.5 GiB to spare), 4.0 GiB are free"
    )


def test_a_device_that_does_not_tell_its_memory_is_trusted():
    assert shortages(need(N_LAYERS), [device("Vulkan0", 0)]) == []


def test_a_device_that_holds_nothing_lacks_nothing():
    assert shortages(need(N_LAYERS), [device("CUDA0", 80), device("CUDA1", 0.1)]) == []


@pytest.mark.parametrize(
    ("free", "n_layers"),
    [(80, 33), (11.2, 33), (11, 32), (4, 8), (1.9, 1), (1, 0)],
)
def test_as_many_layers_go_on_the_gpu_as_fit(free: float, n_layers: int):
    gpus = [device("CUDA0", free), host(1)]

    n_chosen = most_gpu_layers(N_LAYERS, need, gpus)

    assert n_chosen == n_layers
    assert not shortages(need(n_chosen), gpus[:1])
    assert n_chosen == N_LAYERS or shortages(need(n_chosen + 1), gpus[:1])


def test_of_several_gpus_each_must_hold_its_part():
    both = ("CUDA0", "CUDA1")
    gpus = [device("CUDA0", 80), device("CUDA1", 3)]

    n_chosen = most_gpu_layers(N_LAYERS, lambda n: need(n, both), gpus)

    assert 0 < n_chosen < N_LAYERS
    assert [s.device.name for s in shortages(need(n_chosen + 1, both), gpus)] == ["CUDA1"]


def test_few_needs_are_measured():
    asked = []

    def measured(n_gpu_layers: int) -> Need:
        asked.append(n_gpu_layers)
        return need(n_gpu_layers)

    most_gpu_layers(N_LAYERS, measured, [device("CUDA0", 5)])

    assert len(asked) <= 7


def test_an_integrated_gpu_counts_only_where_there_is_no_other_and_takes_the_hosts_memory():
    integrated = device("Vulkan1", 8, DeviceKind.INTEGRATED_GPU)
    on_it = need(N_LAYERS, ("Vulkan1",))

    assert gpus_among([host(16), integrated]) == (integrated,)
    assert gpus_among([host(16), integrated, device("CUDA0", 8)]) == (device("CUDA0", 8),)
    assert share_of(host(16), on_it, [host(16), integrated]).total_bytes == on_it.total.total_bytes
    assert [s.device.name for s in shortages(on_it, [integrated, host(8)])] == ["Vulkan1", HOST]


def test_weights_that_are_in_memory_already_are_not_needed_again():
    share = need(N_LAYERS).without_weights().shares["CUDA0"]

    assert (share.weights_bytes, share.kv_bytes) == (0, 32 * KV)


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(1 << 20, "1.0 MiB"), (100 << 20, "0.1 GiB"), (80 * GIB, "80.0 GiB")]
)
def test_little_is_told_in_mebibytes(n_bytes: int, text: str):
    assert gib(n_bytes) == text
