"""`Module`: what computes with parameters, buffers and modules of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lazygrad.dtype import DTypeLike, as_dtype, dtype_named, dtypes
from lazygrad.nn.moving import move, take
from lazygrad.nn.state import Stateful
from lazygrad.nn.summary import summary_text
from lazygrad.ops.jit import Jit
from lazygrad.ops.operands import not_a_tensor
from lazygrad.ops.signatures import check_methods
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


@check_methods
class Module(Stateful):
    """Base of everything that holds parameters.

    A leaf tensor that requires a gradient becomes a parameter when it is assigned to an attribute, and a Module
    becomes a child; both keep that role (a frozen parameter stays one) until the attribute is assigned something else.
    Subclasses define `forward`.

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Linear(10, 5)
    ...     def forward(self, x):
    ...         return self.layer(x).relu()
    >>> net = Net()
    >>> net(Tensor.ones(2, 10)).shape, sum(p.numel() for p in net.parameters())
    ((2, 5), 55)
    """

    training: bool = True
    _takes_tensor = ""  # what `forward` calls the tensor that it takes first, where it is our own

    def __init__(self) -> None:
        self.__dict__.update(_own_parameters={}, _own_buffers={}, _own_modules={}, _hooks={})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("lazygrad."):
            check_methods(cls)
        if "forward" in vars(cls):  # users' modules may take what they like
            name, kind = next(iter(getattr(cls.forward, "__annotations__", {}).items()), ("", ""))
            cls._takes_tensor = name if cls.__module__.startswith("lazygrad.") and kind == "Tensor" else ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if name := self._takes_tensor:
            first = args[0] if args else kwargs.get(name, self)
            if not isinstance(first, Tensor) and first is not self:
                not_a_tensor(type(self).__name__, first)
        if self._hooks:
            return self._call_hooked(self.forward, args, kwargs)
        return self.forward(*args, **kwargs)

    def __copy__(self) -> Self:
        """Another module of the same tensors and modules."""
        new = object.__new__(type(self))
        names = {name: dict(self.__dict__[name]) for name in _HELD}
        held = {n: x.of_copy(self.__dict__, new) if isinstance(x, Jit) else x for n, x in self.__dict__.items()}
        new.__dict__.update({**held, **names})
        return new

    # ---- modes ----

    def train(self, mode: bool = True) -> Self:
        """Set training mode in this module and all inside it: dropout drops.

        >>> nn.Dropout(0.5).train(False).training
        False
        """
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode in this module and all inside it: dropout does nothing."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or thaw every parameter.

        >>> [p.requires_grad for p in nn.Linear(2, 2).requires_grad_(False).parameters()]
        [False, False]
        """
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter, or with `set_to_none=False` set it to zeros."""
        for p in self.parameters():
            p.grad = None if set_to_none or p.grad is None else p.grad.zeros_like()

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` with every module inside, then with this one.

        >>> net = nn.Sequential(nn.Linear(2, 2)).apply(lambda module: print(type(module).__name__))
        Linear
        Sequential
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # ---- devices and dtypes ----

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move every parameter and buffer to a device, or cast the floating ones to a dtype, in place; or both.

        `to(device, dtype)`, `to(dtype)` or `to(tensor)`, whose both they are; `non_blocking` and `memory_format` are
        accepted, and change nothing.

        >>> nn.Linear(2, 2).to(dtypes.float64).weight.dtype
        float64
        """
        kwargs = {k: v for k, v in kwargs.items() if k not in ("non_blocking", "memory_format")}
        targets = [*(x for x in args if x is not None and not isinstance(x, bool)), *kwargs.values()]
        for target in targets:
            for one in (target.device, target.dtype) if isinstance(target, Tensor) else (target,):
                self._move(one)
        return self

    def _move(self, target: Any) -> None:
        kind = dtype_named(target) if isinstance(target, str) else as_dtype(target)
        for t in {id(t): t for t in [*self.parameters(), *self.buffers()]}.values():
            if kind is None or t.dtype.is_float:
                move(t, kind or target)

    def to_empty(self, *, device: str | None = None, recurse: bool = True) -> Self:
        """Move every parameter and buffer to a device (None: where it is) without its values: they may be anything.

        Without `recurse`, those of this module alone.

        >>> nn.Linear(2, 2).to_empty(device="NUMPY").weight.shape
        (2, 2)
        """
        for t in [*self.parameters(recurse), *self.buffers(recurse)]:
            take(t, Tensor.empty(t.shape, dtype=t.dtype, device=device or t.device))
        return self

    def float(self) -> Self:
        """`to` float32."""
        return self.to(dtypes.float32)

    def double(self) -> Self:
        """`to` float64.

        >>> nn.Linear(2, 2).double().bias.dtype
        float64
        """
        return self.to(dtypes.float64)

    def half(self) -> Self:
        """`to` float16."""
        return self.to(dtypes.float16)

    def bfloat16(self) -> Self:
        """`to` bfloat16."""
        return self.to(dtypes.bfloat16)

    def type(self, dst_type: DTypeLike) -> Self:
        """Cast every parameter and buffer, those that are no floats, too.

        >>> nn.BatchNorm1d(2).type(dtypes.float64).num_batches_tracked.dtype
        float64
        """
        for t in [*self.parameters(), *self.buffers()]:
            move(t, as_dtype(dst_type))
        return self

    def cpu(self) -> Self:
        """`to` the best device of the CPU."""
        return self.to("cpu")

    def cuda(self, device: int | str | None = None) -> Self:
        """`to` a GPU, the first one unless told."""
        return self.to(device if isinstance(device, str) else "cuda" if device is None else f"cuda:{device}")

    def share_memory(self) -> Self:
        """The module itself: threads share what it holds anyway."""
        return self

    # ---- as text ----

    def _get_name(self) -> str:
        """What `repr` calls the module; subclasses may say."""
        return type(self).__name__

    def extra_repr(self) -> str:
        """The settings of this module, for `repr`."""
        return ""

    def __repr__(self) -> str:
        inside = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self._places()]
        head, settings = self._get_name(), self.extra_repr()
        if not inside and "\n" not in settings:
            return f"{head}({settings})"
        return "\n  ".join([f"{head}(", *settings.splitlines(), *inside]) + "\n)"

    def summary(self) -> str:
        """A table of the modules inside with the shapes and numbers of their own parameters.

        >>> print(nn.Sequential(nn.Linear(10, 5), nn.ReLU()).summary())
        name  module  parameters             count
        0     Linear  weight 5×10, bias 5       55
        1     ReLU                               0
        total                                   55
        """
        return summary_text(self)


_HELD = ("_own_parameters", "_own_buffers", "_own_modules", "_hooks")
