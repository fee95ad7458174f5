"""Running a comparison of random programs for as many seeds as one likes, from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from lazygrad.settings import settings

Compare = Callable[[Sequence[int], int], None]  # of the programs of these seeds, of so many steps


def main(compare: Compare, size: int, together: int = 10) -> None:
    """Compare many programs, and print those that fail: `python -m tests.total_programs --first 0 --count 5000`.

    LAZYGRAD_DEVICE and LAZYGRAD_TARGET choose where they run.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1000, help="how many seeds")
    parser.add_argument("--size", type=int, default=size, help="steps of a program")
    parser.add_argument("--together", type=int, default=together, help="programs in one schedule")
    given = parser.parse_args()
    end = given.first + given.count
    failed: list[int] = []
    with settings.override(verify=True):
        for first in range(given.first, end, given.together):
            seeds = range(first, min(first + given.together, end))
            if _fails(compare, seeds, given.size):
                failed += [seed for seed in seeds if _fails(compare, [seed], given.size, report=True)] or [first]
    print(f"{given.count} programs from {given.first} on; failed: {failed or 'none'}")


def _fails(compare: Compare, seeds: Sequence[int], size: int, report: bool = False) -> bool:
    try:
        compare(seeds, size)
    except Exception as error:  # noqa: BLE001 - a crash is a failure as well
        if report:
            print(f"seed {seeds[0]}: {type(error).__name__}: {error}", flush=True)
        return True
    return False
