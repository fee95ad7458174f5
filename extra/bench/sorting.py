"""Sorting, selecting and searching against NumPy and PyTorch on this machine's CPU: `python -m extra.bench.sorting`.

The reference is NumPy, with the functions that give what PyTorch's do: `sort` and `topk` give elements and their
places, in stable order. NumPy's `sort`, which gives no places, is a row of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extra.bench import harness
from extra.bench.harness import Case, Side

THREADS = harness.use_equal_threads()

import torch  # noqa: E402 - the number of threads has to be in the environment before

torch.set_num_threads(THREADS)

Arrays = Sequence[tuple[NDArray[Any], ...]]
N = 1 << 20
K = 50


def numbers(seed: int) -> NDArray[np.float32]:
    """A million standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(N, dtype=np.float32)


def labels(seed: int) -> NDArray[np.int64]:
    """A million integers, of which a thousand are different."""
    return np.random.default_rng(seed).integers(0, 1000, N)


def last(result: Any) -> Any:
    """The places of a pair (elements, places); anything else as it is."""
    return result[-1] if isinstance(result, tuple) else result


def ours(function: Callable[..., Any], inputs: Arrays) -> Side:
    """lazygrad's side, without `jit`: realized to its end."""
    from lazygrad import Tensor, synchronize

    tensors = [tuple(Tensor(a).realize() for a in arrays) for arrays in inputs]

    def side(number: int) -> Any:
        result = function(*tensors[number % len(tensors)])
        Tensor.realize(*(result if isinstance(result, tuple) else (result,)))
        synchronize()
        return last(result)

    return side


def case(name: str, inputs: Arrays, by_numpy: Callable[..., Any], function: Callable[..., Any], theirs: Any) -> Case:
    """A case of `function`, a method on lazygrad's tensors; `theirs` on PyTorch's."""
    tensors = [tuple(torch.from_numpy(a) for a in arrays) for arrays in inputs]
    sides: dict[str, Side] = {
        "numpy": lambda number: last(by_numpy(*inputs[number % len(inputs)])),
        "torch": lambda number: last(tuple(x) if isinstance(x := theirs(*tensors[number % 2]), tuple) else x),
        "lazygrad": ours(function, inputs),
    }
    return Case(name, sides, tolerance=0.0)


def stable_sort(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """NumPy's elements and places in stable order."""
    places = np.argsort(x, kind="stable")
    return x[places], places


def largest(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """NumPy's K largest elements, and their places."""
    places = np.argpartition(x, -K)[-K:]
    places = places[np.argsort(-x[places], kind="stable")]
    return x[places], places


def cases() -> dict[str, Callable[[], Case]]:
    """Of each name what prepares it."""
    one = [(numbers(0),), (numbers(1),)]
    names = [(labels(0),), (labels(1),)]
    both = [(np.sort(numbers(seed)), numbers(seed + 2)) for seed in range(2)]
    return {
        "sort": lambda: case(
            "sort, places", one, stable_sort, lambda x: x.sort(), lambda x: torch.sort(x, stable=True)
        ),
        "elements": lambda: case("sort, elements alone", one, np.sort, lambda x: x.sort()[0], lambda x: x.sort()[0]),
        "topk": lambda: case(f"topk {K}", one, largest, lambda x: x.topk(K), lambda x: x.topk(K)),
        "unique": lambda: case("unique of floats", one, np.unique, lambda x: x.unique(), torch.unique),
        "labels": lambda: case("unique of 1,000 labels", names, np.unique, lambda x: x.unique(), torch.unique),
        "searchsorted": lambda: case(
            "searchsorted 1 M in 1 M", both, np.searchsorted, lambda s, q: s.searchsorted(q), torch.searchsorted
        ),
        "median": lambda: case(
            "lower median", one, lambda x: np.partition(x, N // 2 - 1)[N // 2 - 1], lambda x: x.median(), torch.median
        ),
        "bincount": lambda: case("bincount", names, np.bincount, lambda x: x.bincount(), torch.bincount),
    }


def main() -> int:
    chosen = cases()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=chosen, default=list(chosen), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=15, help="at most so many rounds per case")
    parser.add_argument("--budget", type=float, default=8.0, help="about so many seconds per case")
    parser.add_argument("--name", default="sorting", help="of the result files")
    given = parser.parse_args()
    title = "Sorting 1 M elements: NumPy, PyTorch, lazygrad"
    return harness.run(given.name, title, {name: chosen[name] for name in given.only}, given.rounds, given.budget)


if __name__ == "__main__":
    sys.exit(main())
