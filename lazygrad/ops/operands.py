"""What stands beside a tensor and is none: NumPy's arrays become tensors, anything else is named in an error."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from lazygrad.dtype import Scalar, of_numpy
from lazygrad.engine.run import upload
from lazygrad.errors import OperandError, fail
from lazygrad.ir.elements import to_storage
from lazygrad.ir.node import Node


def array_node(array: np.ndarray[Any, Any], device: str) -> Node:
    """The elements of an array, in its dtype, on `device`."""
    kind = of_numpy(array.dtype)
    return upload(to_storage(array, kind), kind, device)


def not_a_tensor(what: str, value: Any, wanted: str = "a Tensor") -> NoReturn:
    """OperandError: `what` was given `value`, and needs what `wanted` says."""
    name, remedy = describe(value)
    fail(OperandError, f"{what} takes {wanted}, not {name}; {remedy}")


def scalar(what: str, value: Any) -> Scalar:
    """A Python scalar, or a NumPy one as Python's; OperandError for anything else."""
    if isinstance(value, (bool, int, float)):
        return value
    is_scalar = isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
    item = value.item() if is_scalar else None
    if not isinstance(item, (bool, int, float)):
        not_a_tensor(what, value, "a Tensor or a number")
    return item


def shape_of(what: str, value: Any) -> tuple[Any, ...]:
    """The shape of a tensor or an array. OperandError for anything else."""
    if not hasattr(value, "shape"):
        not_a_tensor(what, value, "Tensors and arrays")
    return tuple(value.shape)


def describe(value: Any) -> tuple[str, str]:
    """What `value` is, and what to give instead.

    >>> describe(np.ones((2, 3)))
    ('a NumPy array of shape [2, 3]', 'wrap it: Tensor(array)')
    >>> describe(None)[0], describe([1, 2])[0], describe(len)[0], describe(dict)[0]
    ('None', 'a list', 'the function len', 'the class dict')
    """
    kind = type(value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return "None", "does a function lack its `return`?"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {list(value.shape)}", "wrap it: Tensor(array)"
    if kind.__module__.partition(".")[0] == "torch" and hasattr(value, "numpy"):
        shape = list(getattr(value, "shape", ()))
        return f"PyTorch's tensor of shape {shape}", "make one of it: Tensor(x.detach().cpu().numpy())"
    if isinstance(value, (list, tuple)):
        return f"a {kind.__name__}", "wrap it: Tensor(...), or stack its tensors: lazygrad.stack(...)"
    if isinstance(value, (bool, int, float)):
        return f"the number {value!r}", "wrap it: Tensor(number)"
    if isinstance(value, (complex, np.complexfloating)):
        return f"the complex number {value!r}", "there are real numbers only: take .real and .imag apart"
    if isinstance(value, str):
        return f"the string {value!r:.50}", "a tensor holds numbers"
    if isinstance(value, type):
        return f"the class {value.__name__}", "make an object of it, and call that"
    if isinstance(value, ModuleType):
        return f"the module {value.__name__}", "name something in it"
    if callable(value):
        named = getattr(value, "__name__", None)
        return (f"the function {named}" if named else f"an object of {kind.__name__}"), "call it: f(x)"
    article = "an" if kind.__name__[:1] in "aeiouAEIOU" else "a"
    return f"{article} {kind.__name__}", "make a list of numbers of it, and a tensor of that: Tensor(list(...))"
