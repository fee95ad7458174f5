"""Pass for all devices: elements that are written over themselves are left alone.

A scatter begins with what was there before. Where its result is written over that, the beginning is no work, and what
an update costs does not depend on how large the table is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lazygrad.ir.op import Combine
from lazygrad.tiling.program import If, Load, Loop, Program, Stmt, Store


def unchanged(program: Program) -> Program:
    """`program` without stores of what an element is already, unless it consists of nothing else."""
    body = _without(program.body)
    return replace(program, body=body) if body else program


def _without(body: Sequence[Stmt]) -> tuple[Stmt, ...]:
    kept: list[Stmt] = []
    for s in body:
        if isinstance(s, Loop) or (isinstance(s, If) and not s.orelse):
            inner = _without(s.body)
            if inner:
                kept.append(s if inner == s.body else replace(s, body=inner))
        elif not (isinstance(s, Store) and _is_itself(s)):
            kept.append(s)
    return tuple(kept)


def _is_itself(s: Store) -> bool:
    if s.combine is not Combine.SET or s.bindings or not isinstance(s.value, Load):
        return False
    return (s.value.array, s.value.index, s.value.valid) == (s.array, s.index, s.valid)
