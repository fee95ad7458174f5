"""What optimizers share: groups of parameters, a learning rate on the device, state, and one schedule for each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazygrad.dtype import DType, dtypes
from lazygrad.engine.run import upload
from lazygrad.engine.tracing import watch_here
from lazygrad.engine.whole import set_all
from lazygrad.errors import ArgumentError, DeviceError, OperandError, fail
from lazygrad.ir.node import Node
from lazygrad.ops.core import make
from lazygrad.ops.fitting import fitting
from lazygrad.ops.mode import enable_grad, no_grad
from lazygrad.ops.operands import describe, not_a_tensor, shape_of
from lazygrad.ops.signatures import check_methods
from lazygrad.optim.limits import OF_SCHEDULES, check_implementation, check_setting
from lazygrad.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

Params = Iterable[Tensor] | Iterable[dict[str, Any]]


class Group(dict[str, Any]):
    """Parameters that share settings, a dict as in PyTorch.

    Setting `group["lr"]` also writes `rate`, the learning rate as a scalar on the device, so that a new rate changes
    neither the graph of a step nor a compiled step. ArgumentError for settings without sense, whenever they are set.
    """

    # What `jit` need not compare, unless a user's code asks for one of these names: steps read `rate`.
    jit_unread = (frozenset({"lr"}), frozenset({"param_groups", "get_last_lr"}))

    def __init__(self, settings: Mapping[str, Any], owner: str = "optimizer") -> None:
        self.owner = owner
        params: list[Tensor] = settings["params"]
        self.device = params[0].device
        double = any(p.dtype is dtypes.float64 for p in params)
        self.dtype: DType = dtypes.float64 if double else dtypes.float32  # of the scalars that a step computes with
        self.rate = Tensor(np.zeros((), self.dtype.storage), device=self.device)
        super().__init__()
        self.update(settings)

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and name != "params" and value.numel() == 1:
            value = value.item()  # a rate may be given as a tensor
        check_setting(self.owner, name, value)
        if name == "lr":
            if (watch := watch_here()) is not None:
                watch.refuse("a learning rate is set")
            fitting(f"{self.owner}: lr", float(value), self.dtype)
            self.rate.node = upload(np.array(value, self.dtype.storage), self.dtype, self.device)
        super().__setitem__(name, value)

    def update(self, *settings: Any, **more: Any) -> None:
        """Set several; a dict's own would not ask `__setitem__`."""
        for name, value in dict(*settings, **more).items():
            self[name] = value

    def __ior__(self, settings: Any) -> Self:  # type: ignore[override,misc]
        self.update(settings)
        return self

    def number(self, name: str) -> float:
        """A setting that is a number."""
        return float(self[name])

    def scalar(self, value: float) -> Tensor:
        """A number that changes from step to step, on the device."""
        return Tensor(np.array(value, self.dtype.storage), device=self.device)


@check_methods
class Optimizer:
    """Base of the optimizers. A subclass makes its state in `make_state` and computes new values in `update`.

    Args:
        params: tensors, or dicts with "params" and settings of their own.
        defaults: the settings of groups that do not have their own.
        implementation: PyTorch's choices among its own implementations (foreach, fused, capturable): here there is one.

    ArgumentError for no parameters, one given twice, or one that requires no gradient; for rates, decays and momenta
    that are negative, nan or infinite, and for betas outside [0, 1).
    """

    def __init_subclass__(cls) -> None:
        if cls.__module__.startswith("lazygrad."):
            check_methods(cls)

    def __init__(self, params: Params, defaults: Mapping[str, Any], **implementation: Any) -> None:
        check_implementation(type(self).__name__, implementation)
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            remedy = "give net.parameters(), or a list of tensors"
            fail(OperandError, f"{type(self).__name__}: its parameters are {describe(params)[0]}; {remedy}")
        given = list(params)
        if not given:
            fail(ArgumentError, f"{type(self).__name__}: no parameters")
        dicts = [g if isinstance(g, dict) else None for g in given]
        groups: list[Mapping[str, Any]] = [g for g in dicts if g is not None] if dicts[0] is not None else []
        groups = groups or [{"params": given}]
        self.defaults = dict(defaults)
        self.param_groups: list[Group] = []
        self.state: dict[str, Tensor] = {}
        self.found_inf: Tensor | None = None  # where it is true, a step changes nothing: see `amp.GradScaler`
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """One more group: a dict with "params", and settings that are not to be the optimizer's.

        >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.1)
        >>> optimizer.add_param_group({"params": [Tensor([2.0], requires_grad=True)], "lr": 0.5})
        >>> [g["lr"] for g in optimizer.param_groups]
        [0.1, 0.5]
        """
        params = group["params"]
        settings = {**self.defaults, **group, "params": [params] if isinstance(params, Tensor) else list(params)}
        unknown = set(settings) - set(self.defaults) - {"params"} - OF_SCHEDULES
        if unknown:
            fail(ArgumentError, f"{type(self).__name__}: no setting {', '.join(sorted(unknown))}")
        self._check(settings, {id(p) for g in self.param_groups for p in g["params"]})
        new = Group(settings, type(self).__name__)
        self.make_state(len(self.param_groups), new)
        self.param_groups.append(new)

    def _check(self, settings: Mapping[str, Any], seen: set[int]) -> None:
        what, params = type(self).__name__, settings["params"]
        if not params:
            fail(ArgumentError, f"{what}: a group has no parameters")
        for p in params:
            if not isinstance(p, Tensor):
                not_a_tensor(what, p, "Tensors as parameters")
            if not p.requires_grad or not p.is_leaf:
                fail(ArgumentError, f"{what}: a parameter of shape {list(p.shape)} is no leaf that requires a gradient")
            if id(p) in seen:
                fail(ArgumentError, f"{what}: a parameter of shape {list(p.shape)} is given twice")
            if p.device != params[0].device:
                fail(DeviceError, f"{what}: a group has parameters on {params[0].device} and {p.device}; split it")
            seen.add(id(p))

    # ---- for subclasses ----

    def make_state(self, number: int, group: Group) -> None:
        """Create the state of group `number` in `self.state`."""

    def update(self, number: int, group: Group, params: Sequence[tuple[int, Tensor, Tensor]]) -> list[Tensor]:
        """Assign new values to parameters and state; the tensors changed.

        Args:
            params: (place in the group, parameter, gradient) of those that have a gradient.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define update")

    @staticmethod
    def wide(p: Tensor) -> DType:
        """The dtype that a parameter's step is computed in, of at least 32 bits."""
        return p.dtype if p.dtype.itemsize >= 4 else dtypes.float32

    def filled_for(self, number: int, group: Group, name: str, value: float) -> None:
        """State `name` for every parameter of a group: `value` everywhere in its shape."""
        for i, p in enumerate(group["params"]):
            full = Tensor.full(p.shape, value, dtype=self.wide(p), device=p.device)
            self.state[f"{name}.{number}.{i}"] = full

    # ---- for users ----

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; all of them in one schedule.

        Args:
            closure: computes the loss and calls `backward`; called first, with gradients recorded.

        Returns what `closure` returned.

        >>> w = Tensor([1.0], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> optim.SGD([w], lr=0.25).step()
        >>> w.item()
        0.5
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        tensors = [*self.state.values(), *(p for group in self.param_groups for p in group["params"])]
        before = [(t, "node", t.node) for t in tensors]
        changed: list[Tensor] = []
        with no_grad():
            try:
                for number, group in enumerate(self.param_groups):
                    params = [(i, p, p.grad) for i, p in enumerate(group["params"]) if p.grad is not None]
                    if params:
                        changed += self.update(number, group, params)
                if self.found_inf is not None:
                    self._keep(before, self.found_inf)
            except BaseException:  # an interrupt, too: all of the step is done, or nothing
                set_all(before)
                raise
            if changed:
                Tensor.realize(*changed)
        return loss

    @staticmethod
    def _keep(before: Sequence[tuple[Tensor, str, Node]], where: Tensor) -> None:
        """Let the tensors that have other nodes than `before` be as they were where that is true."""
        for t, _, node in before:
            if t.node is not node:
                t.assign(where._choose(make(Tensor, node, t.device), t))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients (or, with `set_to_none=False`, make them zeros).

        >>> w = Tensor([1.0], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> optim.SGD([w]).zero_grad()
        >>> w.grad is None
        True
        """
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None if set_to_none or p.grad is None else p.grad.zeros_like()

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of every group.

        >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.1)
        >>> optimizer.set_lr(0.5)
        >>> optimizer.param_groups[0]["lr"]
        0.5
        """
        for group in self.param_groups:
            group["lr"] = lr

    def state_dict(self) -> dict[str, Tensor]:
        """Name -> tensor: the state, and the learning rate of each group.

        >>> list(optim.SGD([Tensor([1.0], requires_grad=True)], momentum=0.9).state_dict())
        ['momentum_buffer.0.0', 'lr.0']
        """
        rates = {f"lr.{i}": group.rate.detach() for i, group in enumerate(self.param_groups)}
        return {**{name: t.detach() for name, t in self.state.items()}, **rates}

    def load_state_dict(self, state: Mapping[str, Tensor | np.ndarray[Any, Any]]) -> None:
        """Take over what `state_dict` gave. ArgumentError, before anything is changed, where it does not fit."""
        own = Optimizer.state_dict(self)
        problems = [f"{n}: missing" for n in own if n not in state]
        problems += [f"{n}: not expected" for n in state if n not in own]
        for name, t in own.items():
            if name in state and shape_of("load_state_dict", state[name]) != t.shape:
                problems.append(f"{name}: shape {list(state[name].shape)}, this optimizer has {list(t.shape)}")
        if problems:
            what = f"load_state_dict: the state does not fit this {type(self).__name__}:\n  "
            fail(ArgumentError, what + "\n  ".join(problems))
        rates = [float(Tensor(state[f"lr.{i}"], device=g.device).item()) for i, g in enumerate(self.param_groups)]
        for rate in rates:
            check_setting(type(self).__name__, "lr", rate)
        with no_grad():
            for name, t in self.state.items():
                t.assign(Tensor(state[name], dtype=t.dtype, device=t.device))
        for group, rate in zip(self.param_groups, rates):
            group["lr"] = rate

    def __repr__(self) -> str:
        lines = [type(self).__name__]
        for i, group in enumerate(self.param_groups):
            settings = ", ".join(f"{k}={v}" for k, v in group.items() if k != "params")
            lines.append(f"  group {i}: {len(group['params'])} parameters, {settings}")
        return "\n".join(lines)
