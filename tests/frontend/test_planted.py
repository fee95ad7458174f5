"""Wrong edits, planted one at a time: the table of operations must notice each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lazygrad import Tensor
from lazygrad.ops import matmul
from lazygrad.ops.activation import Activation
from lazygrad.ops.arithmetic import Arithmetic
from lazygrad.ops.conv import Conv
from lazygrad.ops.functions import Functions
from lazygrad.ops.loss import Loss
from lazygrad.ops.normalize import Normalize
from lazygrad.ops.reduce import Reduce
from lazygrad.ops.rounding import Rounding
from lazygrad.ops.scattering import Scattering
from lazygrad.ops.statistics import Statistics
from tests.frontend import test_op_table as checks
from tests.op_table import TABLE

Wrong = Callable[[Any], Callable[..., Any]]  # the right function -> the wrong one
CASES: dict[str, tuple[Any, str, Wrong, str, Callable[..., None]]] = {
    "reflected subtraction in the wrong order": (
        Arithmetic,
        "__rsub__",
        lambda right: lambda self, other: self - other,
        "rsub",
        checks.test_values,
    ),
    "statistics taken as constants in the gradient": (
        Normalize,
        "layernorm",
        lambda right: (
            lambda self, *args: (
                (self - self.detach().mean(-1, True)) / self.detach().std(-1, keepdim=True, correction=0)
            )
        ),
        "layernorm",
        checks.test_gradients,
    ),
    "variance over n where n - 1 was asked for": (
        Statistics,
        "var",
        lambda right: (
            lambda self, dim=None, keepdim=False, correction=1: right(self, dim, keepdim=keepdim, correction=0)
        ),
        "var",
        checks.test_values,
    ),
    "half rounded away from zero": (
        Rounding,
        "round",
        lambda right: lambda self: (self + 0.5).floor(),
        "round",
        lambda row: _rounds_half_to_even(),
    ),
    "a reduction that loses keepdim": (
        Reduce,
        "amax",
        lambda right: lambda self, dim=None, keepdim=False: right(self, dim),
        "amax_keepdim",
        checks.test_values,
    ),
    "the gradient of clamp passes beyond the limits": (
        Functions,
        "clamp",
        lambda right: lambda self, low, high: self + (right(self, low, high) - self).detach(),
        "clamp",
        checks.test_gradients,
    ),
    "the other approximation of gelu": (
        Activation,
        "gelu",
        lambda right: lambda self, approximate="none": right(self, "tanh"),
        "gelu",
        checks.test_values,
    ),
    "a mask that is accepted and ignored": (
        Tensor,
        "scaled_dot_product_attention",
        lambda right: lambda self, k, v, mask=None, **options: right(self, k, v),
        "attention_bool_mask",
        checks.test_values,
    ),
    "causal attention that sees the next token": (
        Tensor,
        "scaled_dot_product_attention",
        lambda right: lambda self, k, v, is_causal: right(self, k, v),
        "attention_causal",
        checks.test_values,
    ),
    "a mean over ignored targets too": (
        Loss,
        "_over_targets",
        lambda right: lambda self, what, target, weight, ignored, how: self.mean(),
        "cross_entropy_mean_0.1_1",
        checks.test_values,
    ),
    "label smoothing that is accepted and ignored": (
        Loss,
        "cross_entropy",
        lambda right: lambda self, t, label_smoothing=0, **options: right(self, t, **options),
        "cross_entropy_none_0.3_-100",
        checks.test_values,
    ),
    "repeated places that overwrite": (
        Scattering,
        "scatter_add",
        lambda right: lambda self, dim, index, src: self.scatter(dim, index, src),
        "scatter_add",
        checks.test_values,
    ),
    "a convolution that ignores dilation": (
        Conv,
        "_conv",
        lambda right: lambda self, n, w, b, s, p, d, g: right(self, n, w, b, s, p, 1, g),
        "conv2d_1_2_9_8_dilation=(2, 3)",
        checks.test_values,
    ),
    "products summed in the wrong dtype": (
        matmul,
        "accumulation",
        lambda right: lambda dtype: dtype,
        "matmul_3x4_4x5",
        lambda row: _sums_in_float32(),
    ),
}


def _rounds_half_to_even() -> None:
    assert Tensor([0.5, 1.5]).round().tolist() == [0, 2]


def _sums_in_float32() -> None:
    assert (Tensor([300.0, 300.0]).half() @ Tensor([300.0, -300.0]).half()).item() == 0, "the products overflow float16"


@pytest.mark.parametrize("name", CASES)
def test_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, wrong, row, check = CASES[name]
    check(TABLE[row])
    monkeypatch.setattr(owner, attribute, wrong(getattr(owner, attribute)))
    with pytest.raises(AssertionError):
        check(TABLE[row])
