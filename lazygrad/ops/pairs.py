"""What operations with two results give: named tuples, as PyTorch's are."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class Pair(tuple[T, T]):  # a NamedTuple cannot be generic in Python 3.10
    """Two results, by name, by number, or taken apart: `values, indices = x.sort()`."""

    __slots__ = ()
    _fields: tuple[str, str]  # what marks a named tuple

    def __new__(cls, first: T, second: T) -> Self:
        return super().__new__(cls, (first, second))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={x!r}' for name, x in zip(self._fields, self))})"


class Indexed(Pair[T]):
    """Elements along a dimension, and where each of them is.

    >>> Tensor([3, 1]).sort()
    Indexed(values=tensor([1, 3]), indices=tensor([1, 0]))
    """

    __slots__ = ()
    _fields = ("values", "indices")

    @property
    def values(self) -> T:
        """The elements."""
        return self[0]

    @property
    def indices(self) -> T:
        """Where they are along the dimension, int64."""
        return self[1]


class MinMax(Pair[T]):
    """The smallest and the largest element."""

    __slots__ = ()
    _fields = ("min", "max")

    @property
    def min(self) -> T:
        """The smallest."""
        return self[0]

    @property
    def max(self) -> T:
        """The largest."""
        return self[1]


class Histogram(Pair[T]):
    """How many elements are in each bin, and where bins end."""

    __slots__ = ()
    _fields = ("hist", "bin_edges")

    @property
    def hist(self) -> T:
        """How many elements, or the sum of their weights, for each bin."""
        return self[0]

    @property
    def bin_edges(self) -> T:
        """Where bins begin and end: one more than there are bins."""
        return self[1]


class Frexp(Pair[T]):
    """Fractions of at least 1/2, and the powers of 2 that they are multiplied with."""

    __slots__ = ()
    _fields = ("mantissa", "exponent")

    @property
    def mantissa(self) -> T:
        """The fractions."""
        return self[0]

    @property
    def exponent(self) -> T:
        """The powers of 2, int32."""
        return self[1]
