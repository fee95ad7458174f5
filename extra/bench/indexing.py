"""Embedding, gather and scatter, and their gradients, by the rows of a table: `python -m extra.bench.indexing`.

Tables of 1 k to 256 k rows of 64 numbers, of which 4,096 are looked up. What is measured is milliseconds in `jit`,
the least of several rounds in which all sizes take turns: flat where only the rows that are looked up are touched. A
gradient is as large as the table; what is added in place (`index_add_`) tells what it costs but for filling that.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROWS = (1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18)
LOOKED_UP, WIDTH = 4096, 64


def works(rows: int) -> dict[str, Callable[[], Any]]:
    """What is measured, over a table of so many rows."""
    from lazygrad import Tensor, jit, nn

    rng = np.random.default_rng(rows)
    table = Tensor(rng.standard_normal((rows, WIDTH), dtype=np.float32), requires_grad=True).realize()
    state = Tensor(rng.standard_normal((rows, WIDTH), dtype=np.float32)).realize()
    index = Tensor(rng.integers(0, rows, LOOKED_UP)).realize()
    wide = index.unsqueeze(1).expand(LOOKED_UP, WIDTH).contiguous().realize()
    updates = Tensor(rng.standard_normal((LOOKED_UP, WIDTH), dtype=np.float32)).realize()

    def changed(table: Any) -> Any:
        """One row: a whole table as the result of a replay would be a copy of it."""
        return table[:1] * 1

    def gradient(lookup: Callable[[], Any]) -> Callable[[], Any]:
        def step() -> Any:
            table.grad = None
            (lookup() * updates).sum().backward()
            return table.grad

        return jit(step)

    return {
        "embedding": jit(lambda: nn.functional.embedding(index, table.detach()) * 1),
        "gather": jit(lambda: table.detach().gather(0, wide) * 1),
        "index_add_": jit(lambda: changed(state.index_add_(0, index, updates))),
        "scatter_add_": jit(lambda: changed(state.scatter_add_(0, wide, updates))),
        "zeros of the table": jit(lambda: Tensor.zeros(rows, WIDTH).contiguous()),
        "gradient of embedding": gradient(lambda: nn.functional.embedding(index, table)),
        "gradient of gather": gradient(lambda: table.gather(0, wide)),
    }


def least(sides: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Milliseconds of each side, the least over the rounds."""
    from lazygrad import synchronize

    times = [float("inf")] * len(sides)
    for turn in range(rounds + 3):
        for k, side in enumerate(sides):
            start = time.perf_counter()
            side().realize()
            synchronize()
            if turn >= 3:
                times[k] = min(times[k], (time.perf_counter() - start) * 1e3)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="of which the least is taken")
    arguments = parser.parse_args()
    made = [works(rows) for rows in ROWS]
    print(f"{'ms, by rows':24s}" + "".join(f"{rows:>9,d}" for rows in ROWS))
    for name in made[0]:
        print(f"{name:24s}" + "".join(f"{ms:9.3f}" for ms in least([w[name] for w in made], arguments.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
