"""Arguments of the wrong kind are refused where they are given, by what the signature says that an operation takes.

Tensors, `int`, `float`, `bool`, `str`, sequences of integers, mappings, paths and functions are looked at here, before
the operation runs. What stands beside a tensor, shapes, dtypes and devices go through helpers of their own (`operands`,
`as_shape`, ...): a parameter whose annotation has another part is not looked at.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from types import FunctionType, NoneType
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np

from lazygrad.errors import ArgumentTypeError, fail
from lazygrad.index.expr import Expr
from lazygrad.ops.aliases import Member
from lazygrad.ops.operands import describe, not_a_tensor
from lazygrad.ops.spelling import SPELLED, Spelling, spelling_of
from lazygrad.ops.wrapping import standing_for

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])


class Kind(NamedTuple):
    """One sort of argument: exact `types` that need no further look, whether a value `is_one`, and its `name`."""

    types: tuple[type, ...]
    is_one: Callable[[Any], bool]
    name: str


def is_integer(value: Any) -> bool:
    """Whether it can be a size, a place or a dimension: Python's or NumPy's integer, or one with variables."""
    return isinstance(value, (int, np.integer, Expr)) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Whether it is a real number of Python's or NumPy's, or a size with variables."""
    return isinstance(value, (int, float, np.integer, np.floating, np.bool_, Expr))


def are_integers(value: Any) -> bool:
    """Whether it is a sequence of such."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and value.dtype.kind in "iu"
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and all(map(is_integer, value))


def are_dims(value: Any) -> bool:
    """Whether it is a dimension, or several."""
    return is_integer(value) or are_integers(value)


def are_numbers(value: Any) -> bool:
    """Whether it is a sequence of real numbers."""
    return isinstance(value, (list, tuple)) and all(map(is_real, value))


def are_items(value: Any) -> bool:
    """Whether it is a sequence of anything."""
    return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))


def _is_iterable(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, (str, bytes, type, Mapping, Member))


TENSOR = Kind((), lambda value: isinstance(value, Member), "a Tensor")
INTEGER = Kind((int,), is_integer, "an integer")
INTEGERS = Kind((), are_integers, "a sequence of integers")
NUMBERS = Kind((), are_numbers, "a sequence of numbers")
BOOL = Kind((bool,), lambda value: isinstance(value, (bool, np.bool_)), "True or False")
# What layers are made with is asked for its truth, as in PyTorch: `nn.Linear(2, 3, 1)`.
TRUTH = Kind((bool,), lambda value: BOOL.is_one(value) or (is_integer(value) and value in (0, 1)), BOOL.name)
SEQUENCE = Kind((), are_items, "a sequence")
KINDS: dict[str, Kind] = {
    "None": Kind((NoneType,), lambda value: value is None, "None"),
    "bool": BOOL,
    "int": INTEGER,
    "Dim": INTEGER,
    "Expr": Kind((), lambda value: isinstance(value, Expr), "a size with variables"),
    "float": Kind((float, int), is_real, "a number"),
    "str": Kind((str,), lambda value: isinstance(value, str), "a string"),
    "Sequence[int]": INTEGERS,
    "Sequence[Dim]": INTEGERS,
    "Sequence[Any]": SEQUENCE,
    "Sequence[float]": NUMBERS,
    "tuple[float, float]": Kind((), lambda value: are_numbers(value) and len(value) == 2, "two numbers"),
    "tuple[float, float, float]": Kind((), lambda value: are_numbers(value) and len(value) == 3, "three numbers"),
    "tuple[float | None, float]": Kind(
        (), lambda value: isinstance(value, (list, tuple)) and len(value) == 2 and is_real(value[1]), "two numbers"
    ),
    "Sequence[tuple[Dim, Dim]]": Kind((list, tuple), lambda value: False, "a sequence of pairs of integers"),
    "Core": TENSOR,
    "Self": TENSOR,
    "Tensor": TENSOR,
    "PathLike": Kind((str,), lambda value: isinstance(value, (str, os.PathLike)), "a path"),
    "Callable": Kind((), callable, "a function"),  # these three with anything in brackets
    "Iterable": Kind((list,), _is_iterable, "an iterable"),
    "Mapping": Kind((dict,), lambda value: isinstance(value, Mapping), "a mapping of names"),
    "np.ndarray": Kind((np.ndarray,), lambda value: isinstance(value, np.ndarray), "a NumPy array"),
}
ALIASES = {
    "builtins.bool": "bool",
    "Dims": "int | Sequence[int] | None",
    "Sizes": "int | Sequence[int]",
    "NamedArrays": "Mapping",
    "Activation": "str | Callable",
}


_MARK = "_looks_at_arguments"


class Check:
    """What one parameter takes."""

    __slots__ = ("kinds", "name", "types")

    def __init__(self, name: str, kinds: Sequence[Kind]) -> None:
        self.name, self.kinds = name, kinds
        self.types = frozenset(t for kind in kinds for t in kind.types)

    def look(self, what: str, value: Any) -> Any:
        """The value, with Python's numbers for NumPy's. ArgumentTypeError for one of none of these kinds."""
        if isinstance(value, Member) and TENSOR not in self.kinds and not value.node.shape:
            value = value.item()  # type: ignore[attr-defined]  # a tensor of one number stands for it
        kind = next((kind for kind in self.kinds if kind.is_one(value)), None)
        if kind is None:
            self._refuse(what, value)
        if kind is TRUTH:
            return bool(value)
        plain = INTEGERS in self.kinds or SEQUENCE in self.kinds or isinstance(value, np.generic)
        return as_python(value) if plain else value

    def _refuse(self, what: str, value: Any) -> NoReturn:
        names = [kind.name for kind in self.kinds]
        wanted = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        if TENSOR in self.kinds and KINDS["float"] not in self.kinds:
            not_a_tensor(what, value, wanted if len(names) == 1 else f"{wanted} as {self.name}")
        fail(ArgumentTypeError, f"{what}: {self.name} is {wanted}, not {described(value)}")


def as_python(value: Any) -> Any:
    """NumPy's numbers as Python's, also in a sequence.

    >>> as_python(np.int64(3)), as_python([1, np.int32(2)]), as_python((1, 2))
    (3, [1, 2], (1, 2))
    """
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (list, tuple)) and any(isinstance(n, np.generic) for n in value):
        return [as_python(n) for n in value]
    return value


def described(value: Any) -> str:
    """What came, in a few words."""
    if isinstance(value, (list, tuple)):
        return f"{value!r:.60}"
    return f"a tensor of shape {list(value.node.shape)}" if isinstance(value, Member) else describe(value)[0]


def check_of(parameter: inspect.Parameter, makes: bool = False) -> Check | None:
    """What its annotation lets it be, of what `makes` objects; None where that is looked at elsewhere."""
    text = parameter.annotation
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or not isinstance(text, str):
        return None
    kinds = _kinds_of(text)
    kinds = tuple(TRUTH if makes and kind is BOOL else kind for kind in kinds)
    return Check(parameter.name, kinds) if kinds else None


@cache
def _kinds_of(annotation: str) -> tuple[Kind, ...]:
    """What it says; nothing where a part of it is looked at elsewhere."""
    parts = [p for part in _parts(annotation) for p in _parts(ALIASES.get(part, part))]
    kinds = [KINDS.get(p) or KINDS.get(p.partition("[")[0]) for p in parts]
    known = [kind for kind in kinds if kind is not None]
    return tuple(dict.fromkeys(known)) if len(known) == len(kinds) else ()


def _parts(annotation: str) -> list[str]:
    """`a | b[c | d]` as `a` and `b[c | d]`."""
    parts, depth = [""], 0
    for letter in annotation:
        depth += (letter == "[") - (letter == "]")
        if letter == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def checked(function: F, kinds: bool = True, names: bool = True) -> F:
    """`function`, whose arguments are looked at before it is called; errors name it, or the class that it makes.

    Args:
        kinds: look whether arguments are what the signature says.
        names: take them by the names of other libraries, too (see `spelling`).

    >>> @checked
    ... def along(dim: int) -> int:
    ...     return dim
    >>> along(np.int64(4)), along(axis=1)
    (4, 1)
    """
    if not _has_looks(function, kinds, names):  # type: ignore[arg-type]  # as what is wrapped: a function
        return function
    name, makes = function.__name__, function.__name__ == "__init__"
    spelling: Spelling | None = None
    by_name: dict[str, Check] = {}
    places: list[tuple[int, Check, frozenset[type]]] | None = None  # these three from the first call on

    def looked_at(*args: Any, **kwargs: Any) -> Any:
        nonlocal spelling, by_name, places
        if places is None:
            spelling, by_name, places = _looks(function, kinds, names)
        if kwargs:
            if spelling is not None:
                args = spelling.as_written(name, args, kwargs)
            for key, value in kwargs.items():
                if key in by_name and type(value) not in by_name[key].types:
                    kwargs[key] = by_name[key].look(type(args[0]).__name__ if makes else name, value)
        given = len(args)
        for i, check, types in places:
            if i >= given:
                break
            if type(args[i]) not in types:
                new = check.look(type(args[0]).__name__ if makes else name, args[i])
                args = args if new is args[i] else (*args[:i], new, *args[i + 1 :])
        return function(*args, **kwargs)

    wrapper = (wraps if makes else standing_for)(function)(looked_at)
    setattr(wrapper, _MARK, True)  # which what is wrapped around it gets, too
    return wrapper  # type: ignore[return-value]


def _has_looks(function: FunctionType, kinds: bool, names: bool) -> bool:
    """Whether there may be anything to look at; asked of every function at import, and so without `inspect`."""
    code = function.__code__
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if names and (code.co_flags & inspect.CO_VARARGS or not SPELLED.isdisjoint(given)):
        return True
    notes = function.__annotations__
    return kinds and any(isinstance(text := notes[name], str) and _kinds_of(text) for name in notes if name != "return")


def _looks(
    function: Callable[..., Any], kinds: bool, names: bool
) -> tuple[Spelling | None, dict[str, Check], list[tuple[int, Check, frozenset[type]]]]:
    """The other names of a function's arguments, and what to look at, by name and by position."""
    signature = inspect.signature(function)
    parameters, makes = signature.parameters.values() if kinds else (), function.__name__ == "__init__"
    in_order = [check_of(p, makes) for p in parameters if p.kind is not p.KEYWORD_ONLY]
    places = [(i, check, check.types) for i, check in enumerate(in_order) if check is not None]
    by_name = {p.name: check for p in parameters if (check := check_of(p, makes)) is not None}
    return spelling_of(signature) if names else None, by_name, places


def check_methods(cls: C, kinds: bool = True) -> C:
    """Have the public methods that the class defines, and with `kinds` what makes its objects, look at their arguments;
    those of tensors have other names, too.
    """
    names = issubclass(cls, Member)
    for name, member in list(vars(cls).items()):
        if isinstance(member, FunctionType) and (not name.startswith("_") or (kinds and name == "__init__")):
            setattr(cls, name, checked(member, kinds, names))
        elif isinstance(member, classmethod) and not name.startswith("_"):
            setattr(cls, name, classmethod(checked(member.__func__, kinds, names)))
    return cls


def check_functions(module: dict[str, Any]) -> None:
    """Have the functions that a module exports look at their arguments, but those that do so already."""
    for name in module["__all__"]:
        if isinstance(module.get(name), FunctionType) and not hasattr(module[name], _MARK):
            module[name] = checked(module[name])
