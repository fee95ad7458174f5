"""What a jitted function changes outside, or asks the world for: repeated if it is a tensor, refused if it is not."""

from __future__ import annotations

import collections
import contextlib
import copy
import datetime
import itertools
import logging
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lazygrad import Tensor, enable_grad, manual_seed, nn, no_grad, optim
from lazygrad.settings import settings
from tests.engine.jit_ways import CALLS, Ways, Wrap, outcome, x

ways = Ways()
COUNT = 0
HELD: dict[str, Any] = {}


class Box:
    def __init__(self, **held: Any) -> None:
        vars(self).update(held)


# ---- Python's objects change: refused --------------------------------------------------------------


@ways.refused("changes count")
def a_counter_in_a_closure(wrap: Wrap) -> Any:
    count = 0

    def f(t: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return t * count

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.refused("changes COUNT")
def a_counter_in_a_global(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Tensor:
        global COUNT  # noqa: PLW0603
        COUNT += 1
        return t * 2

    g = wrap(f)
    return [g(x()) for _ in CALLS], COUNT


@ways.refused("changes HELD")
def an_entry_of_a_global(wrap: Wrap) -> Any:
    HELD.clear()
    g = wrap(lambda t: HELD.update(n=len(HELD), last=str(HELD)[:50]) or t)
    return [g(x()) for _ in CALLS], dict(HELD)


@ways.refused("changes box.n")
def an_attribute_counted_up(wrap: Wrap) -> Any:
    box = Box(n=0)

    def f(t: Tensor) -> Tensor:
        box.n += 1
        return t * 2

    g = wrap(f)
    return [g(x()) for _ in CALLS], box.n


@ways.refused("changes box")
def an_attribute_set_by_a_computed_name(wrap: Wrap) -> Any:
    box, name = Box(n=0), "n"

    def f(t: Tensor) -> Tensor:
        setattr(box, name, vars(box)[name] + 1)
        return t * 2

    g = wrap(f)
    return [g(x()) for _ in CALLS], box.n


@ways.refused("changes the function.__self__.n")
def a_method_that_counts(wrap: Wrap) -> Any:
    class Own:
        n = 0

        def go(self, t: Tensor) -> Tensor:
            self.n += 1
            return t * 2

    c = Own()
    g = wrap(c.go)
    return [g(x()) for _ in CALLS], c.n


@ways.refused("changes Own.n")
def a_class_that_counts(wrap: Wrap) -> Any:
    class Own:
        n = 0

        @classmethod
        def go(cls, t: Tensor) -> Tensor:
            cls.n += 1
            return t * 2

    g = wrap(Own.go)
    return [g(x()) for _ in CALLS], Own.n


@ways.refused("changes losses")
def a_list_that_grows(wrap: Wrap) -> Any:
    losses: list[float] = []
    g = wrap(lambda t: losses.append(1.0) or t * 2)  # type: ignore[func-returns-value]
    return [g(x()) for _ in CALLS], losses


@ways.refused("changes losses")
def a_list_of_tensors_that_grows(wrap: Wrap) -> Any:
    losses: list[Tensor] = []
    g = wrap(lambda t: losses.append(t * 3) or t * 2)  # type: ignore[func-returns-value]
    return [g(x()) for _ in CALLS], losses


@ways.refused("changes last")
def a_deque_that_turns(wrap: Wrap) -> Any:
    last = collections.deque([1.0, 2.0, 3.0])
    g = wrap(lambda t: last.rotate() or t * last[0])  # type: ignore[func-returns-value]
    return [g(x()) for _ in CALLS]


@ways.refused("changes found")
def a_set_that_grows(wrap: Wrap) -> Any:
    found: set[int] = set()
    g = wrap(lambda t: found.add(len(found)) or t * len(found))  # type: ignore[func-returns-value]
    return [g(x()) for _ in CALLS]


@ways.refused("changes array")
def an_array_written_to(wrap: Wrap) -> Any:
    array = np.zeros(2, np.float32)

    def f(t: Tensor) -> Tensor:
        array[0] += 1
        return t * Tensor(array)

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.refused("changes box.h")
def an_attribute_that_takes_a_new_tensor(wrap: Wrap) -> Any:
    box = Box(h=x())

    def f(t: Tensor) -> Tensor:
        box.h = box.h * 0.5 + t
        return box.h + 0

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.refused("changes a list or a dict among its arguments")
def a_dictionary_argument_that_is_changed(wrap: Wrap) -> Any:
    state = {"h": x()}

    def step(t: Tensor, state: dict[str, Tensor]) -> Tensor:
        state["h"] = state["h"] * 2 + t
        return state["h"] + 0

    f = wrap(step)
    return [f(x(), state) for _ in CALLS], state


@ways.refused("changes a list or a dict among its arguments")
def a_list_argument_that_is_popped(wrap: Wrap) -> Any:
    f = wrap(lambda many: many.pop() * 2)
    return [f([x(), x(3)]) for _ in CALLS]


@ways.equal
def a_list_argument_in_a_dictionary(wrap: Wrap) -> Any:
    held = {"many": [x()]}
    f = wrap(lambda held: held["many"].append(held["many"][0] + 1) or held["many"][-1])
    return [f(held) for _ in range(3)], len(held["many"])


@ways.refused("changes argument 1.n")
def an_object_argument_that_is_changed(wrap: Wrap) -> Any:
    def f(t: Tensor, box: Box) -> Tensor:
        box.n += 1
        return t * 2

    g, box = wrap(f), Box(n=0)
    return [g(x(), box) for _ in CALLS], box.n


@ways.refused("changes scale.calls")
def a_functions_own_attribute(wrap: Wrap) -> Any:
    def scale(t: Tensor) -> Tensor:
        scale.calls += 1  # type: ignore[attr-defined]
        return t * 2

    scale.calls = 0  # type: ignore[attr-defined]
    g = wrap(lambda t: scale(t))
    return [g(x()) for _ in CALLS], scale.calls  # type: ignore[attr-defined]


@ways.refused("changes the function.__defaults__")
def a_default_that_collects(wrap: Wrap) -> Any:
    def f(t: Tensor, seen: list[int] = []) -> Tensor:  # noqa: B006
        seen.append(1)
        return t * len(seen)

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.refused("changes")
def an_object_kept_in_a_table_by_a_helper(wrap: Wrap) -> Any:
    table: dict[str, int] = {}

    def note(name: str) -> int:
        table[name] = table.get(name, 0) + 1
        return table[name]

    g = wrap(lambda t: t * note("calls"))
    return [g(x()) for _ in CALLS]


@ways.refused("leaves no_grad or enable_grad on")
def a_mode_that_is_left_on(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)
    g = wrap(lambda t: (no_grad().__enter__(), t * 2)[1])
    results = []
    for _ in CALLS:
        with enable_grad():
            results.append((g(x()), (w * 2).requires_grad))
    return results


# ---- the world is asked: refused -------------------------------------------------------------------


def asked(wrap: Wrap, ask: Any) -> Any:
    f = wrap(lambda t: t * (1 if ask() is None else 2))
    return [f(x()) for _ in CALLS]


@ways.refused("time.perf_counter")
def a_clock(wrap: Wrap) -> Any:
    return asked(wrap, lambda: time.perf_counter())


@ways.refused("datetime.now")
def a_date(wrap: Wrap) -> Any:
    return asked(wrap, lambda: datetime.datetime.now())


@ways.refused("random numbers")
def pythons_random_numbers(wrap: Wrap) -> Any:
    random.seed(0)
    f = wrap(lambda t: t * random.random())
    return [f(x()) for _ in CALLS]


@ways.refused("changes np.random")
def numpys_random_numbers(wrap: Wrap) -> Any:
    np.random.seed(0)
    f = wrap(lambda t: t * float(np.random.rand()))
    return [f(x()) for _ in CALLS]


@ways.refused("changes rng")
def a_generator_of_numpy(wrap: Wrap) -> Any:
    rng = np.random.default_rng(0)
    f = wrap(lambda t: t * float(rng.normal()))
    return [f(x()) for _ in CALLS]


@ways.refused("changes box.rng")
def a_generator_of_python(wrap: Wrap) -> Any:
    box = Box(rng=random.Random(0))
    f = wrap(lambda t: t * box.rng.choice([1.0, 2.0, 3.0]))
    return [f(x()) for _ in CALLS]


@ways.refused("os.environ")
def the_environment(wrap: Wrap) -> Any:
    return asked(wrap, lambda: os.environ.get("HOME"))


@ways.refused("os.environ")
def the_environment_by_getenv(wrap: Wrap) -> Any:
    return asked(wrap, lambda: os.getenv("A_NAME_THAT_IS_NOT_THERE"))


@ways.refused("io.open")
def a_file_that_is_opened(wrap: Wrap) -> Any:
    return asked(wrap, lambda: open(__file__).close())


@ways.refused("is called inside")
def a_file_that_is_looked_for(wrap: Wrap) -> Any:
    return asked(wrap, lambda: Path(__file__).exists())


@ways.refused("io.readline")
def a_file_that_is_read(wrap: Wrap) -> Any:
    with open(__file__) as file:
        return asked(wrap, lambda: file.readline())


@ways.refused("an iterator or a file")
def an_iterator(wrap: Wrap) -> Any:
    numbers = iter([1.0] * 100)
    return asked(wrap, lambda: next(numbers))


@ways.refused("an iterator or a file")
def a_count(wrap: Wrap) -> Any:
    numbers = itertools.count()
    f = wrap(lambda t: t * next(numbers))
    return [f(x()) for _ in CALLS]


@ways.refused("an iterator or a file")
def a_generator(wrap: Wrap) -> Any:
    def numbers() -> Any:
        for k in range(100):
            yield float(k)

    box = Box(numbers=numbers())
    f = wrap(lambda t: t * next(box.numbers))
    return [f(x()) for _ in CALLS]


@ways.refused("an iterator or a file")
def a_loop_over_an_iterator(wrap: Wrap) -> Any:
    numbers = iter(range(100))

    def f(t: Tensor) -> Tensor:
        for n in numbers:
            return t * n
        return t

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.refused("thread.start_")  # _new_thread; from 3.13 on _joinable_thread
def a_thread_that_is_started(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Tensor:
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        return t * 2

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.refused("builtins.globals")
def all_globals(wrap: Wrap) -> Any:
    f = wrap(lambda t: t * len(globals()["CALLS"]))
    return [f(x()) for _ in CALLS]


@ways.refused("a value is read")
def a_value_that_is_read(wrap: Wrap) -> Any:
    f = wrap(lambda t: t * t.sum().item())
    return [f(x()) for _ in CALLS]


@ways.refused("a value is read")
def a_tensor_as_a_condition(wrap: Wrap) -> Any:
    f = wrap(lambda t: t * 2 if (t.sum() > 0) else t)
    return [f(x(k - 3)) for k in CALLS]


# ---- what is allowed -------------------------------------------------------------------------------


@ways.equal
def logging_and_printing(wrap: Wrap) -> Any:
    logger = logging.getLogger("a_test")

    def f(t: Tensor) -> Tensor:
        logger.info("called with %s", t.shape)
        print("called", file=sys.stderr, end="")
        return t * 2

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.equal
def objects_made_inside(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Tensor:
        box, many, table = Box(n=1), [], {}
        box.n += 1
        many.append(t * box.n)
        table["a"] = many
        return table["a"][0] + len(many)

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.equal
def generators_made_inside(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Tensor:
        return sum((t * k for k in range(3)), t) + next(iter([1.0])) + list(zip([1, 2], [3, 4]))[1][0]

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.equal
def exceptions_caught_inside(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Tensor:
        try:
            return t * {}["missing"]
        except KeyError:
            return t * 3

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.equal
def exceptions_that_come_out(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Tensor:
        raise ValueError(t.shape)

    g, seen = wrap(f), []
    for _ in CALLS:
        try:
            g(x())
        except ValueError as error:
            seen.append(str(error))
    return seen


@ways.equal
def exceptions_after_a_change(wrap: Wrap) -> Any:
    state = x()

    def f(t: Tensor) -> Tensor:
        state.add_(t)
        raise ValueError(t.shape)

    g = wrap(f)
    for _ in CALLS:
        with contextlib.suppress(ValueError):
            g(x())
    return state


@ways.equal
def state_made_by_the_first_call(wrap: Wrap) -> Any:
    box = Box(h=None)

    def f(t: Tensor) -> Tensor:
        if box.h is None:
            box.h = Tensor.zeros(2)
        box.h.add_(t)
        return box.h * 2

    g = wrap(f)
    return [g(x()) for _ in CALLS], box.h


@ways.equal
def state_that_is_dropped_between_calls(wrap: Wrap) -> Any:
    box = Box(h=None)

    def f(t: Tensor) -> Tensor:
        if box.h is None:
            box.h = Tensor.zeros(2)
        box.h.add_(t)
        return box.h * 2

    g, results = wrap(f), []
    for k in range(12):
        if k == 6:
            box.h = None
        results.append(g(x()))
    return results


@ways.equal
def an_attribute_set_to_what_it_was(wrap: Wrap) -> Any:
    box = Box(n=3.0)

    def f(t: Tensor) -> Tensor:
        box.n = 3.0
        return t * box.n

    g = wrap(f)
    return [g(x()) for _ in CALLS]


@ways.equal
def a_mode_for_a_while(wrap: Wrap) -> Any:
    net = nn.Sequential(nn.Dropout(0.5))

    def f(t: Tensor) -> Tensor:
        net.eval()
        y = net(t)
        net.train()
        return y + net(t)

    g = wrap(f)
    return [g(x()) for _ in CALLS], net.training


@ways.equal
def settings_inside_and_around(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Tensor:
        with settings.override(float32_matmul_precision="high"), no_grad():
            return t @ t

    g, results = wrap(f), []
    for k in range(8):
        with settings.override(float32_matmul_precision="high" if k % 2 else "highest"):
            results.append(g(x()))
    return results


@ways.equal
def constants_that_equal_other_tensors(wrap: Wrap) -> Any:
    also, state, f = Tensor.ones(4), Tensor.ones(4).realize(), wrap(lambda t: t * Tensor.ones(4) + 1)
    t, results = x(1, 2, 3, 4), [also.shape]  # it holds the node that is known to have the other's buffer
    for _ in CALLS:
        results.append(f(t))
        state.add_(1).realize()
    return results


@ways.equal
def constants_that_are_changed_inside(wrap: Wrap) -> Any:
    state = Tensor.ones(2).realize()

    def f(t: Tensor) -> Tensor:
        own = Tensor.ones(2)
        own += t
        return own * state

    g, results = wrap(f), []
    for _ in CALLS:
        results.append(g(x()))
        state.add_(1)
    return results, state


@ways.equal
def expressions_that_equal_other_tensors(wrap: Wrap) -> Any:
    a = x(1, 2).realize()
    other = (a * 2 + 1).realize()
    f, results = wrap(lambda t: t + (a * 2 + 1)), []
    for _ in CALLS:
        results.append(f(x()))
        other.add_(5)
        a.add_(1)
    return results, other


# ---- tensors ---------------------------------------------------------------------------------------


@ways.equal
def seeds_between_calls(wrap: Wrap) -> Any:
    f, results = wrap(lambda t: t * Tensor.rand(2)), []
    for k in CALLS:
        if k in (2, 4):
            manual_seed(k)
        results += [f(x()), Tensor.rand(1)]
    return results


@ways.equal
def seeds_inside(wrap: Wrap) -> Any:
    def f(t: Tensor) -> Any:
        a = Tensor.rand(2)
        manual_seed(7)
        b = Tensor.rand(2)
        manual_seed(9)
        return a, b, Tensor.randint(3, high=5)

    g = wrap(f)
    return [(g(x()), Tensor.rand(1)) for _ in CALLS]


@ways.equal
def a_seed_alone(wrap: Wrap) -> Any:
    f = wrap(lambda t: (manual_seed(3), t * 2)[1])
    return [(f(x()), Tensor.rand(1), Tensor.rand(1)) for _ in CALLS]


@ways.refused("state of a random number generator is read")
def a_seeds_state(wrap: Wrap) -> Any:
    f = wrap(lambda t: t * manual_seed(3).state()[0])
    return [f(x()) for _ in CALLS]


@ways.refused("a learning rate is set")
def rates_set_inside(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)
    sgd = optim.SGD([w], lr=0.5)
    schedule = optim.ExponentialLR(sgd, 0.5)

    def step() -> None:
        w.grad = None
        (w * 2).sum().backward()
        sgd.step()
        schedule.step()

    f, seen = wrap(step), []
    for _ in CALLS:
        f()
        seen.append((w.tolist(), sgd.param_groups[0]["lr"]))
    return seen


@ways.equal
def rates_set_between(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)
    adam = optim.AdamW([w], lr=0.5)
    schedule = optim.WarmupCosineLR(adam, 2, 6)

    def step() -> None:
        adam.zero_grad()
        (w * w).sum().backward()
        adam.step()

    f, seen = wrap(step), []
    for _ in CALLS:
        f()
        schedule.step()
        seen.append(w.tolist())
    return seen


@ways.equal
def gradients_that_appear_later(wrap: Wrap) -> Any:
    a, b = x(1, 1, requires_grad=True), x(3, 4, requires_grad=True)
    sgd = optim.SGD([a, b], lr=0.1)
    step, seen = wrap(lambda: sgd.step()), []
    for k in range(7):
        sgd.zero_grad()
        ((a * a).sum() + ((b * b).sum() if k in (3, 4, 6) else 0)).backward()
        step()
        seen.append([a.tolist(), b.tolist()])
    return seen


@ways.equal
def gradients_asked_for(wrap: Wrap) -> Any:
    a = x(1, 1, requires_grad=True)
    f, seen = wrap(lambda t: t * (1 if a.grad is None else 2)), []
    for k in CALLS:
        a.grad = x() if k in (2, 3) else None
        seen.append(f(x()))
    return seen


@ways.equal
def gradients_scaled_in_place(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)

    def f(t: Tensor) -> None:
        w.grad.mul_(t)  # type: ignore[union-attr]

    g, seen = wrap(f), []
    for _ in CALLS:
        (w * w).sum().backward()
        g(x(0.5, 0.25))
        seen.append(w.grad.tolist())  # type: ignore[union-attr]
    return seen


@ways.equal
def a_gradient_that_is_an_outside_tensor(wrap: Wrap) -> Any:
    w, other = x(1, 2, requires_grad=True), x(5, 6)

    def f(t: Tensor) -> Tensor:
        w.grad = other
        return t * 2

    g, seen = wrap(f), []
    for _ in CALLS:
        w.grad = None
        seen.append((g(x()), w.grad is other))
        other += 1
    return seen, other


@ways.equal
def a_gradient_that_is_returned(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)

    def f(t: Tensor) -> Any:
        w.grad = None
        (w * t).sum().backward()
        return w.grad

    g, seen = wrap(f), []
    for k in CALLS:
        found = g(x(k, 1))
        found += 1
        seen.append((found is w.grad, w.grad))
    return seen


@ways.equal
def requires_grad_toggled_between(wrap: Wrap) -> Any:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    sgd = optim.SGD(net.parameters(), lr=0.1)

    def step(t: Tensor) -> Tensor:
        sgd.zero_grad()
        loss = net(t).square().sum()
        loss.backward()
        sgd.step()
        return loss

    f, seen = wrap(step), []
    for k in range(8):
        net[0].weight.requires_grad_(k not in (3, 4, 6))
        seen.append((f(x()), net[0].weight))
    return seen


@ways.equal
def requires_grad_of_arguments(wrap: Wrap) -> Any:
    f = wrap(lambda t: t * (2 if t.requires_grad else 3))
    return [f(x(1, 2, requires_grad=bool(k % 2))) for k in range(8)]


@ways.refused("requires_grad")
def requires_grad_changed_inside(wrap: Wrap) -> Any:
    w = x(1, 2, requires_grad=True)

    def f(t: Tensor) -> Tensor:
        w.requires_grad_(not w.requires_grad)
        return t * 2

    g = wrap(f)
    return [(g(x()), w.requires_grad) for _ in CALLS]


@ways.equal
def a_tensor_that_is_argument_and_outside(wrap: Wrap) -> Any:
    state = x(1, 2)
    f, seen = wrap(lambda t: t.add_(1) + state), []
    for k in range(12):
        seen.append(f(state if k % 4 < 2 else x(k, 2)))
    return seen, state


@ways.equal
def an_argument_compared_to_an_outside_tensor(wrap: Wrap) -> Any:
    state = x(1, 2)
    f = wrap(lambda t: t * 2 if t is state else t * 3)
    return [f(state if k % 4 < 2 else x(k, 2)) for k in range(12)]


@ways.equal
def parameters_as_arguments(wrap: Wrap) -> Any:
    net = nn.Linear(2, 2)
    f, seen = wrap(lambda w, t: (net(t) * w).sum()), []
    for _ in CALLS:
        seen.append(f(net.weight, x()))
        net.weight.assign(net.weight * 0.5)
    return seen


@ways.equal
def tensors_that_are_gone(wrap: Wrap) -> Any:
    held = {"t": x(1, 2)}
    f, seen = wrap(lambda t: t * held["t"]), []
    for k in range(12):
        if k % 3 == 0:
            del held["t"]
            held["t"] = x(k, 2)
        seen.append(f(x()))
    return seen


@ways.equal
def tensors_computed_only_later(wrap: Wrap) -> Any:
    held = [x(1, 2)]
    f, seen = wrap(lambda t: t + held[0]), []
    for _ in CALLS:
        seen.append(f(x()))
        held[0].assign(held[0] * 2 + seen[-1].detach())
    return seen


@ways.equal
def devices_that_change(wrap: Wrap) -> Any:
    f = wrap(lambda t: (t * 2, t.device))
    return [f(Tensor([1.0, k], device="OPENCL" if k % 4 < 2 else "NUMPY")) for k in range(8)]


@ways.equal
def default_devices_that_change(wrap: Wrap) -> Any:
    f, seen = wrap(lambda: (Tensor([1.0]) * 2).device), []
    for k in range(8):
        with settings.override(device="OPENCL" if k % 4 < 2 else "NUMPY"):
            seen.append(f())
    return seen


@ways.equal
def modules_that_move(wrap: Wrap) -> Any:
    net = nn.Linear(2, 2)
    f, seen = wrap(lambda t: net(t)), []
    for k in range(6):
        net.to("float64" if False else "NUMPY")
        if k == 3:
            for p in net.parameters():
                p.assign(p * 2)
        seen.append(f(x()))
    return seen


@ways.equal
def copies_of_objects_with_jitted_methods(wrap: Wrap) -> Any:
    class Own:
        def __init__(self) -> None:
            self.k = 1.0

        def go(self, t: Tensor) -> Tensor:
            return t * self.k

    Own.go = wrap(Own.go)  # type: ignore[method-assign]
    a = Own()
    seen = [a.go(x()) for _ in range(3)]
    b, c = copy.copy(a), copy.deepcopy(a)
    b.k, c.k = 5.0, 7.0
    return seen + [o.go(x()) for o in (a, b, c) for _ in range(3)]


@ways.equal
def deep_copies_of_objects_that_own_a_jitted_method(wrap: Wrap) -> Any:
    class Own:
        def __init__(self) -> None:
            self.k = 1.0
            self.go = wrap(self.plain)

        def plain(self, t: Tensor) -> Tensor:
            return t * self.k

    a = Own()
    seen = [a.go(x()) for _ in range(3)]
    b = copy.deepcopy(a)
    b.k = 5.0
    return seen + [o.go(x()) for o in (a, b) for _ in range(3)]


@pytest.mark.parametrize("name", ways.same)
def test_as_the_plain_call(name: str, numpy_device: str) -> None:
    assert outcome(ways.same[name]) == ("same", None)


@pytest.mark.parametrize("name", ways.raising)
def test_refused(name: str, numpy_device: str) -> None:
    way, message = ways.raising[name]
    found, text = outcome(way)
    assert found == "raises", text
    assert message in text
