"""L-BFGS: Newton's method with an inverse Hessian that the last steps tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lazygrad.errors import ArgumentError, OperandError, fail
from lazygrad.ops.mode import enable_grad, no_grad
from lazygrad.optim.line_search import Point, strong_wolfe
from lazygrad.optim.optimizer import Optimizer, Params
from lazygrad.tensor import Tensor

Vector = np.ndarray[Any, np.dtype[np.float64]]


class LBFGS(Optimizer):
    """Steps along the negative gradient times an inverse Hessian, up to `max_iter` of them in one call of `step`.

    Nocedal and Wright, "Numerical optimization" (2006), algorithms 7.4 and 7.5. `step` needs a closure that computes
    the loss anew; losses and gradients are read back, so that it cannot be compiled with `jit`. The memory is of the
    host, in float64.

    Args:
        lr: the length of a step; of the first one at most 1 / sum |gradient|.
        max_iter, max_eval: how many steps, and calls of the closure, at most (None: 5/4 of the steps).
        tolerance_grad: it ends where no element of the gradient is larger.
        tolerance_change: it ends where neither the loss nor any parameter changes more.
        history_size: how many steps are remembered.
        line_search_fn: "strong_wolfe", or None for steps of length `lr`.

    ArgumentError for more than one group.

    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - Tensor([3.0, 4.0])) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> first = optimizer.step(closure)
    >>> [round(x, 3) for x in w.tolist()]
    [3.0, 4.0]
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if line_search_fn not in (None, "strong_wolfe"):
            fail(ArgumentError, f"LBFGS: line_search_fn is 'strong_wolfe' or None, not {line_search_fn!r}")
        settings: Mapping[str, Any] = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, settings)
        if len(self.param_groups) > 1:
            fail(ArgumentError, "LBFGS: one group of parameters; its inverse Hessian couples them all")
        self._pairs: list[tuple[Vector, Vector]] = []  # steps, and how the gradient changed over each
        self._gradient: Vector | None = None  # where the last step started
        self._move: Vector | None = None

    def state_dict(self) -> dict[str, Tensor]:
        """Name -> tensor: the learning rate, and what is remembered of steps, on the host."""
        vectors: dict[str, Any] = {"gradient": self._gradient, "move": self._move}
        if self._pairs:
            moves, changes = map(np.stack, zip(*self._pairs))
            vectors |= {"moves": moves, "changes": changes}
        own = {f"{name}.0": Tensor(v, device="NUMPY") for name, v in vectors.items() if v is not None}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: Mapping[str, Tensor | Vector]) -> None:
        """Take over what `state_dict` gave. ArgumentError, before anything is changed, where it does not fit."""
        names = ("gradient", "move", "moves", "changes")
        given = {n: Tensor(state[f"{n}.0"], device="NUMPY").double().numpy() for n in names if f"{n}.0" in state}
        count = sum(int(p.numel()) for p in self.param_groups[0]["params"])
        if any(v.shape[-1:] != (count,) or v.ndim != 1 + n.endswith("s") for n, v in given.items()):
            shapes = {n: list(v.shape) for n, v in given.items()}
            fail(ArgumentError, f"load_state_dict: vectors of {count} numbers are wanted, not of shapes {shapes}")
        super().load_state_dict({n: v for n, v in state.items() if n.removesuffix(".0") not in names})
        self._gradient, self._move = given.get("gradient"), given.get("move")
        self._pairs = [*zip(given.get("moves", ()), given.get("changes", ()))]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Several steps; what the closure returned first."""
        if closure is None:
            fail(OperandError, "LBFGS: step takes a function that computes the loss and its gradients anew")
        group, self._closure, self._calls = self.param_groups[0], closure, 0
        loss, gradient = self._evaluate()
        first = self._first
        if np.abs(gradient).max(initial=0.0) <= group["tolerance_grad"]:
            return first
        for _ in range(group["max_iter"]):
            direction = self._direction(gradient)
            slope = float(gradient @ direction)
            if slope > -group["tolerance_change"]:
                break
            rate = group["lr"] if self._pairs or self._move is not None else self._cautious(group["lr"], gradient)
            before, self._gradient = loss, gradient
            length, loss, gradient = self._along(direction, rate, Point(0.0, loss, slope), gradient)
            self._move = direction * length
            if self._is_over(loss - before, gradient):
                break
        return first

    @staticmethod
    def _cautious(lr: float, gradient: Vector) -> float:
        return min(1.0, 1.0 / float(np.abs(gradient).sum())) * lr

    def _is_over(self, change: float, gradient: Vector) -> bool:
        group = self.param_groups[0]
        small = group["tolerance_change"]
        assert self._move is not None
        return bool(
            self._calls >= group["max_eval"]
            or np.abs(gradient).max() <= group["tolerance_grad"]
            or np.abs(self._move).max() <= small
            or abs(change) < small
        )

    def _direction(self, gradient: Vector) -> Vector:
        """Minus the inverse Hessian times the gradient: the two loops of algorithm 7.4."""
        if self._gradient is None or self._move is None:
            return -gradient
        change = gradient - self._gradient
        if float(change @ self._move) > 1e-10:
            self._pairs = [*self._pairs, (self._move, change)][-self.param_groups[0]["history_size"] :]
        scale = 1.0
        if self._pairs:
            move, change = self._pairs[-1]
            scale = float(move @ change) / float(change @ change)
        q, weights = -gradient, []
        for move, change in reversed(self._pairs):
            weights.append(float(move @ q) / float(move @ change))
            q = q - change * weights[-1]
        q = q * scale
        for move, change in self._pairs:
            q = q + move * (weights.pop() - float(change @ q) / float(move @ change))
        return q

    def _along(self, direction: Vector, rate: float, start: Point, gradient: Vector) -> tuple[float, float, Vector]:
        """A step along the direction: its length, and the loss and gradient after it."""
        origin = [p.numpy() for p in self.param_groups[0]["params"]]
        if self.param_groups[0]["line_search_fn"] is None:
            self._set(origin, direction * rate)
            return rate, *self._evaluate()
        seen: dict[float, Vector] = {0.0: gradient}

        def evaluate(length: float) -> Point:
            self._set(origin, direction * length)
            loss, seen[length] = self._evaluate()
            return Point(length, loss, float(seen[length] @ direction))

        left = self.param_groups[0]["max_eval"] - self._calls
        end = strong_wolfe(evaluate, start, rate, float(np.abs(direction).max()), left)
        self._set(origin, direction * end.step)
        return end.step, end.loss, seen[end.step]

    def _evaluate(self) -> tuple[float, Vector]:
        with enable_grad():
            loss = self._closure()
        if not self._calls:
            self._first = loss
        self._calls += 1
        params = self.param_groups[0]["params"]
        parts = [np.zeros(p.shape) if p.grad is None else p.grad.numpy().astype(np.float64) for p in params]
        return float(loss), np.concatenate([part.ravel() for part in parts])

    def _set(self, origin: list[np.ndarray[Any, Any]], move: Vector) -> None:
        """The parameters are where they started, and `move` further."""
        start = 0
        with no_grad():
            for p, array in zip(self.param_groups[0]["params"], origin):
                part = move[start : start + array.size].reshape(array.shape)
                p.assign(Tensor((array.astype(np.float64) + part), dtype=p.dtype, device=p.device))
                start += array.size
            Tensor.realize(*self.param_groups[0]["params"])
