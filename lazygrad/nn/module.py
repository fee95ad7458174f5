"""`Module`: parameters, buffers and modules inside modules, found by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lazygrad.dtype import DTypeLike, as_dtype, dtype_named
from lazygrad.errors import ArgumentError, fail
from lazygrad.nn.moving import move
from lazygrad.nn.summary import summary_text
from lazygrad.ops.jit import Jit
from lazygrad.ops.jit_modules import Changes
from lazygrad.ops.mode import no_grad
from lazygrad.ops.operands import not_a_tensor, shape_of
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class LoadResult(NamedTuple):
    """What `load_state_dict` found different: names that the state lacks, and names that the module lacks."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
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
    counts_changes = True  # of attributes: `jit` reads them anew after some
    _parameters: dict[str, None]
    _buffers: dict[str, bool]  # name -> whether it is part of the state
    _children: dict[str, None]
    _takes_tensor = ""  # what `forward` calls the tensor that it takes first, where it is our own

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _buffers={}, _children={})

    def __setattr__(self, name: str, value: Any) -> None:
        Changes.count += 1
        is_module = isinstance(value, Module)
        is_parameter = isinstance(value, Tensor) and value.requires_grad and value.is_leaf
        if "_parameters" not in self.__dict__:
            if is_module or is_parameter:
                raise AttributeError(f"call super().__init__() before assigning {type(self).__name__}.{name}")
        else:
            _mark(self._children, name, is_module)
            _mark(self._parameters, name, is_parameter)
            if not isinstance(value, Tensor):
                self._buffers.pop(name, None)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        Changes.count += 1
        for names in (self._parameters, self._buffers, self._children):
            names.pop(name, None)
        object.__delattr__(self, name)

    def register_buffer(self, name: str, tensor: Tensor, persistent: bool = True) -> None:
        """Make `tensor` an attribute that moves with the module, and is part of its state if `persistent`.

        >>> net = nn.Module()
        >>> net.register_buffer("scale", Tensor([2.0]))
        >>> list(net.state_dict())
        ['scale']
        """
        if not isinstance(tensor, Tensor):
            not_a_tensor("register_buffer", tensor)
        setattr(self, name, tensor)
        self._buffers[name] = persistent

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "forward" in vars(cls):  # users' modules may take what they like
            name, kind = next(iter(getattr(cls.forward, "__annotations__", {}).items()), ("", ""))
            cls._takes_tensor = name if cls.__module__.startswith("lazygrad.") and kind == "Tensor" else ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if name := self._takes_tensor:
            first = args[0] if args else kwargs.get(name, self)
            if not isinstance(first, Tensor) and first is not self:
                not_a_tensor(type(self).__name__, first)
        return self.forward(*args, **kwargs)

    def __copy__(self) -> Self:
        """Another module of the same tensors and modules."""
        new = object.__new__(type(self))
        names = {name: dict(self.__dict__[name]) for name in ("_parameters", "_buffers", "_children")}
        held = {n: x.of_copy(self.__dict__, new) if isinstance(x, Jit) else x for n, x in self.__dict__.items()}
        new.__dict__.update({**held, **names})
        return new

    # ---- what is inside ----

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules directly inside."""
        for name in self._children:
            yield name, getattr(self, name)

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(dotted name, module) of this module and all inside it, each once.

        >>> [name for name, _ in nn.Sequential(nn.ReLU(), nn.Flatten()).named_modules()]
        ['', '0', '1']
        """
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            inside = [(f"{name}.{n}" if name else n, m) for n, m in module.named_children()]
            stack.extend(reversed(inside))

    def modules(self) -> Iterator[Module]:
        """This module and all inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, parameter), each parameter once: under its first name where it is shared.

        >>> [(name, p.shape) for name, p in nn.Linear(3, 2).named_parameters()]
        [('weight', (2, 3)), ('bias', (2,))]
        """
        seen: set[int] = set()
        for name, t in self._named("_parameters"):
            if id(t) not in seen:
                seen.add(id(t))
                yield name, t

    def parameters(self) -> Iterator[Tensor]:
        """Every parameter once."""
        return (t for _, t in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, buffer)."""
        return self._named("_buffers")

    def buffers(self) -> Iterator[Tensor]:
        """Every buffer."""
        return (t for _, t in self.named_buffers())

    def _named(self, kind: str, persistent_only: bool = False) -> Iterator[tuple[str, Tensor]]:
        for prefix, module in self.named_modules():
            for name, persistent in getattr(module, kind).items():
                if persistent or not persistent_only:
                    yield f"{prefix}.{name}" if prefix else name, getattr(module, name)

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

    def zero_grad(self) -> None:
        """Forget the gradient of every parameter."""
        for p in self.parameters():
            p.grad = None

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` with every module inside, then with this one.

        >>> net = nn.Sequential(nn.Linear(2, 2)).apply(lambda module: print(type(module).__name__))
        Linear
        Sequential
        """
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def to(self, target: DTypeLike) -> Self:
        """Move every parameter and buffer to a device, or cast the floating ones to a dtype, in place.

        >>> nn.Linear(2, 2).to(dtypes.float64).weight.dtype
        float64
        """
        kind = dtype_named(target) if isinstance(target, str) else as_dtype(target)
        tensors = [t for names in ("_parameters", "_buffers") for _, t in self._named(names)]
        for t in {id(t): t for t in tensors}.values():
            if kind is None or t.dtype.is_float:
                move(t, kind or target)
        return self

    # ---- state ----

    def state_dict(self) -> dict[str, Tensor]:
        """Dotted name -> value, of every parameter and persistent buffer; the values carry no gradient.

        >>> sorted(nn.Linear(3, 2).state_dict())
        ['bias', 'weight']
        """
        named = [*self._named("_parameters"), *self._named("_buffers", persistent_only=True)]
        return {name: t.detach() for name, t in named}

    def load_state_dict(self, state: Mapping[str, Tensor | np.ndarray[Any, Any]], strict: bool = True) -> LoadResult:
        """Take over the values of `state`, cast to this module's dtypes and moved to its devices.

        Without `strict`, names on one side only are reported instead of raising. ArgumentError, before anything is
        changed, names every tensor that is missing, not expected, or of another shape.

        >>> a, b = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> b.load_state_dict(a.state_dict())
        LoadResult(missing_keys=[], unexpected_keys=[])
        """
        own = dict([*self._named("_parameters"), *self._named("_buffers", persistent_only=True)])
        found = LoadResult([n for n in own if n not in state], [n for n in state if n not in own])
        problems = [f"{n}: missing" for n in found.missing_keys] + [f"{n}: not expected" for n in found.unexpected_keys]
        problems = problems if strict else []
        for name, t in own.items():
            if name in state and shape_of("load_state_dict", state[name]) != t.shape:
                problems.append(f"{name}: shape {list(state[name].shape)}, this module has {list(t.shape)}")
        if problems:
            what = f"load_state_dict: the state does not fit this {type(self).__name__}:\n  "
            fail(ArgumentError, what + "\n  ".join(problems))
        with no_grad():
            for name, t in own.items():
                if name in state:
                    t.assign(Tensor(state[name], dtype=t.dtype, device=t.device))
        return found

    # ---- as text ----

    def extra_repr(self) -> str:
        """The settings of this module, for `repr`."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self.named_children()]
        head = f"{type(self).__name__}({self.extra_repr()}"
        return "\n  ".join([head, *lines]) + "\n)" if lines else head + ")"

    def summary(self) -> str:
        """A table of the modules inside with the shapes and numbers of their own parameters.

        >>> print(nn.Sequential(nn.Linear(10, 5), nn.ReLU()).summary())
        name  module  parameters             count
        0     Linear  weight 5×10, bias 5       55
        1     ReLU                               0
        total                                   55
        """
        return summary_text(self)


def _mark(names: dict[str, None], name: str, present: bool) -> None:
    if present:
        names.setdefault(name)
    else:
        names.pop(name, None)
