"""Random functions over Python state that changes do the same with jit, or raise (see `tests.jit_programs`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lazygrad.ops import jit_facts, jit_holders, jit_walk
from lazygrad.settings import settings
from tests.jit_programs import compare, jit_program
from tests.many import Seeds, every


def test_the_same_seed_gives_the_same_program() -> None:
    assert str(jit_program(11)) == str(jit_program(11))


def test_meaning(seeds: Seeds) -> None:
    count: Counter[str] = Counter()

    def counted(some: Sequence[int]) -> None:
        count.update(compare(some))

    wanted = seeds(120)
    with settings.override(device="NUMPY"):
        every(counted, wanted)
    assert count["replayed"] > 0.6 * len(wanted), "most programs are replayed, or they would show nothing"
    assert count["refused"] < 0.15 * len(wanted), "and few are refused"


def test_on_opencl(seeds: Seeds) -> None:
    with settings.override(device="OPENCL"):
        every(lambda some: compare(some, 2), seeds(3, 500))


# What is wrong, and from which seed on programs are tried.
PLANTS: dict[str, tuple[Any, str, Callable[[Any], Any], int]] = {
    "cells of closures are not compared": (jit_facts.Cells, "holds", lambda right: lambda self: True, 620),
    "elements are not compared": (jit_facts.Elements, "are", lambda right: lambda self, values: True, 0),
    "classes are not read": (jit_holders.Holders, "_class", lambda right: lambda self, kind, path: None, 0),
    "objects are not read": (jit_holders.Holders, "_object", lambda right: lambda self, value, path: False, 0),
    "names of modules are not read": (jit_walk.Walk, "_globals", lambda right: lambda self: None, 0),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_guard_that_overlooks_something_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, wrong, first = PLANTS[name]
    monkeypatch.setattr(owner, attribute, wrong(getattr(owner, attribute)))
    with settings.override(device="NUMPY"), pytest.raises(AssertionError, match="jit_program"):
        compare(range(first, first + 60))
