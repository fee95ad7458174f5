"""Index expressions as C: computed by a compiler, they are what they mean, at the ends of their variables' ranges."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pyopencl as cl
import pytest

from lazygrad.index.expr import Expr, Var, maximum, minimum, select
from lazygrad.render.expression import c_expression
from lazygrad.runtime.registry import open_device

FAR = 1_200_128  # so many elements before the first one: times a size of thousands, beyond 32 bits


def made(seed: int) -> tuple[Expr, list[Var]]:
    """A random expression over an index that can be negative, and a size from 1 on."""
    rng = random.Random(seed)
    index = Var("t", -rng.choice([3, FAR]), rng.choice([5, FAR]))
    size = Var("n", 1, rng.choice([2, 2000, 100_000]))
    e: Expr = index * rng.choice([1, 3, -7]) + rng.randrange(300)
    for _ in range(rng.randrange(1, 4)):
        divisor = rng.choice([size, size + 3, size * 2 + 1, 7, 64])
        form = rng.randrange(5)
        if form < 2:
            e = e // divisor + rng.randrange(-4, 4)
        elif form == 2:
            e = e % divisor + index
        elif form == 3:
            e = select(e.lt(0), maximum(e, -50), e // divisor)
        else:
            e = minimum(e, index) * rng.choice([1, 2]) - size
    return e, [index, size]


@pytest.mark.parametrize("start", [0, 200])
def test_compiled_expressions_have_their_values(start: int) -> None:
    expressions = [made(seed) for seed in range(start, start + 200)]
    lines = "\n".join(
        f"{{ int t = in[{2 * k}], n = in[{2 * k + 1}]; out[{k}] = {c_expression(e)}; }}"
        for k, (e, _) in enumerate(expressions)
    )
    device = open_device("OPENCL")
    context: cl.Context = device._context
    text = f"__kernel void every(__global const int *in, __global long *out) {{\n{lines}\n}}"
    kernel = cl.Kernel(cl.Program(context, text).build(), "every")
    queue = cl.CommandQueue(context)
    out = np.zeros(len(expressions), np.int64)
    result = cl.Buffer(context, cl.mem_flags.WRITE_ONLY, out.nbytes)
    for ends in itertools.product((0.0, 0.3, 1.0), repeat=2):
        values = [[v.lo + int((v.hi - v.lo) * end) for v, end in zip(pair, ends)] for _, pair in expressions]
        given = np.array(values, np.int32)
        read = cl.Buffer(context, cl.mem_flags.READ_ONLY | cl.mem_flags.COPY_HOST_PTR, hostbuf=given)
        kernel(queue, (1,), (1,), read, result)
        cl.enqueue_copy(queue, out, result)
        wanted = [e.evaluate(dict(zip(pair, v))) for (e, pair), v in zip(expressions, values)]
        wrong = [k for k, (a, b) in enumerate(zip(out.tolist(), wanted)) if a != b]
        assert not wrong, [(start + k, c_expression(expressions[k][0]), values[k]) for k in wrong[:3]]
