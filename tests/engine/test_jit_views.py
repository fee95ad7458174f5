"""Results of replays share memory with arguments, outside tensors and each other as those of plain calls do: a write
through one of them ends as it does without jit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, jit, no_grad
from lazygrad.errors import ViewError

VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "itself": lambda x: x,
    "row": lambda x: x[0],
    "other row": lambda x: x[1:],
    "column": lambda x: x[:, 1],
    "transposed": lambda x: x.T,
    "reshaped": lambda x: x.reshape(-1),
    "copied": lambda x: x.T.reshape(-1),
    "detached": lambda x: x.detach(),
    "expanded": lambda x: x.expand(2, 2, 3),
    "view of a view": lambda x: x.T[1],
    "another value": lambda x: x * 2,
}
WRITES: dict[str, Callable[[Tensor], Any]] = {
    "none": lambda x: None,
    "zero_": lambda x: x.zero_(),
    "+=": lambda x: x.__iadd__(1),
    "part": lambda x: x.__setitem__(0, 5.0),
}
Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
pytestmark = [  # which tensors share memory is no device's business
    pytest.mark.parametrize("device", ["NUMPY"], indirect=True),
    pytest.mark.usefixtures("device"),
]


def outcome(write: Callable[[Tensor], Any], written: Tensor, read: Tensor) -> str:
    """What is read after a write, or that it is an error."""
    try:
        with no_grad():
            write(written)
        return str(read.tolist())
    except ViewError as error:
        return str(error).split(":")[0].split(" (")[0]


def matrix(kind: str) -> Tensor:
    x = Tensor(np.arange(6, dtype="float32").reshape(2, 3))
    return x.T.contiguous().T if kind == "view" else x


def of_argument(wrap: Wrap, view: Callable[[Tensor], Tensor], kind: str) -> list[str]:
    function = wrap(view)
    found = []
    for write in WRITES.values():
        for backwards in (False, True):
            for _ in range(3):
                x = matrix(kind)
                y = function(x)
                found.append(outcome(write, *((x, y) if backwards else (y, x))))
    return found


def of_outside(wrap: Wrap, view: Callable[[Tensor], Tensor], kind: str) -> list[str]:
    outside = matrix(kind)
    function = wrap(lambda: view(outside))
    found = []
    for write in WRITES.values():
        for backwards in (False, True):
            for _ in range(3):
                outside.assign(matrix("plain"))
                y = function()
                found.append(outcome(write, *((outside, y) if backwards else (y, outside))))
                del y
                outside.assign(matrix("plain"))
    return found


def of_results(wrap: Wrap, view: Callable[[Tensor], Tensor], kind: str) -> list[str]:
    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        y = x * 3
        z = view(y)
        return (y, z) if kind == "plain" else (z, y)

    function = wrap(both)
    found = []
    for write in WRITES.values():
        for backwards in (False, True):
            for _ in range(3):
                y, z = function(matrix("plain"))
                found.append(outcome(write, *((z, y) if backwards else (y, z))))
    return found


@pytest.mark.parametrize("kind", ["plain", "view"])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("program", [of_argument, of_outside, of_results])
def test_writes_after_a_call(program: Callable[..., list[str]], view: str, kind: str) -> None:
    with_jit, plain = program(jit, VIEWS[view], kind), program(lambda f: f, VIEWS[view], kind)
    if kind == "view":  # an order that tracing has not seen: an error more, never a number
        with_jit = [p if j.startswith(("this view", "this tensor", "in-place")) else j for j, p in zip(with_jit, plain)]
    assert with_jit == plain


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("early", [False, True])
def test_arguments_of_one_memory(view: str, early: bool) -> None:
    def step(base: Tensor, other: Tensor) -> Tensor:
        before = other.sum() if early else None
        base.zero_()
        return other.sum() if before is None else before

    def run(wrap: Wrap) -> list[str]:
        function, found = wrap(step), []
        for related in (False, False, False, True, True, True, False):
            x = matrix("plain")
            other = VIEWS[view](x)
            other = other if related else other.detach().clone()
            try:
                found.append(str(function(x, other).item()))
            except ViewError:
                found.append("ViewError")
        return found

    assert run(jit) == run(lambda f: f)


def test_an_argument_is_a_leaf_where_the_plain_call_says_so() -> None:
    function = jit(lambda x: x * 2 if x.is_leaf else x * 3)
    for computed in (False, True, False, True, True, False, False):
        x = Tensor([1.0], requires_grad=True)
        assert function(x * 1 if computed else x).item() == (3 if computed else 2)
