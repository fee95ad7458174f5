"""The renderer of the language that a device's kernels are written in."""

from __future__ import annotations

from lazygrad.runtime.base import DeviceInfo, KernelSource
from lazygrad.tiling.machine import MachineKernel

from . import cuda, opencl

_RENDERERS = {"opencl": opencl.render, "cuda": cuda.render}


def render(kernel: MachineKernel, info: DeviceInfo) -> KernelSource:
    """The kernel as text for the device that `info` describes."""
    return _RENDERERS[info.language](kernel, info)
