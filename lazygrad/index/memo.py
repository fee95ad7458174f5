"""A memo of limited size for the smart constructors."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from .node import Expr

K = TypeVar("K", bound=Hashable)


class Memo(Generic[K]):
    """Operands -> result. Emptied when full, so that a long-lived process does not keep every expression alive."""

    __slots__ = ("_limit", "_results")

    def __init__(self, limit: int = 1 << 15) -> None:
        self._limit = limit
        self._results: dict[K, Expr] = {}

    def get(self, operands: K) -> Expr | None:
        """The result kept for these operands, or None."""
        return self._results.get(operands)

    def put(self, operands: K, result: Expr) -> Expr:
        """Keep a result; returns it."""
        if len(self._results) >= self._limit:
            self._results.clear()
        self._results[operands] = result
        return result
