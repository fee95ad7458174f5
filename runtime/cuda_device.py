"""What is known of NVIDIA's architectures, and the description of a device, present or planned for."""

from __future__ import annotations

from dataclasses import dataclass

from lazygrad.errors import ArgumentError

from .base import DeviceInfo

WARP = 32
VECTOR_BYTES = 16  # the widest access of one work-item
ALIGNMENT = 256  # of parts of buffers: a transaction's sector, and what tensor maps want, with room
FP32_LANES = 128  # of a multiprocessor, from 8.6 on; 64 before


@dataclass(frozen=True)
class Model:
    """One GPU, as its data sheet has it; the one that stands for its architecture where none is present."""

    name: str
    units: int
    local_bytes: int
    l2_bytes: int
    memory_bytes: int
    bandwidth_gbs: float
    clock_ghz: float


MODELS = {
    "sm_80": Model("A100", 108, 163 << 10, 40 << 20, 80 << 30, 2039.0, 1.41),
    "sm_86": Model("RTX 3090", 82, 99 << 10, 6 << 20, 24 << 30, 936.0, 1.70),
    "sm_89": Model("RTX 4090", 128, 99 << 10, 72 << 20, 24 << 30, 1008.0, 2.52),
    "sm_90a": Model("H200", 132, 227 << 10, 60 << 20, 141 << 30, 4300.0, 1.98),
    "sm_100a": Model("B200", 148, 227 << 10, 126 << 20, 180 << 30, 7000.0, 1.85),
}


def architecture(major: int, minor: int) -> str:
    """What to compile for on a device of compute capability `major`.`minor`.

    From 9.0 on, code for the very architecture (suffix a) may use its matrix units.

    >>> architecture(8, 0), architecture(9, 0)
    ('sm_80', 'sm_90a')
    """
    return f"sm_{major}{minor}{'a' if major >= 9 else ''}"


def planned_info(arch: str) -> DeviceInfo:
    """The description of a GPU of architecture `arch`, which need not be present: for compiling without one.

    >>> planned_info("sm_90a").units
    132
    """
    if arch not in MODELS:
        raise ArgumentError(f"no GPU of architecture {arch!r} is known; there are {', '.join(MODELS)}")
    return describe(MODELS[arch], arch, f"{MODELS[arch].name} ({arch}), not present")


def describe(model: Model, arch: str, description: str) -> DeviceInfo:
    """The description of `model` as code for `arch` sees it."""
    lanes = FP32_LANES if arch != "sm_80" else FP32_LANES // 2
    return DeviceInfo(
        kind="gpu",
        units=model.units,
        vector_bytes=VECTOR_BYTES,
        fp16=True,
        fp64=True,
        local_bytes=model.local_bytes,
        max_alloc=model.memory_bytes,
        max_group=1024,
        alignment=ALIGNMENT,
        l1_bytes=model.local_bytes,
        l2_bytes=model.l2_bytes,
        bandwidth_gbs=model.bandwidth_gbs,
        peak_gflops=2 * lanes * model.units * model.clock_ghz,
        description=description,
        fingerprint=f"CUDA {arch} {model.units}",
        language="cuda",
        arch=arch,
        warp=WARP,
    )
