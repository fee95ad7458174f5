"""Files: named tensors in safetensors, written atomically and read without a copy."""

from lazygrad.io.atomic import atomic_write, remove_leftovers
from lazygrad.io.safetensors import StoredArray, read_arrays, write_arrays

__all__ = ["StoredArray", "atomic_write", "read_arrays", "remove_leftovers", "write_arrays"]
