"""Where both sides of the GPU's benchmark run, and how their time is taken: on a GPU, or in a rehearsal without one."""

from __future__ import annotations

import gc
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import torch

from extra.bench.cuda_cases import Case
from extra.bench.torch_gpt import Sizes
from lazygrad import synchronize
from lazygrad.runtime.base import Runtime
from lazygrad.runtime.cuda import CudaRuntime
from lazygrad.runtime.registry import open_device
from lazygrad.settings import settings

Run = Callable[[], None]  # enqueues the work that is timed
GPT2 = Sizes(layers=12, heads=12, width=768, context=1024, batch=16, vocabulary=50304)


class Place(ABC):
    """One device as lazygrad and PyTorch name it.

    Attributes:
        device, torch_device: its names.
        gpt: of the model that is trained, and decodes.
        decoded: tokens of a sample.
        least_s: of work in one sample.
        warm_s: of work before samples are taken, so that the device's clock has risen.
        bytes_s, flops_s: what an H200 moves and computes in a second at best, as PyTorch's copy and product of bfloat16
            matrices have been seen to.
    """

    device: str
    torch_device: str
    gpt = GPT2
    decoded = 256
    least_s = 5e-3
    warm_s = 0.2
    bytes_s, flops_s = 4.3e12, 790e12

    @property
    def runtime(self) -> Runtime:
        """lazygrad's side of it."""
        return open_device(self.device)

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """lazygrad's tensors are made there."""
        with settings.override(device=self.device):
            yield

    def about(self) -> dict[str, str]:
        """What is measured on."""
        info = self.runtime.info
        return {"gpu": f"{info.description}, {info.units} units, {info.l2_bytes >> 20} MiB L2"}

    def case(self, case: Case) -> Case:
        """The case in the sizes that are measured here."""
        return case

    def clear(self) -> None:
        """Nothing of the work before is left: neither side's memory, nor what PyTorch has compiled."""
        torch.compiler.reset()
        gc.collect()
        self.runtime.pool.trim()

    @abstractmethod
    def our_seconds(self, run: Run) -> float:
        """Seconds of `run` on lazygrad's side."""

    @abstractmethod
    def their_seconds(self, run: Run) -> float:
        """Seconds of `run` on PyTorch's side."""

    @abstractmethod
    def wait(self) -> None:
        """Until both sides have nothing left to do."""

    @abstractmethod
    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` as PyTorch's compiler makes it."""

    @abstractmethod
    def captured(self, function: Callable[[], Any]) -> Run:
        """What PyTorch's `function` launches, to be launched again at the least cost."""


class Gpu(Place):
    """The first NVIDIA GPU: times between events of each side's own stream."""

    device, torch_device = "CUDA", "cuda"

    def our_seconds(self, run: Run) -> float:
        """See `Place.our_seconds`."""
        runtime = self.runtime
        assert isinstance(runtime, CudaRuntime)
        context = runtime.context
        context.enter()
        start, end = context.event(timed=True), context.event(timed=True)
        context("cuEventRecord", start, context.stream)
        run()
        context.enter()
        context("cuEventRecord", end, context.stream)
        context("cuEventSynchronize", end)
        seconds = float(context("cuEventElapsedTime", start, end)) * 1e-3
        for event in (start, end):
            context("cuEventDestroy", event)
        return seconds

    def their_seconds(self, run: Run) -> float:
        """See `Place.their_seconds`."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) * 1e-3

    def wait(self) -> None:
        """See `Place.wait`."""
        synchronize()
        torch.cuda.synchronize()

    def clear(self) -> None:
        """See `Place.clear`."""
        super().clear()
        torch.cuda.empty_cache()

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """See `Place.compiled`; for these very sizes."""
        return torch.compile(function, dynamic=False)

    def captured(self, function: Callable[[], Any]) -> Run:
        """See `Place.captured`: a CUDA graph, after calls in a stream of their own that compile and choose kernels."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                function()
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            function()
        return graph.replay


class Rehearsal(Place):
    """Every step of the benchmark in a small size on the processor: it shows that both sides do the same, not how fast.

    Args:
        device: lazygrad's device that stands for the GPU.
    """

    torch_device = "cpu"
    gpt = Sizes(layers=1, heads=2, width=32, context=16, batch=2, vocabulary=64)
    decoded = 3
    least_s = 0.0
    warm_s = 0.0
    _small: ClassVar = {8192: 16, 4096: 32, 50304: 96, 768: 32, 2304: 96, 3072: 128}

    def __init__(self, device: str = "CUDA_EMULATED") -> None:
        self.device = device

    def case(self, case: Case) -> Case:
        """See `Place.case`; the name stays."""
        return replace(case, inputs=tuple(tuple(self._small.get(n, n) for n in shape) for shape in case.inputs))

    def our_seconds(self, run: Run) -> float:
        """See `Place.our_seconds`."""
        start = time.perf_counter()
        run()
        self.runtime.synchronize()
        return time.perf_counter() - start

    def their_seconds(self, run: Run) -> float:
        """See `Place.their_seconds`."""
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def wait(self) -> None:
        """See `Place.wait`."""
        synchronize()

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """See `Place.compiled`: traced, but run by PyTorch's own kernels, which needs no C++ compiler."""
        return torch.compile(function, dynamic=False, backend="aot_eager")

    def captured(self, function: Callable[[], Any]) -> Run:
        """See `Place.captured`: the function itself."""
        function()
        return lambda: void(function())


def void(_: Any) -> None:
    """Nothing, whatever was made."""
