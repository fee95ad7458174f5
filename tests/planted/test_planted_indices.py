"""Wrong edits of how indices are read, planted one at a time: a small set of checks must notice each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, dtypes, jit
from lazygrad.engine import checks, replay
from lazygrad.errors import BoundsError
from lazygrad.ir import build, gradients, node, signature
from lazygrad.ir.node import alu, cast, topological
from lazygrad.ir.op import Op
from lazygrad.ops import index_arrays, index_plan, indexing, loss
from lazygrad.ops.reduce import Reduce
from lazygrad.ops.splitting import Splitting
from lazygrad.ops.statistics import Statistics
from lazygrad.settings import settings
from tests.frontend import test_index_types as types
from tests.index_programs import check as random_indices

Check = Callable[[], None]


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    with settings.override(device="NUMPY"):
        yield


def computed(*index: int) -> Tensor:
    """An index that the host does not know."""
    return Tensor(np.array(index)) * 1


def is_outside(use: Callable[[], Tensor]) -> None:
    try:
        value = use().numpy()
    except BoundsError:
        return
    raise AssertionError(f"no error, but {value}")


# ---- checks ----------------------------------------------------------------------------------------


def bytes_into_long_axes() -> None:
    for name in ("gather", "x[i]", "cross_entropy", "one_hot", "scatter_add"):
        types.check([(name, "uint8", 300), (name, "int16", 70000)], 0, "NUMPY")
    types.test_what_int64_gives_is_right("NUMPY")
    x = Tensor.zeros(1, 300, requires_grad=True)
    x.gather(1, computed(3).unsqueeze(1)).sum().backward()
    assert x.grad is not None
    assert np.nonzero(x.grad.numpy()[0])[0].tolist() == [3]


def long_positions() -> None:
    x = Tensor([0.0])
    x.node = types._far(2**31 + 3)
    assert {n.dtype for n in topological([x.argmax().node]) if n.op is Op.IOTA} == {dtypes.int64}


def places_outside() -> None:
    x = Tensor.arange(4)
    for bad in (4, 100, -5, -(2**40)):
        is_outside(lambda i=bad: x[computed(1, i)])
        is_outside(lambda i=bad: x.gather(0, computed(1, i)))


def places_before_the_first() -> None:
    is_outside(lambda: Tensor.arange(4).gather(0, computed(1, -1)))
    is_outside(lambda: Tensor.ones(2, 4).cross_entropy(computed(1, -1)))


def places_outside_in_replays() -> None:
    pick = jit(lambda x, i: x[i] * 2)
    for k in (0, 1, 2):
        pick(Tensor([1.0, 2.0, 3.0]), Tensor([k])).numpy()
    is_outside(lambda: pick(Tensor([1.0, 2.0, 3.0]), Tensor([3])))


def what_does_not_depend_on_them() -> None:
    x = Tensor([1.0, 2.0])
    good, bad = x * 2, x[computed(5)]
    Tensor.realize(good, bad)
    is_outside(lambda: good)
    assert good.tolist() == [2, 4]
    is_outside(lambda: bad)


def ignored_targets() -> None:
    assert abs(Tensor.zeros(2, 4).cross_entropy(computed(1, -100)).item() - np.log(4)) < 1e-6


def gradients_by_themselves() -> None:
    x = Tensor.ones(2, 4, requires_grad=True)
    x.gather(1, computed(1, 4).unsqueeze(1)).sum().backward()
    assert x.grad is not None
    is_outside(x.grad.detach)


def indices_of_every_form() -> None:
    random_indices(range(150), "NUMPY")


def norms() -> None:
    x = Tensor([[-3.0, 2.0], [5.0, 0.0]])
    assert x.norm(-float("inf"), 1).tolist() == [2, 0]
    assert abs(x.norm(-2, 1)[0].item() - (1 / 9 + 1 / 4) ** -0.5) < 1e-6


def nothing() -> None:
    x = Tensor(np.zeros((0, 3), "float32"))
    assert list(x) == []
    assert x.T.softmax(1).shape == (3, 0)


CHECKS: tuple[Check, ...] = (
    bytes_into_long_axes, long_positions, places_outside, places_before_the_first, places_outside_in_replays,
    what_does_not_depend_on_them, ignored_targets, gradients_by_themselves, indices_of_every_form, norms, nothing,
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_the_checks_pass(check: Check) -> None:
    check()


# ---- plants ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plant:
    """A wrong edit: in each of `owners`, `name` becomes `wrong` of what it was. `check` must notice."""

    owners: tuple[Any, ...]
    name: str
    wrong: Callable[[Any], Any]
    check: Check


PLANTS: dict[str, Plant] = {
    "indices keep their type": Plant(
        (node, signature, build), "index_dtype", lambda right: lambda dtype, size: dtype, bytes_into_long_axes
    ),
    "positions are counted in the bytes of the index": Plant(
        (gradients, indexing), "positions",
        lambda right: lambda shape, axis, dtype=None: cast(right(shape, axis, dtypes.uint8), dtype or dtypes.int32),
        bytes_into_long_axes,
    ),
    "positions are of 32 bits": Plant(
        (build,), "index_dtype", lambda right: lambda *args: dtypes.int32, long_positions
    ),
    "nobody looks at what the device finds": Plant(
        (checks.Doubt,), "problem", lambda right: lambda self: "", places_outside
    ),
    "negative places count as the first": Plant(
        (checks,), "bitcast", lambda right: lambda x, dtype: cast(alu(Op.MAX, x, build.filled_like(x, 0)), dtype),
        places_before_the_first,
    ),
    "one place too many is allowed": Plant(
        (checks.Doubt,), "_told",
        lambda right: lambda self, worst: "" if worst == self.size else right(self, worst), places_outside,
    ),
    "a replay asks for no checks": Plant(
        (replay,), "Checks", lambda right: SimpleNamespace(of=lambda *args: checks.NO_CHECKS), places_outside_in_replays
    ),
    "one bad index spoils all that is computed with it": Plant(
        (checks,), "_computed_from",
        lambda right: lambda nodes, roots, order: [list(range(len(roots)))] * len(nodes), what_does_not_depend_on_them,
    ),
    "what is told once is forgotten": Plant(
        (checks,), "_computed_from", lambda right: lambda nodes, roots, order: [[]] * len(nodes),
        what_does_not_depend_on_them,
    ),
    "ignored targets have to be classes": Plant(
        (loss,), "inside", lambda right: lambda what, index, size, exempt: right(what, index, size), ignored_targets
    ),
    "gradients use the index without its check": Plant(
        (gradients,), "gather_gradient", lambda right: lambda n, g: right(_unchecked(n), g), gradients_by_themselves
    ),
    "None counts as a dimension of what a mask masks": Plant(
        (indexing,), "consumed", lambda right: lambda item: right(item) or int(item is None), indices_of_every_form
    ),
    "a mask is about one dimension": Plant(
        (indexing, index_plan), "consumed", lambda right: lambda item: min(right(item), 1), indices_of_every_form
    ),
    "a tensor without dimensions is an array among others": Plant(
        (index_arrays,), "_as_index", lambda right: lambda item, owner: _with_dimension(right(item, owner)),
        indices_of_every_form,
    ),
    "what is written is put where it was read last": Plant(
        (index_arrays.IndexArrays,), "write", lambda right: lambda self, x, values: x, indices_of_every_form
    ),
    "a step of two takes the second": Plant(
        (index_plan,), "_stretch", lambda right: lambda s: s.count * abs(s.step), indices_of_every_form
    ),
    "the smallest is the largest": Plant((Reduce,), "amin", lambda right: Reduce.amax, norms),
    "a power of a negative order is one of a positive": Plant(
        (Statistics,), "_power_from_0", lambda right: lambda self, p: right(self, abs(p)), norms
    ),
    "nothing is taken apart into one piece": Plant(
        (Splitting,),
        "unbind",
        lambda right: lambda self, dim=0: tuple(t.squeeze(dim) for t in self.split(1, dim)),
        nothing,
    ),
}  # fmt: skip


def _unchecked(n: node.Node) -> node.Node:
    index = n.src[1]
    known = {m: m.src[0] for m in topological([index]) if m.op is Op.CHECK}
    from lazygrad.ir.call import substitute

    return node.with_sources(n, (n.src[0], substitute([index], known)[0]))


def _with_dimension(item: Any) -> Any:
    return item if item.ndim else item.reshape(1)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = PLANTS[name]
    for owner in plant.owners:
        monkeypatch.setattr(owner, plant.name, plant.wrong(getattr(owner, plant.name)))
    if plant.name == "gather_gradient":
        from lazygrad.ir import reverse

        monkeypatch.setitem(reverse.RULES, Op.GATHER, (gradients.gather_gradient, reverse.RULES[Op.GATHER][1]))
    try:
        plant.check()
    except Exception:  # noqa: BLE001 - a crash is noticed as well
        return
    finally:
        checks._doubts.clear()
    raise AssertionError(f"no check noticed that {name}")
