"""The verifier takes the programs that the passes make, and refuses each of them with one thing wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from lazygrad.dtype import dtypes
from lazygrad.errors import GraphError
from lazygrad.index.expr import Const
from lazygrad.tiling.array import Kind
from lazygrad.tiling.collective import Copy, Let, Mma, Open, Release, Tile, Token, Turn, Wait
from lazygrad.tiling.layout import Strided
from lazygrad.tiling.program import Barrier, If, Last, Loop, Program, Roles, Stage, Start, Stmt, Store, const
from lazygrad.tiling.verify import verify
from lazygrad.tiling.walk import flattened
from tests.tiling.matrix_programs import changed, linear, matrix, on_ampere, on_hopper

HOPPER = on_hopper(linear(8192, 128, 4096))  # several blocks for each work-group
ALTERNATING = on_hopper(linear(8192, 512, 4096), alternate=True)
DIVIDED = on_hopper(linear(768, 4096, 768), splits=3)
AMPERE = on_ampere(linear(1024, 512, 1024))


@pytest.mark.parametrize(
    "program",
    [
        HOPPER,
        AMPERE,
        on_hopper(linear(2000, 520, 1032)),
        on_ampere(linear(1000, 40, 72)),
        on_hopper(matrix(3000, 768) @ matrix(2304, 768).transpose(0, 1)),
        on_hopper(matrix(512, 4096).transpose(0, 1) @ matrix(512, 4096)),
        on_hopper(matrix(24, 512, 64) @ matrix(24, 64, 512)),
        ALTERNATING,
        DIVIDED,
        on_hopper(linear(1536, 4096, 1536), alternate=True, splits=2),
        on_hopper(matrix(2, 500, 1000) @ matrix(2, 1000, 520), splits=4),
        on_hopper(linear(2000, 520, 1032), alternate=True),
        on_hopper(matrix(24, 512, 64) @ matrix(24, 64, 512), alternate=True),
        on_ampere(matrix(24, 512, 64) @ matrix(24, 64, 512), splits=2),
        on_ampere(matrix(24, 512, 64) @ matrix(24, 64, 512)),
        on_ampere(matrix(512, 96).transpose(0, 1) @ matrix(512, 96)),
    ],
    ids=lambda p: p.name,
)
def test_programs_of_the_passes_pass(program: Program) -> None:
    verify(program)


Edit = Callable[[Stmt], Sequence[Stmt]]


def uses_ring(name: str) -> Callable[[Stmt], bool]:
    def uses(s: Stmt) -> bool:
        turn = s.turn if isinstance(s, Release) else s.done if isinstance(s, (Start, Wait)) else None
        return isinstance(turn, Turn) and turn.ring.name == name

    return uses


def without(what: Callable[[Stmt], bool]) -> Edit:
    return lambda s: () if what(s) else (s,)


def instead(what: Callable[[Stmt], bool], new: Callable[[Stmt], Stmt]) -> Edit:
    return lambda s: (new(s),) if what(s) else (s,)


def waits_for(name: str, pending: int | None = None) -> Callable[[Stmt], bool]:
    def found(s: Stmt) -> bool:
        if not isinstance(s, Wait) or not isinstance(s.done, Token) or s.done.name != name:
            return False
        return pending is None or s.pending == pending

    return found


def is_turn(s: Stmt) -> bool:
    return isinstance(s, Wait) and isinstance(s.done, Turn)


def is_roles(s: Stmt) -> bool:
    return isinstance(s, Roles)


def later(s: Stmt) -> Stmt:
    """The same turn's successor."""
    assert isinstance(s, Wait) and isinstance(s.done, Turn)
    return Wait(Turn(s.done.ring, s.done.number + 1))


def role(index: int, **fields: object) -> Callable[[Stmt], Stmt]:
    def new(s: Stmt) -> Stmt:
        assert isinstance(s, Roles)
        return Roles(tuple(replace(r, **fields) if k == index else r for k, r in enumerate(s.roles)))  # type: ignore[arg-type]

    return new


def is_last_release(s: Stmt) -> bool:
    return isinstance(s, Release) and not any(v.name == "step" for v in s.turn.number.vars)


def first_of(what: Callable[[Stmt], bool], program: Program) -> Callable[[Stmt], bool]:
    chosen = next(s for s in flattened(program.body) if what(s))
    return lambda s: s is chosen


def moved(s: Stmt) -> Stmt:
    """A copy or product that starts one row further down."""
    assert isinstance(s, Copy)
    return replace(s, source=replace(s.source, at=(s.source.at[0] + 64, s.source.at[1])))


def smaller(s: Stmt) -> Stmt:
    assert isinstance(s, Copy)
    dest, source = (replace(t, rows=t.rows // 2) for t in (s.dest, s.source))
    return Copy(dest, source)


def is_copy_to(name: str) -> Callable[[Stmt], bool]:
    return lambda s: isinstance(s, Copy) and s.dest.array.name == name


def in_condition(s: Stmt) -> Stmt:
    program = DIVIDED if isinstance(s, Last) else HOPPER
    local = next(t.axis.var for t in flattened(program.body) if isinstance(t, Loop) and t.axis.kind is Kind.LOCAL)
    return If(local.eq(0), (s,))


def overlapping(s: Stmt) -> Stmt:
    """Local memory for a slice whose rows lie on top of each other."""
    assert isinstance(s, Stage)
    return Stage(replace(s.array, layout=Strided(64, 32, 16, 1), size=4 * 64 * 32), s.body)


def with_slots(slots: int) -> Callable[[Stmt], Stmt]:
    def new(s: Stmt) -> Stmt:
        assert isinstance(s, Open)
        return Open(replace(s.ring, slots=slots))

    return new


def mma_of(part: str) -> Callable[[Stmt], Stmt]:
    def new(s: Stmt) -> Stmt:
        assert isinstance(s, Mma)
        tile: Tile = getattr(s, part)
        return replace(s, **{part: replace(tile, columns=tile.columns // 2)})

    return new


def only(kind: type[Stmt]) -> Callable[[Stmt], bool]:
    return lambda s: isinstance(s, kind)


def together(s: Stmt) -> bool:
    return isinstance(s, Barrier) and s.together


def unwrapped(s: Stmt) -> Sequence[Stmt]:
    return s.body if isinstance(s, Start) and any(isinstance(t, Copy) for t in flattened(s.body)) else (s,)


def unordered(s: Stmt) -> Stmt:
    """Does something else where the last one is the one with the first part of the depth."""
    assert isinstance(s, Last)
    split = next(t.var for t in flattened(DIVIDED.body) if isinstance(t, Let) and t.var.name == "split")
    return replace(s, body=(If(split.eq(0), s.body),))


def counted_by_hand(s: Stmt) -> Sequence[Stmt]:
    return (s, Store(s.tickets, s.number, const(0, dtypes.int32))) if isinstance(s, Last) else (s,)


WRONG: dict[str, tuple[Program, Edit, str]] = {
    "a turn is not waited for": (HOPPER, without(is_turn), "read without a wait for its turn"),
    "a later turn is waited for": (HOPPER, instead(is_turn, later), "read without a wait for its turn"),
    "no turn is released": (HOPPER, without(only(Release)), "wait forever: .*release of turn 0|never released"),
    "the last turn is not released": (HOPPER, without(is_last_release), "wait forever|never released"),
    "a turn is released while it may be read": (
        HOPPER,
        without(waits_for("products", 1)),
        "while work of token 'products' may still read",
    ),
    "sums are read too early": (
        HOPPER,
        without(waits_for("products", 0)),
        "'acc' is read before the wait|may still read it",
    ),
    "a part is overwritten while it is stored": (
        HOPPER,
        without(first_of(waits_for("stores"), HOPPER)),
        "overwritten while token 'stores' may read it",
    ),
    "stores are not waited for": (HOPPER, without(waits_for("stores")), "'stores'"),
    "a part is stored before all have written it": (HOPPER, without(together), "without a Barrier after"),
    "fewer readers than warp groups": (
        HOPPER,
        instead(only(Open), lambda s: Open(replace(s.ring, readers=1))),
        "used before it is opened|more than",
    ),
    "a role of other size": (HOPPER, instead(is_roles, role(0, items=64)), "not a multiple of 128|LOCAL|roles of"),
    "too many registers": (HOPPER, instead(is_roles, role(0, registers=200)), "more registers than"),
    "registers in odd numbers": (HOPPER, instead(is_roles, role(0, registers=42)), "multiple of 8"),
    "a barrier for one": (HOPPER, instead(is_roles, role(0, body=(Barrier(),))), "runs alone"),
    "a barrier in a condition": (HOPPER, instead(together, in_condition), "a Barrier inside if"),
    "too little is copied": (HOPPER, instead(is_copy_to("a_slice"), smaller), "bytes are copied for a turn"),
    "a ring with other slots": (HOPPER, instead(only(Open), with_slots(2)), "needs local arrays of 2 slots"),
    "a ring that is not opened": (HOPPER, without(only(Open)), "before it is (opened|declared)"),
    "a copy that is not started": (HOPPER, unwrapped, "put it into a Start"),
    "a product of other shape": (HOPPER, instead(only(Mma), mma_of("a")), "times the transpose of"),
    "the other warp group is not waited for": (
        ALTERNATING,
        without(uses_ring("after_even")),
        "role odd: waits for turn .*, which it cannot tell from turn",
    ),
    "a warp group's end is not told": (
        ALTERNATING,
        without(lambda s: isinstance(s, Start) and uses_ring("after_odd")(s)),
        "wait forever: .*role even for turn 0 of ring 'after_odd' to be filled",
    ),
    "sums are read without a ticket": (
        DIVIDED,
        lambda s: s.body if isinstance(s, Last) else (s,),
        "'partial' is read outside of a Last",
    ),
    "sums are never stored": (
        DIVIDED,
        without(lambda s: isinstance(s, Store) and s.array.name == "partial"),
        "'partial' is read in a Last, but not stored before",
    ),
    "the last one comes too early": (
        DIVIDED,
        instead(only(Last), lambda s: replace(s, of=2)),
        "taken 3 times, but the last is the one of number 2",
    ),
    "parts of a block share a ticket": (
        DIVIDED,
        instead(only(Last), lambda s: replace(s, number=s.number // 2)),
        "in a Last depends on reader",
    ),
    "tickets that there are not": (
        DIVIDED,
        instead(only(Last), lambda s: replace(s, number=s.number + 1)),
        "is none of the",
    ),
    "tickets that are nowhere": (
        DIVIDED,
        instead(only(Last), lambda s: replace(s, tickets=replace(s.tickets))),
        "have to be int32 scratch memory",
    ),
    "tickets counted by hand": (DIVIDED, counted_by_hand, "only Last counts with them"),
    "it matters who is last": (DIVIDED, instead(only(Last), unordered), "in a Last depends on split"),
    "a last one of the whole group": (
        DIVIDED,
        instead(only(Last), lambda s: replace(s, together=False)),
        "inside a LOCAL axis or a role",
    ),
    "a ticket in a condition": (DIVIDED, instead(only(Last), in_condition), "a Last inside if"),
    "slices are not waited for": (AMPERE, without(waits_for("loads")), "read before the wait for token 'loads'"),
    "slices are waited for too late": (
        AMPERE,
        instead(waits_for("loads", 2), lambda s: replace(s, pending=3)),
        "read before the wait for token 'loads'",
    ),
    "no barrier between copies and products": (AMPERE, without(only(Barrier)), "without a Barrier after"),
    "a fragment from outside of the slice": (
        AMPERE,
        instead(is_copy_to("a_part"), moved),
        "may lie outside of 'a_slice'",
    ),
    "a slice that is not declared": (
        AMPERE,
        without(lambda s: isinstance(s, Stage) and s.array.name == "a_slice"),
        "used before it is declared",
    ),
    "elements at one place": (
        AMPERE,
        instead(lambda s: isinstance(s, Stage) and s.array.name == "a_slice", overlapping),
        "puts two elements at one place",
    ),
    "a fragment copied as if asynchronous": (
        AMPERE,
        instead(is_copy_to("a_part"), lambda s: Start(Token("t"), (s,))),
        "is not asynchronous",
    ),
    "a slot too many": (
        AMPERE,
        instead(is_copy_to("b_part"), lambda s: replace(s, source=replace(s.source, slot=Const(4)))),
        "may lie outside of 'b_slice'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_programs_are_refused(name: str) -> None:
    program, edit, message = WRONG[name]
    with pytest.raises(GraphError, match=message):
        verify(changed(program, edit))
