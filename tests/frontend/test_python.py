"""Habits of Python, NumPy and PyTorch: tables of expressions that mean here what they mean there, or have an error."""

from __future__ import annotations

import copy
import gc
import math
import operator
import pickle
import re
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, dtypes, nn, optim
from lazygrad.dtype import ALL, DType, as_dtype
from lazygrad.errors import DTypeError, GradientError, LazygradError, OperandError
from tests.frontend.test_op_table import samples, tensors
from tests.op_table import TABLE

F = np.float32
NAMES_USED = {
    "A": np.array, "F": F, "NAN": float("nan"), "copy": copy, "math": math, "np": np, "operator": operator,
}  # fmt: skip

# Expressions in T, which is Tensor and then torch.tensor: equal values, dtypes and Python types.
AS_PYTORCH = """
3 in T([[1, 2], [3, 4]]) | 9 in T([[1, 2], [3, 4]]) | 2.0 in T([1, 2]) | T(2) in T([1, 2]) | True in T([False])
T([1, 2]) in T([[1, 5], [3, 4]]) | NAN in T([NAN]) | 1 in T([], dtype=F32) | np.int64(3) in T([3])
1 << T([3]) | 8 >> T([1, 2]) | T([3]) << T([1]) | T([16]) >> 2 | np.int64(1) << T([4])
2 ** T([3, 4]) | 2.5 ** T([3.0]) | 7 // T([2, 3]) | 7 % T([2, 3]) | 7 - T([2, 3]) | 7 / T([2, 4]) | -7 // T([2])
True & T([True, False]) | 5 | T([2]) | 5 ^ T([1]) | ~T([True]) | ~T([5]) | abs(T([-1.5])) | +T([1]) | -T([1])
T([1.0, 2.0]) + A([1.0, 2.0], F) | T([1.0, 2.0]) * A([1.0, 2.0]) | T([1, 2]) + A([1, 3]) | T([1, 2]) & A([1, 3])
T([1.0, 2.0]) / A([4.0, 2.0], F) | A([1.0, 2.0], F) / T([4.0, 2.0]) | T([1, 2]) == A([1, 3])
T([[1.0, 2.0]]) @ A([[1.0], [2.0]], F) | T([1, 2]) - A(3)
F(2) * T([1.0]) | np.float64(2) * T([1.0]) | np.int64(2) * T([1.0]) | np.int32(2) + T([1]) | T([1.0]) * np.float64(2)
F(2) / T([4.0]) | F(2) - T([4.0]) | F(2) ** T([4.0]) | F(2) < T([4.0]) | F(4) == T([4.0]) | T([1]) * F(2)
T([1, 2]) == None | T([1, 2]) != "a" | T([1, 2]) == [1, 2] | T([1, 2]) is None | T([1]) != T([2])
sum([T([1.0]), T([2.0])]) | max([T(1), T(3)]) | min(T([4, 2])) | sorted([T(3), T(1)]) | sum(T([1, 2, 3]))
float(T([2.5])) | int(T([2])) | complex(T([2.5])) | bool(T([0])) | bool(T([[2.0]])) | not T(0) | 1 < T(2) < 3
math.sqrt(T(4.0)) | math.floor(T(2.5)) | math.ceil(T(2.5)) | math.isnan(T(NAN)) | math.pow(T(2), T(3))
list(range(T(3))) | [10, 20, 30][T(1)] | [10, 20][T(True)] | operator.index(T(3)) | 'ab' * T(2) | T(2) + True
f'{T(1.5):.3f}' | format(T(3), 'd') | '%d' % T(3) | '%.2f' % T(3.0) | f'{T([1.0, 2.0])}' | str(T([1])) | repr(T([1.5]))
len(T([[1, 2]])) | [v.tolist() for v in T([[1, 2], [3, 4]])] | list(reversed(T([1, 2, 3]))) | [*T([1, 2])]
(lambda a, b: (a, b))(*T([1, 2])) | {**dict(zip('ab', T([1, 2])))} | list(map(float, T([1, 2]))) | list(enumerate(T([5])))
np.asarray(T([1.0, 2.0])) | np.asarray(T([1.0]), dtype='float64') | np.array(T([1, 2])) | np.array(T([1]), copy=True)
np.stack([T([1.0]), T([2.0])]) | np.concatenate([T([1.0]), T([2.0])]) | np.zeros(3)[T([0, 2])] | np.isclose(T(1.0), 1.0)
T([1.2345]).round(decimals=2) | T([1234.5]).round(decimals=-2) | T([0.125, 2.5]).round(decimals=2) | T([1, 2]).round()
T((1, 2)) | T(range(3)) | T([T(1), T(2)]) | T([F(1), 2]) | T(np.float16(1)) | T(A([[1], [2]])) | T([[], []]) | T(True)
copy.copy(T([1.0])) | copy.deepcopy(T([1.0])) | [x for x in (T(1), T(2)) if x > 1] | any(T([0, 1])) | all(T([1, 0]))
isinstance(hash(T(1)), int) | len({T(1), T(1)}) | T(1) in [T(1)] | {'a': T(2)}['a'] | (T(1), T(2)) == (T(1), T(2))
T([1]).__class__ is T([2.0]).__class__ | 'sum' in dir(T(1)) | hasattr(T(1), 'nope') | callable(T(1).sum) | T([2]) ** 3
"""  # noqa: E501


def rows(table: str) -> list[str]:
    """The expressions: those on one line are set apart by " | ", unless one of them is an or."""
    found: list[str] = []
    for line in table.strip().splitlines():
        parts = line.split(" | ")
        found += [p for p in parts if p not in ("5", "T([2])")]
    return [*found, "5 | T([2])"]


def shown(x: Any) -> Any:
    """What can be compared between the frameworks."""
    if isinstance(x, (Tensor, torch.Tensor)):
        return "tensor", str(x.dtype).rpartition(".")[2], x.tolist()
    if isinstance(x, (np.ndarray, np.generic)):
        return type(x).__name__, str(x.dtype), x.tolist()
    if isinstance(x, (list, tuple)):
        return type(x).__name__, [shown(v) for v in x]
    return (type(x).__name__, {k: shown(v) for k, v in x.items()}) if isinstance(x, dict) else (type(x).__name__, x)


def value_of(expression: str, kind: Any) -> Any:
    float32 = dtypes.float32 if kind is Tensor else torch.float32
    with warnings.catch_warnings():
        if kind is not Tensor:  # PyTorch does not know all of NumPy 2 yet
            warnings.simplefilter("ignore", DeprecationWarning)
        return shown(eval(expression, {**NAMES_USED, "T": kind, "F32": float32}))


@pytest.mark.parametrize("expression", rows(AS_PYTORCH))
def test_means_what_it_means_to_pytorch(expression: str) -> None:
    assert repr(value_of(expression, Tensor)) == repr(value_of(expression, torch.tensor))


def test_the_same_on_a_device_that_compiles(device: str) -> None:
    some = rows(AS_PYTORCH)[::9]
    for expression in some:
        assert repr(value_of(expression, Tensor)) == repr(value_of(expression, torch.tensor)), expression


# What PyTorch has no meaning for, and NumPy or Python has: (expression in T, value)
EXTRA: dict[str, Any] = {
    "round(T([1.6, 2.5]))": [2.0, 2.0],
    "round(T([1.25]), 1)": [1.2000000476837158],
    "round(T([1234.0]), -2)": [1200.0],
    "round(T([1, 2]))": [1, 2],
    "divmod(T([7, -7]), 2)[0]": [3, -4],
    "divmod(T([7, -7]), 2)[1]": [1, 1],
    "divmod(7, T([2, 3]))[0]": [3, 2],
    "divmod(7, T([2, 3]))[1]": [1, 1],
    "A([1.0, 2.0], F) + T([1.0, 2.0])": [2.0, 4.0],
    "A([1.0, 2.0], F) - T([1.0, 3.0])": [0.0, -1.0],
    "A([1.0, 2.0], F) * T([1.0, 2.0])": [1.0, 4.0],
    "A([4, 5]) // T([2, 3])": [2, 1],
    "A([4, 5]) % T([2, 3])": [0, 2],
    "A([4, 5]) ** T([2, 3])": [16, 125],
    "A([4, 5]) & T([2, 4])": [0, 4],
    "A([4, 5]) | T([2, 3])": [6, 7],
    "A([4, 5]) ^ T([2, 3])": [6, 6],
    "A([4, 5]) << T([2, 3])": [16, 40],
    "A([40, 5]) >> T([2, 1])": [10, 2],
    "A([4, 5]) == T([4, 3])": [True, False],
    "A([4, 5]) != T([4, 3])": [False, True],
    "A([4, 5]) < T([4, 6])": [False, True],
    "A([4, 5]) >= T([4, 6])": [True, False],
    "T([4, 5]) <= A([4, 4])": [True, False],
    "A([[1.0, 2.0]], F) @ T([[1.0], [2.0]])": [[5.0]],
    "A(2.0) * T([1.0])": [2.0],
    "divmod(A([7, 8]), T([2, 3]))[1]": [1, 2],
}


@pytest.mark.parametrize("expression", EXTRA)
def test_means_what_it_means_to_numpy(expression: str) -> None:
    result = eval(expression, {**NAMES_USED, "T": Tensor})
    assert isinstance(result, Tensor)
    assert result.tolist() == EXTRA[expression]


IN_PLACE = (
    "iadd",
    "isub",
    "imul",
    "itruediv",
    "ifloordiv",
    "imod",
    "ipow",
    "iand",
    "ior",
    "ixor",
    "ilshift",
    "irshift",
)


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("dtype", ["float32", "int64", "int8", "bool"])
def test_in_place_operators(name: str, dtype: str) -> None:
    """The same object with PyTorch's value, or an error in both."""
    change = getattr(operator, name)
    for other in (2, 0.5, True, [1, 3], [0.5, 2.0]):
        ours, theirs = Tensor([4, 6]).cast(dtype), torch.tensor([4, 6]).to(getattr(torch, dtype))
        ours_other = Tensor(other) if isinstance(other, list) else other
        theirs_other = torch.tensor(other) if isinstance(other, list) else other
        try:
            expected = change(theirs, theirs_other)
        except (RuntimeError, NotImplementedError, TypeError) as error:
            if "can't be cast" in str(error):  # the others are kernels that PyTorch has not
                with pytest.raises(LazygradError):
                    change(ours, ours_other)
            continue
        assert change(ours, ours_other) is ours, other
        assert ours.tolist() == expected.tolist(), other
        assert str(ours.dtype) == dtype, other


def test_a_product_in_place_is_another_tensor_as_in_pytorch() -> None:
    x = y = Tensor([[2.0]])
    x @= x
    assert x is not y
    assert (x.tolist(), y.tolist()) == ([[4.0]], [[2.0]])


# ---- dtypes by other names -------------------------------------------------------------------------

NAMES: dict[str, tuple[Any, ...]] = {
    "bool": ("bool", bool, np.bool_, np.dtype(bool), torch.bool, "torch.bool", "?"),
    "uint8": ("uint8", "byte", np.uint8, torch.uint8, "u1"),
    "int8": ("int8", np.int8, torch.int8, "i1"),
    "int16": ("int16", "short", np.int16, torch.int16, "i2"),
    "int32": ("int32", "int", np.int32, torch.int32, "<i4"),
    "int64": ("int64", "long", int, np.int64, torch.int64, torch.long, "i8"),
    "uint16": ("uint16", np.uint16),
    "float16": ("float16", "half", np.float16, torch.half, "f2"),
    "bfloat16": ("bfloat16", torch.bfloat16, "torch.bfloat16"),
    "float32": ("float32", "float", np.float32, np.dtype("float32"), np.dtype(">f4"), torch.float32, "f4"),
    "float64": ("float64", "double", float, np.float64, np.dtype("float64"), torch.double, "<f8"),
}  # fmt: skip
TAKE_DTYPES: dict[str, Callable[[Any], Tensor]] = {
    "Tensor": lambda d: Tensor([1, 0], dtype=d),
    "Tensor of a number": lambda d: Tensor(1, d),
    "Tensor of an array": lambda d: Tensor(np.ones(2), dtype=d),
    "Tensor of a tensor": lambda d: Tensor(Tensor([1]), dtype=d),
    "cast": lambda d: Tensor([1]).cast(d),
    "to": lambda d: Tensor([1]).to(d),
    "full": lambda d: Tensor.full((2,), 1, dtype=d),
    "zeros": lambda d: Tensor.zeros(2, dtype=d),
    "ones": lambda d: Tensor.ones(2, dtype=d),
    "empty": lambda d: Tensor.empty(2, dtype=d),
    "arange": lambda d: Tensor.arange(2, dtype=d),
    "eye": lambda d: Tensor.eye(2, dtype=d),
    "zeros_like": lambda d: Tensor([1]).zeros_like(d),
    "ones_like": lambda d: Tensor([1]).ones_like(dtype=d),
    "empty_like": lambda d: Tensor([1]).empty_like(dtype=d),
    "full_like": lambda d: Tensor([1]).full_like(1, dtype=d),
    "sum": lambda d: Tensor([1]).sum(dtype=d),
    "prod": lambda d: Tensor([1]).prod(dtype=d),
    "bernoulli": lambda d: Tensor.bernoulli(2, dtype=d),
    "randint": lambda d: Tensor.randint(2, high=2, dtype=d),
}
TAKE_FLOATS: dict[str, Callable[[Any], Tensor]] = {
    "linspace": lambda d: Tensor.linspace(0, 1, 2, dtype=d),
    "mean": lambda d: Tensor([1]).mean(dtype=d),
    "rand": lambda d: Tensor.rand(2, dtype=d),
    "randn": lambda d: Tensor.randn(2, dtype=d),
    "uniform": lambda d: Tensor.uniform(2, dtype=d),
    "normal": lambda d: Tensor.normal(2, dtype=d),
    "rand_like": lambda d: Tensor([1.0]).rand_like(d),
    "randn_like": lambda d: Tensor([1.0]).randn_like(d),
    "Linear": lambda d: nn.Linear(1, 1, dtype=d).weight,
    "Embedding": lambda d: nn.Embedding(1, 1, dtype=d).weight,
    "Conv2d": lambda d: nn.Conv2d(1, 1, 1, dtype=d).weight,
    "LayerNorm": lambda d: nn.LayerNorm(1, dtype=d).weight,
    "BatchNorm1d": lambda d: nn.BatchNorm1d(1, dtype=d).weight,
    "Module.to": lambda d: nn.Linear(1, 1).to(d).weight,
}


def test_every_dtype_has_its_names() -> None:
    for d in ALL:
        assert as_dtype(d) is as_dtype(d.name) is as_dtype(f"torch.{d.name}") is d
    for name, others in NAMES.items():
        for other in others:
            assert as_dtype(other) is getattr(dtypes, name), other


@pytest.mark.parametrize("name", TAKE_DTYPES)
def test_every_function_takes_every_name(name: str) -> None:
    for dtype, others in NAMES.items():
        for other in others:
            assert TAKE_DTYPES[name](other).dtype is getattr(dtypes, dtype), other


@pytest.mark.parametrize("name", TAKE_FLOATS)
def test_every_function_of_floats_takes_every_name(name: str) -> None:
    for dtype in ("float16", "float32", "float64"):
        for other in NAMES[dtype]:
            assert TAKE_FLOATS[name](other).dtype is getattr(dtypes, dtype), other


NO_DTYPES: tuple[Any, ...] = (
    "float33",
    "",
    "Float32",
    complex,
    "complex64",
    object,
    str,
    3,
    [1],
    np.dtype("U3"),
    Tensor,
)


@pytest.mark.parametrize("wrong", NO_DTYPES, ids=str)
def test_what_is_no_dtype_is_an_error(wrong: Any) -> None:
    for name, take in TAKE_DTYPES.items():
        if name == "to" and (isinstance(wrong, str) or wrong is Tensor):
            continue  # names of devices
        with pytest.raises(DTypeError, match=r"is no dtype.*test_python.py"):
            take(wrong)


def test_names_of_dtypes_are_no_devices() -> None:
    assert Tensor([1]).to("float16").dtype is dtypes.float16
    with pytest.raises(LazygradError, match="float33"):
        Tensor([1]).to("float33")
    assert isinstance(dtypes.float32, DType)


# ---- what is no tensor -----------------------------------------------------------------------------

WRONG: dict[str, tuple[Any, str]] = {
    "PyTorch's": (torch.ones(2, 3), r"PyTorch's tensor of shape \[2, 3\]"),
    "an array": (np.ones((2, 3), F), r"a NumPy array of shape \[2, 3\].*Tensor\(array\)"),
    "None": (None, "None"),
    "a list": ([1.0], "a list"),
    "a string": ("abc", "the string 'abc'"),
    "a module": (nn.ReLU(), "an object of ReLU"),
    "a function": (len, "the function len"),
    "a class": (nn.ReLU, "the class ReLU"),
    "complex": (1j, "the complex number 1j"),
}
OPERATIONS = [
    name
    for name, row in TABLE.items()
    if len(row.inputs) > 1
    and not name.startswith(("cross_entropy", "attention_bool", "bitwise_", "igamma"))  # the rows use the tensors
    and name
    not in (
        "eq",
        "ne",
        "where",
        "isin",
        "linalg_cholesky_solve",
        "zeta",
        "gcd",
        "lcm",
        "take",
        "repeat_interleave_size",
    )
]


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_name_what_is_no_tensor(name: str) -> None:
    arrays = tensors(samples(TABLE[name]))
    for place in range(1, len(arrays)):
        for what, (wrong, words) in WRONG.items():
            given = [*arrays[:place], wrong, *arrays[place + 1 :]]
            if what not in ("None", "an array", "a list"):  # these may be optional tensors, operands, indices
                with pytest.raises((OperandError, IndexError), match=rf"{words}.*\(op_(row|table\w*)\.py:\d+"):
                    TABLE[name].call(*given)


@pytest.mark.parametrize("what", WRONG)
def test_layers_name_what_is_no_tensor(what: str) -> None:
    wrong, words = WRONG[what]
    image = [nn.Conv2d(3, 1, 1), nn.MaxPool2d(1), nn.AvgPool2d(1), nn.BatchNorm2d(3), nn.GroupNorm(1, 3)]
    layers = [nn.Linear(3, 2), nn.Embedding(3, 2), nn.ReLU(), nn.GELU(), nn.Softmax(-1), nn.Dropout(0.5), nn.Flatten()]
    for layer in [*image, *layers, nn.LayerNorm(3), nn.RMSNorm(3), nn.BatchNorm1d(3), nn.Sequential(nn.Linear(3, 2))]:
        name = "Linear" if isinstance(layer, nn.Sequential) else type(layer).__name__
        with pytest.raises(OperandError, match=rf"{name} takes a Tensor, not {words}.*\(test_python.py:\d+: layer\("):
            layer(wrong)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Any, how: str) -> Any:
        if how == "layer":
            return self.layer(x)  # the line of the layer
        if how == "matmul":
            return self.layer.weight @ x  # the line of the product
        return self.layer.weight + x  # the line of the sum


@pytest.mark.parametrize(("how", "line"), [("layer", "layer"), ("matmul", "product"), ("sum", "sum")])
def test_the_line_is_the_users_inside_forward(how: str, line: str) -> None:
    for wrong in (torch.ones(3, 2), None, "a", len):
        with pytest.raises(TypeError, match=f"# the line of the {line}"):
            Net()(wrong, how)


LOSSES = ("mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "nll_loss")
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    **{name: lambda v, name=name: getattr(Tensor([0.5]), name)(v) for name in (*LOSSES, "cross_entropy")},
    "cat": lambda v: lazygrad.cat([Tensor([1]), v]),
    "cat first": lambda v: lazygrad.cat([v, Tensor([1])]),
    "stack": lambda v: lazygrad.stack([v]),
    "where": lambda v: lazygrad.where(v, Tensor([1]), 0),
    "einsum": lambda v: Tensor([1]).einsum("i,i", v),
    "type_as": lambda v: Tensor([1]).type_as(v),
    "expand_as": lambda v: Tensor([1]).expand_as(v),
    "gather": lambda v: Tensor([1]).gather(0, v),
    "scatter": lambda v: Tensor([1]).scatter(0, v, 1),
    "take_along_dim": lambda v: Tensor([1]).take_along_dim(v, 0),
    "index_select": lambda v: Tensor([1]).index_select(0, v),
    "masked_fill": lambda v: Tensor([1]).masked_fill(v, 0),
    "masked_select": lambda v: Tensor([1]).masked_select(v),
    "batch_norm": lambda v: Tensor([[1.0]]).batch_norm(v, v),
    "dot": lambda v: Tensor([1]).dot(v),
    "matmul": lambda v: Tensor([1]).matmul(v),
    "linear": lambda v: Tensor([1.0]).linear(v),
    "SGD": lambda v: optim.SGD([v], lr=0.1),
    "clip_grad_norm_": lambda v: nn.clip_grad_norm_([v], 1.0),
    "a layer's input=": lambda v: nn.Linear(2, 2)(input=v),
    "AdamW": lambda v: optim.AdamW([Tensor([1.0], requires_grad=True), v], lr=0.1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_name_what_is_no_tensor(name: str) -> None:
    for wrong, words in WRONG.values():
        with pytest.raises(OperandError, match=rf"takes .*, not {words}.*\(test_python.py:\d+: "):
            FUNCTIONS[name](wrong)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "Tensor(2, 3)": (lambda: Tensor(2, 3), TypeError, r"3 is no dtype; Tensor.zeros\(2, 3\)"),  # type: ignore[arg-type]
    "Tensor(None)": (lambda: Tensor(None), TypeError, "takes numbers, not None"),
    "full(None)": (lambda: Tensor.full((2,), None), TypeError, "takes a Tensor or a number, not None"),  # type: ignore[arg-type]
    "load_state_dict": (
        lambda: nn.Linear(2, 2).load_state_dict({"weight": None, "bias": None}),  # type: ignore[dict-item]
        TypeError,
        "load_state_dict takes Tensors and arrays, not None",
    ),
    "Tensor([None])": (lambda: Tensor([1, None]), TypeError, "takes numbers, not None"),
    "Tensor('a')": (lambda: Tensor("a"), TypeError, "takes numbers, not the string 'a'"),
    "Tensor({})": (lambda: Tensor({1: 2}), TypeError, "takes numbers, not a dict"),
    "Tensor({1})": (lambda: Tensor({1}), TypeError, "takes numbers, not a set"),
    "Tensor(len)": (lambda: Tensor(len), TypeError, "takes numbers, not the function len"),
    "Tensor(1j)": (lambda: Tensor([1j]), TypeError, "the complex number 1j"),
    "einsum": (lambda: Tensor.einsum("ij,jk->ik"), TypeError, "equation"),  # type: ignore[call-arg, arg-type]
    "einsum first": (lambda: Tensor.einsum("i->i", Tensor([1])), TypeError, "a Tensor before its formula"),  # type: ignore[arg-type]
    "cat(x)": (lambda: lazygrad.cat(Tensor([1])), TypeError, r"one Tensor; put it in a list: \[x\]"),  # type: ignore[arg-type]
    "stack(None)": (lambda: lazygrad.stack(None), TypeError, "a list of Tensors, not None"),  # type: ignore[arg-type, type-var]
    "SGD(net)": (lambda: optim.SGD(nn.ReLU(), lr=0.1), TypeError, r"an object of ReLU; give net.parameters\(\)"),  # type: ignore[arg-type]
    "SGD(w)": (lambda: optim.SGD(Tensor([1.0]), lr=0.1), TypeError, "or a list of tensors"),
    "SGD(None)": (lambda: optim.SGD(None, lr=0.1), TypeError, "its parameters are None"),  # type: ignore[arg-type]
    "backward(1)": (lambda: Tensor([1.0], requires_grad=True).mul(2).backward(1), TypeError, "not the number 1"),  # type: ignore[arg-type]
    "w.data = 3": (lambda: setattr(Tensor([1.0]), "data", 3), TypeError, "not (int|the number 3)"),
    "x in x": (lambda: "a" in Tensor([1]), TypeError, "in takes a Tensor or a number, not the string 'a'"),
    "None in x": (lambda: None in Tensor([1]), TypeError, "not None"),
    "if x": (lambda: bool(Tensor([1, 2])), ValueError, r"\.any\(\) or \.all\(\)"),
    "if nothing": (lambda: bool(Tensor([])), ValueError, r"\[0\]"),
    "len": (lambda: len(Tensor(1)), TypeError, "no length"),
    "iter": (lambda: list(Tensor(1)), TypeError, "0-d"),
    "unpack": (lambda: (lambda a, b: a)(*Tensor([1, 2, 3])), TypeError, "positional"),
    "list[1.5]": (lambda: [1, 2][Tensor(1.5)], TypeError, "only an integer"),
    "pickle": (lambda: pickle.dumps(Tensor(1)), TypeError, "lazygrad.io"),
    "copy=False": (lambda: np.array(Tensor([1]), dtype="int8", copy=False), ValueError, "without a copy"),
    "x @ 3": (lambda: Tensor([1]) @ 3, TypeError, "matmul takes a Tensor or an array, not the number 3"),  # type: ignore[operator]
    "3 @ x": (lambda: 3 @ Tensor([1]), TypeError, "not the number 3"),  # type: ignore[operator]
    "x + [1]": (lambda: operator.add(Tensor([1]), [1]), TypeError, "add takes a Tensor or a number, not a list"),  # type: ignore[operator]
    "x[torch]": (lambda: Tensor([1, 2])[torch.tensor([0, 1])], TypeError, "index takes.*not PyTorch's tensor"),
    "deepcopy": (lambda: copy.deepcopy(Tensor([1.0], requires_grad=True) * 2), GradientError, r"x\.detach\(\)"),
    "round ints": (lambda: round(Tensor([12]), -1), TypeError, "decimals of int64"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_errors_say_what_to_do(name: str) -> None:
    call, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "attribute" not in str(caught.value)


# ---- copies, references, patterns ------------------------------------------------------------------


def test_copies_as_pytorch_makes_them(device: str) -> None:
    for kind in (Tensor, torch.tensor):
        w = kind([1.0, 2.0], requires_grad=True)
        (w * w).sum().backward()
        shallow, deep = copy.copy(w), copy.deepcopy(w)
        assert (shallow.requires_grad, shallow.is_leaf, shallow.grad) == (True, True, None)
        assert (deep.requires_grad, deep.is_leaf) == (True, True)
        assert deep.grad is not w.grad
        assert deep.grad.tolist() == [2.0, 4.0]
        assert shallow.tolist() == deep.tolist() == [1.0, 2.0]
        (deep * 3).sum().backward()
        assert w.grad.tolist() == [2.0, 4.0]
        pair = copy.deepcopy({"a": w, "b": [w]})
        assert pair["a"] is pair["b"][0]


def test_deep_copies_of_views_share_as_the_views_do() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    base, row = copy.deepcopy([x, x[0]])
    with pytest.raises(lazygrad.errors.ViewError, match=r"of shape \[2, 2\]"):
        row.add_(1)
    base += 1
    with pytest.raises(lazygrad.errors.ViewError):
        row.numpy()
    assert x[0].tolist() == [1.0, 2.0]


def test_a_shallow_copy_is_of_the_same_memory() -> None:
    x = Tensor([1.0])
    y = copy.copy(x)
    y.zero_()
    assert x.tolist() == y.tolist() == [0.0]
    x.add_(2)
    assert x.tolist() == y.tolist() == [2.0]


def test_references_are_weak() -> None:
    x = Tensor([1.0])
    r = weakref.ref(x)
    assert r() is x
    del x
    gc.collect()
    assert r() is None


def test_patterns() -> None:
    def kind(x: Any) -> str:
        match x:
            case Tensor(shape=(_, _)):
                return "matrix"
            case Tensor(ndim=1, dtype=dtypes.int64):
                return "integers"
            case [_, *_]:
                return "sequence"
            case _:
                return "else"

    values = (Tensor([[1.0]]), Tensor([1]), [1], Tensor(1.0))
    assert [kind(x) for x in values] == ["matrix", "integers", "sequence", "else"]


def test_texts() -> None:
    assert f"{Tensor(2.5)}" == "tensor(2.5000)"
    assert f"{Tensor(2.5):6.1f}|{Tensor([3])!r}" == "   2.5|tensor([3])"
    with pytest.raises(ValueError, match="one element"):
        f"{Tensor([1, 2]):.2f}"
    assert re.fullmatch(r"tensor\(\[1\.\d+\]\)", str(Tensor([1.25])))
