"""Mixed precision, by PyTorch's names (`torch.amp`). No logic is here."""

from lazygrad.ops.autocast import autocast, get_autocast_dtype, is_autocast_enabled
from lazygrad.optim.scaling import GradScaler

__all__ = ["GradScaler", "autocast", "get_autocast_dtype", "is_autocast_enabled"]
