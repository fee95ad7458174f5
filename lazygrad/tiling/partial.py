"""Sums in a fragment whose depth is divided: each party adds up a stretch of it, and the last one adds their results.

Each party stores its registers as they are, a chunk of every work-item beside the next one's, so that all accesses are
of whole lines; nobody has to know which elements they are. The last one adds all of them in the order of the
stretches, so that the result does not depend on which party that is.
"""

from __future__ import annotations

from lazygrad.dtype import dtypes
from lazygrad.index.expr import Expr, Var
from lazygrad.ir.op import Op
from lazygrad.runtime.base import DeviceInfo

from .array import Array, Axis, Kind
from .layout import CHUNK, Fragment
from .operand import clear
from .program import Last, Loop, Stmt, Store, alu, load
from .walk import around

EACH = CHUNK // dtypes.float32.itemsize  # registers of one access
MOST_PARTS, PART_STEPS = 16, 8  # parts of a depth; slices of each, at least
# Of memory for sums, through the L2 cache: bytes of a multiprocessor in a clock, where all of them ask and at most; and
# the clocks from the last store to the first sum of another multiprocessor: a fence, a ticket, a read.
CACHE_BYTES, MOST_CACHE_BYTES = 24, 64
HAND_OVER = 3000


def parts(steps: int) -> list[int]:
    """In how many parts, from 2 on, so many slices can be added up: with as many each, the last one perhaps with fewer.

    >>> parts(36)
    [2, 3, 4]
    """
    return [n for n in range(2, min(MOST_PARTS, steps // PART_STEPS) + 1) if -(-steps // -(-steps // n)) == n]


def reading(nbytes: int, readers: int, info: DeviceInfo) -> float:
    """Clocks in which one of so many multiprocessors reads so many bytes of sums, while the others read theirs."""
    return nbytes / min(MOST_CACHE_BYTES, CACHE_BYTES * info.units / min(info.units, readers))


class Partial:
    """Memory for the sums of `fragments` fragments, each laid out as `fragment`, over `splits` stretches.

    Attributes:
        workspace: what the program needs beside its parameters.
    """

    def __init__(self, fragment: Fragment, fragments: int, splits: int) -> None:
        self.fragment, self.splits = fragment, splits
        self.size = fragment.registers * fragment.items
        self.sums = Array("partial", dtypes.float32, fragments * splits * self.size, written=True)
        self.tickets = Array("tickets", dtypes.int32, fragments, written=True)
        self.workspace = self.sums, self.tickets

    def combined(self, acc: Array, number: Expr, split: Expr, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        """`body`, with the whole sums of fragment `number` in the registers `acc`, which hold those of a stretch.

        It belongs inside LOCAL axes that leave one work-item for each that holds a fragment.
        """
        part = Var("part", 0, self.splits - 1)
        each = Axis(part, self.splits, copies=1)  # one part's loads are enough for all registers that are left
        total = (*clear(acc), Loop(each, self._each(acc, number, part, is_read=True)))
        last = Last(self.tickets, (*total, *body), number, self.splits, together=True)
        return (*self._each(acc, number, split, is_read=False), last)

    def _each(self, acc: Array, number: Expr, split: Expr, is_read: bool) -> tuple[Stmt, ...]:
        """Every register is stored as a part of the sums of a stretch, or that part is added to it."""
        item = Var("thread", 0, self.fragment.items - 1)
        chunk, e = Var("chunk", 0, self.fragment.registers // EACH - 1), Var("e", 0, EACH - 1)
        own = load(acc, chunk * EACH + e)
        place = (number * self.splits + split) * self.size + (chunk * self.fragment.items + item) * EACH + e
        store = Store(self.sums, place, own)
        if is_read:
            store = Store(acc, chunk * EACH + e, alu(Op.ADD, acc.dtype, own, load(self.sums, place)))
        kinds = ((item, Kind.LOCAL), (chunk, Kind.UNROLL), (e, Kind.UNROLL))
        return around([Axis(var, var.hi + 1, kind) for var, kind in kinds], (store,))
