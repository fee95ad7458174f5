"""Passes and lowerings that lose a guard or miss an element, planted one at a time: the net for each must notice it.

What a pass does wrong is refused by `verify`, or has another meaning; what lowering does wrong, an access outside of
an array, is noted by the kernel itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor
from lazygrad.engine.compile import plain_program
from lazygrad.errors import GraphError
from lazygrad.schedule.kernel import schedule
from lazygrad.settings import settings
from lazygrad.tiling import contract, lower, lower_access, lower_reduce, lower_transpose, values, vectorize
from lazygrad.tiling.optimize import optimize
from lazygrad.tiling.program import Load, load
from tests.golden.programs import CPU
from tests.tiling.checked_accesses import accesses_checked
from tests.tiling.meaning import same_meaning

INFO = replace(CPU, vector_bytes=64)


def numbers(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(sum(shape)).integers(-3, 4, shape).astype(np.float32))


def padded() -> Tensor:
    return (numbers(7, 37) + 1).pad((2, 3, 1, 1)) * 2


def sums() -> Tensor:
    return numbers(9, 45).pad((1, 2)).sum(1)


def product() -> Tensor:
    """Of which the second factor is packed by squares, with a guard that ends inside of one."""
    return numbers(27, 32) @ numbers(40, 29).pad((0, 3)).T


def every_third() -> Tensor:
    """Together with so much that lies in order that vectors pay."""
    return numbers(190)[::3] + numbers(64) * numbers(1, 64)[0] + numbers(2, 64)[1]


PROGRAMS = (padded, sums, product, every_third)


def refused(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether verification refuses what the passes make."""
    with settings.override(device="NUMPY", verify=True):
        for program in PROGRAMS:
            for kernel in schedule([program().node]).kernels:
                try:
                    optimize(plain_program(kernel, {}), INFO)
                except GraphError:
                    return True
    return False


def differs(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether what the passes make has another meaning, or leaves an array."""
    with settings.override(device="NUMPY", verify=False):
        for program in PROGRAMS:
            for kernel in schedule([program().node]).kernels:
                plain = plain_program(kernel, {})
                try:
                    same_meaning(plain, optimize(plain, INFO))
                except (AssertionError, IndexError):
                    return True
    return False


def noted(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a kernel leaves an array when it runs."""
    with settings.override(device="OPENCL", verify=False):
        try:
            with accesses_checked(monkeypatch):
                Tensor.realize(*(program() for program in PROGRAMS))
        except AssertionError as error:
            return ": element" in str(error)
    return False


Net = Callable[[pytest.MonkeyPatch], bool]


@dataclass(frozen=True)
class Plant:
    """A wrong edit: `owner.name` becomes `wrong` of what it was. Each of `nets` must notice it."""

    owner: Any
    name: str
    wrong: Callable[[Any], Any]
    nets: tuple[Net, ...]


def without_guards(right: Any) -> Any:
    def wrong(*args: Any) -> Any:
        v = right(*args)
        return load(v.array, v.index, None, 0, dict(zip(v.binds, v.src))) if isinstance(v, Load) else v

    return wrong


def one_guard_too_wide(right: Any) -> Any:
    def wrong(*args: Any) -> Any:
        v = right(*args)
        if not isinstance(v, Load) or v.valid is None:
            return v
        return load(v.array, v.index, v.valid.substitute({x: x - 1 for x in v.valid.vars if x.lo < x.hi}), 0)

    return wrong


def unguarded_square(right: Any) -> Any:
    return lambda context, v, element: right(context, load(v.array, v.index), element) if isinstance(v, Load) else None


def longer_tail(right: Any) -> Any:
    def wrong(self: Any, body: Any, panel: Any, first: Any, width: int) -> Any:
        return tuple(self._columns(body, panel, first, self.rows % self.tile_rows + 1, width))

    return wrong


def one_more_trip(right: Any) -> Any:
    return lambda *args: [replace(s, trips=s.trips + 1) for s in right(*args)]


PASSES, LOWERING = (refused, differs), (noted,)
PLANTS: dict[str, Plant] = {
    "a pass loses guards": Plant(values, "_rebuilt", without_guards, PASSES),
    "a pass widens guards": Plant(values, "_rebuilt", one_guard_too_wide, PASSES),
    "rows begin one too far": Plant(
        vectorize, "unflatten", lambda right: lambda at, sizes: right(at + 1, sizes), PASSES
    ),
    "a stretch is one too long": Plant(
        vectorize, "stretch_length", lambda right: lambda *args: right(*args) + 1, PASSES
    ),
    "the rows left over are one too many": Plant(contract._Tiler, "_tail", longer_tail, PASSES),
    "what is packed lies one column further": Plant(
        contract, "_row_major", lambda right: lambda axes: right(axes) + 1, (refused,)
    ),
    "a square is read without its guard": Plant(lower_transpose, "square_of", unguarded_square, LOWERING),
    "only the first lane's guard is asked": Plant(
        lower_access.Place, "all_valid", lambda right: lambda self: self.at(self.valid, 0), LOWERING
    ),
    "strided loads begin one too far": Plant(
        lower_access, "strided",
        lambda right: lambda context, array, first, *rest: right(context, array, first + 1, *rest), LOWERING,
    ),
    "a loop runs once more": Plant(lower, "segments", one_more_trip, LOWERING),
    "a sum runs once more": Plant(lower_reduce, "segments", one_more_trip, LOWERING),
    "stores go one too far": Plant(
        lower_access.Access, "_write",
        lambda right: lambda self, array, address, *rest: right(self, array, address + 1, *rest), LOWERING,
    ),
    "an element that is not valid is read where it would be": Plant(
        lower_access, "select", lambda right: lambda condition, yes, no: yes if no == 0 else right(condition, yes, no),
        LOWERING,
    ),
}  # fmt: skip


@pytest.mark.parametrize("net", [refused, differs, noted])
def test_nothing_is_noticed_without_a_plant(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not net(monkeypatch)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = PLANTS[name]
    monkeypatch.setattr(plant.owner, plant.name, plant.wrong(getattr(plant.owner, plant.name)))
    missed = [net.__name__ for net in plant.nets if not net(monkeypatch)]
    assert not missed, f"{name}: not {missed}"
