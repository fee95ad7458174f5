"""Layers that pick rows of a table, by PyTorch's names, arguments, parameters and initial values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DTypeLike, as_dtype, get_default_dtype
from lazygrad.errors import ShapeError, fail
from lazygrad.nn import functional
from lazygrad.nn.functions.embeddings import row_of
from lazygrad.nn.init import normal_
from lazygrad.nn.module import Module
from lazygrad.nn.parameter import Parameter
from lazygrad.ops.arguments import new_shape
from lazygrad.ops.mode import no_grad
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """What layers with a table (num_embeddings, embedding_dim) share: its rows start as N(0, 1)."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    weight: Tensor

    def _make(
        self, size: tuple[int, int], padding_idx: int | None, weight: Any, frozen: bool, device: Any, dtype: Any
    ) -> None:
        self.num_embeddings, self.embedding_dim = size
        shape = new_shape(size, type(self).__name__)
        if weight is not None and weight.shape != shape:
            fail(ShapeError, f"{type(self).__name__}: a table of shape {list(weight.shape)} for sizes {list(size)}")
        is_given = weight is not None
        if not is_given:
            weight = Tensor.empty(*shape, device=device, dtype=as_dtype(dtype, get_default_dtype()))
        self.padding_idx = row_of(type(self).__name__, padding_idx, weight)
        self.weight = Parameter(weight, requires_grad=not frozen)
        if not is_given:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initial values: N(0, 1), and zeros in the row `padding_idx`."""
        normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    def _settings(self) -> list[str]:
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False}
        return [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]


class Embedding(_Table):
    """Rows of a table: integers of any shape (...) to (..., embedding_dim). The rows start as N(0, 1).

    The row `padding_idx` starts as zeros and gets no gradient; the other arguments are those of `functional.embedding`.
    BoundsError for a `padding_idx` outside the table; for other integers outside it when a value is read, if not
    before.

    >>> nn.Embedding(65, 8)(Tensor([[1, 2, 1]])).shape
    (1, 3, 8)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._make((num_embeddings, embedding_dim), padding_idx, _weight, _freeze, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """The layer of a table that is there; with `freeze` it is not trained.

        >>> nn.Embedding.from_pretrained(Tensor([[1.0], [2.0]]))(Tensor([1])).tolist()
        [[2.0]]
        """
        n, d = _size_of(embeddings)
        return cls(n, d, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)

    def forward(self, input: Tensor) -> Tensor:
        """Integers (...) to (..., embedding_dim)."""
        how = (self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)
        return functional.embedding(input, self.weight, self.padding_idx, *how)

    def extra_repr(self) -> str:
        """The sizes, and settings that are not as usual."""
        sparse = ["sparse=True"] if self.sparse else []
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *self._settings(), *sparse])


class EmbeddingBag(_Table):
    """The mean, sum or maximum of the rows that each bag names: see `functional.embedding_bag`.

    >>> nn.EmbeddingBag(10, 3)(Tensor([[1, 2], [4, 5]])).shape
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.mode, self.sparse = scale_grad_by_freq, mode, sparse
        self.include_last_offset = include_last_offset
        self._make((num_embeddings, embedding_dim), padding_idx, _weight, False, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Self:
        """The layer of a table that is there; with `freeze` it is not trained.

        >>> nn.EmbeddingBag.from_pretrained(Tensor([[1.0], [2.0]]))(Tensor([[1, 0]])).tolist()
        [[1.5]]
        """
        how = (*_size_of(embeddings), max_norm, norm_type, scale_grad_by_freq, mode, sparse)
        made = cls(*how, embeddings, include_last_offset, padding_idx)
        made.weight.requires_grad_(not freeze)
        return made

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        """Bags to (B, embedding_dim)."""
        how = (self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse)
        more = (per_sample_weights, self.include_last_offset, self.padding_idx)
        return functional.embedding_bag(input, self.weight, offsets, *how, *more)

    def extra_repr(self) -> str:
        """The sizes, and settings that are not as usual."""
        settings = self._settings()
        padding = [] if self.padding_idx is None else [settings.pop(0)]
        sizes = f"{self.num_embeddings}, {self.embedding_dim}"
        return ", ".join([sizes, *settings, f"mode={self.mode!r}", *padding])


def _size_of(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        fail(ShapeError, f"from_pretrained: the table is a matrix, not of shape {list(embeddings.shape)}")
    return embeddings._known("from_pretrained", 0), embeddings._known("from_pretrained", 1)
