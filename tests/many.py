"""Random programs, as few as `make test` has time for or as many as a night has.

Every test of random programs takes `seeds` (see `tests.conftest`) and so listens to two options of pytest: `--breadth`,
how many times as many programs, and `--seed`, where they start. All of them have the mark `random`:

    python -m pytest -m random -n auto --breadth 200 --seed 1000000 -o faulthandler_timeout=0

runs for hours (a test may then take longer than the 900 seconds after which one is taken to hang). What fails is
named with its seed: `--seed` of that number and `-k` of that test make it again, first of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Seeds(Protocol):
    """So many seeds, from `first` on if none is asked for by option."""

    def __call__(self, count: int, first: int = 0) -> range: ...


def every(compare: Callable[[Sequence[int]], object], seeds: Sequence[int], together: int = 1) -> None:
    """Compare the programs of `seeds`, so many at a time; where that fails, each alone.

    AssertionError with all seeds that fail, and what the first one said.
    """
    failed: list[int] = []
    first: Exception | None = None
    for start in range(0, len(seeds), together):
        group = seeds[start : start + together]
        if _error(compare, group) is None:
            continue
        alone = {seed: error for seed in group if (error := _error(compare, [seed])) is not None}
        failed += alone or group
        first = first or next(iter(alone.values()), None)
    assert not failed, f"seeds {failed}; {type(first).__name__}: {first or 'fails together with others alone'}"


def _error(compare: Callable[[Sequence[int]], object], seeds: Sequence[int]) -> Exception | None:
    try:
        compare(seeds)
    except Exception as error:  # noqa: BLE001 - a crash is a failure as well
        return error
    return None
