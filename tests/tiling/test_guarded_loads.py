"""Loads with guards in register tiles give what their plain interpretation gives, and leave no array."""

from __future__ import annotations

from collections.abc import Callable

from .guarded_loads import random_guarded_load
from .harness import check, run


def test_guarded_loads(seeds: Callable[[int], range]) -> None:
    cases = [random_guarded_load(seed) for seed in seeds(32)]
    results = run(cases, checks=True)
    for case in cases:
        check(case, results[case.program.name])
