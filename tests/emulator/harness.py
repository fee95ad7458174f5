"""Hand-written kernels on the emulator, and twins of them with a bug planted.

The texts keep to the contract of rendered kernels, so that NVRTC compiles the same ones (`test_contract`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazygrad.errors import KernelError
from lazygrad.render.cuda_async import ASYNC
from lazygrad.render.cuda_prelude import BASE, definitions
from lazygrad.runtime.base import KernelSource, Launch, LaunchAttributes
from lazygrad.runtime.registry import open_device

Data = NDArray[Any]
WRITTEN: list[KernelSource] = []  # every kernel of the tests that is meant to be right


def kernel(name: str, params: str, body: str, **attributes: Any) -> KernelSource:
    """A kernel that is meant to be right."""
    source = _source(name, f'extern "C" __global__ void {name}({params})\n{{{body}}}\n', **attributes)
    WRITTEN.append(source)
    return source


def planted(source: KernelSource, *changes: tuple[str, str]) -> KernelSource:
    """The kernel with texts replaced, each of which it must have."""
    text = source.text[source.text.index('extern "C" __global__') :]
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return KernelSource(source.name, _with_definitions(text), source.entry, source.attributes)


def _source(name: str, text: str, **attributes: Any) -> KernelSource:
    return KernelSource(name, _with_definitions(text), name, LaunchAttributes(**attributes))


def _with_definitions(text: str) -> str:
    known = {**BASE, **ASYNC}
    return definitions({n for n in re.findall(r"\blg_\w+", text) if n in known}, known) + text


def launch(
    source: KernelSource, arrays: Sequence[Data], groups: int | tuple[int, ...], size: int, *scalars: int
) -> None:
    """Run a kernel on arrays, in place."""
    device = open_device("CUDA_EMULATED")
    (executable,) = device.build([source])
    counts = (groups,) if isinstance(groups, int) else groups
    sizes = (size,) + (1,) * (len(counts) - 1)
    memories = tuple(device.wrap(a) for a in arrays)
    whole = tuple(n * s for n, s in zip(counts, sizes))
    device.prepare([Launch(executable, memories, scalars, whole, sizes)]).run()


def fails(
    source: KernelSource, words: str, arrays: Sequence[Data], groups: int | tuple[int, ...], size: int, *scalars: int
) -> KernelError:
    """The report of a kernel that must fail; `words` is a pattern that it matches."""
    with pytest.raises(KernelError, match=words) as caught:
        launch(source, arrays, groups, size, *scalars)
    return caught.value


def floats(*shape: int, seed: int = 0) -> Data:
    return np.random.default_rng(seed + sum(shape)).standard_normal(shape).astype(np.float32)


def bfloat16(x: Data) -> Data:
    """The bits of float32 numbers that bfloat16 can hold."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    assert not (bits & 0xFFFF).any()
    return (bits >> 16).astype(np.uint16)


def small_integers(*shape: int, seed: int = 0) -> Data:
    """Numbers whose products and sums are exact in every type used here."""
    return np.random.default_rng(seed + sum(shape)).integers(-3, 4, shape).astype(np.float32)
