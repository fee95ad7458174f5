"""Search: a warp looks at so many turns of an axis at once, and goes through those that it found in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, Var, all_of, ceil_div, dim_max, lift, select

from .lower_context import Context
from .lower_launch import Launch
from .lower_value import Values
from .machine import IndexValue, Intrinsic, Register
from .program import Search, Stmt

EACH = 8  # turns that one work-item looks at before they all tell: loads in flight
AHEAD = 4  # turns that were found, in the code: the next one's loads need not wait for what one stores


class Searcher:
    """Lowers Searches."""

    def __init__(
        self, context: Context, values: Values, launch: Launch, body: Callable[[Sequence[Stmt]], None]
    ) -> None:
        self.context, self.values, self.launch, self.body = context, values, launch, body

    def search(self, s: Search) -> None:
        """Raises GraphError where the work-items that search are neither one nor a warp."""
        sharing = self.launch.sharing
        if sharing == 1:
            self._alone(s)
        elif sharing == self.context.device.warp:
            self._by_warp(s)
        else:
            raise GraphError(f"a Search over {s.axis.var.name} by {sharing} work-items, which are no warp")

    def _alone(self, s: Search) -> None:
        context = self.context
        extent = context.machine(lift(s.axis.extent), {})
        loop = context.loop(s.axis.var.name, Const(0), extent)
        with loop as turn, context.bind(s.axis.var, turn), context.branch(self._holds(s)):
            self.body(s.body)

    def _holds(self, s: Search) -> Expr:
        """Whether `where` does, in the turn that is bound, as an expression over registers."""
        bound = {var: self.values.operand(v, {}) for var, v in s.bindings}
        return self.values.access.place(Const(0), s.where, {}, bound, frozenset()).valid

    def _by_warp(self, s: Search) -> None:
        context, warp, name = self.context, self.launch.sharing, s.axis.var.name
        extent = context.machine(lift(s.axis.extent), {})
        each = min(EACH, dim_max(ceil_div(s.axis.extent, warp)))
        with context.loop(f"{name}_part", Const(0), (extent + (warp * each - 1)) // (warp * each)) as part:
            first = part * (warp * each)
            found = self._register(f"{name}_found", (1 << each) - 1)
            context.emit(IndexValue(found[0], self._found(s, first, each, extent)))
            met = self._call("lg_any", 1, found[1])
            with context.branch(met.ge(1)), context.loop(f"{name}_row", Const(0), Const(each), copies=1) as row:
                self._in_order(s, first + row * warp, self._call("lg_vote", None, found[1], row))

    def _found(self, s: Search, first: Expr, each: int, extent: Expr) -> Expr:
        """The bits of those turns that this work-item has found: number k is of turn first + k * warp + item."""
        context, warp = self.context, self.launch.sharing
        found: Expr = Const(0)
        for k in range(each):
            turn = first + (k * warp + self.launch.local_id % warp)
            inside = turn.lt(extent)
            with context.bind(s.axis.var, select(inside, turn, 0)):
                found = found + all_of((inside, self._holds(s))) * (1 << k)
        return found

    def _in_order(self, s: Search, first: Expr, votes: Expr) -> None:
        """The body for each bit of `votes`, the lowest first."""
        context, warp = self.context, self.launch.sharing
        with context.loop("found", Const(0), self._call("lg_count", warp, votes), copies=AHEAD):
            turn = first + self._call("lg_take", warp - 1, votes)
            with context.bind(s.axis.var, turn):
                self.body(s.body)

    def _register(self, name: str, most: int | None) -> tuple[Register, Expr]:
        """A register, and the variable that it is in expressions: from 0 to `most`, or any bits."""
        register = Register(self.context.names.exact(name), dtypes.int32)
        return register, Var(
            register.name, 0 if most is not None else -1 << 31, (1 << 31) - 1 if most is None else most
        )

    def _call(self, name: str, most: int | None, *args: Expr) -> Expr:
        """The result of a function of the language's own."""
        register, value = self._register(name.removeprefix("lg_"), most)
        self.context.emit(Intrinsic(name, args, dest=register))
        return value
