"""Statements inside statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from .program import Axis, If, Kind, Last, Loop, Reduction, Roles, Search, Stage, Start, Stmt


def bodies(s: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The bodies directly inside a statement."""
    if isinstance(s, If):
        return s.body, s.orelse
    if isinstance(s, Roles):
        return tuple(role.body for role in s.roles)
    return (s.body,) if isinstance(s, (Loop, Reduction, Search, Stage, Last, Start)) else ()


def flattened(body: Iterable[Stmt]) -> Iterator[Stmt]:
    """Every statement, each before those inside it, in the order of the text."""
    pending = list(reversed(list(body)))
    while pending:
        s = pending.pop()
        yield s
        for inner in reversed(bodies(s)):
            pending.extend(reversed(inner))


def grid(body: Sequence[Stmt]) -> tuple[list[Axis], tuple[Stmt, ...]]:
    """The GRID loops around a program, outermost first, and what is inside."""
    axes: list[Axis] = []
    body = tuple(body)
    while len(body) == 1 and isinstance(body[0], Loop) and body[0].axis.kind is Kind.GRID:
        axes.append(body[0].axis)
        body = body[0].body
    return axes, body


def around(axes: Sequence[Axis], body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """`body` inside loops over `axes`, the first one outermost."""
    for axis in reversed(axes):
        body = (Loop(axis, body),)
    return body


def on_grid(axes: Sequence[Axis], body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """`body` for every position along `axes`, by groups of their own."""
    return around([replace(axis, kind=Kind.GRID) for axis in axes], body)


def nest(loop: Loop) -> tuple[tuple[Axis, ...], tuple[Stmt, ...]]:
    """The axes of a perfect nest of loops, and what is inside."""
    axes = [loop.axis]
    body = loop.body
    while len(body) == 1 and isinstance(body[0], Loop):
        axes.append(body[0].axis)
        body = body[0].body
    return tuple(axes), body


def nest_axes(s: Stmt) -> tuple[Axis, ...]:
    """The axes of a Reduction, or of a nest of loops; none of other statements."""
    return s.axes if isinstance(s, Reduction) else nest(s)[0] if isinstance(s, Loop) else ()
