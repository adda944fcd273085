"""What a model can be computed on."""

from __future__ import annotations

from tgicli.engine.devices import devices
from tgicli.engine.hardware import total_memory_bytes
from tgicli.engine.memory import HOST, DeviceKind


def test_the_cpu_has_the_memory_that_this_process_may_use():
    (cpu,) = (device for device in devices() if device.kind is DeviceKind.CPU)

    assert cpu.name == HOST
    assert 0 < cpu.free_bytes <= cpu.total_bytes
    assert cpu.total_bytes == total_memory_bytes() or total_memory_bytes() is None
