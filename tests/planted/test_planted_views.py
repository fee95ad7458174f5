"""Wrong edits of what is said of views, copies, operators and types: checks of their kind must notice each of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, dtypes, jit, nn
from lazygrad.errors import LazygradError, ViewError
from lazygrad.nn.module import Module
from lazygrad.ops import aliases, copying, indexing, inplace, jit_replay, layout, signatures
from lazygrad.ops.arithmetic import Arithmetic
from lazygrad.ops.bits import Bits
from lazygrad.ops.core import Core
from lazygrad.ops.joining import Joining
from lazygrad.settings import settings
from tests.frontend.view_programs import run


def programs() -> None:
    with settings.override(device="NUMPY"):
        run(range(60), 40)


def more_programs() -> None:
    with settings.override(device="NUMPY"):
        run(range(280, 300), 40)


def raises(kind: type[Exception], call: Callable[[], Any], words: str = "") -> None:
    with pytest.raises(kind, match=words or None):
        call()


def a_replay_that_writes_through_a_view() -> None:
    x = Tensor(np.zeros((2, 2), np.float32))
    clear = jit(lambda v: v.zero_())
    for _ in range(2):  # a plain call, and one that is traced
        clear(Tensor(np.zeros(2, np.float32)))
    raises(ViewError, lambda: clear(x[0]))
    assert x.tolist() == [[0.0, 0.0], [0.0, 0.0]], "refused before anything is out of date"


def a_replay_under_a_view() -> None:
    x = Tensor(np.zeros(2, np.float32))
    step = jit(lambda: x.add_(1))
    for _ in range(5):  # plain calls, one that is traced, and replays
        view, whole = x[:1], x.detach()
        step()
        raises(ViewError, view.numpy)
        assert whole.tolist() == x.tolist()


def results_of_replays() -> None:
    transposed = jit(lambda x: x.T)
    for _ in range(5):
        x = Tensor(np.zeros((2, 3), np.float32))
        raises(ViewError, transposed(x).zero_)


def arguments_of_one_memory() -> None:
    @jit
    def step(x: Tensor, y: Tensor) -> Tensor:
        x.zero_()
        return y.sum()

    for _ in range(5):
        step(Tensor([1.0, 2.0]), Tensor([3.0]))
    x = Tensor([1.0, 2.0])
    raises(ViewError, lambda: step(x, x[:1]).item())


def halves_are_apart() -> None:
    first, second = Tensor(np.zeros(4, np.float32)).split(2)
    first.add_(1)
    assert (first.tolist(), second.tolist()) == ([1.0, 1.0], [0.0, 0.0])


def copies_are_apart() -> None:
    x = Tensor([1.0, 2.0])
    y = x.repeat(1)
    y += 1
    assert (x.tolist(), y.tolist()) == ([1.0, 2.0], [2.0, 3.0])


def deep_copies_of_views() -> None:
    base, row, flat = copy.deepcopy([x := Tensor([[1.0], [2.0]]), x[0], x.reshape(-1)])
    raises(ViewError, lambda: row.add_(1))
    flat.add_(1)
    assert base.tolist() == [[2.0], [3.0]]


def gradients_of_copies() -> None:
    w = Tensor([1.0], requires_grad=True)
    w.sum().backward()
    assert copy.deepcopy(w).grad is not w.grad


def names_in_forward() -> None:
    raises(LazygradError, lambda: nn.Linear(2, 2)(np.ones((1, 2))), r"Linear takes a Tensor, not a NumPy array")


def kinds_of_arguments() -> None:
    raises(LazygradError, lambda: Tensor([1.0]).softmax({}), "softmax: dim is an integer or None, not")  # type: ignore[arg-type]


def names_of_others() -> None:
    raises(LazygradError, lambda: Tensor([1]).realize([0]), "realize takes a Tensor, not a list")  # type: ignore[arg-type]


def names_of_operands() -> None:
    raises(LazygradError, lambda: Tensor([1]).gather(0, [0]), "gather takes a Tensor, not a list")  # type: ignore[arg-type]


def python_float_is_float64() -> None:
    assert Tensor([1], dtype=float).dtype is dtypes.float64


def operators_from_the_left() -> None:
    assert (1 << Tensor([3])).tolist() == [8]
    assert [v.tolist() for v in divmod(7, Tensor([2]))] == [[3], [1]]


@dataclass(frozen=True)
class Plant:
    """A wrong edit: `owner.name` becomes `wrong` of what it was. `check` must notice."""

    owner: Any
    name: str
    wrong: Callable[[Any], Any]
    check: Callable[[], None]


PLANTS: dict[str, Plant] = {
    "writes are not noted": Plant(inplace, "reach", lambda right: lambda *args: aliases._NOTHING, programs),
    "operators are never written back": Plant(indexing, "give_back", lambda right: lambda *args: None, programs),
    "views keep the old value": Plant(aliases, "_lose", lambda right: lambda *args: None, programs),
    "views never overlap": Plant(layout, "overlap", lambda right: lambda a, b: False, programs),
    "views of one memory always overlap": Plant(
        layout, "overlap", lambda right: lambda a, b: a.memory is b.memory, halves_are_apart
    ),
    "a reshape is always a view": Plant(layout, "_copied", lambda right: layout.unknown, programs),
    "a reshape of a reshape is never a view": Plant(
        layout, "reshaped", lambda right: lambda of, shape: layout.whole(layout.Memory(), shape), programs
    ),
    "every result lies in row-major order": Plant(
        aliases, "_may_be_reordered", lambda right: lambda n: False, more_programs
    ),
    "offsets of slices are forgotten": Plant(
        layout, "taken", lambda right: lambda of, given: right(of, given)._replace(offset=of.offset), halves_are_apart
    ),
    "writes that are lost are not refused": Plant(
        aliases, "_refuse", lambda right: lambda *args: None, a_replay_that_writes_through_a_view
    ),
    "a replay leaves views as they are": Plant(
        aliases.Reach, "forget_values", lambda right: lambda self: None, a_replay_under_a_view
    ),
    "results of a replay are apart": Plant(jit_replay, "relate", lambda right: lambda *args: None, results_of_replays),
    "what a replay reads may change under it": Plant(
        jit_replay, "reach", lambda right: lambda t: aliases._NOTHING, arguments_of_one_memory
    ),
    "what is copied is a view": Plant(Core, "_apart", lambda right: lambda self: self, copies_are_apart),
    "deep copies of views are apart": Plant(
        copying, "copy_family", lambda right: lambda *args: None, deep_copies_of_views
    ),
    "copies share their gradient": Plant(
        copying, "deepcopy", lambda right: lambda value, memo: value, gradients_of_copies
    ),
    "layers take anything": Plant(
        Module, "__call__", lambda right: lambda self, *args: self.forward(*args), names_in_forward
    ),
    "operands are taken as they are": Plant(
        Core, "_same_kind", lambda right: lambda self, *args: None, names_of_others
    ),
    "arguments are taken as they are": Plant(
        signatures.Check, "look", lambda right: lambda self, what, value: value, kinds_of_arguments
    ),
    "Python's float is float32": Plant(
        import_module("lazygrad.dtype"),
        "_BY_TYPE",
        lambda right: {**right, float: dtypes.float32},
        python_float_is_float64,
    ),
    "shifts from the left are from the right": Plant(
        Bits, "__rlshift__", lambda right: lambda self, other: self << other, operators_from_the_left
    ),
    "the quotient of divmod is the other way round": Plant(
        Arithmetic, "__rdivmod__", lambda right: lambda self, other: divmod(self, other), operators_from_the_left
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = PLANTS[name]
    plant.check()
    monkeypatch.setattr(plant.owner, plant.name, plant.wrong(getattr(plant.owner, plant.name)))
    with pytest.raises((AssertionError, AttributeError, LazygradError, pytest.fail.Exception)):
        plant.check()


def test_views_that_are_made_of_others() -> None:
    """What the operations on views are made of: each is one view of its tensor, not of something in between."""
    assert issubclass(Joining, Core)
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    for view in (x.diagonal(), x.unbind()[0], x.einsum("ij->ji")):
        raises(ViewError, lambda view=view: view.zero_(), r"of shape \[2, 2\]")  # type: ignore[misc]
