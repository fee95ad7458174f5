"""Files: named tensors in safetensors, written atomically and read without a copy."""

from lazygrad.io.atomic import atomic_write, remove_leftovers
from lazygrad.io.gguf import load_gguf
from lazygrad.io.objects import load, save
from lazygrad.io.quantized import QuantizedTensor
from lazygrad.io.safetensors import StoredArray, read_arrays, write_arrays
from lazygrad.io.sharded import read_weights, write_weights
from lazygrad.io.state import load_file, load_state, save_file, save_state

__all__ = [
    "QuantizedTensor",
    "StoredArray",
    "atomic_write",
    "load",
    "load_file",
    "load_gguf",
    "load_state",
    "read_arrays",
    "read_weights",
    "remove_leftovers",
    "save",
    "save_file",
    "save_state",
    "write_arrays",
    "write_weights",
]
