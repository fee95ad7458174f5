"""Optimizers that treat every parameter by itself: a step is a formula of the parameter, its gradient and its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazygrad.optim.optimizer import Group, Optimizer
from lazygrad.tensor import Tensor


class State:
    """The state of one parameter, or of a group (`place` None), by name; what is kept is assigned at once."""

    def __init__(self, of: dict[str, Tensor], number: int, place: int | None, changed: list[Tensor]) -> None:
        self._of, self._changed = of, changed
        self._end = f".{number}" if place is None else f".{number}.{place}"

    def __getitem__(self, name: str) -> Tensor:
        return self._of[name + self._end]

    def keep(self, name: str, value: Tensor) -> Tensor:
        """State `name` is `value` from now on."""
        self._changed.append(self[name].assign(value))
        return self._changed[-1]

    def mean(self, name: str, value: Tensor, beta: float | Tensor) -> Tensor:
        """State `name` decays by `beta` towards `value`."""
        return self.keep(name, self[name] * beta + value * (1 - beta))


class PerParameter(Optimizer):
    """A subclass says which state a parameter and a group have, and what a step makes of the parameter.

    `weight_decay` is added to the gradient, unless the optimizer, or a group's `decoupled_weight_decay`, shrinks the
    parameter by it.
    """

    decoupled = False  # whether weight decay acts on the parameter itself

    def slots(self, group: Group) -> Mapping[str, float]:
        """The names of a parameter's state, and what each starts as everywhere."""
        return {}

    def scalars(self, group: Group) -> Mapping[str, float]:
        """The names of a group's state, numbers on the device, and their starts."""
        return {}

    def begin(self, group: Group, state: State) -> Any:
        """Change the group's state; what `move` gets of it."""

    def decayed(self, group: Group, p: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """The parameter and its gradient after weight decay."""
        decay = group.get("weight_decay", 0.0)
        if not decay:
            return p, g
        if group.get("decoupled_weight_decay", self.decoupled):
            return p * (1 - group.rate * decay), g
        return p, g + p * decay

    def move(self, group: Group, common: Any, p: Tensor, g: Tensor, state: State) -> Tensor:
        """The parameter's new value. `p` and `g` are the parameter and its gradient, of at least 32 bits."""
        raise NotImplementedError(f"{type(self).__name__} does not define move")

    def make_state(self, number: int, group: Group) -> None:
        """The state that `slots` and `scalars` name."""
        for name, start in self.scalars(group).items():
            self.state[f"{name}.{number}"] = group.scalar(start)
        for name, start in self.slots(group).items():
            self.filled_for(number, group, name, start)

    def update(self, number: int, group: Group, params: Sequence[tuple[int, Tensor, Tensor]]) -> list[Tensor]:
        """One step of every parameter."""
        changed: list[Tensor] = []
        common = self.begin(group, State(self.state, number, None, changed))
        for i, p, gradient in params:
            kind = self.wide(p)
            value, g = p.cast(kind), gradient.cast(kind)
            if group.get("maximize"):
                g = -g
            value, g = self.decayed(group, value, g)
            state = State(self.state, number, i, changed)
            changed.append(p.assign(self.move(group, common, value, g, state)))
        return changed
