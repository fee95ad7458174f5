"""Other libraries' names for arguments: `axis` for `dim`, and `keepdims` for `keepdim`, wherever there are those."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from lazygrad.errors import ArgumentError, fail

_SPELLINGS = {"dim": "axis", "dims": "axis", "keepdim": "keepdims", "size": "shape"}  # PyTorch's, and others'
_LAYOUT = {"layout", "pin_memory", "memory_format"}  # of new tensors in PyTorch; elements are in row-major order here

SPELLED = frozenset(_SPELLINGS)  # names that have others, which `many` and `makes` below add to


class Spelling(NamedTuple):
    """What a function takes besides the names of its signature."""

    ours: dict[str, str]  # other name -> the signature's
    many: str | None  # `*dims`, which may be given as `dims=(0, 1)`
    before: int  # how many parameters come before that
    makes: bool  # a tensor, whose layout in PyTorch may be given, too

    def as_written(self, what: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The positional arguments; `kwargs` become those of the signature."""
        for other, name in self.ours.items():
            if other in kwargs:
                if name in kwargs:
                    fail(ArgumentError, f"{what}: {other} and {name} are one argument; give one")
                kwargs[name] = kwargs.pop(other)
        if self.makes:
            for name in _LAYOUT & kwargs.keys():
                del kwargs[name]
        if self.many is not None and self.many in kwargs:
            if len(args) > self.before:
                fail(ArgumentError, f"{what}: {self.many} are given by position and by name; give them once")
            return (*args, kwargs.pop(self.many))
        return args


def spelling_of(signature: inspect.Signature) -> Spelling | None:
    """What a function takes by other names; None where its own are all.

    >>> spelling_of(inspect.signature(lambda x, dim, keepdim=False: x)).ours
    {'axis': 'dim', 'keepdims': 'keepdim'}
    """
    parameters = signature.parameters
    ours = {_SPELLINGS[name]: name for name in parameters if name in _SPELLINGS and _SPELLINGS[name] not in parameters}
    many = next((name for name, p in parameters.items() if p.kind is p.VAR_POSITIONAL), None)
    makes = {"dtype", "requires_grad"} <= parameters.keys()
    if not ours and not many and not makes:
        return None
    return Spelling(ours, many, list(parameters).index(many) if many else 0, makes)
