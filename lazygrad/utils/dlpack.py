"""DLPack by PyTorch's older names: `from_dlpack`, and `to_dlpack`, which makes a capsule by itself."""

from lazygrad.functions.creation import from_dlpack
from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]

to_dlpack = function(Tensor.__dlpack__)
