"""Integers at the ends of their types, scalars outside them, bools of any byte, and floats that do not fit integers.

The meaning of an operation on integers is written with Python's own; PyTorch's is compared where it has the dtype.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes, where
from lazygrad.dtype import ALL, DType
from lazygrad.errors import DTypeError
from lazygrad.io import load_state, save_state

Array = np.ndarray[Any, Any]
INTS = tuple(d for d in ALL if d.is_int)
FLOATS = tuple(d for d in ALL if d.is_float)


def extremes(dtype: DType) -> list[int]:
    low, high = int(dtype.min), int(dtype.max)
    numbers = {low, low + 1, high, high - 1, high // 2, 0, 1, 2, 3, 5, 7, 10, dtype.bits - 1, dtype.bits}
    return sorted(numbers | ({-1, -2, -3, -7, low // 2} if low else set()))


def wrapped(value: int, dtype: DType) -> int:
    value &= (1 << dtype.bits) - 1
    return value - (1 << dtype.bits) if dtype.kind == "int" and value >> (dtype.bits - 1) else value


def truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0


def power(a: int, b: int, dtype: DType) -> int:
    if b >= 0:
        return pow(a, b, 1 << dtype.bits)
    return 0 if abs(a) != 1 else a if b % 2 else 1


BINARY: dict[str, tuple[Callable[[Any, Any], Any], Callable[[int, int, DType], int]]] = {
    "add": (operator.add, lambda a, b, d: a + b),
    "sub": (operator.sub, lambda a, b, d: a - b),
    "mul": (operator.mul, lambda a, b, d: a * b),
    "floor_divide": (operator.floordiv, lambda a, b, d: a // b if b else 0),
    "remainder": (operator.mod, lambda a, b, d: a % b if b else 0),
    "fmod": (lambda x, y: x.fmod(y), lambda a, b, d: a - truncated(a, b) * b if b else 0),
    "div_trunc": (lambda x, y: x.div(y, rounding_mode="trunc"), lambda a, b, d: truncated(a, b)),
    "pow": (operator.pow, power),
    "maximum": (lambda x, y: x.maximum(y), lambda a, b, d: max(a, b)),
    "minimum": (lambda x, y: x.minimum(y), lambda a, b, d: min(a, b)),
    "and": (operator.and_, lambda a, b, d: a & b),
    "or": (operator.or_, lambda a, b, d: a | b),
    "xor": (operator.xor, lambda a, b, d: a ^ b),
    "shift_left": (operator.lshift, lambda a, b, d: a << b if 0 <= b < d.bits else 0),
    "shift_right": (operator.rshift, lambda a, b, d: a >> (b if 0 <= b < d.bits else d.bits)),
    **{
        name: (getattr(operator, name), lambda a, b, d, name=name: int(getattr(operator, name)(a, b)))
        for name in ("lt", "le", "gt", "ge", "eq", "ne")
    },
}
UNARY: dict[str, tuple[Callable[[Any], Any], Callable[[int, DType], int]]] = {
    "neg": (operator.neg, lambda a, d: -a),
    "abs": (abs, lambda a, d: abs(a)),
    "invert": (operator.invert, lambda a, d: ~a),
    "square": (lambda x: x.square(), lambda a, d: a * a),
    "sign": (lambda x: x.sign(), lambda a, d: (a > 0) - (a < 0)),
    "relu": (lambda x: x.relu(), lambda a, d: max(a, 0)),
    "logical_not": (lambda x: x.logical_not(), lambda a, d: int(not a)),
    "clamp": (lambda x: x.clamp(1, 7), lambda a, d: min(max(a, 1), 7)),
    "cube": (lambda x: x**3, lambda a, d: a**3),
    **{
        f"{name}_{s}": (lambda x, f=f, s=s: f(x, s), lambda a, d, name=name, s=s: BINARY[name][1](a, s, d))
        for name, (f, _) in BINARY.items()
        for s in (0, 1, 3, 7)
    },
}


def test_arithmetic_at_the_ends_of_every_type(device: str) -> None:
    results: list[Tensor] = []
    wanted: list[tuple[str, DType, list[Any], list[int]]] = []
    for dtype in INTS:
        line = extremes(dtype)
        pairs = [(a, b) for a in line for b in line]
        x, y = (Tensor(np.array(side, dtype.storage)) for side in zip(*pairs))
        for name, (call, meaning) in BINARY.items():
            results.append(call(x, y))
            wanted.append((name, dtype, pairs, [wrapped(meaning(a, b, dtype), dtype) for a, b in pairs]))
        single = Tensor(np.array(line, dtype.storage))
        for name, (one, of_one) in UNARY.items():
            results.append(one(single))
            wanted.append((name, dtype, line, [wrapped(of_one(a, dtype), dtype) for a in line]))
    Tensor.realize(*results)
    for result, (name, dtype, inputs, right) in zip(results, wanted):
        got = [int(v) for v in result.tolist()]
        wrong = [(x, a, b) for x, a, b in zip(inputs, got, right) if a != b]
        assert not wrong, f"{name} of {dtype}: (inputs, result, right) {wrong[:5]}"


@pytest.mark.parametrize("dtype", [d for d in INTS if d.kind == "int" or d is dtypes.uint8], ids=str)
@pytest.mark.parametrize("name", [n for n in BINARY if n not in ("floor_divide", "remainder", "fmod", "div_trunc")])
def test_pytorch_means_the_same(name: str, dtype: DType) -> None:
    """Divisions are left out: PyTorch raises or ends the process where a divisor is 0 or -1."""
    call, meaning = BINARY[name]
    line = extremes(dtype)
    x, y = torch.tensor([(a, b) for a in line for b in line], dtype=getattr(torch, dtype.name)).T
    right = [wrapped(meaning(int(a), int(b), dtype), dtype) for a, b in zip(x, y)]
    names = {"maximum": torch.maximum, "minimum": torch.minimum}
    assert [int(v) for v in names.get(name, call)(x, y)] == right


def test_quotients_and_remainders_belong_together(device: str) -> None:
    """(a // b) * b + a % b is a, for floats up to their rounding; and the remainder is smaller than the divisor."""
    line = np.array([0.1, 0.3, 1, 2.5, 3, 7, 1e-3, 1e4, 8388607, 8388609, 16777215, 1e9, 33554430], np.float64)
    a, b = (side.ravel() for side in np.meshgrid(np.concatenate([line, -line]), np.concatenate([line, -line])))
    results = []
    for dtype in (dtypes.float32, dtypes.float64):
        x, y = Tensor(a, dtype=dtype), Tensor(b, dtype=dtype)
        results += [x, y, x // y, x % y, x.fmod(y)]
    Tensor.realize(*results)
    for k in range(0, len(results), 5):
        x, y, quotient, rest, other = (t.numpy() for t in results[k : k + 5])
        pairs = list(zip(x.tolist(), y.tolist()))
        assert quotient.tolist() == (torch.tensor(x) // torch.tensor(y)).tolist()
        assert rest.tolist() == [float(x.dtype.type(p % q)) for p, q in pairs]
        assert other.tolist() == [math.fmod(p, q) for p, q in pairs]


def test_floor_division_of_large_odd_quotients_and_by_infinity(device: str) -> None:
    large = np.arange(8388601, 8388641, dtype=np.float32)
    for divisor in (1, -1, 3.0, 7):
        want = torch.tensor(large) // divisor
        assert (Tensor(large) // divisor).tolist() == want.tolist()
    assert (Tensor([-5.0, 5.0, 0.0]) // math.inf).tolist() == [-1.0, 0.0, 0.0]
    assert (Tensor([-5.0, 5.0]) // -math.inf).tolist() == [0.0, -1.0]
    assert (Tensor([-5.0, 5.0]) % math.inf).tolist() == [math.inf, 5.0]
    assert (Tensor([1.0, -1.0]) // 0.0).tolist() == [math.inf, -math.inf]
    assert (Tensor([2049.0], dtype=dtypes.float16) // 1).tolist() == [2048.0]


# ---- scalars -----------------------------------------------------------------------------------------

OUTSIDE = (-(2**70), -(2**63) - 1, -(2**31) - 1, -32769, -129, -1, 128, 256, 300, 65536, 2**31, 2**63, 2**64, 2**70)
COMPARISONS = {n: getattr(operator, n) for n in ("lt", "le", "gt", "ge", "eq", "ne")}


def test_integers_are_compared_with_any_number(device: str) -> None:
    results, wanted = [], []
    for dtype in INTS:
        line = extremes(dtype)
        x = Tensor(np.array(line, dtype.storage))
        for s in OUTSIDE:
            for name, compare in COMPARISONS.items():
                results += [compare(x, s), compare(s, x)]
                rows = [compare(a, s) for a in line], [compare(s, a) for a in line]
                wanted += [(name, dtype, s, row) for row in rows]
    Tensor.realize(*results)
    for result, (name, dtype, s, right) in zip(results, wanted):
        assert result.tolist() == right, f"{dtype} {name} {s}"


def test_floats_are_compared_with_numbers_that_they_cannot_hold() -> None:
    outside = (dtypes.float16, 1e6), (dtypes.float32, 1e300), (dtypes.float32, -(2**200)), (dtypes.bfloat16, 1e39)
    for dtype, s in outside:
        line = [1.0, -1.0, math.inf, -math.inf, math.nan]
        for compare in COMPARISONS.values():
            assert compare(Tensor(line, dtype=dtype), s).tolist() == [compare(a, float(s)) for a in line]


REFUSED: dict[str, Callable[[Tensor, Any], Any]] = {
    "full_like": lambda x, s: x.full_like(s),
    "full": lambda x, s: Tensor.full((2,), s, dtype=x.dtype),
    "Tensor": lambda x, s: Tensor(s, dtype=x.dtype),
    "Tensor of a list": lambda x, s: Tensor([s, 1], dtype=x.dtype),
    "fill_": lambda x, s: x.fill_(s),
    "masked_fill": lambda x, s: x.masked_fill(Tensor([True, False]), s),
    "where": lambda x, s: where(Tensor([True, False]), x, s),
    "pad": lambda x, s: x.pad((1, 1), value=s),
    "setitem": lambda x, s: x.__setitem__(0, s),
    "setitem of a list": lambda x, s: x.__setitem__(slice(0, 2), [s, 1]),
    "add": lambda x, s: x + s,
    "radd": lambda x, s: s + x,
    "sub": lambda x, s: x - s,
    "rsub": lambda x, s: s - x,
    "mul": lambda x, s: x * s,
    "floor_divide": lambda x, s: x // s,
    "remainder": lambda x, s: x % s,
    "fmod": lambda x, s: x.fmod(s),
    "and": lambda x, s: x & s,
    "maximum": lambda x, s: x.maximum(s),
    "rpow": lambda x, s: s**x,
    "add_": lambda x, s: x.add_(s),
    "arange": lambda x, s: Tensor.arange(s - 2, s + 1, dtype=x.dtype),
    "linspace": lambda x, s: Tensor.linspace(0, s, 3, dtype=x.dtype),
}


@pytest.mark.parametrize("name", REFUSED)
def test_scalars_that_do_not_fit_are_refused(name: str) -> None:
    for dtype in INTS:
        for s in (dtype.max + 1, dtype.min - 2 - dtype.max, 2**70):
            x = Tensor(np.array([1, 2], dtype.storage))
            if isinstance(s, int) and name.endswith("of a list") and not -(2**63) <= s < 2**64:
                continue  # NumPy makes objects, or floats, of such lists
            with pytest.raises((DTypeError, OverflowError), match=r"does not fit|no numbers|NumPy type"):
                REFUSED[name](x, s)
    for s in (math.nan, math.inf):
        if name in ("full", "full_like", "fill_", "masked_fill", "pad", "setitem", "Tensor", "Tensor of a list"):
            with pytest.raises(DTypeError, match="does not fit int32"):
                REFUSED[name](Tensor([1, 2], dtype=dtypes.int32), s)


def test_numbers_inside_a_type_are_taken_up_to_its_ends() -> None:
    for dtype in INTS:
        low, high = int(dtype.min), int(dtype.max)
        x = Tensor(np.array([low, high], dtype.storage))
        for s in (low, high):
            assert (x - s).tolist() == [wrapped(v - s, dtype) for v in (low, high)]
            assert (x + s).tolist() == [wrapped(v + s, dtype) for v in (low, high)]
            assert x.full_like(s).tolist() == [s, s]
            assert x.clamp(s, s).tolist() == [s, s]
        assert Tensor.arange(high - 2, high, dtype=dtype).tolist() == [high - 2, high - 1]


def test_unsigned_integers_and_negative_numbers_are_right_modulo_powers_of_two() -> None:
    x = Tensor(np.array([5, 200], np.uint8))
    assert (x + -1).tolist() == [4, 199]
    assert (x - 200).tolist() == [61, 0]
    assert (x * -1).tolist() == (-x).tolist() == [251, 56]
    assert (x ^ -1).tolist() == (~x).tolist() == [250, 55]
    for call in (lambda: x // -1, lambda: x % -3, lambda: x.maximum(-1), lambda: x.full_like(-1)):
        with pytest.raises(DTypeError, match="does not fit uint8"):
            call()


def test_limits_beyond_a_type_change_nothing() -> None:
    x = Tensor(np.array([0, 200], np.uint8))
    assert x.clamp(max=300).tolist() == x.clamp(min=-5).tolist() == x.clamp(-(2**70), 2**70).tolist() == [0, 200]
    for limits in ({"min": 300}, {"max": -1}):
        with pytest.raises(DTypeError, match=r"(300|-1) does not fit uint8"):
            x.clamp(**limits)
    assert Tensor([1.0, 70000.0]).half().clamp(max=1e6).tolist() == [1.0, math.inf]


def test_floats_outside_a_float_type_are_rounded_after_the_operation() -> None:
    x = Tensor([1e-3, 2.0, 0.0], dtype=dtypes.float16)
    assert (x * 1e6).dtype is dtypes.float16
    assert (x * 1e6).tolist() == (torch.tensor([1e-3, 2.0, 0.0], dtype=torch.float16) * 1e6).tolist()
    assert (x + 1e6).tolist() == [math.inf] * 3
    assert (x / 1e6).tolist()[1] == pytest.approx(2e-6, abs=3e-8)
    assert (Tensor([100.0]) / 1e39).tolist()[0] == pytest.approx(1e-37)
    for call in (lambda: x.full_like(1e6), lambda: x.fill_(-1e9), lambda: Tensor([1.0]).full_like(1e300)):
        with pytest.raises(DTypeError, match="does not fit float"):
            call()
    assert x.full_like(-math.inf).tolist() == [-math.inf] * 3
    with pytest.raises(DTypeError, match="does not fit"):
        Tensor([1.0]) + 10**400


def test_shifts_by_any_number(device: str) -> None:
    x = Tensor(np.array([5, -5], np.int8))
    for count in (-(2**70), -1, 8, 200, 2**70):
        assert (x << count).tolist() == [0, 0]
        assert (x >> count).tolist() == [0, -1]


# ---- integers from floats, and bools -----------------------------------------------------------------

SCALES = (0.0, 0.5, 1.5, 127.5, 128.0, 255.9, 256.0, 32768.0, 65535.0, 65536.0, 2.0**24 + 1, 2.0**31 - 1, 2.0**31)
SCALES += (2.0**31 + 1024, 2.0**32, 3e9, 1e10, 2.0**53, 2.0**62, 2.0**63, 1.5 * 2.0**63, 2.0**64, 1e30, math.inf)


def from_float(x: float, dtype: DType) -> int:
    """What `Casting` says, in Python."""
    bits = 32 if dtype.bits < 32 or dtype is dtypes.int32 else 64
    if dtype is dtypes.uint64 and x >= 2.0**63:
        return int(x) if x < 2.0**64 else 0
    inside = -(2.0 ** (bits - 1)) <= x < 2.0 ** (bits - 1)  # not of nan
    return wrapped(int(x) if inside else -(1 << (bits - 1)), dtype)


def test_floats_become_the_same_integers_everywhere(device: str) -> None:
    results, wanted = [], []
    for source in FLOATS:
        given = Tensor(np.array([*SCALES, *(-s for s in SCALES), math.nan]), dtype=source)
        held = given.double().tolist()
        computed = (given + 0.0).contiguous()
        for dtype in INTS:
            results.append(computed.cast(dtype))
            wanted.append((source, dtype, held, [from_float(x, dtype) for x in held]))
        results.append(computed.bool())
        wanted.append((source, dtypes.bool, held, [x != 0 for x in held]))
    Tensor.realize(*results)
    for result, (source, dtype, held, right) in zip(results, wanted):
        wrong = [(x, a, b) for x, a, b in zip(held, result.tolist(), right) if a != b]
        assert not wrong, f"{source} to {dtype}: {wrong[:4]}"


def test_floats_become_pytorchs_integers_where_those_are_defined() -> None:
    for dtype in INTS:
        low, high = float(dtype.min), float(dtype.max)
        x = np.array([v for s in SCALES for v in (s, -s) if low <= v < high])
        theirs = [torch.tensor(v).to(getattr(torch, dtype.name)).numpy().item() for v in x]
        assert Tensor(x).cast(dtype).tolist() == theirs
        assert Tensor(x, dtype=dtype).tolist() == theirs
    assert Tensor([math.nan, math.inf, -math.inf]).int().tolist() == [-(2**31)] * 3, "as PyTorch on x86"


OCTETS = np.array([[0, 2, 255, 1], [128, 0, 3, 0]], np.uint8)


def test_bools_of_other_bytes_are_true(device: str, tmp_path: Any) -> None:
    odd, right = OCTETS.view(np.bool_), OCTETS != 0
    made = {
        "Tensor": Tensor(odd),
        "from_numpy": Tensor.from_numpy(odd),
        "transposed": Tensor.from_numpy(odd.T).T,
        "bytes": Tensor(OCTETS.tobytes(), dtype=dtypes.bool).reshape(2, 4),
    }
    save_state(tmp_path / "x.safetensors", {"x": Tensor(right)})
    content = (tmp_path / "x.safetensors").read_bytes()
    (tmp_path / "x.safetensors").write_bytes(content[: -OCTETS.size] + OCTETS.tobytes())
    made["file"] = load_state(tmp_path / "x.safetensors")["x"]
    for name, x in made.items():
        assert x.numpy().view(np.uint8).tolist() == right.astype(np.uint8).tolist(), name
        assert x.sum().item() == right.sum(), name
        assert x.int().sum(1).tolist() == right.sum(1).tolist(), name
        assert (x.eq(True) & x).tolist() == right.tolist(), name
        assert x.float().mean().item() == right.mean(), name
    assert Tensor(odd, dtype=dtypes.float32).tolist() == right.astype(float).tolist()
    assert OCTETS.max() == 255, "the caller's array is as it was"


def test_bools_that_are_0_and_1_are_still_shared() -> None:
    """Sharing depends on the bytes: those that computations expect are not copied."""
    right = np.array([True, False, True])
    x = Tensor.from_numpy(right)
    right[1] = True
    assert x.tolist() == [True, True, True]


def test_numbers_of_any_size_are_true_or_false() -> None:
    x = Tensor(np.array([0, 2], np.uint8))
    assert x.logical_and(300).tolist() == [False, True]
    assert x.logical_or(2**70).tolist() == [True, True]
    assert x.logical_xor(-1).tolist() == [True, False]


def test_numpy_numbers_count_as_pythons() -> None:
    x = Tensor(np.array([1, 200], np.uint8))
    assert (x < np.int64(300)).tolist() == x.clamp(max=np.int64(300)).ge(0).tolist() == [True, True]
    assert (x << np.int64(-1)).tolist() == [0, 0]
    with pytest.raises(DTypeError, match="300 does not fit uint8"):
        x + np.int32(300)


def test_limits_of_nan_give_nan() -> None:
    """As PyTorch's, whose gradient is 0 there."""
    limits = np.array([math.nan, 0.0, 3.0], np.float32)
    for name in ("min", "max"):
        for ours, theirs in ((math.nan, math.nan), (Tensor(limits), torch.tensor(limits))):
            line = [1.0, 2.0, math.nan]
            x, y = Tensor(line, requires_grad=True), torch.tensor(line, requires_grad=True)
            a, b = x.clamp(**{name: ours}), y.clamp(**{name: theirs})
            a.sum().backward()
            b.sum().backward()
            np.testing.assert_array_equal(a.numpy(), b.detach().numpy())
            assert x.grad is not None
            assert y.grad is not None
            assert x.grad.tolist()[:2] == y.grad.tolist()[:2]


@pytest.mark.parametrize("call", [lambda x: x % x, lambda x: x.fmod(x), lambda x: x.remainder(True)])
def test_remainders_of_bools_are_refused_where_they_are_written(call: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(DTypeError, match="needs numbers"):
        call(Tensor([True, False]))
