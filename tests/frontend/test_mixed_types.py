"""An operation between two types is that operation in the type in which they meet: nothing is computed before.

So what is negated or scaled on the way never wraps in the narrower type: 1.0 - uint8 1 is 0.0, not 1 + 255.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.dtype import ALL, DType, dtypes, promote, promote_scalar
from lazygrad.errors import DTypeError

Both = Callable[[Any, Any], Tensor]
MEETING: dict[str, Both] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "fmod": Tensor.fmod,
    "maximum": Tensor.maximum,
    "minimum": Tensor.minimum,
    "add alpha": lambda a, b: a.add(b, alpha=2),
    "sub alpha": lambda a, b: a.sub(b, alpha=3),
    "eq": operator.eq,
    "lt": operator.lt,
    "ge": operator.ge,
}
NUMBERS = tuple(d for d in ALL if not d.is_bool)


def ends(dtype: DType) -> Tensor:
    """Numbers of `dtype`, its ends (of integers) among them, none of them 0."""
    low, high = (int(dtype.min), int(dtype.max)) if dtype.is_int else (-3, 100)
    numbers = [low or 4, high, 1, 2, high // 2 + 1]
    return Tensor(np.array(numbers, dtype.name if dtype.is_int else "float32"), dtype=dtype)


def meets(a: DType, b: DType) -> DType | None:
    try:
        return promote(a, b)
    except DTypeError:
        return None


@pytest.mark.parametrize("name", MEETING)
def test_operands_of_two_types_meet_first(name: str) -> None:
    pairs = [(a, b, meets(a, b)) for a in NUMBERS for b in NUMBERS if a is not b]
    for a, b, both in pairs:
        if both is None:
            continue
        x, y = ends(a).reshape(5, 1), ends(b)
        got, want = MEETING[name](x, y), MEETING[name](x.cast(both), y.cast(both))
        assert got.dtype is want.dtype, f"{a} {name} {b}"
        np.testing.assert_array_equal(got.float().numpy(), want.float().numpy(), err_msg=f"{a} {name} {b}")
        one = MEETING[name](x, y[2])  # without a shape it is weak
        assert one.dtype in (got.dtype, a), f"{a} {name} {b} of no shape"


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@pytest.mark.parametrize("number", [0.5, 7.0, 1, True])
def test_numbers_less_tensors_of_any_type(dtype: DType, number: float) -> None:
    x = ends(dtype)
    meeting = x.cast(promote_scalar(dtype, number))
    got = number - x
    want = Tensor(np.full(5, number)).cast(meeting.dtype) - meeting
    assert got.dtype is want.dtype
    np.testing.assert_array_equal(got.double().numpy(), want.double().numpy())


def test_differences_that_bytes_cannot_hold() -> None:
    image = Tensor(np.array([0, 1, 200], "uint8"))
    found = [
        1.0 - image,
        Tensor([1.0, 1.0, 1.0]) - image,
        np.ones(3, "float32") - image,
        image.int() - image,
        Tensor([1.0, 1.0, 1.0]).mse_loss(image, reduction="none"),
        Tensor([1.0, 1.0, 1.0]).l1_loss(image, reduction="none"),
        image.int().add(image, alpha=2),
        Tensor([3, 3, 3], dtype=dtypes.int8) - Tensor([True, False, True]),
    ]
    assert [t.tolist() for t in found] == [
        *[[1.0, 0.0, -199.0]] * 3,
        [0, 0, 0],
        [1.0, 0.0, 39601.0],
        [1.0, 0.0, 199.0],
        [0, 3, 600],
        [2, 3, 2],
    ]
    assert found[-1].dtype is dtypes.int8


UNSIGNED = tuple(d for d in NUMBERS if d.kind == "uint")


@pytest.mark.parametrize("dtype", UNSIGNED, ids=str)
def test_functions_of_unsigned_integers_are_those_of_floats(dtype: DType) -> None:
    x, floats = (Tensor([0, 1, 5, 200], dtype=d) for d in (dtype, dtypes.float32))
    logits, labels = Tensor([0.5, -2.0, 3.0, -9.0]), Tensor([0, 1, 1, 0], dtype=dtype)
    for name in ("logsigmoid", "softplus", "sigmoid", "silu", "tanh", "elu", "gelu", "erf", "expm1", "log1p"):
        np.testing.assert_array_equal(getattr(x, name)().numpy(), getattr(floats, name)().numpy(), err_msg=name)
    np.testing.assert_array_equal(floats.safe_div(x, 0.5).numpy(), floats.safe_div(floats, 0.5).numpy())
    losses = ("binary_cross_entropy_with_logits", "mse_loss", "l1_loss", "huber_loss")
    for name in losses:
        loss = getattr(logits, name)
        np.testing.assert_array_equal(loss(labels).numpy(), loss(labels.float()).numpy(), err_msg=name)
        with pytest.raises(DTypeError, match=r"mean|loss|entropy"):
            getattr(x, name)(labels)


def test_integers_of_lists_are_as_they_were_written() -> None:
    numbers = [2**63 + 1, 1, 2**64 - 1, 2**53 + 1]
    assert Tensor(numbers, dtype=dtypes.uint64).tolist() == numbers
    assert Tensor([numbers]).tolist() == [numbers]
    assert Tensor([2**63, -1], dtype=dtypes.float32).tolist() == [2.0**63, -1.0]
    assert Tensor([1e19, 0.5]).dtype is dtypes.float32
    for dtype in (None, dtypes.int64, dtypes.uint64):
        with pytest.raises(DTypeError, match="does not fit"):
            Tensor([2**63, -1], dtype=dtype)
