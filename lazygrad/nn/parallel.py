"""Modules that PyTorch spreads over several devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lazygrad.nn.module import Module
from lazygrad.ops.operands import not_a_tensor

__all__ = ["DataParallel"]


class DataParallel(Module):
    """What `module` computes, on its own device: batches are not divided among `device_ids`, which are accepted as
    `output_device` and `dim` are.

    The state has the names of PyTorch's, all with `module.` before them.

    >>> net = nn.DataParallel(nn.Linear(3, 2))
    >>> net(Tensor.ones(4, 3)).shape, list(net.state_dict())
    ((4, 2), ['module.weight', 'module.bias'])
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[int | str] | None = None,
        output_device: int | str | None = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(module, Module):
            not_a_tensor("DataParallel", module, "a Module")
        self.module, self.device_ids, self.output_device, self.dim = module, device_ids, output_device, dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self.module(*inputs, **kwargs)
