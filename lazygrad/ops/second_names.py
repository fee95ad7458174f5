"""PyTorch's second names of operations, and in-place forms of products and sums, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazygrad.dtype import DTypeLike
from lazygrad.ir.node import detach
from lazygrad.ops.elementwise import Elementwise
from lazygrad.ops.inplace_forms import InPlaceForms, in_place
from lazygrad.ops.prefixes import Prefixes
from lazygrad.ops.products import Products
from lazygrad.ops.relations import Relations

if TYPE_CHECKING:
    from typing_extensions import Self


class SecondNames(InPlaceForms, Elementwise):
    """Second names."""

    __slots__ = ()
    absolute = Elementwise.abs
    arccos = Elementwise.acos
    arccosh = Elementwise.acosh
    arcsin = Elementwise.asin
    arcsinh = Elementwise.asinh
    arctan = Elementwise.atan
    arctan2 = Elementwise.atan2
    arctanh = Elementwise.atanh
    divide = Elementwise.div
    fix = Elementwise.trunc
    greater = Elementwise.gt
    greater_equal = Elementwise.ge
    less = Elementwise.lt
    less_equal = Elementwise.le
    multiply = Elementwise.mul
    negative = Elementwise.neg
    not_equal = Elementwise.ne
    subtract = Elementwise.sub
    absolute_ = InPlaceForms.abs_
    arccos_ = InPlaceForms.acos_
    arccosh_ = InPlaceForms.acosh_
    arcsin_ = InPlaceForms.asin_
    arcsinh_ = InPlaceForms.asinh_
    arctan_ = InPlaceForms.atan_
    arctan2_ = InPlaceForms.atan2_
    arctanh_ = InPlaceForms.atanh_
    divide_ = InPlaceForms.div_
    fix_ = InPlaceForms.trunc_
    greater_ = InPlaceForms.gt_
    greater_equal_ = InPlaceForms.ge_
    less_ = InPlaceForms.lt_
    less_equal_ = InPlaceForms.le_
    multiply_ = InPlaceForms.mul_
    negative_ = InPlaceForms.neg_
    not_equal_ = InPlaceForms.ne_
    subtract_ = InPlaceForms.sub_

    # ---- of several elements or tensors ----

    addbmm_ = in_place(Products.addbmm)
    addmm_ = in_place(Products.addmm)
    addmv_ = in_place(Products.addmv)
    addr_ = in_place(Products.addr)
    baddbmm_ = in_place(Products.baddbmm)
    cumprod_ = in_place(Prefixes.cumprod)
    cumsum_ = in_place(Prefixes.cumsum)
    renorm_ = in_place(Relations.renorm)

    def detach_(self) -> Self:
        """No gradient flows through this tensor from now on: it is a leaf that requires none.

        >>> x = Tensor([1.0], requires_grad=True) * 2
        >>> x.detach_().requires_grad, x.is_leaf
        (False, True)
        """
        if self._requires:
            if not self._leaf:
                self._take(detach(self.node))
            self._requires, self._leaf = False, True
        return self

    def conj_physical(self) -> Self:
        """This tensor: elements are real."""
        return self

    def conj_physical_(self) -> Self:
        """This tensor: elements are real."""
        return self

    def is_conj(self) -> bool:
        """False: elements are real."""
        return False

    def is_neg(self) -> bool:
        """False: elements are what they are."""
        return False

    def resolve_conj(self) -> Self:
        """This tensor: elements are real."""
        return self

    def resolve_neg(self) -> Self:
        """This tensor: elements are what they are."""
        return self

    def is_inference(self) -> bool:
        """False: tensors made in `inference_mode` are tensors as any other."""
        return False

    def is_pinned(self, device: str | None = None) -> bool:
        """False: memory of the host is the runtime's."""
        return False

    def pin_memory(self, device: str | None = None) -> Self:
        """This tensor: what is copied to a device is pinned on the way."""
        return self

    def share_memory_(self) -> Self:
        """This tensor: processes share what they inherit by a fork."""
        return self

    def to_dense(self, dtype: DTypeLike | None = None, *, masked_grad: bool = True) -> Self:
        """This tensor, as `dtype` if any: there are no other layouts.

        >>> Tensor([1]).to_dense().tolist()
        [1]
        """
        return self if dtype is None else self.cast(dtype)
