"""Indices that lie outside: found on the device beside what reads them, told when a value is read the next time.

Whoever computes a graph with CHECK nodes computes one number more for each index: how far its worst element is above
the lowest place, as an unsigned number, so that those below are very far above. Nothing waits for these numbers: the
host looks at them when it reads a value. What the host knows of an index by itself is looked at before (`known_range`).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lazygrad import forks
from lazygrad.dtype import DType, dtypes
from lazygrad.errors import location_text
from lazygrad.index.expr import Dim, Expr, Var, dim_product, lift
from lazygrad.index.variable import Variable
from lazygrad.ir.build import constant_value, filled_like, size_value
from lazygrad.ir.node import Node, alu, as_index, bitcast, is_empty, reduce, topological, where
from lazygrad.ir.op import MOVEMENT, CheckArg, Combine, Op
from lazygrad.runtime.base import Storage
from lazygrad.runtime.registry import open_device

LOOKED_AT = 1 << 14  # elements of an array of integers that the host looks at when it is uploaded: some microseconds
UNREAD = 256  # numbers that may wait to be looked at
Range = tuple[int, int, bool]  # least, greatest, and whether they are elements rather than bounds of them

_ranges: weakref.WeakKeyDictionary[Storage, Range] = weakref.WeakKeyDictionary()
_problems: weakref.WeakKeyDictionary[Storage, str] = weakref.WeakKeyDictionary()
_doubts: list[Doubt] = []
_lock = forks.lock()
forks.in_child(_doubts.clear)  # they are the parent's to look at


# ---- what the host knows ---------------------------------------------------------------------------


def note_range(storage: Storage, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
    """Remember between which numbers the integers of an uploaded array are, if it is small."""
    if array.dtype.kind in "iu" and 0 < array.size <= LOOKED_AT:
        _ranges[storage] = (int(array.min()), int(array.max()), True)


def known_range(index: Node, stored: Callable[[Node], Storage | None]) -> Range | None:
    """Between which numbers the elements of `index` are, where the host knows it; `stored` finds a node's storage."""
    if (value := constant_value(index)) is not None:
        return int(value), int(value), not is_empty(index)
    all_of = True
    while (index.op in MOVEMENT and index.op is not Op.PAD) or _is_widened(index):
        all_of = all_of and index.op is not Op.SHRINK
        index = index.src[0]
    if isinstance(index.arg, CheckArg) and index.arg.exempt is None and isinstance(size := index.arg.size, int):
        return -size if index.arg.negative else 0, size - 1, False
    if index.op is Op.IOTA and isinstance(size := index.shape[0], int) and size:
        return 0, size - 1, all_of
    storage = stored(index)
    if storage is not None and storage in _ranges:
        least, greatest, exact = _ranges[storage]
        return least, greatest, exact and all_of
    kind = index.dtype
    return (int(kind.min), int(kind.max), False) if kind.bits <= dtypes.int16.bits else None


def _is_widened(n: Node) -> bool:
    """Whether `n` is a cast to integers that keeps every value."""
    if n.op is not Op.CAST or not n.dtype.is_int or not n.src[0].dtype.is_int:
        return False
    return n.dtype.min <= n.src[0].dtype.min and n.src[0].dtype.max <= n.dtype.max


def problem_of(storage: Storage) -> str:
    """What to say of contents that are known to be computed with an index that lay outside, else ""."""
    return _problems.get(storage, "") if _problems else ""


# ---- what the device finds -------------------------------------------------------------------------


@dataclass(frozen=True)
class Checks:
    """What has to be computed beside a graph.

    Attributes:
        nodes: its CHECK nodes.
        flags: for each of them, the graph of the number that tells.
        suspects: for each of them, the roots that are wrong where it fails.
    """

    nodes: list[Node]
    flags: list[Node]
    suspects: list[list[int]]

    @staticmethod
    def of(roots: Sequence[Node], order: Sequence[Node]) -> Checks:
        """The checks of the graph `order` (sources first) of `roots`."""
        nodes = [n for n in order if n.op is Op.CHECK and not is_empty(n)]
        if not nodes:
            return NO_CHECKS
        return Checks(nodes, [_flag(n) for n in nodes], _computed_from(nodes, roots, order))

    def expect(self, results: Sequence[Storage], flags: Sequence[Storage], values: Mapping[Var, int]) -> None:
        """Look at `flags` before the next read. `results` are the roots' storages, `values` those of variables."""
        found = []
        for n, flag, suspects in zip(self.nodes, flags, self.suspects):
            of_roots = [weakref.ref(results[k]) for k in suspects]
            arg = n.argument(CheckArg)
            size = _value(arg.size, values)
            if size or _value(dim_product(n.shape), values):
                found.append(Doubt(arg, n.src[0].dtype, size, flag, of_roots))
        with _lock:
            _doubts.extend(found)
            if len(_doubts) > UNREAD:
                _doubts[:] = [d for d in _doubts if d.problem()]


def _computed_from(nodes: Sequence[Node], roots: Sequence[Node], order: Sequence[Node]) -> list[list[int]]:
    """For each of `nodes`, the roots that depend on it; but for stores, whose tensors go on with what there is."""
    bits = {n: 1 << i for i, n in enumerate(nodes)}
    above: dict[Node, int] = {}
    for n in order:
        found = bits.get(n, 0)
        for s in n.src:
            found |= above.get(s, 0)
        above[n] = found
    kept = [0 if r.op is Op.STORE else above[r] for r in roots]
    return [[k for k, found in enumerate(kept) if found & bits[n]] for n in nodes]


NO_CHECKS = Checks([], [], [])


def _value(size: Dim, values: Mapping[Var, int]) -> int:
    if not isinstance(size, Expr):
        return size
    bound: dict[Var, int] = {v: int(v) for v in size.vars if isinstance(v, Variable) and v not in values}
    return int(size.evaluate({**values, **bound}))


def _flag(check: Node) -> Node:
    """The unsigned distance of the worst element from the lowest place, a scalar."""
    arg, index = check.argument(CheckArg), check.src[0]
    while index.op in (Op.RESHAPE, Op.EXPAND, Op.PERMUTE, Op.FLIP):  # the same elements; an axis of size 0 is no check
        index = index.src[0]
    index = as_index(index, lift(arg.size) * 2 if arg.negative else arg.size)
    if arg.exempt is not None:
        other = alu(Op.NE, index, filled_like(index, arg.exempt))
        index = where(other, index, filled_like(index, 0))
    if arg.negative:
        index = alu(Op.ADD, index, size_value(arg.size, index.dtype, index.shape))
    unsigned = dtypes.uint32 if index.dtype is dtypes.int32 else dtypes.uint64
    return reduce(bitcast(index, unsigned), Combine.MAX, range(index.ndim))


@dataclass(eq=False)
class Doubt:
    """A number on the device that tells whether an index of type `dtype` lay within an axis of `size`."""

    check: CheckArg
    dtype: DType
    size: int
    flag: Storage
    results: Sequence[weakref.ref[Storage]]
    looked: bool = False
    found: str = ""

    def problem(self) -> str:
        """What is wrong, or ""; waits for the device."""
        if not self.looked:
            assert self.flag.memory is not None
            raw = open_device(self.flag.device).read(self.flag.memory, self.flag.nbytes)
            worst = int(raw.view(np.uint32 if self.flag.nbytes == 4 else np.uint64)[0])
            self.looked, self.found = True, self._told(worst)
        return self.found

    def _told(self, worst: int) -> str:
        low = -self.size if self.check.negative else 0
        if worst < self.size - low:
            return ""
        bits = self.flag.nbytes * 8
        index = (worst + low) % (1 << bits)
        if self.dtype.kind == "int" and index >> (bits - 1):
            index -= 1 << bits
        return outside(self.check.what, index, self.size, location_text(*self.check.line))


def outside(what: str, index: int, size: int, line: str = "") -> str:
    """The message of an index that is not inside."""
    return f"{what}: index {index} is not inside a dimension of size {size}{f' ({line})' if line else ''}"


def pass_on(inputs: Sequence[Node], given: Sequence[Storage], roots: Sequence[Node], made: Sequence[Storage]) -> None:
    """What was computed from spoiled inputs is spoiled as well: the storages `made` of `roots` by those `given`."""
    if not _problems:
        return
    spoiled = {n: problem for n, storage in zip(inputs, given) if (problem := problem_of(storage))}
    if spoiled:
        for problem, found in zip(spoiled.values(), _computed_from(list(spoiled), roots, topological(roots))):
            _problems.update({made[k]: problem for k in found})


def settle(trusted: Callable[[], Sequence[Storage]]) -> str:
    """What to say of the first index that lay outside in what has been computed, or "".

    Then all is forgotten, but for which results are spoiled: not those that `trusted` gives.
    """
    if not _doubts:
        return ""
    with _lock:
        first, done = "", 0
        try:
            for doubt in _doubts:
                if problem := doubt.problem():
                    _problems.update({s: problem for r in doubt.results if (s := r()) is not None})
                first, done = first or problem, done + 1
        finally:
            del _doubts[:done]
    for storage in trusted() if first else ():
        _problems.pop(storage, None)
    return first
