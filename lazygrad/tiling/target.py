"""What lowering may assume of the device that a kernel is for."""

from __future__ import annotations

from dataclasses import dataclass

from lazygrad.runtime.base import DeviceInfo

# Functions of a few instructions that are about as exact as ours: CUDA's exp2f and expf are within 2 units in the last
# place, log2f within 1 (CUDA C++ Programming Guide, mathematical functions).
_NATIVE = {
    "opencl": frozenset[str](),
    "cuda": frozenset(
        {"exp2", "exp", "log2", "maximum", "divide", "to_float16", "from_float16", "to_bfloat16", "from_bfloat16"}
    ),
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a device can do beyond the least that every one can.

    Args:
        native: functions of float32, and conversions of 16-bit floats, that are called by their names. `divide` is
            within 2 units in the last place only.
        warp: neighbouring work-items that run in step and can read each other's registers; 1 where none do.
        access_bytes: the widest load of one work-item; 0 where lowering decides alone what is a vector.
    """

    native: frozenset[str] = frozenset()
    warp: int = 1
    access_bytes: int = 0

    @staticmethod
    def of(info: DeviceInfo) -> Target:
        """The target that `info` describes."""
        wide = info.kind == "gpu" and info.warp > 1
        return Target(_NATIVE[info.language], info.warp, info.vector_bytes if wide else 0)


PLAIN = Target()
AMPERE = 80  # the first architecture of NVIDIA's with asynchronous copies, and matrix units for all of our types


def architecture(info: DeviceInfo) -> int:
    """The number in "sm_90a"; 0 where there is none."""
    digits = "".join(ch for ch in info.arch if ch.isdigit())
    return int(digits) if info.arch.startswith("sm_") and digits else 0
