"""What a model's `config.json` says, in the spellings that Hugging Face's files have had over the years."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from lazygrad.errors import ArgumentError, FileFormatError
from lazygrad.io.json_table import JsonTable

LARGEST_SIZE = (1 << 31) - 1  # of a width or a vocabulary
MOST_LAYERS = 4096  # more are a mistake, which would take all memory
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of configurations: a field has the name and the meaning that `config.json` gives it.

    Subclasses say which other names a field may have, and which entries a file must not set to anything else than the
    one thing that is implemented.
    """

    model_type: ClassVar[str]
    architecture: ClassVar[str]  # the class that loads what is saved: one of Transformers', or ours
    other_names: ClassVar[Mapping[str, str]] = {}  # other name -> field
    fixed: ClassVar[Mapping[str, Any]] = {}
    sizes: ClassVar[tuple[str, ...]] = ()  # fields that are at least 1
    layer_counts: ClassVar[tuple[str, ...]] = ()  # fields that count layers

    def __post_init__(self) -> None:
        for name in self.sizes:
            if (size := getattr(self, name)) is not None and not 1 <= size <= LARGEST_SIZE:
                raise ArgumentError(f"{name} is {size}; a {type(self).__name__} has it from 1 to {LARGEST_SIZE}")
        for name in self.layer_counts:
            if (count := getattr(self, name)) > MOST_LAYERS:
                raise ArgumentError(f"{name} is {count}; a model has at most {MOST_LAYERS} layers")

    @classmethod
    def of_json(cls, table: JsonTable) -> Any:
        """The configuration that a file holds; FileFormatError for another model's, or for one that is not offered."""
        if table.given("model_type") and (kind := table.text("model_type")) != cls.model_type:
            raise FileFormatError(table.path, f"is of a model of type {kind!r:.60}, not {cls.model_type!r}")
        for name, wanted in cls.fixed.items():
            if table.given(name) and (value := table.entry(name)) != wanted:
                raise FileFormatError(table.path, f"has {name} {value!r:.60}; only {wanted!r} is implemented")
        known = {field.name: str(field.type) for field in fields(cls)}
        other = {field: name for name, field in cls.other_names.items() if table.given(name)}
        given = {}
        for name, kind in known.items():
            stored = name if table.given(name) else other.get(name, name)
            if table.given(stored):
                given[name] = cls._entry(table, stored, kind)
        try:
            return cls(**given)
        except ArgumentError as error:
            raise FileFormatError(table.path, f"describes a model that cannot be made: {error}") from None

    @classmethod
    def _entry(cls, table: JsonTable, name: str, kind: str) -> Any:
        """An entry by the type of its field."""
        kind = kind.removesuffix(" | None")
        if kind == "tuple[int, ...]":
            value = table.entry(name)
            return tuple(table.integers(name)) if isinstance(value, list) else (table.integer(name),)
        if kind == "tuple[str, ...]":
            return tuple(table.texts(name))
        readers: dict[str, Callable[[str], Any]] = {
            "int": table.integer, "float": table.number, "bool": table.boolean, "str": table.text
        }  # fmt: skip
        return readers[kind](name)

    def to_json(self) -> Json:
        """What a file says, as Transformers reads it."""
        values: Json = {"architectures": [self.architecture], "model_type": self.model_type}
        for field in fields(self):
            value = getattr(self, field.name)
            values[field.name] = list(value) if isinstance(value, tuple) else value
        return values


@dataclass(frozen=True, kw_only=True)
class LanguageConfig(Config):
    """What models of language have in common.

    Args:
        eos_token_id: the tokens that end a text; a file has one, a list or null.
        bos_token_id: the token that starts a text, if one does.
    """

    eos_token_id: tuple[int, ...] = ()
    bos_token_id: int | None = None

    def to_json(self) -> Json:
        """See `Config.to_json`."""
        ends = self.eos_token_id
        return {**super().to_json(), "eos_token_id": list(ends) if len(ends) > 1 else ends[0] if ends else None}


def require_divides(what: str, part: str, many: int, few: int) -> None:
    """ArgumentError unless `few` divides `many`."""
    if many % few:
        raise ArgumentError(f"{what} {many} does not divide among {few} {part}")
