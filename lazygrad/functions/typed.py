"""Classes of tensors of one dtype, by PyTorch's older names: they make tensors, tell them apart, and name a dtype."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from lazygrad.dtype import DType, dtypes
from lazygrad.errors import DTypeError, OperandError, fail
from lazygrad.ops.moving import CLASSES
from lazygrad.ops.operands import describe
from lazygrad.ops.signatures import is_integer
from lazygrad.tensor import Tensor

__all__ = [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
]


class TensorClass(type):
    """What tensors of one dtype are made by: `FloatTensor(2, 3)` of sizes (zeros), `FloatTensor([1, 2])` of elements.
    A tuple of integers are sizes, as shapes are.

    `isinstance(x, FloatTensor)` says whether a tensor has that dtype (and is on a GPU, for those of `lazygrad.cuda`),
    and `x.type(FloatTensor)` converts it. OperandError for what is neither sizes nor elements, DTypeError for a tensor
    of another dtype, as in PyTorch.
    """

    dtype: DType
    on_gpu: bool

    def __call__(cls, *data: Any, device: str | None = None) -> Any:
        device = "cuda" if cls.on_gpu and device is None else device
        if not data or all(map(is_integer, data)):
            return Tensor.zeros(*(data or (0,)), dtype=cls.dtype, device=device)
        (given,) = data if len(data) == 1 else (data,)
        if isinstance(given, tuple) and all(map(is_integer, given)):  # a shape is a tuple
            return Tensor.zeros(*given, dtype=cls.dtype, device=device)
        if isinstance(given, Tensor):
            if given.dtype is not cls.dtype:
                fail(DTypeError, f"{cls.__name__}: a tensor of {given.dtype}; use x.to({cls.dtype})")
            return given.detach()
        if isinstance(given, (str, bytes)) or not isinstance(given, (Iterable, np.ndarray)):
            fail(OperandError, f"{cls.__name__}: {describe(given)[0]} is neither sizes nor elements")
        elements = given if isinstance(given, np.ndarray) else list(given)
        return Tensor.tensor(elements, dtype=cls.dtype, device=device)

    @property
    def class_name(cls) -> str:
        """What `Tensor.type` says of such tensors."""
        return f"torch.{'cuda.' * cls.on_gpu}{cls.__name__}"

    def __instancecheck__(cls, instance: Any) -> bool:
        if not isinstance(instance, Tensor) or instance.dtype is not cls.dtype:
            return False
        return instance.device.startswith("CUDA") == cls.on_gpu


def tensor_class(dtype: DType, on_gpu: bool = False) -> TensorClass:
    """The class of tensors of that dtype.

    >>> FloatTensor([1, 2]), LongTensor(2).shape, isinstance(Tensor([1.0]), FloatTensor)
    (tensor([1., 2.]), (2,), True)
    """
    doc = f"Tensors of {dtype}{' on a GPU' if on_gpu else ''}; see `TensorClass`."
    return TensorClass(f"{CLASSES[dtype.name]}Tensor", (), {"dtype": dtype, "on_gpu": on_gpu, "__doc__": doc})


FloatTensor = tensor_class(dtypes.float32)
DoubleTensor = tensor_class(dtypes.float64)
HalfTensor = tensor_class(dtypes.float16)
BFloat16Tensor = tensor_class(dtypes.bfloat16)
LongTensor = tensor_class(dtypes.int64)
IntTensor = tensor_class(dtypes.int32)
ShortTensor = tensor_class(dtypes.int16)
CharTensor = tensor_class(dtypes.int8)
ByteTensor = tensor_class(dtypes.uint8)
BoolTensor = tensor_class(dtypes.bool)
