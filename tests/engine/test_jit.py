"""A jitted call equals the plain call, or raises JitError."""

from __future__ import annotations

import gc
import itertools
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, jit, manual_seed, nn, no_grad, optim, stats
from lazygrad.engine import run
from lazygrad.errors import JitError
from lazygrad.ops.jit import Jit

Function = Callable[..., Any]
Wrap = Callable[[Function], Function]
CALLS = 5


def same(function: Function) -> Function:
    return function


def pair(*numbers: float, requires_grad: bool = False) -> Tensor:
    return Tensor(np.array(numbers, np.float32), requires_grad=requires_grad)


def lists(value: Any) -> Any:
    """Tensors as lists, wherever they are."""
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [lists(x) for x in value]
    return value


def outputs_stay(wrap: Wrap) -> Any:
    state = pair(0, 0)
    f = wrap(lambda a: (state.add_(a), state * 2, a))
    kept = [f(pair(k, 1)) for k in range(CALLS)]
    return lists(kept), state.tolist()


def values_read_before_stay(wrap: Wrap) -> Any:
    state = pair(0, 0).realize()
    f = wrap(lambda a: state.add_(a) * 2)
    kept = []
    for k in range(CALLS):
        kept += [state * 1, Tensor(state.reshape(2, 1)), Tensor(state), f(pair(k, 1))]
    return lists(kept), state.tolist()


def result_is_the_new_state(wrap: Wrap) -> Any:
    state = pair(0, 0)

    def f(a: Tensor) -> Tensor:
        value = state + a
        state.assign(value)
        return value

    g = wrap(f)
    return lists([g(pair(k, 1)) for k in range(CALLS)])


def argument_is_returned(wrap: Wrap) -> Any:
    f = wrap(lambda x: x)
    given = [pair(k, 0) for k in range(CALLS)]
    returned = [f(x) for x in given]
    for x in given:
        x += 1
    return lists(returned), [a is b for a, b in zip(given, returned)]


def one_argument_twice(wrap: Wrap) -> Any:
    f = wrap(lambda a, b: a.add_(1) + b)
    seen = []
    for k in range(CALLS):
        x, y = pair(k, 2), pair(5, k)
        seen += [f(x, x), x, f(x, y), x, y]
    return lists(seen)


def arguments_change(wrap: Wrap) -> Any:
    def f(x: Tensor) -> None:
        x[0] = x[1] * 2
        x += 1

    g = wrap(f)
    kept = []
    for k in range(CALLS):
        x = pair(k, k + 1, 3)
        before, view = Tensor(x), Tensor(x[1:])
        g(x)
        kept += [x, before, view]
    return lists(kept)


def swap(wrap: Wrap) -> Any:
    a, b = pair(1, 2), pair(3, 4)

    def f() -> None:
        old = a * 1
        a.assign(b)
        b.assign(old + 1)

    g = wrap(f)
    return [(g(), lists([a, b])) for _ in range(CALLS)]


def constants_stay(wrap: Wrap) -> Any:
    def f(a: Tensor) -> tuple[Tensor, Tensor]:
        total = pair(0, 0)
        total += a
        return total, pair(5, 6)

    g = wrap(f)
    return lists([g(pair(k, 1)) for k in range(CALLS)])


def random_numbers(wrap: Wrap) -> Any:
    manual_seed(3)
    f = wrap(lambda x: (x * (Tensor.rand(4) < 0.5), Tensor.randn(2)))
    return lists([(f(pair(1, 2, 3, 4)), Tensor.rand(1)) for _ in range(CALLS)])


def gradients_gather(wrap: Wrap) -> Any:
    p = pair(1, 2, requires_grad=True)

    def f(x: Tensor) -> Tensor:
        loss = (p * p * x).sum()
        loss.backward()
        return loss

    g = wrap(f)
    seen = []
    for k in range(2 * CALLS):
        if k == 6:
            p.grad = None
        seen.append((g(pair(k, 1)).tolist(), lists(p.grad)))
    return seen


def gradients_of_arguments(wrap: Wrap) -> Any:
    def f(x: Tensor) -> Any:
        (x * x).sum().backward()
        return x.grad

    g = wrap(f)
    seen = []
    for k in range(CALLS):
        x = pair(1, k, requires_grad=True)
        seen += [g(x), x.grad, g(x), x.grad]
    return lists(seen)


def update(wrap: Wrap) -> Any:
    p = pair(1, 2, requires_grad=True)

    def f(x: Tensor) -> Tensor:
        p.grad = None
        ((p * x) ** 2).sum().backward()
        with no_grad():
            p.sub_(p.grad * 0.125)
        return p.sum()

    g = wrap(f)
    return [(g(pair(k, 1)).item(), p.tolist(), lists(p.grad)) for k in range(CALLS)]


def shapes_and_dtypes(wrap: Wrap) -> Any:
    f = wrap(lambda x: (x * 2).sum(-1))
    given = [np.ones(2), np.ones((2, 2)), np.ones(2, np.int32), np.zeros((0, 3)), np.ones((2, 0)), np.ones(3)]
    return lists([f(Tensor(a * k)) for k in range(CALLS) for a in given])


def static_arguments(wrap: Wrap) -> Any:
    f = wrap(lambda x, n, deep: {"a": x * n, "b": [x + deep["k"][0], None, n]})
    made = [f(pair(3), n, {"k": (n % 2,)}) for n in (1, 2, 1, 2, True, 1.0, 1, 2, 1)]
    return [(m["a"].tolist(), lists(m["b"])) for m in made]


def closure_changes(wrap: Wrap) -> Any:
    k, held, factors, array, one = 0, {"t": pair(1)}, [1], np.ones(2, np.float32), pair(1)

    class Config:
        scale = 1
        tensor = pair(1)

    config = Config()
    f = wrap(lambda x: (x * k + one) * config.scale + held["t"] * len(factors) + Tensor(array) + config.tensor)
    seen = []
    for k in range(CALLS):
        config.scale, config.tensor, held["t"], array[0], one = k, pair(k + 1), pair(k), k, pair(-k)
        factors.append(k)
        seen.append(f(pair(1, 1)).tolist())
    return seen


def train_mode(wrap: Wrap) -> Any:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if self.training else x * 3

    net, seen = Net(), []
    f = wrap(lambda x: net(x))
    for k in range(8):
        net.train(k % 2 == 0)
        seen.append(f(pair(k)).tolist())
    return seen


EQUAL = (
    outputs_stay, values_read_before_stay, result_is_the_new_state, argument_is_returned, one_argument_twice,
    arguments_change, swap, constants_stay, random_numbers, gradients_gather, gradients_of_arguments, update,
    shapes_and_dtypes, static_arguments, closure_changes, train_mode,
)  # fmt: skip


@pytest.mark.parametrize("program", EQUAL, ids=lambda f: f.__name__)
def test_equals_the_plain_call(device: str, program: Callable[[Wrap], Any]) -> None:
    assert program(jit) == program(same)


# ---- what cannot be traced -------------------------------------------------------------------------


def test_reading_inside_names_the_line(device: str) -> None:
    f = jit(lambda x: x * x.sum().item())
    assert f(pair(1, 2)).tolist() == [3, 6]
    with pytest.raises(JitError, match=r"read while.*test_jit\.py:\d+: .*f = jit\(lambda x: x \* x\.sum"):
        f(pair(1, 2))


def test_an_escaping_tensor_is_refused(device: str) -> None:
    """Where what holds it is known, it is named; else the tensor is."""
    kept: list[Tensor] = []

    def f(x: Tensor) -> Tensor:
        kept[:] = [x * 3]
        return x * 2

    g = jit(f)
    g(pair(1))
    with pytest.raises(JitError, match="changes kept"):
        g(pair(1))
    hidden = itertools.repeat(kept)  # which is code in C
    h = jit(lambda x: next(hidden).append(x * 3) or x * 2)
    h(pair(1))
    with pytest.raises(JitError, match=r"an iterator or a file|kept outside"):
        h(pair(1))


def test_a_failed_trace_changes_nothing(device: str) -> None:
    state, p = pair(1, 2), pair(1, 2, requires_grad=True)

    def f(x: Tensor) -> float:
        state.add_(x)
        (p * state).sum().backward()
        return float(state.sum().item())

    g = jit(f)
    g(pair(1, 1))
    before = state.tolist(), lists(p.grad)
    with pytest.raises(JitError):
        g(pair(1, 1))
    assert (state.tolist(), lists(p.grad)) == before


def test_a_changed_tensor_used_both_ways(device: str) -> None:
    for number in range(2):
        seen = []
        for wrap in (same, jit):
            x = pair(1, 2)
            function: Function = (lambda a, x=x: a.add_(1) + x) if number else (lambda a, x=x: x.mul_(2) + a)
            f = wrap(function)
            seen.append(lists([f(a) for a in (pair(0, 0), pair(0, 0), x, x, x, pair(0, 0))]))
            seen[-1].append(x.tolist())
        assert seen[0] == seen[1]


def test_gradients_into_computed_tensors_are_refused(device: str) -> None:
    w = pair(1, 2, requires_grad=True)
    f = jit(lambda loss: loss.backward())
    f((w * 2).sum())
    with pytest.raises(JitError, match="computed outside"):
        f((w * 2).sum())


def test_arguments_without_a_hash_are_refused(device: str) -> None:
    with pytest.raises(JitError, match="neither a tensor nor hashable"):
        jit(lambda x, s: x)(pair(1), {1, 2})


def test_two_devices_are_refused(device: str) -> None:
    other = "NUMPY" if device == "OPENCL" else "OPENCL"
    f = jit(lambda x: x.to(other) * 2)
    f(pair(1))
    with pytest.raises(JitError, match="more than one device"):
        f(pair(1))


# ---- how it runs -----------------------------------------------------------------------------------


def test_python_runs_twice_for_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Tensor) -> Tensor:
        print("called")
        return x + 1

    g = jit(f)
    for n in (1, 1, 1, 1, 2, 2, 2, 1):
        g(Tensor(np.ones(n)))
    assert capsys.readouterr().out.count("called") == 4


def test_what_nobody_else_holds_is_changed_where_it_is(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches, weights and optimizer states take their new values in their own memory, not in a copy of it."""
    cache, w = Tensor.zeros(8, 4).contiguous().realize(), Tensor(np.ones((4, 4)), requires_grad=True)
    adam = optim.AdamW([w], lr=0.1)

    @jit
    def step(x: Tensor) -> Tensor:
        adam.zero_grad()
        loss = (x.cast(w.dtype) @ w).square().sum()
        loss.backward()
        adam.step()
        cache[2:3] = cache[2:3] + x
        return loss.detach()

    for _ in range(3):
        step(Tensor.ones(1, 4))
    reads: list[object] = []
    monkeypatch.setattr(run, "download", reads.append)
    for _ in range(3):
        step(Tensor.ones(1, 4).realize())
    monkeypatch.undo()
    assert not reads
    assert cache[2].tolist() == [6.0] * 4


def test_a_replay_schedules_nothing_and_keeps_memory_constant() -> None:
    state = Tensor(np.zeros(1 << 14, np.float32), device="OPENCL").realize()
    f = jit(lambda x: state.mul_(0.5).add_(x).sum())
    x = Tensor(np.ones(1 << 14, np.float32), device="OPENCL")
    for _ in range(4):
        f(x).item()
    before = stats()
    for _ in range(50):
        f(x).item()
    after = stats()
    assert after.schedules == before.schedules
    assert after.live_bytes == before.live_bytes


def test_methods_have_a_jit_for_each_object(device: str) -> None:
    class Counter:
        def __init__(self, start: float) -> None:
            self.total = pair(start)

        @jit
        def add(self, x: Tensor) -> Tensor:
            return self.total.add_(x) * 1

    a, b = Counter(0), Counter(100)
    assert [(a.add(pair(1)).item(), b.add(pair(2)).item()) for _ in range(4)] == [(k, 100 + 2 * k) for k in range(1, 5)]
    assert isinstance(a.add, Jit) and a.add is not b.add


def random_function(seed: int, state: list[Tensor]) -> Function:
    """A function of two tensors that changes `state` and its arguments in random ways."""
    plan = random.Random(seed)
    choices = [plan.randrange(1 << 30) for _ in range(8)]

    def f(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        made = [x, y, *state]
        for choice in choices:
            rng = random.Random(choice)
            a, b = rng.choice(made), rng.choice(made)
            kind = rng.randrange(7)
            if kind == 0:
                a += b * 2
            elif kind == 1:
                a.assign(b.flip(0) - 1)
            elif kind == 2:
                a[1] = b[0]
            elif kind == 3:
                made.append(a + b.sum() % 7)
            elif kind == 4:
                made.append(a.where(b > 0, 1))
            elif kind == 5:
                a.clamp_(-50, 50)
            else:
                made.append(a * 1 + Tensor.randint(3, low=0, high=5))
        return tuple(rng.sample(made, 2))

    return f


@pytest.mark.parametrize("seed", range(10))
def test_random_functions(device: str, seed: int) -> None:
    def run(wrap: Wrap) -> Any:
        manual_seed(seed)
        state = [Tensor(np.array([1, -2, 3])), Tensor(np.array([4, 5, -6]))]
        f, kept = wrap(random_function(seed, state)), []
        for k in range(4):
            x, y = Tensor(np.array([k, 2, -3])), Tensor(np.array([1, -k, k]))
            kept.append((f(x, y), x, y))
        return lists(kept), lists(state)

    assert run(jit) == run(same)


def test_training_is_the_same(device: str) -> None:
    def train(wrap: Wrap) -> Any:
        manual_seed(1)
        net = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Dropout(0.25), nn.Linear(8, 3))
        optimizer = optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)

        def step(x: Tensor, y: Tensor) -> Tensor:
            optimizer.zero_grad()
            loss = net(x).cross_entropy(y)
            loss.backward()
            optimizer.step()
            return loss

        f, numbers, losses = wrap(step), np.random.default_rng(0), []
        for k in range(6):
            optimizer.set_lr(0.01 / (k + 1))
            x, y = numbers.standard_normal((5, 6)).astype(np.float32), numbers.integers(0, 3, 5)
            losses.append(f(Tensor(x), Tensor(y)))
        return lists(losses), lists(list(net.parameters()))

    plain, jitted = train(same), train(jit)
    if device == "NUMPY":
        assert jitted == plain
    else:  # other kernels may add in another order
        for a, b in zip([*jitted[0], *jitted[1]], [*plain[0], *plain[1]]):
            np.testing.assert_allclose(a, b, 1e-5, 1e-6)


def test_a_function_whose_calls_are_all_different_is_told_so() -> None:
    f = jit(lambda x, k: x * k)
    x = Tensor([1.0], device="NUMPY")
    with pytest.warns(UserWarning, match="16 calls of .* were each of another kind"):
        assert [f(x, k).item() for k in range(300)] == list(range(300))
    assert len(f.traces) <= 256
    assert [f(x, 299).item() for _ in range(3)] == [299] * 3


def test_a_function_of_nothing_is_traced_where_no_tensor_is_alive() -> None:
    """In a process of its own: no tensor at all is there to be replaced while the function is traced."""
    code = "import lazygrad as l; f = l.jit(lambda: l.Tensor.rand(3, device='NUMPY')); print(f().sum() != f().sum())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "True" in result.stdout


def test_what_the_garbage_collector_calls_is_not_the_function_s() -> None:
    times: list[float] = []

    class Watch:
        def __call__(self, phase: str, info: dict[str, int]) -> None:
            times.append(time.perf_counter())

    def collecting(x: Tensor) -> Tensor:
        gc.collect()
        return x * 2

    watches = [lambda phase, info: times.append(time.perf_counter()), Watch()]
    gc.callbacks.extend(watches)
    try:
        f = jit(collecting)
        assert [f(Tensor([n])).item() for n in range(4)] == [0, 2, 4, 6]
    finally:
        for watch in watches:
            gc.callbacks.remove(watch)
    assert times
