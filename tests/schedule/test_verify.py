"""Schedules and plans with one thing wrong are refused, also where the plan comes from the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.engine import compile as compiler
from lazygrad.engine import plan, plan_store, run
from lazygrad.engine.cache import DiskCache
from lazygrad.errors import GraphError
from lazygrad.ir.node import Node
from lazygrad.runtime.registry import open_device
from lazygrad.schedule import fuse
from lazygrad.schedule.group import GroupKind, Kernel, Member
from lazygrad.schedule.kernel import Schedule, schedule
from lazygrad.schedule.memory import Arena
from lazygrad.schedule.verify import verify
from lazygrad.settings import settings

A, B = (np.random.default_rng(k).standard_normal((32, 4)).astype(np.float32) for k in (0, 1))


def totals() -> list[Tensor]:
    """A kernel with rows and their total, and one that reads both."""
    x = Tensor(A).sum(1)
    p = x / x.abs().sum()
    return [p, (p * x).sum()]


def planned(tensors: Sequence[Tensor]) -> Schedule:
    with settings.override(device="NUMPY", verify=False):
        return schedule([t.node for t in tensors])


def made(change: Callable[[list[Kernel]], object]) -> tuple[list[Kernel], tuple[Node, ...]]:
    """The kernels of `totals` after a change, and the results."""
    found = planned(totals())
    kernels = list(found.kernels)
    change(kernels)
    return kernels, found.results


def absorbed(kernels: list[Kernel]) -> None:
    """Both groups in one, though the second reads a total of the first."""
    first, second = kernels
    group = second.group
    group.members[:0] = first.group.members
    kernels[:] = [Kernel(group, first.inputs, second.outputs)]


def member(kernels: list[Kernel], index: int, **fields: Any) -> None:
    members = kernels[0].group.members
    members[index] = replace(members[index], **fields)


FAULTS: dict[str, Callable[[list[Kernel]], object]] = {
    "inside the loop that it is a total of": absorbed,
    "no kernel before it makes it": list.reverse,
    "is a result that no kernel makes": lambda kernels: kernels.pop(),
    "does not have it": lambda kernels: kernels.append(replace(kernels[0], outputs=kernels[1].outputs)),
    "neither an input of its kernel nor a member": lambda kernels: kernels.append(replace(kernels.pop(), inputs=())),
    "does not collect": lambda kernels: member(kernels, 0, collects=True),
    "elements side by side": lambda kernels: member(kernels, 0, outer=()),
    "in a group of elementwise nodes": lambda kernels: setattr(kernels[0].group, "kind", GroupKind.POINT),
    "a scan or a scatter, which are alone": lambda kernels: setattr(kernels[0].group, "kind", GroupKind.ALONE),
    "one product and its epilogue": lambda kernels: setattr(kernels[0].group, "kind", GroupKind.DOT),
}


def test_a_right_schedule_passes() -> None:
    verify(*made(lambda kernels: None))


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_of_a_schedule_is_found(message: str) -> None:
    kernels, results = made(FAULTS[message])
    with pytest.raises(GraphError, match="invalid schedule") as caught:
        verify(kernels, results)
    assert message in str(caught.value)


def test_what_is_read_elsewhere_than_where_it_is_made_is_found() -> None:
    """Rows that a member reads in reverse."""
    x, z = Tensor(A).sum(1), Tensor(B).sum(1)
    kernels = list(planned([x, (x.flip(0) * z).sum()]).kernels)
    rows, total = kernels[0].group, kernels[-1].group
    assert rows is not total
    total.members[:0] = rows.members
    rest = [n for n in kernels[-1].inputs if n not in kernels[0].outputs]
    wrong = Kernel(total, (*kernels[0].inputs, *rest), kernels[-1].outputs)
    with pytest.raises(GraphError, match="at another position than its own"):
        verify([wrong], wrong.outputs)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """An empty cache on disk; the value forgets what this process knows, as a new process would."""
    monkeypatch.setattr(open_device("OPENCL"), "cache", DiskCache(tmp_path))

    def forget() -> None:
        for kept in (compiler._stages, run._runners):
            kept.clear()

    forget()
    with settings.override(device="OPENCL"):
        yield forget
    forget()


def careless(*args: object) -> bool:
    return True


@pytest.mark.parametrize("again", [True, False])
def test_a_wrong_plan_is_refused_wherever_it_comes_from(
    own_cache: Callable[[], None], monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """A plan that was made and stored without LAZYGRAD_VERIFY is refused with it; `again`: by the same process."""
    monkeypatch.setattr(fuse, "absorbs", careless)
    with settings.override(verify=False):
        Tensor.realize(*totals())
    if not again:
        own_cache()
    with settings.override(verify=True), pytest.raises(GraphError, match="inside the loop that it is a total of"):
        Tensor.realize(*totals())


def test_a_stored_plan_must_be_the_one_that_is_made(
    own_cache: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with settings.override(verify=False), monkeypatch.context() as wrong:
        wrong.setattr(fuse, "absorbs", careless)
        Tensor.realize(*totals())
    own_cache()
    with settings.override(verify=True), pytest.raises(GraphError, match="from the disk is not the one"):
        Tensor.realize(*totals())


def test_memory_that_is_given_away_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = plan.plan_memory

    def at_zero(*args: Any) -> Arena:
        arena = right(*args)
        return Arena(dict.fromkeys(arena.offsets, 0), arena.size)

    a, b = Tensor(np.ones((16, 16), np.float32)), Tensor(np.ones((16, 16), np.float32))
    with settings.override(device="OPENCL", verify=True), monkeypatch.context() as wrong:
        wrong.setattr(plan, "plan_memory", at_zero)
        wrong.setattr(plan_store, "key", lambda *args: None)
        with pytest.raises(GraphError, match="invalid plan"):
            ((a @ b) @ (b @ a + 1)).realize()


def test_an_input_that_is_written_over_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order that keeps readers of an input before what is written over it is forgotten."""
    right = plan.ordered
    with settings.override(device="OPENCL", verify=True), monkeypatch.context() as wrong:
        x = Tensor(np.ones((32, 32), np.float32)).realize()
        y = Tensor(np.ones((32, 32), np.float32))
        wrong.setattr(plan, "ordered", lambda kernels, results, before: right(list(kernels)[::-1], results))
        wrong.setattr(plan_store, "key", lambda *args: None)
        product = x @ y
        x.add_(1)
        with pytest.raises(GraphError, match="invalid plan"):
            Tensor.realize(product, x)


def test_a_member_is_at_hand_at_its_own_position_only() -> None:
    kernels = planned(totals()).kernels
    rows, total = kernels[0].group.members
    assert isinstance(rows, Member)
    assert (rows.collects, total.collects) == (False, True)
    assert [total.is_at_hand(r, rows) for r in total.reads] == [True]
    reader = kernels[1].group.members[0]
    assert not any(reader.is_at_hand(r, total) for r in reader.reads if r.node is total.node)


@pytest.mark.parametrize("shape", [(3, 2), (3, 1, 2), (4, 1, 3), (2, 3, 4)])
@pytest.mark.parametrize("pads", [(0, 4), (4, 0), (2, 2), (1, 0)])
def test_a_group_is_as_before_where_a_sum_cannot_join_it(shape: tuple[int, ...], pads: tuple[int, int]) -> None:
    """A sum of what is wider than an elementwise group asks for its rows, and is refused later: the gradient of a bias
    of a recurrent net, of a batch of one."""
    x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    y = Tensor(x, device="OPENCL").sin()
    z = y.pad(pads).sum(0) + (y * 2).pad(pads[::-1]).sum(0)
    schedule([y.node, z.node])
    Tensor.realize(y, z)
    expected = np.sin(x)
    padded = [np.pad(v, [(0, 0)] * (x.ndim - 1) + [p]) for v, p in ((expected, pads), (expected * 2, pads[::-1]))]
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(z.numpy(), sum(p.sum(0) for p in padded), rtol=1e-5, atol=1e-5)
