"""PyTorch's own samples for every operation that lazygrad has under the same name.

`torch.testing._internal` holds, for some 700 operations, the inputs that PyTorch is tested with ("OpInfo"). Each entry
whose operation exists here is run on both sides, and values, gradients, dtypes and shapes are compared.
A sample that lazygrad refuses with an error of its own, or for an argument that it does not have, is *refused* (which
of them may be is listed in test_opinfo.py); any other exception is a fault, as is a number that differs.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import torch

import lazygrad
from lazygrad import Tensor
from lazygrad.dtype import BY_NAME, DType
from lazygrad.errors import LazygradError

Call = Callable[..., Any]
# Operations that are no method here, or none of the same name.
SPELLED: dict[str, Call] = {
    "cat": lambda tensors, *args, **options: lazygrad.cat(tensors, *args, **options),
    "stack": lambda tensors, *args, **options: lazygrad.stack(tensors, *args, **options),
    "where": lambda x, condition, other: lazygrad.where(condition, x, other),
    "polygamma": lambda x, n: x.polygamma(n),
    "embedding": lambda weight, *args, **options: lazygrad.nn.functional.embedding(
        args[0], weight, *args[1:], **options
    ),
    "embedding_bag": lambda weight, *args, **options: lazygrad.nn.functional.embedding_bag(
        args[0], weight, *args[1:], **options
    ),
    "einsum": lambda tensors, equation: lazygrad.einsum(equation, *tensors),
    "slice": lambda x, dim=0, start=None, end=None, step=1: x[
        (slice(None),) * (dim % x.ndim) + (slice(start, end, step),)
    ],
    "cauchy": lambda x, *args: x.cauchy_(*args),  # PyTorch's samples of these are of their in-place forms
    "exponential": lambda x, *args: x.exponential_(*args),
    "geometric": lambda x, *args: x.geometric_(*args),
    "log_normal": lambda x, *args: x.log_normal_(*args),
    "uniform": lambda x, *args: x.uniform_(*args),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "mH": lambda x: x.mH,
}
# Variants that PyTorch makes of the operation by a function of its own.
VARIANTS: dict[str, Call] = {
    "normal.in_place": lambda x, *args: x.normal_(*args),
    "linalg.lstsq.grad_oriented": lambda a, b, driver: lazygrad.linalg.lstsq(a, b, driver=driver)[:2],
    "pca_lowrank": lambda a, b, **options: lazygrad.pca_lowrank(a @ b.mT, **options),
    "svd_lowrank": lambda a, b, **options: lazygrad.svd_lowrank(a @ b.mT, **options),
    "linalg.pinv.singular": lambda a, b: lazygrad.linalg.pinv(a @ b.mT),
}
# Whose results are complex numbers.
COMPLEX = frozenset({"linalg.eig", "linalg.eigvals"})
# What is drawn at random or never written has no numbers to compare: its shape and dtype are.
RANDOM = frozenset(
    {"dropout", "empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"}
    | {"fractional_max_pool2d", "fractional_max_pool3d"}
    | {"bernoulli", "binomial", "multinomial", "normal", "poisson", "rand_like", "randint", "randint_like", "randn"}
    | {"randn_like", "resize_", "resize_as_", "rrelu", "alpha_dropout", "feature_alpha_dropout", "gumbel_softmax"}
    | {"dropout2d", "dropout3d", "cauchy", "exponential", "geometric", "log_normal", "uniform", "normal.in_place"}
    | {"normal.number_mean", "nn.functional.feature_alpha_dropout.with_train"}
)
TOLERANCE = {"float64": 1e-8, "float32": 1e-4}  # by the dtype of a result; PyTorch itself rounds at other places
# Results that are places, of which PyTorch leaves open which of equal elements they name, and the number of `dim`.
PLACES = {"argsort": 1, "sort": 1, "topk": 2, "kthvalue": 2, "mode": 1}
METHODS = ("", "nn.functional")  # families whose operations are methods here, where they are no functions


@dataclass(frozen=True)
class Sample:
    """One call of one operation: `name` is the operation's with its variant, `number` the sample's."""

    name: str
    number: int
    ours: Call
    theirs: Call
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    process: Call = lambda result: result

    def __str__(self) -> str:
        return f"{self.name}[{self.number}]"


class RefusedError(Exception):
    """lazygrad does not offer what a sample asks for."""


@dataclass
class Computed:
    """A sample's results on both sides: pairs of (what it is, lazygrad's, PyTorch's)."""

    sample: Sample
    pairs: list[tuple[str, Any, Any]] = field(default_factory=list)


@cache
def operations() -> dict[str, Any]:
    """PyTorch's entries for operations that exist here, by name and variant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return {f"{op.name}.{op.variant_test_name}".rstrip("."): op for op in op_db if _ours(op.name) is not None}


def _ours(name: str) -> Call | None:
    """What PyTorch's operation is here: a function of the same path, or else a method."""
    family, _, last = name.rpartition(".")
    if name in COMPLEX:
        return None
    if last in SPELLED and not family.startswith("signal"):
        return SPELLED[last]
    room: Any = lazygrad
    for part in filter(None, family.split(".")):
        room = getattr(room, part, None)
    found = getattr(room, last, None)
    return found if callable(found) or family not in METHODS else getattr(Tensor, last, None)


def samples(name: str, dtype: torch.dtype | None = torch.float64) -> Iterator[Sample]:
    """The samples of an operation, with inputs of `dtype` that require gradients where PyTorch has some; None is
    float64, or what comes first of int64, bool and float32 where the operation does not take that."""
    op = operations()[name]
    if dtype is None:
        dtype = next((d for d in (torch.float64, torch.int64, torch.bool) if d in op.dtypes), torch.float32)
    if dtype not in op.dtypes:
        return
    ours = VARIANTS.get(name) or _ours(op.name)
    assert ours is not None
    grad = dtype.is_floating_point and op.supports_autograd
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _seed()  # once: `op.sample_inputs` does so before every sample, and looks through the stack for a test's name
        for k, s in enumerate(op.sample_inputs_func(op, "cpu", dtype, grad)):
            yield Sample(name, k, ours, op.op, (s.input, *s.args), dict(s.kwargs), s.output_process_fn_grad)


def _seed() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


def compute(sample: Sample) -> Computed:
    """Both sides of a sample, ours not realized yet. RefusedError where lazygrad refuses it."""
    leaves: list[tuple[Tensor, torch.Tensor]] = []
    try:
        arguments, options = converted((sample.arguments, sample.options), leaves)
        ours = sample.process(sample.ours(*arguments, **options))
    except LazygradError as error:
        raise RefusedError(str(error)) from error
    except TypeError as error:
        if "argument" not in str(error) and "neither a Tensor nor" not in str(error):
            raise
        raise RefusedError(str(error)) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sample.process(sample.theirs(*sample.arguments, **sample.options))
    done = Computed(sample, [(f"result {i}", *pair) for i, pair in enumerate(zip(flat(ours), flat(theirs)))])
    if len(flat(ours)) != len(flat(theirs)):
        raise AssertionError(f"{sample}: {len(flat(ours))} results, PyTorch gives {len(flat(theirs))}")
    done.pairs += gradients(done, leaves)
    return done


def is_random(sample: Sample) -> bool:
    """Whether a sample's numbers are drawn."""
    if sample.name == "nn.functional.multi_head_attention_forward" and sample.arguments[10]:  # what it drops
        return bool(sample.options.get("training", True))
    return sample.name.rpartition(".")[2] in RANDOM or sample.name in RANDOM or bool(sample.options.get("dropout_p"))


def wrong_calls(name: str) -> Iterator[tuple[Sample, str]]:
    """The calls of an operation that PyTorch says are errors, with its message; those on tensors."""
    op = operations()[name]
    ours = VARIANTS.get(name) or _ours(op.name)
    if op.error_inputs_func is None or ours is None:
        return
    for k, error in enumerate(op.error_inputs_func(op, "cpu")):
        s = error.sample_input
        if isinstance(s.input, torch.Tensor):
            yield Sample(name, k, ours, op.op, (s.input, *s.args), dict(s.kwargs)), error.error_regex


def call(sample: Sample) -> None:
    """lazygrad's side of a sample alone, values and all."""
    arguments, options = converted((sample.arguments, sample.options), [])
    for result in flat(sample.ours(*arguments, **options)):
        if isinstance(result, Tensor):
            result.numpy()


def gradients(done: Computed, leaves: list[tuple[Tensor, torch.Tensor]]) -> list[tuple[str, Any, Any]]:
    """The gradients of a weighted sum of the results, by every input that requires one on PyTorch's side."""
    wanted = [(x, t) for x, t in leaves if t.requires_grad]
    results = [(a, b) for _, a, b in done.pairs if isinstance(b, torch.Tensor) and b.requires_grad]
    if not wanted or not results:
        return []
    draw = np.random.default_rng(done.sample.number)
    ours, theirs = Tensor(0.0, dtype=wanted[0][0].dtype), torch.zeros((), dtype=wanted[0][1].dtype)
    for a, b in results:
        weights = draw.uniform(0.5, 1.5, tuple(b.shape))
        theirs = theirs + (b * torch.tensor(weights, dtype=b.dtype)).sum()
        ours = ours + (a * Tensor(weights, dtype=a.dtype)).sum()
    expected = torch.autograd.grad(theirs, [t for _, t in wanted], allow_unused=True)
    if ours.requires_grad:
        ours.backward()
    return [
        (f"gradient {i}", Tensor.zeros(*x.shape, dtype=x.dtype) if x.grad is None else x.grad, g)
        for i, ((x, _), g) in enumerate(zip(wanted, expected))
        if g is not None or x.grad is not None
    ]


def compare(done: Computed) -> list[str]:
    """What differs between both sides of a sample, in words.

    Where float32 itself is too coarse for the sample, lazygrad's error may be four times PyTorch's, or the tolerance
    times the largest number that went in (a saturated softmax's gradient is a difference of two such products).
    """
    wrong = []
    for k, (what, ours, theirs) in enumerate(done.pairs):
        theirs = torch.zeros_like(torch.tensor(ours.numpy())) if theirs is None else theirs
        if not isinstance(theirs, torch.Tensor):
            same = ours == theirs or (ours != ours and theirs != theirs)
            wrong += [] if same else [f"{done.sample} {what}: {ours!r}, expected {theirs!r}"]
            continue
        theirs = torch.zeros_like(theirs) if theirs._is_zerotensor() else theirs.detach()
        name = str(theirs.dtype).removeprefix("torch.")
        if not isinstance(ours, Tensor) or tuple(ours.shape) != tuple(theirs.shape) or ours.dtype.name != name:
            shown = f"{ours.dtype.name}{list(ours.shape)}" if isinstance(ours, Tensor) else repr(ours)
            wrong.append(f"{done.sample} {what}: {shown}, expected {name}{list(theirs.shape)}")
        elif not is_random(done.sample):
            a, b = (np.asarray(x, np.float64) for x in (ours.numpy(), theirs.to(torch.float64).numpy()))
            tolerance = TOLERANCE.get(name, 0.0)
            a, b = _elements_at(done.sample, a, b) if name == "int64" else (a, b)
            if not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True) and not (
                name == "float32" and _is_rounding(done.sample, k, a, b)
            ):
                at = np.unravel_index(int(np.argmax(~np.isclose(a, b, tolerance, tolerance, True))), a.shape or (1,))
                first = f"{a[at] if a.shape else a} instead of {b[at] if b.shape else b}"
                wrong.append(f"{done.sample} {what}: {first} at {list(map(int, at))} of {list(a.shape)}")
    return wrong


def _elements_at(sample: Sample, ours: Any, theirs: Any) -> tuple[Any, Any]:
    """The elements at both sides' places, where it is open which of equal elements these name; else what is given.

    The places themselves have to be different ones along `dim`.
    """
    number, x = PLACES.get(sample.name), next(iter(sample.arguments), None)
    if number is None or x is None or sample.options.get("stable") or not x.ndim or np.array_equal(ours, theirs):
        return ours, theirs
    dim = sample.arguments[number] if len(sample.arguments) > number else sample.options.get("dim", -1)
    if ours.ndim < x.ndim:
        ours, theirs = (np.expand_dims(places, dim) for places in (ours, theirs))
    assert not (np.diff(np.sort(ours, dim), axis=dim) == 0).any(), f"{sample}: a place occurs twice"
    values = x.detach().to(torch.float64).numpy()
    return tuple(np.take_along_axis(values, p.astype(np.int64), dim) for p in (ours, theirs))  # type: ignore[return-value]


def _is_rounding(sample: Sample, k: int, ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> bool:
    """Whether pair `k` of a sample is about as far from its value in float64 as PyTorch's own result is."""
    doubled = replace(sample, arguments=_in_double(sample.arguments), options=_in_double(sample.options))
    value = compute(doubled).pairs[k][2]
    exact = np.zeros(ours.shape) if value is None else value.detach().double().numpy()
    same = np.array_equal(np.isfinite(ours), np.isfinite(theirs))
    given = [t for t in flat(sample.arguments) if isinstance(t, torch.Tensor) and t.numel() and t.is_floating_point()]
    largest = max((float(t.detach().abs().max()) for t in given), default=0.0)
    with np.errstate(invalid="ignore"):  # equal infinities
        allowed = max(4 * np.nanmax(np.abs(theirs - exact)), TOLERANCE["float32"] * largest)
        return same and bool(np.nanmax(np.abs(ours - exact)) <= allowed)


def _in_double(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype is torch.float32:
        return value.detach().double().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {k: _in_double(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)) and not isinstance(value, torch.Size):
        return type(value)(_in_double(v) for v in value)
    return value


def flat(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [x for part in result for x in flat(part)]
    return [result]


def converted(value: Any, leaves: list[tuple[Tensor, torch.Tensor]]) -> Any:
    """PyTorch's arguments as lazygrad's; the tensors among them are noted in `leaves`."""
    if isinstance(value, torch.Tensor):
        known = next((x for x, t in leaves if t is value), None)
        if known is not None:  # one tensor as two arguments
            return known
        array = value.detach().to(torch.float32 if value.dtype is torch.bfloat16 else value.dtype).numpy().copy()
        x = Tensor(array, dtype=_dtype(value.dtype), requires_grad=value.requires_grad)
        leaves.append((x, value))
        return x
    if isinstance(value, torch.dtype):
        return _dtype(value)
    if isinstance(value, dict):
        return {k: converted(v, leaves) for k, v in value.items() if k not in ("device", "layout")}
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, torch.nn.Module):
        return getattr(lazygrad.nn, type(value).__name__)()
    if isinstance(value, (tuple, list)):
        return type(value)(converted(v, leaves) for v in value)
    return value


def _dtype(value: torch.dtype) -> DType:
    name = str(value).removeprefix("torch.")
    if name not in BY_NAME:
        raise LazygradError(f"no dtype {name}")
    return BY_NAME[name]
