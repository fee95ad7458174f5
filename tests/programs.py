"""Random well-typed programs of primitives, with inputs whose results stay tame: for comparing two ways to run them.

Every value carries a bound of its size and of how far two correct implementations may differ (each rounding every op
in its own way). Floats start as multiples of 1/8, and stay exact until a division or a transcendental; whatever jumps
(comparisons, truncation, casts to integers) is applied to exact values only. So a program has no excuse: where
`errors` is 0, results must be equal, and elsewhere they must be as near as `errors` says.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from lazygrad.dtype import DType, dtypes
from lazygrad.ir.elements import Array, array_type, round_bfloat16
from lazygrad.ir.evaluate import evaluate
from lazygrad.ir.node import Node, buffer, contiguous, detach, new_uid, node, topological
from lazygrad.ir.op import Op
from tests.program_steps import FREQUENT, RARE, STEPS, Steps, Value

ALL_DTYPES = (
    dtypes.float32, dtypes.int32, dtypes.float64, dtypes.bool, dtypes.int64, dtypes.uint8, dtypes.int8, dtypes.uint32,
    dtypes.int16, dtypes.uint16, dtypes.uint64, dtypes.float16, dtypes.bfloat16,
)  # fmt: skip
MakeInput = Callable[[Array, DType], Node]  # an array (float32 for bfloat16) -> a node that holds it


class HostStorage:
    """Stored elements that live in a NumPy array."""

    device = "NUMPY"

    def __init__(self, array: Array, dtype: DType) -> None:
        self.array = array
        self.nbytes = array.size * dtype.itemsize


def stored(array: Array, dtype: DType) -> Node:
    """A BUFFER node for `array`; `read_stored` gives its elements to the evaluator."""
    held = np.ascontiguousarray(array, array_type(dtype)).reshape(array.shape)
    return buffer(HostStorage(round_bfloat16(held) if dtype is dtypes.bfloat16 else held, dtype), dtype, array.shape)


def read_stored(n: Node) -> Array:
    array: Array = n.arg.storage.array  # type: ignore[union-attr]
    return array


@dataclass
class Program:
    """What `random_program` made: `evaluate(roots, read)` gives the expected values of `inputs` = `arrays`."""

    seed: int
    roots: list[Node] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)  # per root: the largest allowed absolute difference
    inputs: list[Node] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    _expected: list[Array] | None = None

    def read(self, n: Node) -> Array:
        """The elements of an input, whatever its device: for the evaluator."""
        return next(a for i, a in zip(self.inputs, self.arrays) if i is n or (i.src and i.src[0] is n))

    def expected(self) -> list[Array]:
        if self._expected is None:
            self._expected = evaluate(self.roots, self.read)
        return self._expected

    def check(self, results: Sequence[Array], what: str = "results") -> None:
        """Raise AssertionError, with the seed, unless `results` are what the evaluator finds, within `errors`."""
        for k, (got, want, error) in enumerate(zip(results, self.expected(), self.errors, strict=True)):
            where = f"random_program({self.seed}): root {k} {self.roots[k]}: {what}"
            assert got.shape == want.shape, f"{where} have shape {got.shape}"
            if self.roots[k].dtype.is_float:
                off = np.abs(np.asarray(got, np.float64) - np.asarray(want, np.float64)).max(initial=0.0)
                assert off <= error, f"{where} are off by {off}; {error} is allowed"
            else:
                assert np.array_equal(got, want), f"{where} differ"


def random_program(
    seed: int,
    size: int = 24,
    dtypes_used: Sequence[DType] = ALL_DTYPES,
    make: MakeInput = stored,
    store: float = 0.0,
    elements: int = 2000,
    only: Sequence[str] | None = None,
    also: Sequence[str] = (),
) -> Program:
    """A program of about `size` steps; the same arguments give the same program.

    Args:
        make: puts an input on a device; the default keeps it in a NumPy array.
        store: how many values (0 to 1) go through CONTIGUOUS, see `with_stores`.
        elements: no value has more.
        only: names of the kinds of step to use, from `program_steps.STEPS`; default all but `RARE`.
        also: names of further kinds, which are frequent.
    """
    rng = random.Random(seed)
    program = Program(seed)

    def new_input(values: Array, dtype: DType) -> Node:
        program.arrays.append(values.astype(array_type(dtype)))
        program.inputs.append(make(program.arrays[-1], dtype))
        return program.inputs[-1]

    steps = Steps(rng, tuple(dtypes_used), new_input, elements)
    pool: list[Value] = [steps.fresh() for _ in range(3)]
    names = [n for n in (*STEPS, *FREQUENT, *FREQUENT) if (n not in RARE if only is None else n in only)]
    names += [n for n in also for _ in range(5)]
    for _ in range(20 * size):
        made = STEPS[rng.choice(names)](steps, pool)
        if made is None or not steps.tame(made):
            continue
        if rng.random() < 0.03:
            made.node = detach(made.node)
        pool.append(made)
        if len(pool) >= size:
            break
    _choose_roots(program, pool, rng)
    program.roots = with_stores(program.roots, seed, store)
    return program


def with_stores(roots: Sequence[Node], seed: int, share: float) -> list[Node]:
    """The same graph, with `share` (0 to 1) of its computed values going through CONTIGUOUS."""
    rng = random.Random(~seed)
    new: dict[Node, Node] = {}
    for n in topological(roots):
        made = n
        if n.src:
            made = node(n.op, tuple(new[s] for s in n.src), n.arg, n.dtype if n.op in (Op.CAST, Op.BITCAST) else None)
            if rng.random() < share:
                made = contiguous(made, rng.choice([0, new_uid()]))
        new[n] = made
    return [new[r] for r in roots]


def _choose_roots(program: Program, pool: list[Value], rng: random.Random) -> None:
    """The last value, and a few others that nothing reads."""
    read = set(topological(s for v in pool for s in v.node.src))
    unread = [v for v in pool[3:-1] if v.node not in read]
    for value in [pool[-1], *rng.sample(unread, min(3, len(unread)))]:
        program.roots.append(value.node)
        program.errors.append(2 * value.error * (1 + 1e-6) if math.isfinite(value.error) else math.inf)
