"""What types hold and meet in, against PyTorch."""

from __future__ import annotations

import itertools

import pytest
import torch

import lazygrad
from lazygrad import Tensor, dtypes
from lazygrad.errors import DTypeError

SHARED = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("name", SHARED[1:])
def test_limits(name: str) -> None:
    ours = lazygrad.finfo if "float" in name else lazygrad.iinfo
    theirs = torch.finfo if "float" in name else torch.iinfo
    a, b = ours(name), theirs(getattr(torch, name))
    for attribute in (
        "bits",
        "min",
        "max",
        "dtype",
        *(("eps", "tiny", "smallest_normal", "resolution") if "float" in name else ()),
    ):
        assert getattr(a, attribute) == getattr(b, attribute), attribute
    with pytest.raises(DTypeError):
        (lazygrad.iinfo if "float" in name else lazygrad.finfo)(name)


def test_promotion() -> None:
    for a, b in itertools.product(SHARED, repeat=2):
        theirs = torch.promote_types(getattr(torch, a), getattr(torch, b))
        assert f"torch.{lazygrad.promote_types(a, b)}" == str(theirs)
        assert lazygrad.can_cast(a, b) == torch.can_cast(getattr(torch, a), getattr(torch, b)), (a, b)
        for shapes in itertools.product([(), (2,)], repeat=2):
            ours = lazygrad.result_type(*(Tensor.zeros(s, dtype=n) for s, n in zip(shapes, (a, b))))
            other = torch.result_type(*(torch.zeros(s, dtype=getattr(torch, n)) for s, n in zip(shapes, (a, b))))
            assert f"torch.{ours}" == str(other)
    for a, number in itertools.product(SHARED, [True, 2, 2.5]):
        theirs = torch.result_type(torch.zeros(2, dtype=getattr(torch, a)), number)
        assert f"torch.{lazygrad.result_type(Tensor.zeros(2, dtype=a), number)}" == str(theirs)


def test_tensors_and_modes() -> None:
    assert lazygrad.is_tensor(Tensor(1))
    assert not lazygrad.is_tensor(1)
    w = Tensor([1.0], requires_grad=True)
    with lazygrad.inference_mode():
        assert not (w * 2).requires_grad
        with lazygrad.inference_mode(mode=False):
            assert (w * 2).requires_grad

    @lazygrad.inference_mode()
    def f() -> Tensor:
        return w * 2

    assert not f().requires_grad
    assert (w * 2).requires_grad
    assert lazygrad.finfo().dtype == str(dtypes.float32)
