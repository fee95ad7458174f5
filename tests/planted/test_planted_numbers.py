"""Wrong edits of what numbers mean at their extremes, planted one at a time: the tests of each kind notice them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, autograd, dtypes
from lazygrad.ir.build import add, filled_like, mul, sub
from lazygrad.ir.node import Node, alu
from lazygrad.ir.op import Op
from lazygrad.ops import arithmetic
from lazygrad.ops.activation import Activation
from lazygrad.ops.functions import Functions
from lazygrad.ops.loss import Loss
from lazygrad.ops.normalize import Normalize
from lazygrad.ops.reduce import Reduce
from lazygrad.settings import settings
from tests.extremes import BINARY, UNARY, Row
from tests.frontend import test_bends as bends
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
        Reduce,
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
        "truncated_remainder",
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
        autograd.RULES,
        Op.EXPM1,
        lambda right: (lambda n, g: mul(g, add(n, filled_like(n, 1))),),
        rows("expm1"),
    ),
    "a remainder whose slope by an infinite divisor is nan": Plant(
        autograd.RULES,
        Op.MOD,
        lambda right: (right[0], lambda n, g: mul(g, alu(Op.DIV, sub(n, n.src[0]), n.src[1]))),
        lambda: slope_by_an_infinite_divisor(),
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
