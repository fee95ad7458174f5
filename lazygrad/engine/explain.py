"""Looking inside: the kernels that some graph would run, and every stage on the way to them as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lazygrad.engine.compile import Stages, compile_kernel
from lazygrad.engine.run import over_buffers, realized
from lazygrad.index.expr import Var
from lazygrad.ir.node import Node
from lazygrad.ir.op import Op
from lazygrad.ir.repeat import step_of
from lazygrad.ir.show import text as graph_text
from lazygrad.ir.variables import unbind
from lazygrad.runtime.base import DeviceInfo
from lazygrad.runtime.registry import open_device
from lazygrad.schedule.kernel import Kernel, schedule
from lazygrad.tiling.show import text as program_text


@dataclass(frozen=True)
class KernelView:
    """One launch.

    Attributes:
        name: kind, shape of the first output and a hash of the structure.
        source: what the device's compiler gets.
        bytes, flops: the least that it has to move and compute.
        seconds: the time that those take at the device's bandwidth and peak, whichever is longer.
        program: its tile program, as text.
    """

    name: str
    source: str
    bytes: int
    flops: int
    seconds: float
    program: str

    def __repr__(self) -> str:
        return f"Kernel({self.name}, {self.bytes} bytes, {self.flops} flops)"


def kernels(nodes: Sequence[Node], device: str) -> list[KernelView]:
    """The kernels that realizing `nodes` on `device` would launch, in order. Nothing runs."""
    info = open_device(device).info
    return [_view(compile_kernel(k, {}, info), info) for k in _scheduled(nodes, device)]


def explain(nodes: Sequence[Node], device: str) -> str:
    """Graph, kernels, tile programs and sources of `nodes`, as text."""
    info = open_device(device).info
    parts = ["graph:", _indent(graph_text(over_buffers(nodes, device)))]
    scheduled = _scheduled(nodes, device)
    parts.append(f"\n{len(scheduled)} kernel{'s' if len(scheduled) != 1 else ''}:")
    for k in scheduled:
        view = _view(compile_kernel(k, {}, info), info)
        parts.append(f"\n{view.name}: {view.bytes} bytes, {view.flops} flops, at least {view.seconds * 1e6:.2f} us")
        parts.append("  tile program:\n" + _indent(view.program, 4))
        parts.append("  source:\n" + _indent(view.source.rstrip(), 4))
    return "\n".join(parts)


def _scheduled(nodes: Sequence[Node], device: str) -> tuple[Kernel, ...]:
    pending = over_buffers([n for n in dict.fromkeys(nodes) if realized(n) is None], device)
    unknown = {v for n in pending for v in n.variables if v.bound is None}
    given: dict[Var, int] = {v: v.hi for v in unknown}  # as for any value but 0
    return tuple(_once(schedule(unbind(pending, given).roots).kernels)) if pending else ()


def _once(scheduled: Iterable[Kernel]) -> Iterator[Kernel]:
    """Kernels, with those of one step in the place of one that repeats it."""
    for k in scheduled:
        if k.outputs[0].op is Op.REPEAT:
            yield from _once(schedule(step_of(k.outputs[0])[0]).kernels)
        else:
            yield k


def _view(stages: Stages, info: DeviceInfo) -> KernelView:
    kernel = stages.compiled
    seconds = max(kernel.bytes / info.bandwidth_gbs, kernel.flops / info.peak_gflops) / 1e9
    return KernelView(
        kernel.source.name, kernel.source.text, kernel.bytes, kernel.flops, seconds, program_text(stages.program)
    )


def _indent(text: str, by: int = 2) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())
