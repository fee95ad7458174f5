"""Statements inside statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .program import If, Last, Loop, Reduction, Roles, Stage, Start, Stmt


def bodies(s: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The bodies directly inside a statement."""
    if isinstance(s, If):
        return s.body, s.orelse
    if isinstance(s, Roles):
        return tuple(role.body for role in s.roles)
    return (s.body,) if isinstance(s, (Loop, Reduction, Stage, Last, Start)) else ()


def flattened(body: Iterable[Stmt]) -> Iterator[Stmt]:
    """Every statement, each before those inside it, in the order of the text."""
    pending = list(reversed(list(body)))
    while pending:
        s = pending.pop()
        yield s
        for inner in reversed(bodies(s)):
            pending.extend(reversed(inner))
