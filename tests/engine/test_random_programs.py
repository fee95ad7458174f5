"""Random programs on OpenCL give what the evaluator gives, however they are cut into kernels.

Many programs are realized in one schedule each time, so that their kernels compile together.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np

from lazygrad.dtype import DType
from lazygrad.engine import run
from lazygrad.ir.elements import Array, from_storage, to_storage
from lazygrad.ir.node import Node, topological
from lazygrad.runtime.registry import canonical
from tests.many import Seeds, every
from tests.programs import Program, random_program, with_stores

TOGETHER = 10  # programs in a schedule


def on_opencl(array: Array, dtype: DType) -> Node:
    return run.upload(to_storage(np.asarray(array), dtype), dtype, canonical("OPENCL"))


def results(roots: Sequence[Node]) -> list[Array]:
    return [from_storage(run.download(n), n.dtype) for n in roots]


def programs(seeds: Sequence[int], size: int = 16) -> list[Program]:
    return [random_program(seed, size=size, make=on_opencl) for seed in seeds]


def realize(roots: Sequence[Node]) -> None:
    run.realize(roots, canonical("OPENCL"))


def check(all_of: Sequence[Program], change: Callable[[Program], list[Node]], what: str) -> None:
    """Realize every program's changed roots in one schedule, and compare them."""
    changed = [change(p) for p in all_of]
    realize([n for roots in changed for n in roots])
    for p, roots in zip(all_of, changed):
        p.check(results(roots), what)


def test_fused(seeds: Seeds) -> None:
    every(lambda some: check(programs(some), lambda p: p.roots, "fused"), seeds(30), TOGETHER)


def test_stored_here_and_there(seeds: Seeds) -> None:
    def compare(some: Sequence[int]) -> None:
        check(programs(some), lambda p: with_stores(p.roots, p.seed, 0.25), "partly stored")

    every(compare, seeds(10, 100), TOGETHER)


def test_nothing_fused(seeds: Seeds) -> None:
    def compare(some: Sequence[int]) -> None:
        check(programs(some, 12), lambda p: with_stores(p.roots, p.seed, 1.0), "each op stored")

    every(compare, seeds(10), TOGETHER)


def test_steps_along_sequences(seeds: Seeds) -> None:
    def compare(some: Sequence[int]) -> None:
        made = [random_program(seed, 10, make=on_opencl, also=["along"]) for seed in some]
        check(made, lambda p: with_stores(p.roots, p.seed, 0.1), "with REPEAT")

    every(compare, seeds(10, 300), TOGETHER)


def test_realized_in_steps(seeds: Seeds) -> None:
    """Some of the nodes inside are computed first, and later ones are built on what these left in memory."""
    every(in_steps, seeds(10, 200), TOGETHER)


def in_steps(some: Sequence[int]) -> None:
    made = programs(some)
    for turn in range(2):
        inner: list[Node] = []
        for p in made:
            inside = [n for n in topological(p.roots) if n.src]
            inner += random.Random(p.seed * 2 + turn).sample(inside, min(2, len(inside)))
        realize(inner)
    check(made, lambda p: p.roots, "in steps")
    for p in made:
        p.check(results(p.roots), "read again")
