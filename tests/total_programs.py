"""Random programs of totals: several reductions over different axes of one input, totals of totals, norms, softmaxes.

What is made of a tensor and of its own totals has to be cut into kernels at just the right places. A program is made by
steps over a pool of values; each step is a function that reads the same for lazygrad and for PyTorch, which computes
the expected values and gradients in float64. Denominators are at least 1/2 and everything stays below `LARGEST`, so
that results differ by roundings only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lazygrad import Tensor

Data = NDArray[Any]
Step = Callable[..., Any]  # of tensors of either framework
LARGEST = 1e3
SIZES = (1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 64, 65, 100, 257)  # on both sides of what fusion and vectors go by
ELEMENTS = 1 << 15  # of an input, but for a few with a little more: there, too, fusion decides otherwise


@dataclass
class TotalProgram:
    """What `total_program` made.

    Attributes:
        arrays: the inputs, the first few of which have gradients.
        steps: each takes earlier values (inputs first) and gives the next one.
        wanted: the values that are realized, in several rounds.
        weights: what wanted values are multiplied with and summed up, for gradients; none: no gradients.
    """

    seed: int
    arrays: list[Data]
    steps: list[tuple[Step, tuple[int, ...], str]] = field(default_factory=list)
    wanted: list[list[int]] = field(default_factory=list)
    weights: dict[int, float] = field(default_factory=dict)

    def values(self, inputs: Sequence[Any]) -> list[Any]:
        made = list(inputs)
        for step, at, _ in self.steps:
            made.append(step(*(made[k] for k in at)))
        return made

    def run(self, inputs: Sequence[Any]) -> list[tuple[list[int], list[Any]]]:
        """The rounds of results, (numbers, tensors) each; a gradient of input k has the number -1 - k."""
        made = self.values(inputs)
        gradients: dict[int, Any] = {}
        if self.weights:
            loss = sum((made[k] * (position(made[k]) * w + w)).sum() for k, w in self.weights.items())
            loss.backward()
            gradients = {-1 - k: x.grad for k, x in enumerate(inputs) if x.grad is not None}
        numbers = [list(names) for names in self.wanted]
        rng = random.Random(self.seed)
        for name in gradients:
            rng.choice(numbers).append(name)
        for names in numbers:
            rng.shuffle(names)
        return [(names, [gradients[k] if k < 0 else made[k] for k in names]) for names in numbers]

    def expected(self) -> dict[int, Data]:
        inputs = [torch.tensor(a, dtype=torch.float64, requires_grad=bool(self.weights)) for a in self.arrays]
        return {k: t.detach().numpy() for names, found in self.run(inputs) for k, t in zip(names, found)}

    def check(self, results: dict[int, Data], tolerance: float) -> None:
        """Raise AssertionError, with the program, unless `results` are as expected."""
        for k, want in self.expected().items():
            got, scale = results[k], 1 + np.abs(want).max(initial=0.0)
            assert got.shape == want.shape, f"{self}\nvalue {k} has shape {got.shape}, not {want.shape}"
            off = np.abs(got - want).max(initial=0.0) / scale
            assert off <= tolerance, f"{self}\nvalue {k} is off by {off}; {tolerance} is allowed"

    def __str__(self) -> str:
        lines = [f"v{k} = input{list(a.shape)}" for k, a in enumerate(self.arrays)]
        for k, (_, at, text) in enumerate(self.steps, len(lines)):
            lines.append(f"v{k} = {text.format(*(f'v{a}' for a in at))}")
        return "\n".join([f"total_program({self.seed}):", *lines, f"loss of {self.weights}", f"realize {self.wanted}"])


def position(x: Any) -> Any:
    """0, 1/n, 2/n, ... over the elements of `x`, so that each has a gradient of its own."""
    count = max(1, int(np.prod(x.shape)))
    line = np.arange(count).reshape(tuple(x.shape)) / count
    if isinstance(x, torch.Tensor):
        return torch.tensor(line, dtype=x.dtype)
    return Tensor(line, dtype=x.dtype, device=x.device)


def total_program(seed: int, size: int = 8, sizes: Sequence[int] = SIZES, elements: int = ELEMENTS) -> TotalProgram:
    """A program of about `size` steps; the same arguments give the same program."""
    rng = random.Random(seed)
    is_close = rng.random() < 0.5
    program = TotalProgram(seed, _inputs(rng, sizes, elements, is_close))
    made: list[torch.Tensor] = [torch.tensor(a, dtype=torch.float64) for a in program.arrays]
    for _ in range(10 * size):
        kind = rng.choice(_CLOSE if is_close else _KINDS)
        found = kind(rng, made)
        if found is None:
            continue
        step, at = found[:2]
        value = step(*(made[k] for k in at))
        if value.numel() > 2 * elements or not bool(value.abs().max() < LARGEST):
            continue
        program.steps.append(found)
        made.append(value)
        if len(program.steps) >= size:
            break
    _choose(program, made, rng)
    return program


def _inputs(rng: random.Random, sizes: Sequence[int], elements: int, is_close: bool) -> list[Data]:
    shape = [rng.choice(sizes) for _ in range(rng.choice((1, 2, 2, 2, 3)))]
    while np.prod(shape) > elements:
        shape[rng.randrange(len(shape))] = rng.choice(sizes[:6])
    if rng.random() < 0.04:
        rows = rng.choice((15, 16, 17, 128))
        shape = [rows, elements // rows + rng.randrange(2)]
    numbers = np.random.default_rng(rng.getrandbits(32))
    others = 0 if is_close else rng.randrange(3)
    shapes = [shape] + [rng.choice((shape, shape, shape[:1], shape[1:])) for _ in range(others)]
    return [numbers.uniform(-1, 1, s) for s in shapes]


def _choose(program: TotalProgram, made: Sequence[torch.Tensor], rng: random.Random) -> None:
    """What is wanted: the last value, and any others, in one or two rounds; gradients for most programs."""
    first = len(program.arrays)
    names = [k for k in range(first, len(made)) if rng.random() < 0.5 or k == len(made) - 1]
    program.wanted = [[], []] if rng.random() < 0.25 else [[]]
    for k in names:
        rng.choice(program.wanted).append(k)
    if rng.random() < 0.6 and names:
        program.weights = {k: rng.choice((0.5, 1.0, -1.0)) for k in names if rng.random() < 0.6}


# ---- steps -----------------------------------------------------------------------------------------

Found = tuple[Step, tuple[int, ...], str]


def _pick(rng: random.Random, made: Sequence[torch.Tensor], least: int = 0) -> int | None:
    """One of the values with at least so many axes, rather a late one."""
    fit = [k for k, v in enumerate(made) if v.ndim >= least and v.numel()]
    return fit[max(rng.randrange(len(fit)), rng.randrange(len(fit)))] if fit else None


def _axes(rng: random.Random, v: torch.Tensor) -> tuple[int, ...]:
    """Some of the axes, or all."""
    return tuple(sorted(rng.sample(range(v.ndim), rng.randint(1, v.ndim)))) if rng.random() < 0.7 else _all(v)


def _all(v: torch.Tensor) -> tuple[int, ...]:
    return tuple(range(v.ndim))


_BEFORE: dict[str, Step] = {
    "{}": lambda x: x, "abs({})": lambda x: x.abs(), "{}^2": lambda x: x * x, "2{}+1": lambda x: x * 2 + 1,
}  # fmt: skip
_AFTER: dict[str, Step] = {
    "{}": lambda x: x, "{}/8": lambda x: x * 0.125, "sqrt({}^2+1)": lambda x: (x * x + 1).sqrt(),
    "1/(1+{}^2)": lambda x: 1 / (x * x + 1), "sigmoid({})": lambda x: x.sigmoid(),
    "exp(-abs({}))": lambda x: (-x.abs()).exp(),
}  # fmt: skip
_TOTALS: dict[str, Step] = {
    "sum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "mean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "amax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "norm": lambda x, axes, keep: ((x * x).sum(axes, keepdim=keep) + 0.25).sqrt(),
    "var": lambda x, axes, keep: (x - x.mean(axes, keepdim=True)).square().mean(axes, keepdim=keep),
}


def _total(rng: random.Random, made: Sequence[torch.Tensor]) -> Found | None:
    if (k := _pick(rng, made, 1)) is None:
        return None
    axes, keep, name = _axes(rng, made[k]), rng.random() < 0.5, rng.choice(list(_TOTALS))
    before, total = rng.choice(list(_BEFORE)), _TOTALS[name]
    change = _BEFORE[before]
    return lambda x: total(change(x), axes, keep), (k,), f"{name}({before}, {axes}, {keep})"


def _normalized(rng: random.Random, made: Sequence[torch.Tensor]) -> Found | None:
    if (k := _pick(rng, made, 1)) is None:
        return None
    axes, name = _axes(rng, made[k]), rng.choice(("by the sum", "by the norm", "standard", "softmax", "log_softmax"))

    def step(x: Any) -> Any:
        if name == "by the sum":
            return x / (x.abs().sum(axes, keepdim=True) + 0.5)
        if name == "by the norm":
            return x / ((x * x).sum(axes, keepdim=True) + 0.25).sqrt()
        if name == "standard":
            centred = x - x.mean(axes, keepdim=True)
            return centred / (centred.square().mean(axes, keepdim=True) + 0.25).sqrt()
        return x.softmax(axes[0]) if name == "softmax" else x.log_softmax(axes[0])

    return step, (k,), f"normalized({{}}, {axes}, {name})"


def _elementwise(rng: random.Random, made: Sequence[torch.Tensor]) -> Found | None:
    if (k := _pick(rng, made)) is None:
        return None
    text = rng.choice(list(_AFTER))
    return _AFTER[text], (k,), text


_PAIRS: dict[str, Step] = {
    "{} * {}": lambda a, b: a * b, "{} + {}": lambda a, b: a + b, "{} - {}": lambda a, b: a - b,
    "{} / (abs({}) + 0.5)": lambda a, b: a / (b.abs() + 0.5), "max({}, {})": lambda a, b: a.maximum(b),
}  # fmt: skip


def _pair(rng: random.Random, made: Sequence[torch.Tensor]) -> Found | None:
    """Two values that broadcast: rows with their totals, too."""
    if (a := _pick(rng, made)) is None:
        return None
    fit = [k for k, v in enumerate(made) if k != a and _broadcast(v.shape, made[a].shape)]
    if not fit:
        return None
    text = rng.choice(list(_PAIRS))
    return _PAIRS[text], (a, rng.choice(fit)), text


def _broadcast(a: Sequence[int], b: Sequence[int]) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(reversed(a), reversed(b)))


def _moved(rng: random.Random, made: Sequence[torch.Tensor]) -> Found | None:
    """What is read at another position than where it was made."""
    if (k := _pick(rng, made, 1)) is None:
        return None
    ndim, axis, count = made[k].ndim, rng.randrange(made[k].ndim), made[k].numel()
    order = rng.sample(range(ndim), ndim)
    half = made[k].shape[axis] // 2
    moves: dict[str, Step] = {
        f"flip({{}}, {axis})": lambda x: x.flip(axis), f"permute({{}}, {order})": lambda x: x.permute(*order),
        "flat({})": lambda x: x.reshape(count), f"narrow({{}}, {axis}, {half}...)": lambda x: x.narrow(axis, half, 1),
    }  # fmt: skip
    text = rng.choice(list(moves))
    return moves[text], (k,), text


def _over_its_total(rng: random.Random, made: Sequence[torch.Tensor]) -> Found | None:
    """A value and its own total in one expression."""
    if (k := _pick(rng, made, 1)) is None:
        return None
    name, text = rng.choice(("sum", "mean", "norm", "amax")), rng.choice(list(_PAIRS))
    total, pair = _TOTALS[name], _PAIRS[text]
    inside = text.format("x", f"{name}(abs(x))")
    return lambda x: pair(x, total(x.abs(), tuple(range(x.ndim)), False)), (k,), f"{inside} of x = {{}}"


_CLOSE = (_over_its_total, _over_its_total, _total, _pair, _pair, _elementwise)  # of one input and its totals
_KINDS = (_total, _total, _total, _normalized, _normalized, _pair, _pair, _pair, _elementwise, _moved)


# ---- running them ----------------------------------------------------------------------------------

TOLERANCES = {"float64": 1e-9, "float32": 2e-3}


def compare(seeds: Sequence[int], size: int = 8) -> None:
    """Realize the programs of `seeds` together, round by round, on the default device, and check them.

    Three of four are in float64, where a wrong cut shows however small its share of a value is.
    """
    programs = [total_program(seed, size) for seed in seeds]
    dtypes = ["float32" if seed % 4 == 3 else "float64" for seed in seeds]
    rounds = []
    for program, dtype in zip(programs, dtypes):
        inputs = [Tensor(a.astype(dtype), requires_grad=bool(program.weights)) for a in program.arrays]
        rounds.append(program.run(inputs))
    for number in range(max(map(len, rounds))):
        now = [t for own in rounds if number < len(own) for t in own[number][1]]
        if now:
            Tensor.realize(*now)
    for program, dtype, own in zip(programs, dtypes, rounds):
        results = {k: t.detach().numpy() for names, found in own for k, t in zip(names, found)}
        program.check(results, TOLERANCES[dtype])
