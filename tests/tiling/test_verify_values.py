"""Programs in which a value is used where it is not known are refused; those that the passes make are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Expr, Var, all_of
from lazygrad.ir.op import Combine, Op
from lazygrad.tiling.collective import Let
from lazygrad.tiling.program import (
    Accumulator,
    Array,
    Axis,
    If,
    Kind,
    Last,
    Loop,
    Program,
    Reduction,
    Search,
    Stmt,
    Store,
    alu,
    index,
    load,
    ref,
)
from lazygrad.tiling.verify import verify

ROWS, LENGTH = 8, 4
OUTER, INNER = Var("o", 0, ROWS - 1), Var("r", 0, LENGTH - 1)
IN = Array("x", dtypes.int32, ROWS * LENGTH)
OUT, TOTAL = (Array(name, dtypes.int32, ROWS, written=True) for name in ("out", "total"))
ROW = Accumulator("row", Combine.ADD, dtypes.int32, load(IN, OUTER * LENGTH + INNER), frozenset({OUTER}))
ALL = Accumulator("all", Combine.ADD, dtypes.int32, ref(ROW), frozenset())
OVER_ROW = Reduction((Axis(INNER, LENGTH),), (ROW,))
STORE_ROW = Store(OUT, OUTER, ref(ROW))
STORE_ALL = Store(TOTAL, OUTER * 0, ref(ALL))


def over_all(*body: Stmt, acc: Accumulator = ALL) -> Reduction:
    return Reduction((Axis(OUTER, ROWS),), (acc,), body)


def rows(*body: Stmt, kind: Kind = Kind.SERIAL) -> Loop:
    return Loop(Axis(OUTER, ROWS, kind), body)


def share(acc: Accumulator) -> Store:
    """A row's share of a total."""
    return Store(OUT, OUTER, alu(Op.ADD, dtypes.int32, ref(ROW), ref(acc)))


def of(variable: Expr) -> Store:
    return Store(OUT, variable, index(variable, dtypes.int32))


OTHER = Var("other", 0, ROWS - 1)
AT = Var("at", -1, ROWS)
AGAIN = replace(ALL, name="again")
TICKETS = Array("tickets", dtypes.int32, 1, written=True)
BINDINGS = ((AT, load(IN, OUTER)),)

RIGHT: dict[str, Sequence[Stmt]] = {
    "rows and their total": [over_all(OVER_ROW, STORE_ROW), STORE_ALL],
    "a total used by rows after it": [over_all(OVER_ROW), rows(replace(OVER_ROW, accumulators=(R := replace(ROW),)),
                                      Store(OUT, OUTER, alu(Op.ADD, dtypes.int32, ref(R), ref(ALL))))],
    "a defined variable": [rows(Let(OTHER, OUTER), of(OTHER))],
    "a loaded index": [rows(Store(OUT, AT, load(IN, OUTER), valid=all_of((AT.ge(0), AT.lt(ROWS))), bindings=BINDINGS))],
    "a search": [Search(Axis(OUTER, ROWS), AT.ge(0), BINDINGS, (of(OUTER),))],
}  # fmt: skip
WRONG: dict[str, tuple[str, Sequence[Stmt]]] = {
    "a row's share of the total, inside its loop": (
        "the store to 'out' reads accumulator 'all'", [over_all(OVER_ROW, share(ALL)), STORE_ALL]
    ),
    "two totals, one of the other's shares": (
        "accumulator 'again' reads accumulator 'all'",
        [Reduction((Axis(OUTER, ROWS),), (ALL, replace(AGAIN, value=ref(ALL))), (OVER_ROW,)), STORE_ALL],
    ),
    "a total made again inside the loop over the same rows": (
        "a loop over o inside another one", [over_all(OVER_ROW, over_all(acc=AGAIN), share(AGAIN)), STORE_ALL]
    ),
    "a total before it is made": ("reads accumulator 'all'", [rows(OVER_ROW, share(ALL)), over_all(OVER_ROW)]),
    "a row after its loop": ("reads accumulator 'row'", [over_all(OVER_ROW), rows(STORE_ROW)]),
    "a row's value of another branch": (
        "reads accumulator 'row'", [rows(If(OUTER.lt(3), (OVER_ROW,), (STORE_ROW,)))]
    ),
    "a row's value after the branch that made it": (
        "reads accumulator 'row'", [rows(If(OUTER.lt(3), (OVER_ROW,)), STORE_ROW)]
    ),
    "a total made twice": ("'all' is reduced a second time", [over_all(OVER_ROW), over_all(OVER_ROW), STORE_ALL]),
    "a variable that nothing binds": ("the store to 'out' uses other", [rows(of(OTHER))]),
    "a variable before it is defined": ("uses other, which no loop", [rows(of(OTHER), Let(OTHER, OUTER))]),
    "a reduced variable after its reduction": ("the store to 'out' uses r", [rows(OVER_ROW, of(INNER))]),
    "an accumulator of an unknown row": (
        "accumulator 'row' depends on o, which nothing outside of it binds",
        [Reduction((Axis(INNER, LENGTH), Axis(OUTER, ROWS)), (ROW,))],
    ),
    "a length of unknown size": ("the extent of r uses other", [Reduction((Axis(INNER, OTHER),), (ROW,))]),
    "a condition on nothing": ("a If uses other", [rows(If(OTHER.lt(3), (of(OUTER),)))]),
    "a group's unknown number": ("a Last uses other", [rows(Last(TICKETS, (of(OUTER),), OTHER), kind=Kind.GRID)]),
    "a search by what it looks for": (
        "the search over o uses at", [Search(Axis(OUTER, ROWS), AT.ge(0), (), (of(OUTER),))]
    ),
}  # fmt: skip


def program(body: Sequence[Stmt]) -> Program:
    return Program("p", (IN, OUT, TOTAL), (), tuple(body), (TICKETS,))


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_known_may_be_used(name: str) -> None:
    verify(program(RIGHT[name]))


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_known_may_not(name: str) -> None:
    message, body = WRONG[name]
    with pytest.raises(GraphError, match=message):
        verify(program(body))
