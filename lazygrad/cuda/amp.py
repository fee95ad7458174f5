"""Mixed precision on GPUs, by PyTorch's older names (`torch.cuda.amp`)."""

from __future__ import annotations

from lazygrad.dtype import DTypeLike
from lazygrad.ops.autocast import autocast as _autocast
from lazygrad.optim.scaling import GradScaler as _GradScaler

__all__ = ["GradScaler", "autocast"]


class autocast(_autocast):  # noqa: N801 - PyTorch's name
    """`lazygrad.autocast("cuda")`, of float16 unless given.

    >>> with autocast(enabled=False): (Tensor.ones(2, 2) @ Tensor.ones(2, 2)).dtype
    float32
    """

    def __init__(self, enabled: bool = True, dtype: DTypeLike | None = None, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(_GradScaler):
    """`lazygrad.amp.GradScaler("cuda")`.

    >>> GradScaler(8.0).get_scale()
    8.0
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
