"""All families of functions of elements that have no primitive."""

from __future__ import annotations

from lazygrad.ops.closeness import Closeness
from lazygrad.ops.fused import Fused
from lazygrad.ops.logarithms import Logarithms
from lazygrad.ops.orthogonal import Orthogonal


class Elementwise(Orthogonal, Logarithms, Fused, Closeness):
    """Functions of elements."""

    __slots__ = ()
