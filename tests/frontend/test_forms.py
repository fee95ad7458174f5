"""One operation, several forms: method, function, in place, and other libraries' spellings of its arguments."""

from __future__ import annotations

import builtins
import inspect

import numpy as np
import pytest
import torch
import torch.nn.functional

import lazygrad
from lazygrad import Tensor
from lazygrad.errors import ArgumentError, DeviceError, DTypeError, GradientError, OperandError, ShapeError
from lazygrad.nn import functional
from lazygrad.ops.inplace_forms import in_place
from lazygrad.ops.promotion import in_floats, result_type, together

METHODS = {n for n in dir(Tensor) if not n.startswith("_") and callable(getattr(Tensor, n, None))}
# PyTorch's function of that name does something else than the method here, which makes a new tensor.
OTHERS = {"bernoulli", "normal", "parameter"}
# In-place forms, what PyTorch has in both namespaces by accident, einsum, whose
# function begins otherwise.
LEFT = {name for name in METHODS if name.endswith("_")} | {
    "batch_norm", "binary_cross_entropy_with_logits", "dropout", "embedding", "instance_norm", "einsum",
}  # fmt: skip


def functions_of(module: object) -> set[str]:
    names = {n for n in dir(module) if not n.startswith("_") and n not in OTHERS}
    return {n for n in names if callable(getattr(module, n)) and not inspect.isclass(getattr(module, n))}


def test_every_method_that_is_a_function_of_pytorch_is_one_here() -> None:
    assert not (functions_of(torch) & METHODS) - LEFT - set(lazygrad.__all__)
    missing = functions_of(torch.nn.functional) & METHODS - {n for n in METHODS if n.endswith("_")}
    assert not missing - set(functional.__all__) - OTHERS - set(dir(builtins)) - {"embedding"}


@pytest.mark.parametrize("module", [lazygrad.functions, functional], ids=["functions", "nn.functional"])
def test_functions_are_documented_and_signed_as_their_methods(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert len(set(names)) == len(names)
    for name in names:
        method, made = getattr(Tensor, name, None), getattr(module, name)
        if method is not None and inspect.unwrap(made) is inspect.unwrap(method):
            assert made.__doc__ == method.__doc__, name
            signature, own = inspect.signature(made), inspect.signature(method)
            if [*signature.parameters] == [*own.parameters, "inplace"]:  # as PyTorch's activations have it
                signature = signature.replace(parameters=[*signature.parameters.values()][:-1])
            assert signature == own, name


def test_activations_take_inplace_last() -> None:
    x = Tensor([-1.0, 2.0])
    assert functional.relu(x, True) is x and functional.leaky_relu(input=x, negative_slope=0.5, inplace=True) is x
    assert functional.threshold(x, 1, 7, True).tolist() == x.tolist() == [7, 2]
    assert functional.elu(x, 2.0, inplace=False) is not x
    with pytest.raises(GradientError, match="leaf"):
        functional.silu(Tensor([1.0], requires_grad=True), inplace=True)


def test_functions_take_input_by_name_and_refuse_what_is_no_tensor() -> None:
    assert lazygrad.add(input=Tensor([1]), other=2).tolist() == [3]
    assert functional.relu(Tensor([-1.0, 1.0])).tolist() == [0, 1]
    for wrong in (None, 3.0, [1.0], np.ones(2), torch.ones(2)):
        with pytest.raises(OperandError, match="exp takes a Tensor"):
            lazygrad.exp(wrong)  # type: ignore[arg-type]


NEEDED = {"reduce": (lazygrad.maximum, -np.inf), "kthvalue": (1,), "quantile": (0.5,), "nanquantile": (0.5,)}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_axis_and_keepdims_are_accepted_wherever_dim_and_keepdim_are(name: str) -> None:
    parameters = inspect.signature(getattr(Tensor, name)).parameters
    x = Tensor(np.arange(1.0, 7.0).reshape(2, 3))
    if {"dim", "keepdim"} <= parameters.keys():
        options = {"keepdims": True, "axis": 1}
        needed = NEEDED.get(name, ())
        got, want = getattr(x, name)(*needed, **options), getattr(x, name)(*needed, dim=1, keepdim=True)
        for a, b in zip(got if isinstance(got, tuple) else (got,), want if isinstance(want, tuple) else (want,)):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        with pytest.raises(ArgumentError, match="axis and dim are one argument"):
            getattr(x, name)(*needed, dim=0, axis=0)
    elif {"dim", "dims"} & parameters.keys() and "axis" not in parameters:
        with pytest.raises(ArgumentError, match="one argument"):
            getattr(x, name)(**{"axis": 0, **{d: 0 for d in ("dim", "dims") if d in parameters}})


SAMPLES = [True, 2, 2.5, *(torch.ones((), dtype=d) for d in (torch.int8, torch.uint8, torch.float16, torch.float64))]
SAMPLES += [torch.ones(2, dtype=d) for d in (torch.bool, torch.uint8, torch.int32, torch.bfloat16, torch.float32)]


def ours(value: object) -> object:
    if not isinstance(value, torch.Tensor):
        return value
    return Tensor(value.float().numpy(), dtype=str(value.dtype).removeprefix("torch."))


def test_result_types_are_pytorchs() -> None:
    for a in SAMPLES:
        for b in SAMPLES:
            if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
                want = torch.result_type(a, b)
                assert str(result_type("add", ours(a), ours(b))) == str(want).removeprefix("torch."), (a, b)  # type: ignore[arg-type]


def test_operands_are_made_alike() -> None:
    a, b, c = together("add", Tensor([[1], [2]]), Tensor([1, 2, 3], dtype="uint8"), 0.5)
    assert {(t.shape, str(t.dtype)) for t in (a, b, c)} == {((2, 3), "float32")}
    with pytest.raises(ShapeError, match=r"addcmul: shapes \[2\] and \[3\] and \[2\]"):
        together("addcmul", Tensor([1, 2]), Tensor([1, 2, 3]), Tensor([1, 2]))
    with pytest.raises(DeviceError, match="addcmul"):
        together("addcmul", Tensor([1], device="NUMPY"), Tensor([1], device="OPENCL"))
    with pytest.raises(OperandError, match="addcmul takes"):
        together("addcmul", Tensor([1]), "a")  # type: ignore[arg-type]


def test_floats_of_several_operands_are_rounded_once() -> None:
    seen: list[str] = []

    @in_floats
    def both(self: Tensor, other: object) -> Tensor:
        seen.append(str(self.dtype))
        return self + other  # type: ignore[operator]

    for kind in ("int32", "float16", "bfloat16", "float32", "float64"):
        assert str(both(Tensor([1, 2], dtype=kind), 1).dtype) == ("float32" if kind == "int32" else kind)
    assert seen == ["float32"] * 4 + ["float64"]


def test_in_place_forms_change_the_tensor_itself(device: str) -> None:
    exp_ = in_place(Tensor.exp2)
    x = Tensor([1.0, 2.0], device=device)
    assert exp_(x) is x
    assert x.tolist() == [2, 4]
    assert (exp_.__name__, exp_.__doc__) == (
        "exp2_", "`exp2` in place: this tensor takes the result, in its own dtype and storage.",
    )  # fmt: skip


IN_PLACE = sorted(name for name in METHODS if name.endswith("_") and hasattr(Tensor, name[:-1]))


def test_in_place_forms_are_pytorchs() -> None:
    assert len(IN_PLACE) > 25
    assert not [name for name in IN_PLACE if not hasattr(torch.Tensor, name)]


@pytest.mark.parametrize("name", [n for n in IN_PLACE if len(inspect.signature(getattr(Tensor, n)).parameters) == 1])
def test_in_place_forms_take_the_result(name: str) -> None:
    for kind in ("float32", "float64", "int32"):
        if name == "bitwise_not_" and kind != "int32":
            continue
        x = Tensor([1.0, 4.0, 9.0], dtype=kind)
        want = getattr(x, name[:-1])()
        if want.dtype.is_float and kind == "int32":
            with pytest.raises(DTypeError, match="does not fit"):
                getattr(x, name)()
            continue
        assert getattr(x, name)() is x
        assert x.dtype.name == kind
        np.testing.assert_array_equal(x.numpy(), want.cast(kind).numpy())
