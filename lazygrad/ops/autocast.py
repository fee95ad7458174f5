"""`autocast`: operations that gain from few bits get them, those that need many keep them; PyTorch's lists of them.

An operation casts its floating operands (not those of 64 bits) where it is called from outside: what operations call to
compute with is left alone, unless `THROUGH` says that PyTorch's is made of others that are cast.
Lists: https://docs.pytorch.org/docs/stable/amp.html, "Autocast Op Reference".
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import wraps
from typing import Any, Literal, NamedTuple, TypeVar

from lazygrad.dtype import DType, DTypeLike, as_dtype, dtypes
from lazygrad.errors import ArgumentError, DTypeError, fail
from lazygrad.ops.aliases import Member
from lazygrad.ops.mode import InMode, casting
from lazygrad.ops.signatures import checked

F = TypeVar("F", bound=Callable[..., Any])
Policy = Literal["lower", "float32", "widest"]


class Lists(NamedTuple):
    """What PyTorch does on one kind of device."""

    dtype: DType  # unless another is asked for
    lower: str
    float32: str
    widest: str


_PRODUCTS = (
    "matmul __matmul__ __rmatmul__ mm bmm addmm addbmm baddbmm linear conv1d conv2d conv3d conv_transpose1d "
    "conv_transpose2d conv_transpose3d scaled_dot_product_attention einsum chain_matmul multi_dot inner cov corrcoef "
    "prelu "
)
LISTS = {
    "cpu": Lists(
        dtypes.bfloat16,
        lower=_PRODUCTS + "tensordot vecdot",
        float32="avg_pool3d binary_cross_entropy grid_sample prod quantile nanquantile cdist trace cholesky inverse "
        "cholesky_inverse cholesky_solve lu_solve orgqr ormqr pinverse max_pool3d max_unpool1d max_unpool2d "
        "max_unpool3d adaptive_avg_pool3d mse_loss cosine_embedding_loss nll_loss hinge_embedding_loss "
        "poisson_nll_loss smooth_l1_loss cross_entropy l1_loss huber_loss margin_ranking_loss soft_margin_loss "
        "triplet_margin_loss multi_margin_loss ctc_loss kl_div multilabel_margin_loss "
        "binary_cross_entropy_with_logits cond matrix_rank solve cholesky_ex svdvals eigvals eigvalsh inv "
        "householder_product tensorinv tensorsolve geqrf qr svd triangular_solve fractional_max_pool2d "
        "fractional_max_pool3d adaptive_max_pool3d eig eigh lstsq inv_ex pad svd_lowrank pca_lowrank",
        widest="cat stack index_copy",
    ),
    "cuda": Lists(
        dtypes.float16,
        lower=_PRODUCTS + "addmv addr mv",
        float32="__pow__ __rpow__ __rtruediv__ acos asin binary_cross_entropy_with_logits cosh cosine_embedding_loss "
        "cdist cosine_similarity cross_entropy cumprod cumsum dist erfinv exp expm1 group_norm hinge_embedding_loss "
        "kl_div l1_loss layer_norm log log10 log_softmax log1p log2 margin_ranking_loss mse_loss multi_margin_loss "
        "multilabel_margin_loss nll_loss norm normalize pairwise_distance pdist poisson_nll_loss pow prod reciprocal "
        "renorm rsqrt sinh smooth_l1_loss soft_margin_loss softmax softmin softplus sum tan triplet_margin_loss",
        widest="addcdiv addcmul atan2 bilinear cat cross dot grid_sample index_put scatter_add stack tensordot vecdot",
    ),
}
POLICIES: dict[str, dict[str, Policy]] = {
    kind: {
        **dict.fromkeys(lists.lower.split(), "lower"),
        **dict.fromkeys(lists.float32.split(), "float32"),
        **dict.fromkeys(lists.widest.split(), "widest"),
    }
    for kind, lists in LISTS.items()
}
NAMES = frozenset(name for policies in POLICIES.values() for name in policies)
# Modules whose functions only pass a call on, and others from which operations are called as users call them.
_AROUND = ("lazygrad.ops.autocast", "lazygrad.ops.spelling", "lazygrad.ops.signatures", "lazygrad.functions.made")
THROUGH = {  # all of their functions, or one
    "lazygrad.nn.functions.attention": None,
    "lazygrad.nn.functions.linear_loss": "linear_cross_entropy",
    "lazygrad.linear_algebra.powers": "matrix_power",
}
_WITHIN = ("lazygrad.nn.functions", "lazygrad.nn.init", "lazygrad.nn.utils")  # not as users do
_OUTSIDE = ("lazygrad.nn", "lazygrad.models", "lazygrad.train", "lazygrad.masked")


def _contracts(equation: Any, *operands: Any) -> bool:
    """Whether `einsum` sums over products, which are a matrix product then: over a letter of several operands."""
    if not isinstance(equation, str):
        return True
    terms, arrow, result = equation.replace(" ", "").partition("->")
    given = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    sizes: dict[str, int] = {}  # in how many operands a letter is of more than one
    for term, t in zip(terms.split(","), given):
        left, _, right = term.partition("...")
        shape = t.node.shape
        named = dict(zip(left, shape)) | dict(zip(reversed(right), reversed(shape)))
        for letter in (c for c, n in named.items() if n != 1):
            sizes[letter] = sizes.get(letter, 0) + 1
    return any(count > 1 and not (arrow and letter in result) for letter, count in sizes.items())


# Operations that are on a list with some of their arguments alone.
WHERE: dict[str, Callable[..., bool]] = {
    "einsum": _contracts,
    "inner": lambda a, b: len(a.node.shape) > 0 < len(b.node.shape) and len(a.node.shape) + len(b.node.shape) > 2,
    "pad": lambda x, pad, mode="constant", value=None: mode in ("reflect", "replicate"),
    "max_pool3d": lambda *args, return_indices=False, **options: not (return_indices or len(args) > 6),
}


class autocast(InMode):  # noqa: N801 - PyTorch's name
    """Matrix products and convolutions in 16 bits, losses and other sensitive operations in float32.

    A context manager, and with parentheses a decorator; may be nested. Parameters stay what they are, and so do their
    gradients. Operands of 64 bits are left alone.

    Args:
        device_type: "cpu" for tensors on CPUs (OPENCL, NUMPY), "cuda" for those on CUDA: each has PyTorch's list.
        dtype: bfloat16 or float16; None for PyTorch's choice: bfloat16 on "cpu", float16 on "cuda".
        enabled: whether it casts; with false nothing is cast inside, as where autocast never was.
        cache_enabled: accepted: a parameter is cast once, because equal values are one value here.

    ArgumentError for another kind of device, DTypeError for another dtype.

    >>> from lazygrad import Tensor
    >>> x = Tensor.ones(2, 2)
    >>> with autocast("cpu"): (x @ x).dtype, (x + x).dtype
    (bfloat16, float32)
    """

    mode = casting

    @checked
    def __init__(
        self,
        device_type: str,
        dtype: DTypeLike | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if device_type not in LISTS:
            fail(ArgumentError, f"autocast: device_type is 'cpu' or 'cuda', not {device_type!r}")
        kind = as_dtype(dtype, LISTS[device_type].dtype)
        if enabled and not kind.is_half:
            fail(DTypeError, f"autocast: operations are cast to bfloat16 or float16, not to {kind}")
        self.device_type, self.value = device_type, kind if enabled else None

    def entering(self) -> Hashable:
        """What is in force, with this instead of what was for the same kind of device."""
        others = tuple(pair for pair in casting.value if pair[0] != self.device_type)
        return others if self.value is None else (*others, (self.device_type, self.value))


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether operations of that kind of device are cast now.

    >>> with autocast("cpu"): is_autocast_enabled("cpu"), is_autocast_enabled()
    (True, False)
    """
    return any(kind == device_type for kind, _ in casting.value)


def get_autocast_dtype(device_type: str) -> DType:
    """What operations of that kind of device are, or would be, cast to.

    >>> get_autocast_dtype("cpu")
    bfloat16
    """
    if device_type not in LISTS:
        fail(ArgumentError, f"get_autocast_dtype: device_type is 'cpu' or 'cuda', not {device_type!r}")
    return dict(casting.value).get(device_type, LISTS[device_type].dtype)  # type: ignore[no-any-return]


def autocasting(function: F) -> F:
    """An operation of the lists, which `autocast` casts the operands of.

    >>> autocasting(len)([1, 2])
    2
    """
    name = function.__name__

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if casting.entered and casting.value:
            args, kwargs = _operands(name, args, kwargs)
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


def autocast_methods(cls: type) -> None:
    """Have the methods that a class defines, and that are on the lists, be cast."""
    for name in NAMES & vars(cls).keys():
        setattr(cls, name, autocasting(vars(cls)[name]))


def _operands(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, with those tensors cast that `name` has on another dtype."""
    tensors = list(_tensors([*args, *kwargs.values()]))
    kind = next(("cuda" if t.device.startswith("CUDA") else "cpu" for t in tensors), "")
    lower, policy = dict(casting.value).get(kind), POLICIES.get(kind, {}).get(name)
    if lower is None or policy is None or _is_within() or not WHERE.get(name, _always)(*args, **kwargs):
        return args, kwargs
    dtype = lower if policy == "lower" else dtypes.float32
    if policy == "widest" and not any(t.dtype is dtypes.float32 for t in tensors):
        dtype = lower
    return tuple(_cast(x, dtype) for x in args), {key: _cast(x, dtype) for key, x in kwargs.items()}


def _always(*args: Any, **kwargs: Any) -> bool:
    return True


def _tensors(values: Iterable[Any]) -> Iterator[Any]:
    for x in values:
        if isinstance(x, Member):
            yield x
        elif isinstance(x, (list, tuple)):
            yield from _tensors(x)


def _cast(x: Any, dtype: DType) -> Any:
    if isinstance(x, (list, tuple)) and any(isinstance(t, Member) for t in x):
        return [_cast(t, dtype) for t in x]
    if not isinstance(x, Member):
        return x
    have = x.node.dtype
    return x.cast(dtype) if have.is_float and have is not dtypes.float64 else x  # type: ignore[attr-defined]


def _is_within() -> bool:
    """Whether it is an operation that called this one."""
    frame = sys._getframe(1)
    while (name := frame.f_globals.get("__name__", "")) in _AROUND and frame.f_back is not None:
        frame = frame.f_back
    if not name.startswith("lazygrad.") or THROUGH.get(name, "") in (None, frame.f_code.co_name):
        return False
    return not name.startswith(_OUTSIDE) or name.startswith(_WITHIN)
