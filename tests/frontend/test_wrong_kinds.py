"""Arguments of the wrong kind are errors that name the operation, what came and what is wanted; see `wrong_kinds`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lazygrad
from lazygrad import Tensor, Variable, io, jit, nn, optim
from lazygrad.errors import ArgumentError, ArgumentTypeError, LazygradError, OperandError, ShapeError
from lazygrad.ops import signatures
from lazygrad.ops.signatures import checked
from lazygrad.settings import settings
from tests.frontend import wrong_kinds
from tests.frontend.wrong_kinds import of_method

X = Tensor([[1.0, 2.0], [3.0, 4.0]])
FUNCTIONS = wrong_kinds.of_module_functions()


@pytest.mark.parametrize("name", wrong_kinds.methods())
def test_methods(name: str) -> None:
    with settings.override(device="NUMPY"):
        assert not list(of_method(name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_constructors(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    io.save_state(wrong_kinds.FILE, {"a": X})
    call = FUNCTIONS[name]
    with settings.override(device="NUMPY", float32_matmul_precision="highest"):
        assert not list(wrong_kinds.of_function(name, call))
    lazygrad.set_printoptions(profile="default")


# What is wrong, and how it is told.
TOLD: dict[str, tuple[Callable[[], Any], type[LazygradError], str]] = {
    "dropout": (lambda: X.dropout(None), ArgumentTypeError, "dropout: p is a number, not None"),
    "dropout in words": (lambda: X.dropout("a"), ArgumentTypeError, "dropout: p is a number, not the string 'a'"),
    "uniform": (lambda: Tensor.uniform(2, low=None), ArgumentTypeError, "uniform: low is a number, not None"),
    "arange": (lambda: Tensor.arange(None), ArgumentTypeError, "arange: start is a number or a size"),
    "split": (lambda: X.split(1.5), ArgumentTypeError, "split: split_size is an integer or a sequence"),
    "roll": (lambda: X.roll(b"a"), ArgumentTypeError, "roll: shifts is an integer or a sequence of integers, not"),
    "pad": (lambda: X.pad("a"), ArgumentTypeError, "pad: pad is a sequence, not the string 'a'"),
    "narrow": (lambda: X.narrow(0, None, 1), OperandError, "narrow takes an integer or a Tensor as start, not None"),
    "one_hot": (lambda: Tensor([1]).one_hot("a"), ArgumentTypeError, "one_hot: num_classes is an integer, not the str"),
    "sum": (lambda: X.sum("a"), ArgumentTypeError, "sum: dim is an integer, a sequence of integers or None, not"),
    "any": (lambda: X.any({}), ArgumentTypeError, "any: dim is an integer"),
    "softmax": (lambda: X.softmax({}), ArgumentTypeError, "softmax: dim is an integer or None, not a dict"),
    "keepdim": (lambda: X.sum(0, keepdim="a"), ArgumentTypeError, "sum: keepdim is True or False, not"),
    "reshape": (lambda: X.reshape(Tensor([0.5])), ShapeError, r"reshape: sizes are integers, not a tensor of shape"),
    "zeros": (lambda: Tensor.zeros(-1), ShapeError, r"zeros: .*\[-1\] holds a negative size"),
    "huge": (lambda: Tensor.zeros(2**70), ShapeError, "zeros: .*more elements than any memory holds"),
    "clip": (lambda: nn.clip_grad_norm_(None, 1.0), OperandError, "clip_grad_norm_ takes a Tensor or an iterable"),
    "Variable": (lambda: Variable("n", None, 3), ArgumentTypeError, "variable n: a bound is an integer, not None"),
    "load_state_dict": (lambda: nn.Linear(2, 2).load_state_dict(None), ArgumentTypeError, "load_state_dict: state is"),
    "save_file": (lambda: io.save_file(None, "x"), ArgumentTypeError, "save_file: tensors is a mapping of names, not"),
    "save_file list": (lambda: io.save_file([X], "x"), ArgumentTypeError, "save_file: tensors is a mapping of names"),
    "load_file": (lambda: io.load_file(None), ArgumentTypeError, "load_file: filename is a path, not None"),
    "load_file number": (lambda: io.load_file(12345), ArgumentTypeError, "load_file: filename is a path, not the"),
    "Linear": (lambda: nn.Linear("a", 2), ArgumentTypeError, "Linear: in_features is an integer, not the string 'a'"),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(None), ArgumentTypeError, "BatchNorm2d: num_features is an integer, not"),
    "SGD": (lambda: optim.SGD(5, lr=0.1), OperandError, "SGD: its parameters are the number 5"),
    "jit": (lambda: jit(3), ArgumentTypeError, "jit: function is a function, not the number 3"),
    "grad": (lambda: setattr(X, "grad", "a"), OperandError, "grad takes a Tensor, not the string 'a'"),
    "grad's shape": (lambda: setattr(X, "grad", X[:1, 0]), ShapeError, r"grad: .*\[1\].*\[2, 2\]"),
    "grad of PyTorch's": (lambda: setattr(X, "grad", torch.ones(2, 2)), OperandError, "PyTorch's tensor"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_the_message_says_what_came_and_what_is_wanted(name: str) -> None:
    call, kind, words = TOLD[name]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "(test_wrong_kinds.py:" in str(caught.value), "the line of the user"


def test_wrong_kinds_are_caught_as_a_user_would() -> None:
    for kind in (TypeError, ValueError, ArgumentError, LazygradError):
        with pytest.raises(kind):
            X.dropout(None)  # type: ignore[arg-type]


def test_what_is_right_in_another_form_is_taken(device: str) -> None:
    assert X.sum(np.int64(1)).tolist() == X.sum((1,)).tolist() == X.sum(range(1, 2)).tolist() == [3.0, 7.0]
    assert X.sum([0, 1], keepdim=np.True_).tolist() == [[10.0]]
    assert X.pad(np.array([1, 0])).tolist() == [[0.0, 1.0, 2.0], [0.0, 3.0, 4.0]]
    assert X.reshape(Tensor(4)).tolist() == [1.0, 2.0, 3.0, 4.0]
    assert X.softmax().tolist() == X.softmax(None).tolist() == X.softmax(-1).tolist()
    assert X.log_softmax().tolist() == X.log_softmax(-1).tolist()
    assert X.elu(np.float32(0.5)).tolist() == X.elu(0.5).tolist()
    w = Tensor([1.0], requires_grad=True)
    w.grad = Tensor([2.0])
    assert w.grad.tolist() == [2.0]
    w.grad = None
    assert w.grad is None


def test_what_has_no_such_parameter_is_not_wrapped() -> None:
    def plain(x, y: "list[Any]"):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, UP037
        return x, y

    assert checked(plain) is plain
    assert Tensor.add.__qualname__ == "Arithmetic.add"
    assert Tensor.sum.__doc__


def test_names_in_annotations_mean_one_thing() -> None:
    """They are looked at as text: a module where `Dims` is something else would refuse what is right."""
    found: dict[str, set[str]] = {}
    root = Path(lazygrad.__file__).parent
    for folder in ("functions", "linear_algebra", "masked", "nn", "ops", "optim", "signal"):
        for path in (root / folder).rglob("*.py"):
            for name, meaning in re.findall(r"^(Dims|Sizes) = ([^#\n]*)", path.read_text(encoding="utf-8"), re.M):
                found.setdefault(name, set()).add(meaning.strip())
    assert found == {name: {signatures.ALIASES[name]} for name in ("Dims", "Sizes")}
