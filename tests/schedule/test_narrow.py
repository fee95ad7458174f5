"""Numbers are stored in the narrowest type that they have."""

from __future__ import annotations

import numpy as np

from lazygrad import Tensor, dtypes
from lazygrad.schedule.kernel import Kernel, schedule

BF16, F32 = dtypes.bfloat16, dtypes.float32


def stored(*shape: int, dtype: object = BF16) -> Tensor:
    return Tensor(np.ones(shape, "float32"), device="NUMPY").cast(dtype).realize()  # type: ignore[arg-type]


def kernels(y: Tensor) -> list[Kernel]:
    return list(schedule([y.node]).kernels)


def types(y: Tensor) -> list[tuple[set[object], set[object]]]:
    return [({n.dtype for n in k.inputs}, {n.dtype for n in k.outputs}) for k in kernels(y)]


def test_what_is_between_products_has_16_bits() -> None:
    a, b, c = stored(64, 32), stored(32, 48), stored(48, 16)
    assert types((a @ b) @ c) == [({BF16}, {BF16})] * 2
    assert types((a @ b).gelu() @ c) == [({BF16}, {BF16})] * 2
    assert types((a @ b).softmax(-1) @ c)[-1] == ({BF16}, {BF16})


def test_a_computed_operand_has_16_bits() -> None:
    assert types(stored(64, 32).gelu() @ stored(32, 48)) == [({BF16}, {BF16})] * 2


def test_an_operand_is_made_narrow_once_where_it_is_used_often() -> None:
    w = stored(32, 48, dtype=F32)
    assert types(stored(1024, 32) @ w.bfloat16()) == [({F32}, {BF16}), ({BF16}, {BF16})]
    assert types(stored(16, 32) @ w.bfloat16()) == [({BF16, F32}, {BF16})]


def test_a_sum_that_is_read_in_both_types_is_stored_once() -> None:
    a, b = stored(64, 32), stored(32, 48)
    total = a.float() @ b.float()
    both = total + total.bfloat16().float().sum(-1, keepdim=True)
    assert [n.dtype for k in kernels(both) for n in k.outputs if n.shape == (64, 48)].count(F32) == 2


def test_float32_programs_stay_as_they_are() -> None:
    a, b = stored(64, 32, dtype=F32), stored(32, 48, dtype=F32)
    assert types((a @ b).relu() @ stored(48, 16, dtype=F32)) == [({F32}, {F32})] * 2
