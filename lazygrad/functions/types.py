"""Types of elements, as PyTorch has them beside tensors."""

from lazygrad.ops.types_of import can_cast, finfo, iinfo, is_tensor, promote_types, result_type

__all__ = ["can_cast", "finfo", "iinfo", "is_tensor", "promote_types", "result_type"]
