"""Machine kernels as indented lines of a relative of C: blocks, loops and branches; statements are the language's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from lazygrad.tiling.lower_context import integer_type
from lazygrad.tiling.machine import Branch, For, Instruction, MachineKernel

from .cstyle import type_name
from .expression import c_expression, c_number


class Writer(ABC):
    """The lines of one kernel so far."""

    def __init__(self, kernel: MachineKernel) -> None:
        self.kernel = kernel
        self.lines: list[str] = []

    @abstractmethod
    def statement(self, step: Instruction) -> list[str]:
        """The lines of an instruction that holds no others."""

    def block(self, body: Sequence[Instruction], depth: int) -> None:
        """Lines of a block; loops and branches wait on a stack, so that any depth is fine."""
        pending: list[tuple[Instruction | str, int]] = [(step, depth) for step in reversed(body)]
        while pending:
            step, level = pending.pop()
            if isinstance(step, For):
                pending.append(("}", level))
                pending.extend((s, level + 1) for s in reversed(step.body))
                lines = [*((f"#pragma unroll {step.copies}",) if step.copies else ()), self._for(step)]
            elif isinstance(step, Branch):
                pending.append(("}", level))
                if step.orelse:
                    pending.extend((s, level + 1) for s in reversed(step.orelse))
                    pending.append(("} else {", level))
                pending.extend((s, level + 1) for s in reversed(step.body))
                lines = [f"if ({c_expression(step.condition)}) {{"]
            else:
                lines = [step] if isinstance(step, str) else self.statement(step)
            self.lines.extend("  " * level + line for line in lines)

    def _for(self, step: For) -> str:
        name, kind = step.var.name, type_name(integer_type(step.stop))
        return f"for ({kind} {name} = {c_expression(step.start)}; {name} < {c_number(step.stop)}; {name}++) {{"
