"""Where the memory of a launch comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Input:
    """A buffer that the plan is run with."""

    number: int


@dataclass(frozen=True, slots=True)
class Output:
    """Storage for a result, as large as `Plan.outputs` says."""

    number: int


@dataclass(frozen=True, slots=True)
class Temporary:
    """Bytes of the arena."""

    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Workspace:
    """Bytes of a plan's own scratch memory: what every launch may use, and leaves tickets in it as zeros."""

    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of an input or an output: one step of a sequence."""

    of: Input | Output
    offset: int
    nbytes: int


Slot = Input | Output | Temporary | Workspace | Part
