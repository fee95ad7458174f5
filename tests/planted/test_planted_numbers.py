"""Wrong edits of what numbers mean at their extremes, planted one at a time: the tests of each kind notice them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, dtypes
from lazygrad.ir import reverse
from lazygrad.ir.build import add, filled_like, mul, sub
from lazygrad.ir.node import Node, alu
from lazygrad.ir.op import Combine, Op
from lazygrad.ops import arithmetic
from lazygrad.ops.activation import Activation
from lazygrad.ops.functions import Functions
from lazygrad.ops.loss import Loss
from lazygrad.ops.minmax import Extreme
from lazygrad.ops.normalize import Normalize
from lazygrad.ops.statistics import Statistics
from lazygrad.settings import settings
from tests.extreme_lines import ROWS
from tests.extremes import BINARY, UNARY, Row
from tests.frontend import test_bends as bends
from tests.frontend import test_extreme_lines as lines
from tests.frontend import test_extremes as extremes

Check = Callable[[], None]


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield


@np.errstate(all="ignore")
def rows(*names: str) -> Check:
    """The check that rows of the table of extremes agree with PyTorch."""

    def check() -> None:
        table: dict[str, Row] = {**UNARY, **BINARY}
        cases = [extremes.case(n, table[n], "float32") for n in names]
        extremes.test_values(cases)
        extremes.test_gradients(cases)

    return check


@np.errstate(all="ignore")
def along(*names: str) -> Check:
    """The check that rows of the table of extreme lines agree with PyTorch."""

    def check() -> None:
        cases = [lines.case(n, ROWS[n], "float32") for n in names]
        lines.test_values(cases)
        lines.test_gradients(cases)

    return check


@dataclass(frozen=True)
class Plant:
    """A wrong edit: `owner.name` becomes `wrong` of what it was (`owner[name]` where that is a table)."""

    owner: Any
    name: Any
    wrong: Callable[[Any], Any]
    check: Check


PLANTS: dict[str, Plant] = {
    "exp(x) - 1 by a subtraction": Plant(
        Functions,
        "expm1",
        lambda right: lambda self: self.exp() - 1,
        lambda: bends.test_relative_accuracy_over_the_whole_range("NUMPY", dtypes.float32),
    ),
    "log(1 + x) by an addition": Plant(
        Functions,
        "log1p",
        lambda right: lambda self: (self + 1).log(),
        lambda: bends.test_relative_accuracy_over_the_whole_range("NUMPY", dtypes.float64),
    ),
    "a softplus whose parts bend on different sides": Plant(
        Activation,
        "softplus",
        lambda right: lambda self, beta=1.0: self.relu() + self._decay(1).log1p(),
        bends.test_slopes_at_the_bends,
    ),
    "an elu that shares its slope at 0": Plant(
        Activation,
        "elu",
        lambda right: lambda self, alpha=1.0: (self > 0)._choose(self, self.minimum(0.0).expm1() * alpha),
        rows("elu"),
    ),
    "logits whose loss is softplus less a product": Plant(
        Loss,
        "binary_cross_entropy_with_logits",
        lambda right: lambda self, target, reduction="mean": (self.softplus() - self * target)._reduced("", reduction),
        lambda: bends.test_tails_of_cross_entropy_from_logits("NUMPY", 1.0),
    ),
    "probabilities whose logarithms have no bound in the gradient": Plant(
        Loss,
        "binary_cross_entropy",
        lambda right: (
            lambda self, target, reduction="mean": (
                -(target * self.log().clamp(min=-100) + (1 - target) * (1 - self).log().clamp(min=-100))
            )._reduced("", reduction)
        ),
        rows("binary_cross_entropy_1.0"),
    ),
    "attention by a softmax of nothing": Plant(
        Normalize,
        "_softmax_or_nothing",
        lambda right: lambda self: self.softmax(-1),
        lambda: bends.test_attention_that_sees_nothing_is_0("NUMPY", "bool"),
    ),
    "a norm with an infinite slope at 0": Plant(
        Statistics,
        "_power_from_0",
        lambda right: lambda self, p: self.abs() ** p,
        lambda: bends.test_norms_have_a_slope_at_0(3.0),
    ),
    "a hardtanh with the slopes of clamp": Plant(
        Activation,
        "hardtanh",
        lambda right: lambda self, low=-1.0, high=1.0: self.clamp(low, high),
        rows("hardtanh"),
    ),
    "fmod by absolute values": Plant(
        arithmetic,
        "fmod",
        lambda right: lambda x, y: (of(x).abs() % of(y).abs()).node,
        rows("fmod"),
    ),
    "a quotient rounded to the nearest integer by adding a half": Plant(
        arithmetic,
        "floor_quotient",
        lambda right: lambda x, y: ((of(x) - of(x) % of(y)) / of(y) + 0.5).floor().node,
        rows("floor_divide_-1.0"),
    ),
    "the slope of exp(x) - 1 from its rounded result": Plant(
        reverse.RULES,
        Op.EXPM1,
        lambda right: (lambda n, g: mul(g, add(n, filled_like(n, 1))),),
        rows("expm1"),
    ),
    "a remainder whose slope by an infinite divisor is nan": Plant(
        reverse.RULES,
        Op.MOD,
        lambda right: (right[0], lambda n, g: mul(g, alu(Op.DIV, sub(n, n.src[0]), n.src[1]))),
        lambda: slope_by_an_infinite_divisor(),
    ),
    "a relu that stops the gradient at nan": Plant(
        Activation,
        "relu",
        lambda right: lambda self: (self > 0)._choose(self, self.detach().maximum(0)),
        rows("relu"),
    ),
    "a clamp that passes the gradient at nan": Plant(
        Functions, "_without_slope_at_nan", lambda right: lambda self: self, rows("clamp", "clamp_from")
    ),
    "a rounding without a gradient": Plant(reverse.RULES, Op.TRUNC, lambda right: (lambda n, g: None,), rows("floor")),
    "a softplus of a product that overflows": Plant(
        Activation,
        "softplus",
        lambda right: lambda self, beta=1.0: right(self * beta) / beta,
        rows("softplus_1e+09"),
    ),
    "a deviation by way of the variance": Plant(
        Statistics,
        "std",
        lambda right: (
            lambda self, dim=None, keepdim=False, correction=1: self.var(
                dim, keepdim=keepdim, correction=correction
            )._root()
        ),
        along("std, 1"),
    ),
    "logits that are added to a logarithm": Plant(
        Statistics,
        "_reduce",
        lambda right: (
            lambda self, combine, dim, keepdim: (
                right(self, combine, dim, keepdim) * (0 if combine is Combine.MAX and keepdim else 1)
            )
        ),
        along("cross_entropy of 0"),
    ),
    "a maximum whose gradient equal elements share": Plant(
        Extreme, "gradients", lambda right: lambda self, *args: right(replace(self, first=False), *args), along("max")
    ),
}


def of(n: Node) -> Tensor:
    return Tensor([0.0])._new(n)


def slope_by_an_infinite_divisor() -> None:
    assert bends.slope(lambda y: Tensor([-5.0, 5.0]) % y, [float("inf")] * 2) == [1.0, 0.0]


@pytest.mark.parametrize("name", PLANTS)
def test_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = PLANTS[name]
    plant.check()
    if isinstance(plant.owner, dict):
        monkeypatch.setitem(plant.owner, plant.name, plant.wrong(plant.owner[plant.name]))
    else:
        monkeypatch.setattr(plant.owner, plant.name, plant.wrong(getattr(plant.owner, plant.name)))
    with pytest.raises(AssertionError):
        plant.check()
