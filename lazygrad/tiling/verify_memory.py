"""What the work-items of one role have read, written and started, and who may see it."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from lazygrad.errors import GraphError

from .array import Array, Scope
from .collective import Ring, Token

Place = tuple[Array, int]  # a slot of an array
Filling = tuple[Ring, int]  # a turn of a ring


@dataclass
class Batch:
    """What one Start of a token has underway."""

    reads: set[Place] = field(default_factory=set)
    writes: set[Place] = field(default_factory=set)
    turns: set[Filling] = field(default_factory=set)


class Memory:
    """Scratch memory as one work-item may rely on it: its asynchronous work ends when it is waited for, not before.

    Attributes:
        batches: of each token, unfinished.
        open: the token and the batch that a Start is being filled with.
        held: turns that were waited for and not released.
        own, seen: slots with data written by this work-item alone, or known to all since they met.
        touched: slots read since all met.
    """

    def __init__(self, name: str, rings: dict[Array, Ring]) -> None:
        self.name, self.rings = name, rings
        self.batches: dict[Token, deque[Batch]] = defaultdict(deque)
        self.open: tuple[Token, Batch] | None = None
        self.held: set[Filling] = set()
        self.own: set[Place] = set()
        self.seen: set[Place] = set()
        self.touched: set[Place] = set()

    def underway(self) -> list[tuple[Token, Batch]]:
        """All unfinished work."""
        found = [(token, batch) for token, batches in self.batches.items() for batch in batches]
        return found + ([self.open] if self.open is not None else [])

    def retire(self, token: Token, pending: int) -> None:
        """All but the latest `pending` batches have ended."""
        batches = self.batches[token]
        while len(batches) > pending:
            self.own |= batches.popleft().writes

    def meet(self) -> None:
        """All work-items know what each has written."""
        self.seen |= self.own
        self.own.clear()
        self.touched.clear()

    def end(self) -> None:
        """Nothing is left over."""
        for token, batch in self.underway():
            if batch.reads or batch.writes:
                raise GraphError(f"{self.name}: work of token {token.name!r} is never waited for")
        for ring, number in self.held:
            raise GraphError(f"{self.name}: turn {number} of ring {ring.name!r} is never released")

    def release(self, key: Filling) -> None:
        """The turn has been read."""
        text = f"turn {key[1]} of ring {key[0].name!r}"
        if key not in self.held:
            raise GraphError(f"{self.name}: releases {text}, which it has not waited for or has released already")
        for token, batch in self.underway():
            if key in batch.turns:
                raise GraphError(f"{self.name}: releases {text} while work of token {token.name!r} may still read it")
        self.held.remove(key)

    def read(self, place: Place) -> None:
        """Checks that what is read there has come, and notes it."""
        array, slot = place
        ring = self.rings.get(array)
        if ring is not None:
            turns = {key for key in self.held if key[0] is ring and key[1] % ring.slots == slot}
            if not turns:
                raise GraphError(f"{self.name}: slot {slot} of {array.name!r} is read without a wait for its turn")
            if self.open is not None:
                self.open[1].turns |= turns
            return
        for token, batch in self.underway():
            if place in batch.writes:
                raise GraphError(f"{self.name}: {array.name!r} is read before the wait for token {token.name!r}")
        if array.scope is Scope.PRIVATE:
            return
        if place in self.own:
            raise GraphError(f"{self.name}: {array.name!r} is read without a Barrier after it was written")
        if place not in self.seen:
            raise GraphError(f"{self.name}: slot {slot} of {array.name!r} is read before anything is written there")
        self.touched.add(place)
        if self.open is not None:
            self.open[1].reads.add(place)

    def write(self, place: Place, adds: bool = False) -> None:
        """Checks that nobody needs what was there; `adds`: a product, to which the next of its token may be added."""
        array, slot = place
        if array in self.rings:
            raise GraphError(f"{self.name}: {array.name!r} is written outside of the turns of its ring")
        for token, batch in self.underway():
            if place in batch.reads:
                raise GraphError(f"{self.name}: {array.name!r} is overwritten while token {token.name!r} may read it")
            same = adds and self.open is not None and self.open[0] is token
            if place in batch.writes and not same:
                raise GraphError(f"{self.name}: {array.name!r} is written before the wait for token {token.name!r}")
        if place in self.touched:
            raise GraphError(f"{self.name}: slot {slot} of {array.name!r} is overwritten without a Barrier after reads")
        self.seen.discard(place)
        if self.open is not None:
            self.open[1].writes.add(place)
        elif array.scope is not Scope.PRIVATE:
            self.own.add(place)
