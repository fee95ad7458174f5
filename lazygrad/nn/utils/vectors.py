"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.ops.joining import cat
from lazygrad.ops.mode import no_grad
from lazygrad.ops.operands import not_a_tensor
from lazygrad.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all `parameters`, which lie on one device, one after the other; gradients flow back.

    >>> parameters_to_vector([Tensor([[1.0, 2.0]]), Tensor([3.0])])
    tensor([1., 2., 3.])
    """
    given = _all("parameters_to_vector", parameters)
    if not given:
        fail(ArgumentError, "parameters_to_vector: there are no parameters")
    return cat([p.reshape(-1) for p in given])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the elements of the vector `vec` to `parameters`, one after the other, in place and without gradients.

    ShapeError, before any is changed, where `vec` has too few.

    >>> w, b = Tensor.zeros(1, 2), Tensor.zeros(1)
    >>> vector_to_parameters(Tensor([1.0, 2.0, 3.0]), [w, b])
    >>> w.tolist(), b.tolist()
    ([[1.0, 2.0]], [3.0])
    """
    what = "vector_to_parameters"
    if not isinstance(vec, Tensor):
        not_a_tensor(what, vec)
    given = _all(what, parameters)
    wanted = sum(int(p.numel()) for p in given)
    if vec.ndim != 1 or int(vec.numel()) < wanted:
        fail(ShapeError, f"{what}: {wanted} elements are needed, not a tensor of shape {list(vec.shape)}")
    start = 0
    with no_grad():
        for p in given:
            end = start + int(p.numel())
            p.assign(vec[start:end].reshape(p.shape).cast(p.dtype))
            start = end


def _all(what: str, parameters: Iterable[Tensor]) -> list[Tensor]:
    given = list(parameters)
    for p in given:
        if not isinstance(p, Tensor):
            not_a_tensor(what, p, "Tensors as parameters")
        if p.device != given[0].device:
            fail(ArgumentError, f"{what}: parameters on {given[0].device} and on {p.device}; move them to one device")
    return given
