"""Machine pass: a division whose only use rounds it to 16 bits need not be exact before that.

An exact division takes a GPU a dozen instructions and a branch; one within 2 units in the last place of a float32 takes
half of them, and 2^-22 is nothing beside the 2^-11 that a 16-bit float keeps.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from lazygrad.dtype import dtypes

from .machine import (
    Branch,
    Code,
    Compute,
    For,
    Instruction,
    MachineKernel,
    Register,
    StoreTo,
    instructions,
)

_ROUNDS = ("to_float16", "to_bfloat16")


def approximated(kernel: MachineKernel) -> MachineKernel:
    """`kernel`, changed in place: such divisions of float32 call the device's `divide`."""
    uses: Counter[Register] = Counter()
    rounded: set[Register] = set()
    for step in instructions(kernel.body):
        uses.update(s for s in _sources(step) if isinstance(s, Register))
        if isinstance(step, Compute) and step.code is Code.CALL and step.detail in _ROUNDS:
            rounded.update(s for s in step.src if isinstance(s, Register))
        elif isinstance(step, StoreTo) and step.array.dtype is dtypes.float16 and isinstance(step.src, Register):
            rounded.add(step.src)
    blocks = [kernel.body]
    while blocks:
        body = blocks.pop()
        for i, step in enumerate(body):
            if isinstance(step, (For, Branch)):
                blocks += [step.body, *([step.orelse] if isinstance(step, Branch) else [])]
            elif isinstance(step, Compute) and _is_division(step) and step.dest in rounded and uses[step.dest] == 1:
                body[i] = replace(step, code=Code.CALL, detail="divide")
    return kernel


def _sources(step: Instruction) -> tuple[object, ...]:
    """The operands of a step; a step of a kind that is not looked into counts as none, and rounds nothing."""
    if isinstance(step, Compute):
        return step.src
    return (step.src,) if isinstance(step, StoreTo) else ()


def _is_division(step: Compute) -> bool:
    return step.code is Code.DIV and step.declare and step.dest.dtype is dtypes.float32 and step.dest.lanes == 1
