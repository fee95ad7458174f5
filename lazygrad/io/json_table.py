"""JSON out of files that anybody may have written: every value is asked for by its type, and has a limit."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, NoReturn, TypeVar

import numpy as np

from lazygrad.errors import ArgumentError, FileFormatError
from lazygrad.io.atomic import PathLike

LARGEST = (1 << 63) - 1  # of an integer that no other limit is given for
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "an integer"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "str": ((str,), "a text"),
}
T = TypeVar("T")


def parse_json(path: PathLike, what: str, text: bytes | str) -> Any:
    """The value of a JSON text. FileFormatError where it is none, nested too deeply, or says a name twice.

    Args:
        path: the file that it is from.
        what: which part of the file, for messages: "header".
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise FileFormatError(path, f"the name {twice!r:.60} occurs twice in its {what}; fetch or save it again")
        return table

    try:
        return json.loads(text.decode("utf-8") if isinstance(text, bytes) else text, object_pairs_hook=unique)
    except FileFormatError:
        raise
    except (ValueError, RecursionError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FileFormatError(path, f"has a damaged {what} ({problem:.200}); fetch or save it again") from None


@dataclass(frozen=True)
class JsonTable:
    """A JSON object in a file. Whatever is not as asked for is a FileFormatError that names the file and the entry.

    Args:
        path: the file.
        what: which object of it, for messages: "its manifest".
        values: name -> value, as the JSON module reads it.
    """

    path: str
    what: str
    values: Mapping[str, Any]

    @staticmethod
    def of(path: PathLike, what: str, value: Any) -> JsonTable:
        """The table that `value` is."""
        if not isinstance(value, dict):
            raise FileFormatError(path, f"{what} is {_shown(value)}, where a table of names and values is expected")
        return JsonTable(os.fspath(path), what, value)

    def entry(self, name: str) -> Any:
        """The value of `name`, of any type."""
        if name not in self.values:
            raise FileFormatError(self.path, f"{self.what} has no {name}; it was written by another program")
        return self.values[name]

    def given(self, name: str) -> bool:
        """Whether there is an entry of that name that says something: null does not."""
        return self.values.get(name) is not None

    def boolean(self, name: str) -> bool:
        """The entry `name`, true or false."""
        return bool(self._typed(name, self.entry(name), "bool"))

    def integers(self, name: str, low: int = 0, high: int = LARGEST) -> list[int]:
        """The entry `name`, a list of integers from `low` to `high`."""
        value = self.entry(name)
        if not isinstance(value, list):
            self._refuse(name, value, "a list of integers")
        return [self._integer(name, x, low, high) for x in value]

    def table(self, name: str) -> JsonTable:
        """The entry `name`, which is a table itself."""
        return JsonTable.of(self.path, f"{name} in {self.what}", self.entry(name))

    def integer(self, name: str, low: int = 0, high: int = LARGEST) -> int:
        """The entry `name`, an integer from `low` to `high`."""
        return self._integer(name, self.entry(name), low, high)

    def number(self, name: str, low: float = 0.0) -> float:
        """The entry `name`, a finite number from `low` up."""
        value = self._typed(name, self.entry(name), "float")
        if not (math.isfinite(value) and value >= low):
            self._refuse(name, value, f"a number from {low:g} up")
        return float(value)

    def text(self, name: str) -> str:
        """The entry `name`, a text."""
        return str(self._typed(name, self.entry(name), "str"))

    def texts(self, name: str) -> list[str]:
        """The entry `name`, a list of texts."""
        value = self.entry(name)
        if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
            self._refuse(name, value, "a list of texts")
        return value

    def rows(self, name: str, *kinds: str) -> list[tuple[Any, ...]]:
        """The entry `name`, a list of rows of such kinds ("int" or "float"); numbers may be nan here."""
        value = self.entry(name)
        wanted = f"a list of rows of {len(kinds)} numbers"
        if not isinstance(value, (list, tuple)):
            self._refuse(name, value, wanted)
        rows = []
        for row in value:
            if not isinstance(row, (list, tuple)) or len(row) != len(kinds):
                self._refuse(name, row, wanted)
            rows.append(tuple(self._typed(name, x, kind) for x, kind in zip(row, kinds)))
        return rows

    def record(self, name: str, kind: Callable[..., T]) -> T:
        """The entry `name` as a dataclass of numbers and texts; what its own checks refuse is refused here."""
        table = self.table(name)
        known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
        if unknown := [key for key in table.values if key not in known]:
            raise FileFormatError(self.path, f"{table.what} has {unknown[0]!r:.60}, which this lazygrad does not know")
        for field in known.values():
            if field.default is MISSING:
                table.entry(field.name)
        given = {key: table._typed(key, value, str(known[key].type)) for key, value in table.values.items()}
        try:
            return kind(**given)
        except ArgumentError as error:
            raise FileFormatError(self.path, f"{table.what} cannot be used: {error}") from None

    def _typed(self, name: str, value: Any, kind: str) -> Any:
        types, words = _KINDS[kind]
        if kind == "int":
            return self._integer(name, value, -LARGEST, LARGEST)
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "bool"):
            self._refuse(name, value, words)
        return float(self._integer(name, value, -LARGEST, LARGEST)) if kind == "float" and type(value) is int else value

    def _integer(self, name: str, value: Any, low: int, high: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self._refuse(name, value, f"an integer from {low} to {high}")
        return int(value)

    def _refuse(self, name: str, value: Any, wanted: str) -> NoReturn:
        raise FileFormatError(self.path, f"{name} in {self.what} is {_shown(value)}; it must be {wanted}")


def make_plain(record: Any) -> None:
    """Make what a frozen dataclass holds Python's own numbers, which a file gives back as they were.

    ArgumentError for what is not of the field's type, and for numbers that no file holds.
    """
    for field in fields(record):
        value: Any = getattr(record, field.name)
        kind = str(field.type)
        if isinstance(value, np.generic):
            value = value.item()
        types, words = _KINDS[kind]
        fits = isinstance(value, types) and (kind == "bool" or not isinstance(value, bool))
        if not fits:
            raise ArgumentError(f"{field.name} is {value!r:.60}; it must be {words}")
        if type(value) is int and abs(value) > LARGEST:
            raise ArgumentError(f"{field.name} is {_shown(value)}; it must be at most 2**63 - 1")
        object.__setattr__(record, field.name, float(value) if kind == "float" else value)


def _shown(value: Any) -> str:
    """A value for people, however large it is."""
    if isinstance(value, (dict, list)):
        return f"a {'table' if isinstance(value, dict) else 'list'} of {len(value)}"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "an enormous integer"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
