"""Loads with guards in register tiles give what their plain interpretation gives."""

from __future__ import annotations

import pytest

from .guarded_loads import random_guarded_load
from .harness import Case, Data, check, run

CASES = [random_guarded_load(seed) for seed in range(60)]


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Data]]:
    return run(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_guarded_load(case: Case, results: dict[str, dict[str, Data]]) -> None:
    check(case, results[case.program.name])
