"""Random jitted functions over Python state that changes between calls: each does as the plain function, or raises.

A program is source: things with a state (`jit_state`, `jit_objects`, `jit_functions`), a function that reads some of
them directly or through others, what changes from call to call, and how it is called. It is run with `jit` and without;
results, errors, and everything that both left behind are compared.
"""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from lazygrad import Tensor, enable_grad, jit, manual_seed, nn
from lazygrad.errors import JitError, LazygradError
from lazygrad.ops.jit import Jit
from tests.jit_forms import ARGUMENTS, ASKED, EXTRA, EXTRA_CHANGES, FORMS, RESULTS, ROUTES, USES
from tests.jit_functions import FUNCTIONS, TENSORS
from tests.jit_objects import OBJECTS
from tests.jit_state import CONTAINERS, PRELUDE, State

CALLS = 9
STATES = {**CONTAINERS, **OBJECTS, **FUNCTIONS, **TENSORS, "arguments": ASKED}


@dataclass(frozen=True)
class JitProgram:
    """What `jit_program` made."""

    seed: int
    source: str  # defines the states and `call`, by `wrap`
    steps: tuple[str, ...]  # of each call: what changes before it, and the call itself
    at_once: bool  # whether values are read after every call, or at the end

    def __str__(self) -> str:
        return f"jit_program({self.seed}), read {'after every call' if self.at_once else 'at the end'}:\n" + "\n".join(
            [self.source, "# ---- calls", *self.steps]
        )


@dataclass
class Run:
    """What was seen in one run: of each call its outcome, and in the end all that there is."""

    seen: list[Any]
    refused: str = ""  # what JitError said, which ends a run
    replays: bool = False


def jit_program(seed: int, size: int = 4) -> JitProgram:
    """A program whose function reads about `size` times; the same arguments give the same one."""
    return _Making(random.Random(seed), size).program(seed)


class _Making:
    def __init__(self, rng: random.Random, size: int) -> None:
        self.rng, self.size = rng, size
        names = [rng.choice(list(STATES)) for _ in range(rng.choice((1, 1, 2, 3)))]
        names += [rng.choice(list(TENSORS))] if rng.random() < 0.3 else []
        self.states: list[tuple[int, State]] = [(k, STATES[name]) for k, name in enumerate(names)]
        self.lines: list[str] = []  # of the module, after the states
        self.counter = 0

    def text(self, number: int, text: str) -> str:
        """A text of thing `number`, with numbers drawn."""
        text = re.sub(r"\$", lambda _: str(self.rng.choice((0.25, 0.5, 1.25, 3.0, 4.0))), text)
        return text.replace("#", str(number))

    def program(self, seed: int) -> JitProgram:
        body = self.body()
        form = self.rng.choice(FORMS)
        setup = [self.text(number, state.setup) for number, state in self.states]
        depth = "    " * (2 if "self" in form or "make" in form else 1)
        function = form.replace("BODY", "\n".join(depth + line for line in body))
        source = "\n".join([PRELUDE.strip(), EXTRA, *setup, *self.lines, function])
        steps = tuple(self.step(number) for number in range(CALLS))
        return JitProgram(seed, source, steps, self.rng.random() < 0.5)

    # ---- the function ----

    def body(self) -> list[str]:
        lines = ["y = x * 1.0"]
        for _ in range(self.rng.randint(1, self.size)):
            lines += self.use(self.routed(self.read()))
        if self.rng.random() < 0.4:
            number, state = self.rng.choice(self.states)
            tensors = state in TENSORS.values()
            if state.effects and (tensors or self.rng.random() < 0.3):
                lines.insert(self.rng.randint(1, len(lines)), self.text(number, self.rng.choice(state.effects)))
        return [*self.indented(lines), f"return {self.rng.choice(RESULTS).replace('READ', self.read())}"]

    def read(self) -> str:
        number, state = self.rng.choice(self.states)
        return self.text(number, self.rng.choice(state.reads))

    def indented(self, lines: list[str]) -> list[str]:
        how = self.rng.random()
        if how < 0.1:
            return ["with no_grad():", *("    " + line for line in lines)]
        if how < 0.2:
            return ["for _ in range(2):", *("    " + line for line in lines[:1] + lines[-1:]), *lines[1:]]
        return lines

    def routed(self, read: str) -> str:
        """`read`, through something else."""
        self.counter += 1
        takes_arguments = re.search(r"\b[xe]\b", read) is not None
        define, use = self.rng.choice([r for r in ROUTES if not takes_arguments or not r[0] or "(x, e" in r[0]])
        name = f"via{self.counter}"
        if define:
            self.lines.append(define.replace("NAME", name).replace("READ", read))
        return use.replace("NAME", name).replace("READ", read)

    def use(self, read: str) -> list[str]:
        return [line.replace("READ", read) for line in self.rng.choice(USES)]

    # ---- the calls ----

    def step(self, number: int) -> str:
        changes = [self.change() for _ in range(self.rng.choice((0, 0, 0, 1, 1, 2)))] if number else []
        call = self.rng.choice(ARGUMENTS) if self.rng.random() < 0.35 else "call(Tensor([$, $]))"
        call = f"seen = {self.text(0, call)}"
        if self.rng.random() < 0.1:
            call = f"with no_grad(): {call}"
        return "\n".join([*changes, call])

    def change(self) -> str:
        if self.rng.random() < 0.15:
            return self.text(0, self.rng.choice(EXTRA_CHANGES))
        number, state = self.rng.choice(self.states)
        return self.text(number, self.rng.choice(state.changes))


# ---- running them ----------------------------------------------------------------------------------


def run(program: JitProgram, wrap: Callable[[Any], Any]) -> Run:
    """What is seen in a run, in which the function is what `wrap` makes of it."""
    manual_seed(program.seed)
    space: dict[str, Any] = {"__name__": "jit_program", "wrap": wrap, "iter_of": tuple}
    found, kept = Run([]), []
    exec(compile(program.source, f"<jit_program({program.seed})>", "exec", dont_inherit=True), space)
    for number, step in enumerate(program.steps):
        try:
            with enable_grad():
                exec(compile(step, f"<call {number}>", "exec", dont_inherit=True), space)
        except JitError as error:
            found.refused = str(error) or "JitError"
            break
        except Exception as error:  # noqa: BLE001 - both runs have to raise it
            found.seen += [*(described(x, is_result=True) for x in kept), type(error).__name__]
            return found
        kept.append(space.pop("seen"))
        if program.at_once:
            found.seen.append((described(kept.pop(), is_result=True), everything(space)))
    found.seen += [described(x, is_result=True) for x in kept]
    call = space["call"]
    found.replays = isinstance(call, Jit) and bool(call.traces)
    if not found.refused:
        found.seen.append(everything(space))
    return found


class Numbers:
    """Of a tensor: equal to others that differ by rounding, since a traced function's kernels are others."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Numbers) or self.array.shape != other.array.shape:
            return False
        return np.allclose(self.array, other.array, 1e-4, 1e-5, equal_nan=True)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return str(self.array.tolist())


def everything(space: dict[str, Any]) -> Any:
    """What the program's names refer to, as far as it can be told."""
    own = ("call", "make_call", "holder", "Holder", "wrap")
    modules = {name for name, v in space.items() if isinstance(v, ModuleType) and v.__spec__ is not None}
    return {k: described(v) for k, v in space.items() if not k.startswith("__") and k not in modules.union(own)}


def described(value: Any, depth: int = 0, is_result: bool = False) -> Any:
    """Something that `==` compares, of the same kind for the same values. Results of a replay have no graph."""
    if isinstance(value, Tensor):
        gradient = None if value.grad is None or depth > 3 else described(value.grad, depth + 1)
        try:
            value.numpy()
        except LazygradError as error:
            return type(error).__name__
        graph = () if is_result else (value.requires_grad, value.is_leaf)
        return "Tensor", str(value.dtype), *graph, Numbers(value.numpy()), gradient
    if isinstance(value, nn.Module):
        return [described(v, depth) for v in (*value.state_dict().values(), *value.parameters())], value.training
    if isinstance(value, (list, tuple)) and depth < 5:
        return type(value).__name__, [described(v, depth + 1, is_result) for v in value]
    if isinstance(value, dict) and depth < 5:
        return type(value).__name__, [(_key(k), described(v, depth + 1, is_result)) for k, v in value.items()]
    if isinstance(value, (int, float, str, bool, type(None), complex)):
        return type(value).__name__, repr(value)
    if not isinstance(value, (type, FunctionType)) and isinstance(getattr(value, "__dict__", None), dict) and depth < 3:
        return type(value).__name__, described(vars(value), depth + 1, is_result)
    return type(value).__name__


def _key(key: Any) -> str:
    is_number = isinstance(key, int) and key > 1 << 20  # of an object
    return repr(key) if isinstance(key, (str, int, float)) and not is_number else type(key).__name__


def difference(program: JitProgram) -> tuple[Run, str]:
    """The jitted run, and where it differs in silence from the plain one; "" if it does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, jitted = run(program, lambda function: function), run(program, jit)
    if jitted.refused == "" and jitted.seen and jitted.seen[-1] == "ViewError" and "ViewError" in str(plain.seen):
        jitted.refused = jitted.seen.pop()  # of a view that was lost, the call tells rather than who reads its result
    count = len(jitted.seen) if jitted.refused else max(len(plain.seen), len(jitted.seen))
    for k, (a, b) in enumerate(zip(plain.seen[:count], jitted.seen[:count])):
        if a != b and not (jitted.refused and "ViewError" in str(a)):  # later calls lose views that were there then
            return jitted, f"call {k}: {a}\nbut jitted: {b}"
    lost = not jitted.refused and len(plain.seen) != len(jitted.seen)
    return jitted, f"{len(plain.seen)} calls, but jitted {len(jitted.seen)}" if lost else ""


def compare(seeds: Sequence[int], size: int = 4) -> Counter[str]:
    """Run the programs of `seeds` on the default device; AssertionError, with the program, if one differs in silence.

    Returns how many were "replayed" to their end, and how many were "refused".
    """
    count: Counter[str] = Counter()
    for seed in seeds:
        program = jit_program(seed, size)
        jitted, what = difference(program)
        assert not what, f"{program}\n{what}"
        count["refused" if jitted.refused else "replayed" if jitted.replays else "neither"] += 1
    return count
