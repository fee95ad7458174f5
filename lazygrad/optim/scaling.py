"""`GradScaler`: losses are scaled up so that gradients of 16 bits do not vanish, and the gradients down again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazygrad.dtype import dtypes
from lazygrad.errors import ArgumentError, GradientError, fail
from lazygrad.ops.functional import map_tensors
from lazygrad.ops.mode import no_grad
from lazygrad.ops.signatures import check_methods
from lazygrad.optim.limits import check_finite
from lazygrad.optim.optimizer import Optimizer
from lazygrad.tensor import Tensor


@check_methods
class GradScaler:
    """Scales losses, and with them gradients, by a factor that falls where gradients overflow, and rises elsewhere.

    Where a gradient is infinite or nan, `step` leaves parameters and the optimizer's state as they were. All of it is
    computed on the device: nothing is read back, and a training step with it can be jitted as a whole.

    Args:
        device: accepted for PyTorch's sake: the factor is where the loss is.
        init_scale: the factor at first.
        growth_factor, backoff_factor: what it is multiplied by after `growth_interval` steps without an overflow, and
            after a step with one.
        enabled: with false, it does nothing.

    ArgumentError for factors that are none.

    >>> from lazygrad import amp, optim
    >>> w = Tensor([1.0], requires_grad=True)
    >>> optimizer, scaler = optim.SGD([w], lr=0.1), amp.GradScaler(init_scale=1024.0)
    >>> scaler.scale((w * float("inf")).sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w.item(), scaler.get_scale()
    (1.0, 512.0)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        check_finite("GradScaler", init_scale=init_scale)
        if growth_factor <= 1 or not 0 < backoff_factor < 1 or growth_interval < 1:
            fail(ArgumentError, "GradScaler: growth_factor is above 1, backoff_factor in (0, 1), the interval positive")
        self._enabled, self._init_scale = enabled, float(init_scale)
        self._growth_factor, self._backoff_factor = float(growth_factor), float(backoff_factor)
        self._growth_interval = growth_interval
        self._scale: Tensor | None = None  # a scalar in float32, on the device of the first loss
        self._growth_tracker = 0  # steps since the factor changed; a tensor as soon as the factor is one
        self._steps: Tensor | None = None
        self._found: dict[int, Tensor] = {}  # by the identity of the optimizer: whether a gradient overflowed
        self._stepped: set[int] = set()

    def _on(self, device: str) -> Tensor:
        """The factor."""
        if self._scale is None:
            self._scale = Tensor.full((), self._init_scale, dtype=dtypes.float32, device=device)
            self._steps = Tensor.full((), self._growth_tracker, dtype=dtypes.int32, device=device)
        return self._scale

    def scale(self, outputs: Any) -> Any:
        """`outputs`, a tensor or several in lists, tuples and dicts, times the factor."""
        if not self._enabled:
            return outputs
        return map_tensors(lambda t: t * self._on(t.device).to(t.device), outputs)

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer by the factor, once for each `update`: before they are clipped, say.

        GradientError where that was done, or where there are no gradients of 32 bits or more.
        """
        if not self._enabled:
            return
        if id(optimizer) in self._found:
            fail(GradientError, "unscale_: was already called on this optimizer since the last update")
        if self._scale is None:
            fail(GradientError, "unscale_: nothing was scaled yet; call .scale(loss).backward() first")
        found = Tensor.full((), False, dtype=dtypes.bool, device=self._scale.device)
        with no_grad():
            inverse = self._scale.double().reciprocal().float()
            for p in [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]:
                if p.grad.dtype.is_half:
                    fail(GradientError, "unscale_: a gradient of 16 bits; keep parameters in float32 under autocast")
                found = found | (~p.grad.isfinite()).any().to(found.device)
                p.grad = p.grad * inverse.to(p.device).cast(p.grad.dtype)
        self._found[id(optimizer)] = found

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(*args, **kwargs)` with unscaled gradients, which changes nothing where one overflowed.

        GradientError for a closure (its gradients would not be scaled), and for a second step before `update`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or args:
            fail(GradientError, "GradScaler.step: takes no closure")
        if id(optimizer) in self._stepped:
            fail(GradientError, "GradScaler.step: was already called on this optimizer since the last update")
        if id(optimizer) not in self._found:
            self.unscale_(optimizer)
        optimizer.found_inf = self._found[id(optimizer)]
        try:
            result = optimizer.step()
        finally:
            optimizer.found_inf = None
        self._stepped.add(id(optimizer))
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """The next factor, by whether gradients overflowed since the last one; or `new_scale`.

        GradientError where no gradients were unscaled.
        """
        if not self._enabled:
            return
        if self._scale is None or self._steps is None or (new_scale is None and not self._found):
            fail(GradientError, "GradScaler.update: no gradients were unscaled since the last update")
        with no_grad():
            if new_scale is not None:
                self._scale.assign(new_scale)
            else:
                found = [f.to(self._scale.device) for f in self._found.values()]
                self._follow(found[0] if len(found) == 1 else sum(found[1:], found[0]).bool())
        self._found.clear()
        self._stepped.clear()

    def _follow(self, found: Tensor) -> None:
        assert self._scale is not None and self._steps is not None
        steps = found._choose(0, self._steps + 1)
        grows = steps.eq(self._growth_interval)
        larger = self._scale * self._growth_factor
        larger = larger.isfinite()._choose(larger, self._scale)
        self._scale.assign(found._choose(self._scale * self._backoff_factor, grows._choose(larger, self._scale)))
        self._steps.assign(grows._choose(0, steps))
        self._scale.realize(self._steps)

    def get_scale(self) -> float:
        """The factor, which is read; 1.0 where this is not enabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        """What the factor is multiplied by as long as nothing overflows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set it."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the factor is multiplied by after an overflow."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set it."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many steps without an overflow the factor grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set it."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """PyTorch's names and Python's numbers, which are read; nothing where this is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker if self._steps is None else int(self._steps.item()),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave. ArgumentError for an empty one."""
        if not self._enabled:
            return
        if not state_dict:
            fail(ArgumentError, "GradScaler: the state is empty: it was saved of one that is not enabled")
        self._init_scale, self._growth_tracker = float(state_dict["scale"]), int(state_dict["_growth_tracker"])
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        if self._scale is not None and self._steps is not None:
            self._scale.assign(self._init_scale)
            self._steps.assign(self._growth_tracker)
