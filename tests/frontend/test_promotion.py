"""The dtype of results, compared with PyTorch's over all pairs of dtypes, with and without dimensions, and scalars."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lazygrad import Tensor, cat, dtypes, where
from lazygrad.dtype import BY_NAME
from lazygrad.errors import DTypeError

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


def both(name: str, shape: tuple[int, ...]) -> tuple[Tensor, torch.Tensor]:
    return Tensor.ones(shape, dtype=BY_NAME[name]), torch.ones(shape, dtype=getattr(torch, name))


def same_dtype(ours: Tensor, theirs: torch.Tensor, what: object) -> None:
    assert f"torch.{ours.dtype}" == str(theirs.dtype), what


@pytest.mark.parametrize(("a", "b"), list(itertools.product(NAMES, NAMES)))
def test_pairs_of_tensors(a: str, b: str) -> None:
    for shape_a, shape_b in [((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())]:
        (x, p), (y, q) = both(a, shape_a), both(b, shape_b)
        same_dtype(x + y, p + q, (shape_a, shape_b))
        same_dtype(x * y, p * q, (shape_a, shape_b))
        same_dtype(x / y, p / q, (shape_a, shape_b))
        same_dtype(where(x == y, x, y), torch.where(p == q, p, q), (shape_a, shape_b))
        assert (x == y).dtype is dtypes.bool
    (x, p), (y, q) = both(a, (2,)), both(b, (2,))
    same_dtype(cat([x, y]), torch.cat([p, q]), "cat")


@pytest.mark.parametrize("value", [True, 3, 2.5])
@pytest.mark.parametrize("name", NAMES)
def test_scalars_are_weak(name: str, value: float) -> None:
    for shape in [(2,), ()]:
        x, p = both(name, shape)
        same_dtype(x + value, p + value, shape)
        same_dtype(value * x, value * p, shape)
        same_dtype(x / value, p / value, shape)
        same_dtype(value / x, value / p, shape)
        same_dtype(x.maximum(value), p + value, shape)


@pytest.mark.parametrize("name", NAMES)
def test_functions_of_one_tensor(name: str) -> None:
    x, p = both(name, (2, 2))
    for call in ("exp", "sqrt", "sin", "sigmoid", "tanh", "erf", "abs", "sum", "prod", "cumsum"):
        if (name, call) == ("bool", "abs"):
            continue
        args = (0,) if call == "cumsum" else ()
        same_dtype(getattr(x, call)(*args), getattr(p, call)(*args), call)
    same_dtype(x.sum(dtype=dtypes.float64), p.sum(dtype=torch.float64), "sum to float64")
    if not x.dtype.is_float:
        with pytest.raises(DTypeError, match="float"):
            x.mean()


def test_casts_by_name() -> None:
    x = Tensor([1.7, -1.7, 0.0])
    names = {
        "float": "float32",
        "double": "float64",
        "half": "float16",
        "bfloat16": "bfloat16",
        "int": "int32",
        "long": "int64",
        "short": "int16",
        "bool": "bool",
    }
    for method, name in names.items():
        result = getattr(x, method)()
        assert result.dtype.name == name
        assert result.tolist() == getattr(torch.tensor([1.7, -1.7, 0.0]), method)().tolist()
    assert x.to(dtypes.int8).tolist() == [1, -1, 0]
    assert Tensor([1]).type_as(x).dtype is dtypes.float32
    assert Tensor([1.9]).byte().tolist() == [1]


def test_uint64_has_no_common_type_with_signed_integers() -> None:
    with pytest.raises(DTypeError, match="cast"):
        Tensor([1], dtype=dtypes.uint64) + Tensor([1])


@pytest.mark.parametrize("device", ["NUMPY", "OPENCL"])
def test_0d_integers_are_compared_with_all_their_bits(device: str) -> None:
    """PyTorch casts a 0-d tensor to the dtype of the other one, in which 300 is 44, and compares that."""
    kinds = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64"]
    found, wanted = [], []
    for a, b in itertools.product(kinds, kinds):
        x = np.array([np.iinfo(a).min, 0, 44, np.iinfo(a).max], a)
        for value in (np.iinfo(b).min, 44, np.iinfo(b).max):
            y = np.array(value, b)
            ours, single = Tensor(x, device=device), Tensor(y, device=device)
            found += [ours < single, ours == single, single >= ours]
            wanted += [x.astype(object) < int(value), x.astype(object) == int(value), int(value) >= x.astype(object)]
    Tensor.realize(*found)
    for ours, theirs in zip(found, wanted):
        assert ours.tolist() == theirs.tolist()
