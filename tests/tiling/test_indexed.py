"""Values at indices keep what the graph says of them: the type whose bits are meant, and where an index was read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lazygrad import Tensor, dtypes
from lazygrad.dtype import DType
from lazygrad.engine.explain import kernels

Bits = Callable[[Tensor, DType], Tensor]  # (16-bit floats, an integer type as wide) -> bits
BITS: dict[str, Bits] = {
    "stored": lambda x, kind: x.bitcast(kind),
    "computed": lambda x, kind: (x * 3).bitcast(kind),
    "rounded": lambda x, kind: (x.float() / 3).cast(x.dtype).bitcast(kind),
    "padded": lambda x, kind: x.pad((1, 2)).bitcast(kind),
    "chosen": lambda x, kind: x.where(x > 0, 0).bitcast(kind),
    "gathered": lambda x, kind: x[Tensor([2, 0, 2], device=x.device)].bitcast(kind),
    "summed": lambda x, kind: (x.sum() * 2).bitcast(kind),
    "widened": lambda x, _: x.float().bitcast(dtypes.int32),
    "widened when computed": lambda x, _: (x * 2).float().bitcast(dtypes.int32),
    "widened when padded": lambda x, _: x.pad((1, 2)).float().bitcast(dtypes.int32),
    "and back": lambda x, kind: ((x.bitcast(kind) & 0x7FFF).bitcast(x.dtype) * 2).float(),
    "and back to bits": lambda x, kind: (x.bitcast(kind) & 0x7FFF).bitcast(x.dtype).bitcast(kind),
    "from integers": lambda x, kind: Tensor([16256, 15360], device=x.device).cast(kind).bitcast(x.dtype).float() + 1,
}


@pytest.mark.parametrize("device", ["OPENCL", "CUDA_EMULATED"])
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16], ids=str)
def test_bits_of_16_bit_floats(dtype: DType, signed: bool, device: str) -> None:
    """As they are stored, although they are computed in float32."""
    kind = dtypes.int16 if signed else dtypes.uint16
    found = []
    for where in (device, "NUMPY"):
        x = Tensor(np.array([1.5, -2.25, 3.0, -0.0, 1 / 3, 600.0], np.float32), device=where).cast(dtype).realize()
        made = [bits(x, kind) for bits in BITS.values()]
        Tensor.realize(*made)
        found.append([t.numpy() for t in made])
    for name, ours, wanted in zip(BITS, *found):
        np.testing.assert_array_equal(ours, wanted, err_msg=name)


@pytest.mark.parametrize("device", ["OPENCL", "CUDA_EMULATED"])
def test_one_index_read_under_a_mask_and_without_it(device: str) -> None:
    """In one kernel: what is known of the index in one place need not hold in the other."""
    x = Tensor(np.array([5, -7, 9], np.int16), device=device)
    index = Tensor([2, 1], device=device)
    top, chosen = x[index].amax(), x[index[:1]]
    masked, plain = chosen.pad((1, 2)).maximum(0) + top, chosen + top
    assert len(kernels([masked.node, plain.node], device)) == 1
    Tensor.realize(masked, plain)
    assert (masked.tolist(), plain.tolist()) == ([9, 18, 9, 9], [18])
