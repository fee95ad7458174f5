"""Kernels of whole graphs for a GPU that need not be here: planned, rendered and compiled, never run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType
from lazygrad.engine.compile import compile_kernel
from lazygrad.engine.run import over_buffers
from lazygrad.ir.node import Node, buffer
from lazygrad.runtime.base import DeviceInfo, KernelSource, RuntimeStats, Storage
from lazygrad.runtime.cuda_device import planned_info
from lazygrad.runtime.nvrtc import Compiler, Cubin
from lazygrad.schedule.kernel import schedule
from lazygrad.settings import settings

ARCHITECTURES = ("sm_80", "sm_90a")
_compilers: dict[str, Compiler] = {}


def kernel_sources(nodes: Sequence[Node], info: DeviceInfo) -> list[KernelSource]:
    """The source of every kernel that computes `nodes`."""
    return [compile_kernel(k, {}, info).compiled.source for k in schedule(nodes).kernels]


def graphs(make: Callable[[], Iterable[Tensor]]) -> list[Node]:
    """The nodes of the tensors that `make` returns, made on a device without kernels."""
    with settings.override(device="NUMPY"):
        return over_buffers([t.node for t in make()], "NUMPY")


def placeholder(*shape: Any, dtype: DType = dtypes.float32) -> Tensor:
    """A tensor of any size that holds nothing: large models need no values to be compiled."""
    size = int(np.prod(shape)) * dtype.itemsize
    made = Tensor(np.zeros(1, np.float32))
    made.node = buffer(Storage("NUMPY", size), dtype, shape)
    return made


def compiled(sources: Iterable[KernelSource], arch: str) -> list[Cubin]:
    """The machine code of the sources, those of equal text once."""
    if arch not in _compilers:
        _compilers[arch] = Compiler(planned_info(arch).arch, RuntimeStats())
    return _compilers[arch].build(list({s.text: s for s in sources}.values()))
