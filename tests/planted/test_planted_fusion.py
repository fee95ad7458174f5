"""Wrong edits of what is fused with totals, and of slices by variables, planted one at a time: checks notice them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, Variable
from lazygrad.engine import run
from lazygrad.engine.execute import Runner
from lazygrad.errors import GraphError
from lazygrad.index.expr import dim_product
from lazygrad.ir.node import reshape
from lazygrad.ops import index_plan
from lazygrad.schedule import fuse, kernel
from lazygrad.schedule.group import Group, GroupKind, Member
from lazygrad.settings import settings
from lazygrad.tiling import verify

Check = Callable[[], None]
A = np.random.default_rng(0).standard_normal((32, 4))
pytestmark = pytest.mark.usefixtures("fresh_compiler")


def close(tensor: Tensor, expected: Any) -> None:
    np.testing.assert_allclose(tensor.numpy(), expected, 1e-9, 1e-9)


def rows_over_their_total() -> None:
    x = Tensor(A).sum(1)
    p = x / x.abs().sum()
    t = (p * x).sum()
    Tensor.realize(p, t)
    rows = A.sum(1)
    close(p, rows / np.abs(rows).sum())
    close(t, (rows * rows / np.abs(rows).sum()).sum())


def rows_that_something_between_reads() -> None:
    """The total reads rows, and what a scan makes of these rows."""
    x = Tensor(A).sum(1)
    t = (x.cumsum(0) * x * Tensor(A + 1).sum(1)).sum()
    Tensor.realize(x, t)
    rows = A.sum(1)
    close(t, (rows.cumsum() * rows * (A + 1).sum(1)).sum())


def verified() -> None:
    with settings.override(verify=True):
        rows_over_their_total()


def slices_from_zero() -> None:
    close(Tensor(np.arange(9.0))[Variable("i", 0, 6).bind(0) :], np.arange(9.0))


def positions_from_the_end() -> None:
    close(Tensor(np.arange(9.0))[-1 - Variable("i", 0, 6).bind(2)], 6.0)


def slices_from_several_places() -> None:
    for start in (3, 4):
        close(Tensor(np.arange(9.0))[Variable("i", 0, 6).bind(start) :] + 1, np.arange(9.0)[start:] + 1)


@dataclass(frozen=True)
class Plant:
    """A wrong edit: `owner.name` becomes `wrong` of what it was. `check` must notice."""

    owner: Any
    name: str
    wrong: Callable[[Any], Any]
    check: Check


def _of_one_space(mine: Group, theirs: Group, between: Sequence[Group]) -> bool:
    """Whether a group is drawn in, as it once was: whatever is read of it."""
    if theirs.kind in (GroupKind.DOT, GroupKind.ALONE) or dim_product(theirs.outer) != dim_product(mine.outer):
        return False
    made = {m.node for m in theirs.members}
    return not any(g.sources.keys() & made for g in between)


def _without_regard(right: Any) -> Any:
    return lambda mine, theirs, between: right(mine, theirs, ())


def _by_storage_alone(right: Any) -> Any:
    return lambda storage, dtype, shape: reshape(right(storage, dtype, (storage.nbytes // dtype.itemsize,)), shape)


PLANTS: dict[str, Plant] = {
    "a group is absorbed whose total is read": Plant(
        fuse, "absorbs", lambda right: _of_one_space, rows_over_their_total
    ),
    "a group is absorbed past one that needs it": Plant(
        fuse, "absorbs", _without_regard, rows_that_something_between_reads
    ),
    "a value is at hand anywhere": Plant(
        Member, "is_at_hand", lambda right: lambda self, read, of: True, rows_over_their_total
    ),
    "a value is at hand anywhere, which the schedule's verifier believes": Plant(
        Member, "is_at_hand", lambda right: lambda self, read, of: True, verified
    ),
    "a buffer has one shape whatever its sizes are called": Plant(run, "buffer", _by_storage_alone, slices_from_zero),
    "what is negative counts from the start": Plant(
        index_plan, "_from_end", lambda right: lambda place, size: place, positions_from_the_end
    ),
    "a plan keeps the values that it first had": Plant(
        Runner, "_resize", lambda right: lambda self, values: None, slices_from_several_places
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = PLANTS[name]
    monkeypatch.setattr(plant.owner, plant.name, plant.wrong(getattr(plant.owner, plant.name)))
    with pytest.raises(Exception):  # noqa: B017 - a crash is noticed as well
        plant.check()


@pytest.mark.parametrize("check", dict.fromkeys(p.check for p in PLANTS.values()), ids=lambda c: c.__name__)
def test_the_checks_pass(check: Check) -> None:
    check()


@pytest.mark.parametrize("blind", [kernel, verify])
def test_either_verifier_refuses_a_total_inside_its_own_loop(blind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule's, and with that one blind the tile program's."""
    monkeypatch.setattr(fuse, "absorbs", _of_one_space)
    name = "verify" if blind is kernel else "verify_values"
    monkeypatch.setattr(blind, name, lambda *args: None)
    with pytest.raises(GraphError, match=r"inside (the loop|another one)"):
        verified()
