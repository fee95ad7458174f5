"""Wrong edits of the compiler and the engine, planted one at a time: a small set of checks must notice each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, dtypes, jit
from lazygrad.engine import compile as compiler
from lazygrad.engine import plan, run
from lazygrad.ir import reverse, rules_movement
from lazygrad.ir.node import alu, gather
from lazygrad.ir.op import BoundsArg, Op
from lazygrad.ops import jit_replay
from lazygrad.schedule.access import Walk
from lazygrad.schedule.memory import Arena
from lazygrad.tiling import arithmetic, build, indexed, lower_long, lower_reduce, narrow, trigonometry
from lazygrad.tiling.machine import Code
from lazygrad.tiling.program import compute_dtype

Check = Callable[[], None]
Patch = Callable[[pytest.MonkeyPatch], None]


pytestmark = pytest.mark.usefixtures("fresh_compiler")


def numbers(*shape: int, low: float = -9, high: float = 9) -> np.ndarray[Any, Any]:
    return np.random.default_rng(len(shape)).integers(low, high, shape).astype(np.float32)


def same(tensor: Tensor, expected: Any) -> None:
    np.testing.assert_allclose(tensor.numpy(), expected, 1e-5, 1e-5)


# ---- checks ----------------------------------------------------------------------------------------


def maximum_of_negatives() -> None:
    x = numbers(5, 37) - 100
    same(Tensor(x).max(1).values, x.max(1))


def padding_of_a_sum() -> None:
    x = numbers(6)
    same((Tensor(x) + 1).pad((2, 3), value=5.0), np.pad(x + 1, (2, 3), constant_values=5))


def sums_of_odd_lengths() -> None:
    for n in (3, 17, 45):
        x = numbers(4, n)
        same(Tensor(x).sum(1), x.sum(1))
        same(Tensor(x[0]) * 2 + 1, x[0] * 2 + 1)


def readers_of_the_old_value() -> None:
    x = Tensor(numbers(8)).realize()
    old = Tensor(x)
    x += 1
    x.realize()
    same(old, numbers(8))


def update_that_moves_elements() -> None:
    x = Tensor(numbers(64)).realize()
    x.assign(x.flip(0) * 2)
    same(x.realize(), numbers(64)[::-1] * 2)


def gradient_at_a_tie() -> None:
    x, y = (Tensor([1.0, 2.0, 0.0], requires_grad=True) for _ in range(2))
    x.maximum(y).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    same(x.grad + y.grad, [1.0, 1.0, 1.0])
    same(x.grad, [0.5, 0.5, 0.5])


def epilogue_of_a_square_matmul() -> None:
    a, b, c = numbers(24, 24), numbers(24, 24) + 1, np.arange(576.0, dtype=np.float32).reshape(24, 24)
    same((Tensor(a) @ Tensor(b) + Tensor(c)).relu(), np.maximum(a @ b + c, 0))


def several_temporaries() -> None:
    a, b, c = numbers(16, 16), numbers(16, 16) + 1, numbers(16, 16) - 1
    same((Tensor(a) @ Tensor(b)) @ (Tensor(b) @ Tensor(c)), (a @ b) @ (b @ c))


def two_parts_of_one_array() -> None:
    x = numbers(12)
    parts = [(Tensor(x)[k : k + 4] * 2).realize() for k in (0, 5)]
    same(parts[0], x[:4] * 2)
    same(parts[1], x[5:9] * 2)


def tables_of_two_sizes() -> None:
    small, large, index = numbers(4), np.arange(50.0, dtype=np.float32), np.array([3, 1, 49, 20])
    tables, at, result = (Tensor(small).node, Tensor(large).node), Tensor(index).node, Tensor(small)
    result.node = alu(Op.ADD, *(gather(table, at, 0) for table in tables))  # what is out of range counts as 0
    same(result, large[index] + np.where(index < 4, small[index % 4], 0))


def state_kept_by_a_caller() -> None:
    state, kept = Tensor(numbers(4)).realize(), []
    step = jit(lambda x: state.add_(x) * 1)
    for _ in range(4):
        kept.append(Tensor(state))
        step(Tensor(np.ones(4, np.float32)))
    for k, old in enumerate(kept):
        same(old, numbers(4) + k)


def long_columns() -> None:
    same(Tensor(np.full((100_000, 3), 0.1, np.float32)).sum(0), np.full(3, 1e4))


def long_running_sum() -> None:
    same(Tensor(np.full(100_000, 0.1, np.float32)).cumsum(0)[-1], 1e4)


def cosine_of_large_angles() -> None:
    x = np.array([1e5, 3e7, 1e20], np.float32)
    same(Tensor(x).cos(), np.cos(x.astype(np.float64)))
    same(Tensor(x).tan(), np.tan(x.astype(np.float64)))


def rounded_by_a_cast() -> None:
    same(Tensor([1.001]).cast(dtypes.bfloat16).cast(dtypes.float32) * 1e4, [1e4])
    same((Tensor([1.0004, 6e4]) * 2).half().float() * 1e3, [2000, np.inf])


def rounded_once() -> None:
    same((Tensor(np.array([1 + 2**-11 + 2**-40])).half().double() - 1) * 1e3, [1e3 * 2**-10])


CHECKS: tuple[Check, ...] = (
    maximum_of_negatives, padding_of_a_sum, sums_of_odd_lengths, readers_of_the_old_value, update_that_moves_elements,
    gradient_at_a_tie, epilogue_of_a_square_matmul, several_temporaries, two_parts_of_one_array, tables_of_two_sizes,
    state_kept_by_a_caller, long_columns, long_running_sum, rounded_by_a_cast, rounded_once,
    cosine_of_large_angles,
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_the_checks_pass(check: Check) -> None:
    check()


# ---- plants ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plant:
    """A wrong edit: `owner.name` becomes `wrong` of what it was. One of `checks` must notice."""

    owner: Any
    name: str
    wrong: Callable[[Any], Any]
    checks: tuple[Check, ...]


def zero_as_identity(right: Any) -> Any:
    return lambda value, dtype: right(0 if value == dtype.min else value, dtype)


def swapped(right: Any) -> Any:
    """What an epilogue loads is read with rows and columns exchanged."""

    def wrong(self: build.Values, place: Any, src: Any) -> Any:
        node, index, valid = place
        reduced = any(v.name.startswith("r") for e in index for v in e.vars)
        return right(self, place if reduced or not self._reads(node) else (node, index[::-1], valid), src)

    return wrong


def one_size_for_all(right: Any) -> Any:
    """The variable of a loaded index is shared by tables of all sizes."""

    def wrong(self: Walk, gather: Any, at: Any) -> Any:
        for (index, place, _), var in self.opaque.items():
            if index is gather.src[1] and place == at:
                return var
        return right(self, gather, at)

    return wrong


PLANTS: dict[str, Plant] = {
    "a long sum has one running sum": Plant(
        lower_reduce, "stretches", lambda right: lambda cuts, registers: None, (long_columns,)
    ),
    "stretches are as long as the sum": Plant(
        lower_long, "LENGTHS", lambda right: tuple((n, few, 1 << 20) for n, few, _ in right), (long_columns,)
    ),
    "a running sum is taken whole": Plant(rules_movement, "SHORT_SCAN", lambda right: 1 << 30, (long_running_sum,)),
    "a cosine is the sine of another angle": Plant(
        arithmetic, "_UNARY", lambda right: {**right, Op.COS: _sine_of_the_complement}, (cosine_of_large_angles,)
    ),
    "pi has 24 bits": Plant(
        trigonometry, "PI", lambda right: (float(np.float32(np.pi)), 0.0, 0.0), (cosine_of_large_angles,)
    ),
    "casts to 16 bits do nothing": Plant(
        indexed.Values, "_cast", lambda right: lambda self, to, kind, v: right(self, compute_dtype(to), kind, v),
        (rounded_by_a_cast,),
    ),
    "float64 is rounded to float32 first": Plant(
        narrow, "to_odd", lambda right: lambda context, v: context.compute(Code.CONVERT, dtypes.float32, v),
        (rounded_once,),
    ),
    "the identity of a maximum is 0": Plant(
        lower_reduce.arithmetic, "constant", zero_as_identity, (maximum_of_negatives,)
    ),
    "padding forgets where it is": Plant(
        build.Values, "_inside", lambda right: lambda self, condition, v, source, fill: v, (padding_of_a_sum,)
    ),
    "what whole vectors leave over is skipped": Plant(
        lower_reduce, "segments", lambda right: lambda *args: right(*args)[:1], (sums_of_odd_lengths,)
    ),
    "readers are not seen before overwriting": Plant(
        run, "live", lambda right: (), (readers_of_the_old_value,)
    ),
    "anything may be written in place": Plant(
        plan, "can_overwrite", lambda right: lambda *args: True, (update_that_moves_elements,)
    ),
    "both sides of a tied maximum get the whole gradient": Plant(
        reverse, "RULES", lambda right: {**right, Op.MAX: (_whole_gradient, _whole_gradient)}, (gradient_at_a_tie,)
    ),
    "the epilogue's index is swapped": Plant(build.Values, "_make", swapped, (epilogue_of_a_square_matmul,)),
    "all temporaries are at the same address": Plant(
        plan, "plan_memory", lambda right: lambda *args: _at_zero(right(*args)), (several_temporaries,)
    ),
    "kernels of different windows share a source": Plant(
        compiler, "stable", lambda right: lambda arg: None if isinstance(arg, BoundsArg) else right(arg),
        (two_parts_of_one_array,),
    ),
    "a loaded index has the bounds of another table": Plant(Walk, "loaded", one_size_for_all, (tables_of_two_sizes,)),
    "a replay overwrites what callers hold": Plant(
        jit_replay, "_is_shared", lambda right: lambda t: False, (state_kept_by_a_caller,)
    ),
}  # fmt: skip


def _sine_of_the_complement(context: Any, dtype: Any, x: Any) -> Any:
    quarter = arithmetic.constant(np.pi / 2, dtype)
    return trigonometry.sin(context, dtype, context.compute(Code.SUB, dtype, quarter, x))


def _whole_gradient(gradient: Any, *rest: Any) -> Any:
    return gradient


def _at_zero(arena: Arena) -> Arena:
    return Arena(dict.fromkeys(arena.offsets, 0), arena.size)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = PLANTS[name]
    monkeypatch.setattr(plant.owner, plant.name, plant.wrong(getattr(plant.owner, plant.name)))
    noticed = [check.__name__ for check in plant.checks if _fails(check)]
    assert noticed, f"no check noticed that {name}"


def _fails(check: Check) -> bool:
    try:
        check()
    except Exception:  # noqa: BLE001 - a crash is noticed as well
        return True
    return False
