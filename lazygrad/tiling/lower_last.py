"""What the last of several parties does: tickets tell who that is, fences what it may read.

A party takes a ticket when all its work-items have stored what they had to. Whoever gets the highest number sees what
the others stored, and puts the tickets back to 0 for the next launch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const, Expr, Var, lift

from .array import Array, Scope
from .lower_context import Context
from .lower_launch import Launch
from .machine import Branch, Fence, Immediate, Instruction, LoadFrom, Meet, Register, StoreTo, Ticket
from .program import Barrier, Last, Stmt


class Lasts:
    """Lowers Last; `meet` lets the items of a party meet, `block` gathers instructions, `body` lowers statements."""

    def __init__(
        self,
        context: Context,
        launch: Launch,
        meet: Callable[[Barrier], bool],
        block: Callable[[], AbstractContextManager[list[Instruction]]],
        body: Callable[[Sequence[Stmt]], None],
    ) -> None:
        self.context, self.launch, self.meet, self.block, self.body = context, launch, meet, block, body

    def last(self, s: Last) -> None:
        """The ticket, and `s.body` for the last one."""
        context = self.context
        if context.here and not s.together:
            raise GraphError("Last stands in no loop and in no branch, unless it is of work-items together")
        parties = self.launch.groups if s.of is None else context.machine(lift(s.of), {})
        ticket = self._ticket(s, parties - 1)
        with self.block() as body:
            context.parted = s.together  # all work-items of a group have the same ticket
            context.emit(Fence())
            self.body(s.body)
        context.emit(Branch(ticket.eq(parties - 1), body))

    def _is_first(self, together: bool) -> Expr:
        return self.launch.is_first if together else self.launch.local_id.eq(0)

    def _ticket(self, s: Last, highest: Expr) -> Expr:
        """The party's ticket, which one work-item takes when all have stored what they had to."""
        context, launch, together = self.context, self.launch, s.together
        taken = Register(context.names.exact("ticket"), dtypes.int32)
        size = launch.sharing if together else launch.group_size
        if size > 1:
            place: Expr = (launch.local_id + launch.first_item) // size if together else Const(0)
            shared = context.declare(Array("group_ticket", dtypes.int32, launch.group_size // size, Scope.LOCAL))
            context.emit(Fence())
            self._meet(together)
            with context.branch(self._is_first(together)):
                own = context.register(dtypes.int32, 1, "own_ticket")
                self._take(own, s, highest)
                context.emit(StoreTo(shared, (place,), own, 1))
            self._meet(together)
            context.emit(LoadFrom(taken, shared, (place,)))
        else:
            self._take(taken, s, highest)
        return Var(taken.name, 0, max(launch.groups.hi - 1, 0))

    def _take(self, own: Register, s: Last, highest: Expr) -> None:
        """One ticket; whoever gets the highest puts them back, at once: in the branch of the last party, which has
        barriers, PoCL has been seen to leave out a store by the first work-item alone."""
        context = self.context
        tickets, number = context.arrays[s.tickets], context.machine(s.number, {})
        context.emit(Ticket(own, tickets, number))
        with context.branch(Var(own.name, 0, highest.hi).eq(highest)):
            context.emit(StoreTo(tickets, (number,), Immediate(0, dtypes.int32), 1))

    def _meet(self, together: bool) -> None:
        if not together:
            self.context.emit(Meet())
        elif not self.meet(Barrier(together=True)):
            raise GraphError("a Last of work-items together, where they cannot meet")
