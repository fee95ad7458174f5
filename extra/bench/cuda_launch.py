"""What a launch costs: the host's time to enqueue one kernel, and the device's time for one of a replayed graph."""

from __future__ import annotations

import statistics
import time

import numpy as np

from extra.bench.cuda_place import Place
from lazygrad.runtime.base import KernelSource, Launch

COUNT = 200
TEXT = """extern "C" __global__ void __launch_bounds__(32, 1) nothing(
    float *a, const float *b, const float *c, const int n) {
  if (n < 0) a[0] = b[0] + c[0];
}"""


def launch_costs(place: Place) -> dict[str, float]:
    """Seconds for each kernel: enqueued by itself, and in a graph."""
    runtime = place.runtime
    (kernel,) = runtime.build([KernelSource("nothing", TEXT, "nothing")])
    memory = tuple(runtime.wrap(np.zeros(4, np.float32)) for _ in range(3))
    launch = Launch(kernel, memory, (1,), (32,), (32,))
    one, many = runtime.prepare([launch]), runtime.prepare([launch] * COUNT)

    def several() -> None:
        for _ in range(5):
            many.run()

    apart = []
    for _ in range(20):
        runtime.synchronize()
        start = time.perf_counter()
        for _ in range(COUNT):
            one.run()
        apart.append((time.perf_counter() - start) / COUNT)
    several()
    replayed = [place.our_seconds(several) / (5 * COUNT) for _ in range(20)]
    return {"enqueue one kernel": statistics.median(apart), "one kernel of a graph": statistics.median(replayed)}
