"""Tickets in machine code: fences and meetings stand where other parties' sums need them (no emulator sees fences)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lazygrad.errors import GraphError
from lazygrad.tiling.lower import lower
from lazygrad.tiling.machine import Branch, Fence, Instruction, Intrinsic, LoadFrom, StoreTo, Ticket, instructions
from lazygrad.tiling.program import Last, Program, Stmt
from lazygrad.tiling.target import Target
from tests.tiling.matrix_programs import AMPERE, HOPPER, changed, linear, on_ampere, on_hopper

MADE: dict[str, tuple[Program, Target, str]] = {
    "warp groups": (on_hopper(linear(768, 4096, 768), splits=3), Target.of(HOPPER), "lg_sync_items"),
    "warp groups in turns": (on_hopper(linear(1536, 4096, 1536), True, splits=3), Target.of(HOPPER), "lg_sync_items"),
    "warps": (on_ampere(linear(768, 4096, 768), splits=3), Target.of(AMPERE), "__syncwarp"),
}


@pytest.mark.parametrize("name", MADE)
def test_what_others_read_is_fenced(name: str) -> None:
    program, target, meeting = MADE[name]
    steps = list(instructions(lower(program, target).body))

    def places(what: Callable[[Instruction], bool]) -> list[int]:
        return [k for k, step in enumerate(steps) if what(step)]

    stored = places(lambda s: isinstance(s, StoreTo) and s.array.name == "partial")
    read = places(lambda s: isinstance(s, LoadFrom) and s.array.name == "partial")
    meetings = places(lambda s: isinstance(s, Intrinsic) and s.name == meeting)
    fences = places(lambda s: isinstance(s, Fence))
    tickets = places(lambda s: isinstance(s, Ticket))
    told = places(lambda s: isinstance(s, LoadFrom) and s.array.name.startswith("group_ticket"))
    lasts = places(lambda s: isinstance(s, Branch) and isinstance(s.body[0], Fence))
    assert len(tickets) == len(told) == len(lasts) == (2 if "turns" in name else 1)
    for ticket, load, last in zip(tickets, told, lasts):
        before = [k for k in stored if k < ticket]
        assert any(max(before) < fence < meet < ticket for fence in fences for meet in meetings)
        assert any(ticket < meet < load < last for meet in meetings)
        branch = steps[last]
        assert isinstance(branch, Branch)
        inside = {id(s) for s in instructions(branch.body)}
        own = [k for k in read if id(steps[k]) in inside]
        assert own and min(own) > last + 1
    assert len(read) == sum(any(k > last for last in lasts) for k in read)
    put_back = places(lambda s: isinstance(s, StoreTo) and s.array.name == "tickets")
    assert len(put_back) == len(tickets)


def test_tickets_of_a_whole_group_stand_in_no_loop() -> None:
    def of_groups(s: Stmt) -> list[Stmt]:
        return [Last(s.tickets, s.body, s.number, s.of)] if isinstance(s, Last) else [s]

    with pytest.raises(GraphError, match="stands in no loop and in no branch"):
        lower(changed(MADE["warp groups"][0], of_groups), Target.of(HOPPER))
